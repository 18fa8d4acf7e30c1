import type { HostOptions } from '../host/host-options.ts';
import type { KnownFlow, Mode } from '../model.ts';

/** What a finding type asks of a responder; the routing table gives each type one (docs/findings.md). */
export type FindingClass = 'ISO' | 'ISO-ASK' | 'ASK' | 'EXPOSED' | 'CRED' | 'NOTIFY';

/** The finding behind a case, as far as reports need it. Text fields are the finding's own: written by an attacker. */
export interface FindingSummary {
  readonly id: string;
  readonly type: string;
  readonly severity: number;
  readonly updatedAt: string;
  readonly count: number;
}

/** A process that a runtime finding names. */
export interface NamedProcess {
  readonly pid: number;
  readonly name: string | null;
  readonly executablePath: string | null;
}

/** A person's own word on the host cut. */
export interface HostRequest {
  /** Local or remote ports: flows with one of them count as named. */
  readonly ports: readonly number[];
  /** How far to go; what is absent is the deployment's choice. */
  readonly options: Partial<HostOptions>;
}

/** Ids that the finding already names: they choose what to read first and are checked against what EC2 answers. */
export interface Hints {
  readonly vpcIds: readonly string[];
  readonly subnetIds: readonly string[];
  readonly groupIds: readonly string[];
  /** Absent = not named. */
  readonly instanceType?: string;
  /** Remote addresses, in an execution's input alone: what holds them is asked while the case is read. */
  readonly peers?: readonly string[];
}

/** One response that is asked for, whoever asks: the normalised input of a case. */
export interface CaseRequest {
  readonly origin: 'finding' | 'manual';
  /** Where to act; null in a manual request that does not say (then: where the responder runs). */
  readonly accountId: string | null;
  readonly region: string | null;
  readonly instanceId: string;
  /** null: the configured mode decides. */
  readonly mode: Mode | null;
  /** A person's own words (manual), for the report. */
  readonly reason: string | null;
  readonly finding: FindingSummary | null;
  /** Flows and peers named by the input, every family, every peer; duplicates merged. */
  readonly flows: readonly KnownFlow[];
  readonly processes: readonly NamedProcess[];
  /** What a person asked of the host cut beside the peers and processes; absent where they said nothing. */
  readonly host?: HostRequest;
  readonly domains: readonly string[];
  /** Severity of the finding, the highest of those that joined; null or absent = no finding asked. */
  readonly severity?: number | null;
  /** {@link isDomainOnly}; absent in cases of before this was kept. */
  readonly domainOnly?: boolean;
  /** Runtime Monitoring saw it, on the host itself; absent in cases of before this was kept. */
  readonly byRuntime?: boolean;
  readonly hints: Hints;
  /** What the report must say beside the verdict, e.g. that a deny cannot stop DNS through the VPC resolver. */
  readonly notes: readonly string[];
}

/** GuardDuty calls findings from 7 on high. https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings-severity.html */
export const HIGH_SEVERITY = 7;

/** Findings name domains, and no peer that could be denied. */
export const isDomainOnly = ({ flows, domains }: Pick<CaseRequest, 'flows' | 'domains'>): boolean =>
  domains.length > 0 && flows.length === 0;

/**
 * What becomes of an input:
 * - `case`: act on it (mode and facts decide how far);
 * - `ask`: a person decides; their manual request then acts. `requests` has one entry per instance that the finding names;
 * - `ignored`: not a case for this tool; `advice` says what to do instead.
 */
export type Intake =
  | {
      readonly kind: 'case';
      readonly class: FindingClass | 'MANUAL';
      readonly request: CaseRequest;
      readonly reason: string;
    }
  | {
      readonly kind: 'ask';
      readonly class: FindingClass;
      readonly requests: readonly [CaseRequest, ...CaseRequest[]];
      readonly reason: string;
    }
  | {
      readonly kind: 'ignored';
      readonly class: FindingClass | 'SAMPLE' | 'ARCHIVED';
      readonly finding: FindingSummary | null;
      /** Where the finding is. */
      readonly region: string | null;
      readonly domains: readonly string[];
      readonly processes: readonly NamedProcess[];
      readonly instanceId: string | null;
      readonly reason: string;
      readonly advice: string;
    };
