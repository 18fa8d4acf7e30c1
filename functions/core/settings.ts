import { InputError, quote } from './errors.ts';
import { HOST_OPTIONS } from './host/host-options.ts';
import { canonicalCidr } from './network/addresses.ts';

/**
 * Everything that a deployment chooses, in one table: the name by which steps know it, the parameter of template.yaml, the
 * environment variable between them, the default and the bounds. The functions' environment, the checks of the template,
 * local runs and docs/settings.md read it here.
 */
export const SETTINGS = {
  /** Account and Region that this responder may act in. */
  accountId: ofStack('FLOWCUT_ACCOUNT_ID'),
  region: ofStack('AWS_REGION'),
  /** VPCs in which anything may be changed; empty = every one. */
  vpcIds: vpcs('VpcIds', 'FLOWCUT_VPC_IDS'),
  /** Mode of requests that do not carry one. */
  defaultMode: choice('Mode', 'FLOWCUT_MODE', ['observe', 'contain']),
  /** A finding about an instance with this tag key, whatever its value, leads to a plan. */
  exemptTag: text('ExemptTag', 'FLOWCUT_EXEMPT_TAG', 'flowcut:exempt'),
  /** Instances that are refused, whatever a finding or a person says. */
  exemptInstanceIds: each('ExemptInstanceIds', 'FLOWCUT_EXEMPT_INSTANCE_IDS', {
    isTaken: (id) => /^i-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id),
    wanted: 'the id of an instance',
  }),
  /** CIDRs whose addresses are never denied at an ACL, whoever names them. */
  neverDeny: each('NeverDeny', 'FLOWCUT_NEVER_DENY', {
    isTaken: (cidr) => canonicalCidr(cidr) !== null,
    wanted: 'a network with its prefix length',
  }),
  /** Rule numbers that denies may take; the two ends may be given in either order. */
  aclRuleNumbers: {
    first: whole('AclFirstRule', 'FLOWCUT_ACL_FIRST_RULE', { least: 1, most: 32_766, fallback: 1 }),
    last: whole('AclLastRule', 'FLOWCUT_ACL_LAST_RULE', { least: 1, most: 32_766, fallback: 32_766 }),
  },
  /** Entries that one direction of an ACL may hold in one family; AWS counts the default deny, so 19 of 20 are usable. */
  aclEntriesPerDirection: whole('AclEntryQuota', 'FLOWCUT_ACL_ENTRY_QUOTA', { least: 1, most: 40, fallback: 20 }),
  /** How long the host may take to answer before isolation goes ahead without it, in seconds. */
  hostCutBudgetSeconds: whole('HostCutBudgetSeconds', 'FLOWCUT_HOST_CUT_BUDGET_SECONDS', {
    least: 5,
    most: 180,
    fallback: 45,
  }),
  /** How far the host cut goes where a request does not say. */
  hostOptions: {
    mode: choice('HostMode', 'FLOWCUT_HOST_MODE', HOST_OPTIONS.mode),
    survivors: choice('HostSurvivors', 'FLOWCUT_HOST_SURVIVORS', HOST_OPTIONS.survivors),
    sessions: choice('HostSessions', 'FLOWCUT_HOST_SESSIONS', HOST_OPTIONS.sessions),
    agentSessions: choice('HostAgentSessions', 'FLOWCUT_HOST_AGENT_SESSIONS', HOST_OPTIONS.agentSessions),
  },
  /** Names of our SSM documents. */
  hostDocuments: {
    linux: ofStack('FLOWCUT_LINUX_DOCUMENT'),
    windows: ofStack('FLOWCUT_WINDOWS_DOCUMENT'),
  },
  /** The state machine that start-response and the sweep start; empty in every other function. */
  respondStateMachineArn: ofStack('FLOWCUT_RESPOND_STATE_MACHINE_ARN', ''),
  /** Where reports are published; null = nowhere but in the execution's output. */
  topicArn: orNull(ofStack('FLOWCUT_TOPIC_ARN', '')),
  /** What the isolation group allows; nothing by default. */
  openings: {
    agentEgress: list('AgentEgress', 'FLOWCUT_AGENT_EGRESS'),
    analystIngress: list('AnalystIngress', 'FLOWCUT_ANALYST_INGRESS'),
  },
  /** New isolations per hour and VPC; beyond them a person decides. */
  isolationsPerHour: whole('IsolationsPerHour', 'FLOWCUT_ISOLATIONS_PER_HOUR', {
    least: 0,
    most: 10_000,
    fallback: 10,
  }),
  /** Delete a group that was replaced by the isolation group, where nobody uses it any more. */
  deleteReplacedGroups: isTrue(choice('DeleteReplacedGroups', 'FLOWCUT_DELETE_REPLACED_GROUPS', ['false', 'true'])),
  /** How a member of an Auto Scaling group is kept from being replaced and ended: moved to Standby, or detached. */
  autoScaling: choice('AutoScaling', 'FLOWCUT_AUTO_SCALING', ['standby', 'detach']),
  /** `when-alone`: a subnet in which every interface is the instance's own is closed as a whole, both ways. */
  sealSubnet: choice('SealSubnet', 'FLOWCUT_SEAL_SUBNET', ['when-alone', 'never']),
  /** A flow log of our own on every interface of the instance, which the instance cannot write. */
  ownFlowLog: isOn(choice('OwnFlowLog', 'FLOWCUT_OWN_FLOW_LOG', ['on', 'off'])),
  /** ARN of the bucket that takes those logs; null = the stack has none. */
  flowLogBucketArn: orNull(ofStack('FLOWCUT_FLOW_LOG_BUCKET', '')),
  /** How long an open case is looked at after its cut, in days; 0 = no longer than its response goes on. */
  watchDays: whole('WatchDays', 'FLOWCUT_WATCH_DAYS', { least: 0, most: 365, fallback: 30 }),
  /** `never`: denies stay until a restore. `after-proof`: lifted on two independent kinds of evidence. */
  releaseDenies: choice('ReleaseDenies', 'FLOWCUT_RELEASE_DENIES', ['never', 'after-proof']),
} as const;

