import type { HostOptions } from './host/host-options.ts';
import type { Mode } from './model.ts';
import type { IsolationOpenings } from './network/isolation-rules.ts';

/** What the deployment chose. Read once from the environment (shared/environment.ts); the demo and tests pass their own. */
export interface Config {
  /** Account and Region that this responder may act in. */
  readonly accountId: string;
  readonly region: string;
  /** VPCs in which anything may be changed; empty = every one. */
  readonly vpcIds: readonly string[];
  /** Mode of requests that do not carry one. */
  readonly defaultMode: Mode;
  /** An instance with this tag key (whatever its value) is refused. */
  readonly exemptTag: string;
  /** Rule numbers that denies may take, lowest first. */
  readonly aclRuleNumbers: { readonly first: number; readonly last: number };
  /** Entries that one direction of an ACL may hold in one family; AWS counts the default deny, so 19 of 20 are usable. */
  readonly aclEntriesPerDirection: number;
  /** How long the host may take to answer before isolation goes ahead without it, in seconds. */
  readonly hostCutBudgetSeconds: number;
  /** How far the host cut goes where a request does not say. */
  readonly hostOptions: HostOptions;
  /** Names of our SSM documents. */
  readonly hostDocuments: { readonly linux: string; readonly windows: string };
  /** The state machine that start-response starts. */
  readonly respondStateMachineArn: string;
  /** Where reports are published; null = nowhere but in the execution's output. */
  readonly topicArn: string | null;
  /** What the isolation group allows; nothing by default. */
  readonly openings: IsolationOpenings;
  /** New isolations per hour and VPC; beyond them a person decides. */
  readonly isolationsPerHour: number;
  /** Delete a group that was replaced by the isolation group, where nobody uses it any more. */
  readonly deleteReplacedGroups: boolean;
  /** How a member of an Auto Scaling group is kept from being replaced and ended: moved to Standby, or detached. */
  readonly autoScaling: 'standby' | 'detach';
  /** `never`: denies stay until a restore. `after-proof`: lifted on two independent kinds of evidence. */
  readonly releaseDenies: 'never' | 'after-proof';
}