export interface Setting<T> {
  /** Parameter of template.yaml; null = the stack itself knows it. */
  readonly parameter: string | null;
  readonly variable: string;
  /** What a variable that is not set, or empty, stands for; null = it has to be set. */
  readonly fallback: string | null;
  readonly bounds: Bounds;
  readonly read: (text: string) => T;
}

export type Bounds =
  | { readonly kind: 'text' | 'list' }
  | { readonly kind: 'choice'; readonly of: readonly string[] }
  | { readonly kind: 'whole-number'; readonly least: number; readonly most: number };

/** What a table of settings is once it is read. */
export type Chosen<T> = T extends Setting<infer V> ? V : { readonly [K in keyof T]: Chosen<T[K]> };

const isSetting = (entry: object): entry is Setting<unknown> => 'variable' in entry;

/** Every setting of the table, whatever it is grouped under. */
export function allSettings(table: object = SETTINGS): readonly Setting<unknown>[] {
  return Object.values(table).flatMap((entry: object) => (isSetting(entry) ? [entry] : allSettings(entry)));
}

/** Reads the table from variables. Throws InputError that names the variable, for what is missing or out of bounds. */
export function readSettings(variables: Readonly<Record<string, string | undefined>>): Chosen<typeof SETTINGS> {
  return readTable(SETTINGS, variables) as Chosen<typeof SETTINGS>;
}

function readTable(table: object, variables: Readonly<Record<string, string | undefined>>): object {
  const read = (entry: object): unknown => {
    if (!isSetting(entry)) return readTable(entry, variables);
    const value = variables[entry.variable] || entry.fallback;
    if (value === null) throw new InputError(entry.variable, 'is not set in the environment of this function');
    return entry.read(value);
  };
  return Object.fromEntries(Object.entries(table).map(([name, entry]: [string, object]) => [name, read(entry)]));
}

/** What the stack itself fills in. */
function ofStack(variable: string, fallback: string | null = null): Setting<string> {
  return { parameter: null, variable, fallback, bounds: { kind: 'text' }, read: (value) => value };
}

function text(parameter: string, variable: string, fallback: string): Setting<string> {
  return { parameter, variable, fallback, bounds: { kind: 'text' }, read: (value) => value };
}

/** One of several words, the default first. */
function choice<const T extends string>(
  parameter: string,
  variable: string,
  of: readonly [T, ...(readonly T[])],
): Setting<T> {
  const read = (value: string): T => {
    const found = of.find((candidate) => candidate === value);
    if (found === undefined) throw new InputError(variable, `${quote(value)} is none of ${of.join(', ')}`);
    return found;
  };
  return { parameter, variable, fallback: of[0], bounds: { kind: 'choice', of }, read };
}

function whole(
  parameter: string,
  variable: string,
  { least, most, fallback }: { readonly least: number; readonly most: number; readonly fallback: number },
): Setting<number> {
  const read = (value: string): number => {
    const number = Number(value);
    if (Number.isInteger(number) && number >= least && number <= most) return number;
    throw new InputError(variable, `${quote(value)} is not a whole number from ${least} to ${most}`);
  };
  return { parameter, variable, fallback: String(fallback), bounds: { kind: 'whole-number', least, most }, read };
}

/** Entries between commas; none by default. */
function list(parameter: string, variable: string): Setting<readonly string[]> {
  const read = (value: string): readonly string[] =>
    value
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  return { parameter, variable, fallback: '', bounds: { kind: 'list' }, read };
}

/** Entries between commas of which every one has to pass; none by default. */
function each(
  parameter: string,
  variable: string,
  { isTaken, wanted }: { readonly isTaken: (entry: string) => boolean; readonly wanted: string },
): Setting<readonly string[]> {
  const entries = list(parameter, variable);
  const read = (value: string): readonly string[] => {
    const given = entries.read(value);
    const odd = given.find((entry) => !isTaken(entry));
    if (odd !== undefined) throw new InputError(variable, `${quote(odd)} is not ${wanted}`);
    return given;
  };
  return { ...entries, read };
}

/** Ids of VPCs, or `*` for every VPC, which is read as none by name. */
function vpcs(parameter: string, variable: string): Setting<readonly string[]> {
  const ids = each(parameter, variable, {
    isTaken: (id) => /^(\*|vpc-([0-9a-f]{8}|[0-9a-f]{17}))$/.test(id),
    wanted: 'the id of a VPC',
  });
  const read = (value: string): readonly string[] => {
    const named = ids.read(value);
    return named.includes('*') ? [] : named;
  };
  return { ...ids, fallback: '*', read };
}

function orNull(setting: Setting<string>): Setting<string | null> {
  return { ...setting, read: (value) => setting.read(value) || null };
}

function isOn(setting: Setting<'on' | 'off'>): Setting<boolean> {
  return { ...setting, read: (value) => setting.read(value) === 'on' };
}

function isTrue(setting: Setting<'true' | 'false'>): Setting<boolean> {
  return { ...setting, read: (value) => setting.read(value) === 'true' };
}
