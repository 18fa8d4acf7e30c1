import type { HostOptions, HostVerb } from '../host/host-options.ts';
import type { CaseRequest } from '../intake/intake-types.ts';
import type { Mode } from '../model.ts';
import type { PackedDenies } from '../network/packed-denies.ts';
import type { InterfaceStanding, VerdictKind } from '../verdict/verdict.ts';
import type { NextLook } from './next-look.ts';
import type { LookPart } from './watch.ts';

/**
 * The record that the state machine carries: it grows by one key per step, and each step takes the record as the steps
 * before it left it. Long lists live in the case table; here are ids, counts and what the next step needs at once.
 */
export interface Opened {
  readonly case: CaseRef;
  readonly assessment: Assessed;
}

export interface CaseRef {
  readonly caseId: string;
  readonly instanceId: string | null;
  readonly mode: Mode;
  /** Finding type or `manual request`. */
  readonly trigger: string;
  /** How urgent its calls to EC2 are in a storm, from 0; absent = 0. */
  readonly urgency?: number;
}

export type Assessed =
  | {
      readonly kind: 'contain';
      readonly reason: string;
      readonly denies: PackedDenies;
      readonly platform: 'linux' | 'windows';
      readonly vpcIds: readonly string[];
      /** What the host is told to deny as well; at most {@link HOST_ADDRESS_LIMIT}. */
      readonly addresses: readonly string[];
      /** Processes and ports whose flows the host marks; at most {@link HOST_LIST_LIMIT} each. */
      readonly pids: readonly number[];
      readonly ports: readonly number[];
      readonly hostOptions: HostOptions;
    }
  | { readonly kind: 'already-contained'; readonly reason: string }
  /** A look of the watch: what is in force is verified, and nothing is planned, asked or opened. */
  | { readonly kind: 'look'; readonly reason: string; readonly as: LookPart }
  /** A look that came too late: the case is being restored, or is. */
  | { readonly kind: 'over'; readonly reason: string }
  | { readonly kind: 'planned'; readonly reason: string; readonly plan: readonly PlannedChange[] }
  | { readonly kind: 'refused'; readonly reason: string; readonly cause?: Cause }
  | { readonly kind: 'ignored'; readonly reason: string; readonly advice: string; readonly cause?: Cause };

/** What was found where no case is opened; absent in executions of before this was carried. */
export type Cause = Pick<CaseRequest, 'finding' | 'region' | 'domains' | 'processes'>;

/** Addresses, and numbers, that fit into one command parameter. */
export const HOST_ADDRESS_LIMIT = 50;
export const HOST_LIST_LIMIT = 64;

/** One change that would be made: what, why, what else it hits, how it is undone. For a person. */
export interface PlannedChange {
  readonly change: string;
  readonly why: string;
  /** Known flows that it would stop. */
  readonly cuts: string;
  readonly alsoHits: string;
  readonly undo: string;
}

/**
 * What became of the denies. `refused`: some could not be made, each for a reason in the case table. `made` counts those that stand, whoever made them; `at` is when, ISO, where they were made after
 * the isolation.
 */
export type DenyResult =
  | { readonly kind: 'done' | 'refused'; readonly made: number; readonly refused: number; readonly at?: string }
  | DenyWaiting
  | { readonly kind: 'failed'; readonly made: number; readonly refused: number; readonly reason: string };

/** EC2 takes only so many calls per second: these denies are still to be made, and nothing else waits for them. */
export interface DenyWaiting {
  readonly kind: 'waiting';
  readonly made: number;
  readonly refused: number;
  readonly at?: string;
  readonly denies: PackedDenies;
  /** ISO; after it they are refused. */
  readonly deadline: string;
}

/** Is every packet of the instance stopped at the boundary of its subnets? */
export type SealResult =
  | { readonly kind: 'sealed'; readonly settleSeconds: number }
  | { readonly kind: 'not-sealed' | 'failed'; readonly reason: string };

export type PreparationResult = { readonly kind: 'ready' } | { readonly kind: 'failed'; readonly reason: string };

/** What was done to keep the evidence, in numbers; the list is in the case table. */
export interface EvidenceResult {
  readonly kind: 'done' | 'failed';
  readonly done: number;
  readonly failed: number;
}

export type HostResult =
  | HostCommandSent
  | {
      readonly kind: 'answered';
      readonly denies: PackedDenies;
      readonly summary: string;
    }
  | HostUndoAgain
  /** `left`: an undo that is not this restore's to make any more. */
  | { readonly kind: 'no-evidence' | 'unavailable' | 'failed' | 'left'; readonly reason: string };

/** Whether the agent was asked to close its own connection; nobody waits for what it does. */
export type AgentAsk = { readonly kind: 'asked' } | { readonly kind: 'left' | 'unavailable'; readonly reason: string };

export interface HostCommandSent {
  readonly kind: 'pending';
  readonly verb: HostVerb;
  readonly commandId: string;
  /** ISO times. */
  readonly deadline: string;
  readonly lastPendingAt: string;
  /** Of an undo; absent in executions of before this was kept. */
  readonly undo?: UndoProgress;
}

/** An undo that has not reached the host yet, or not all of it: what is left is sent after a wait. */
export interface HostUndoAgain {
  readonly kind: 'again';
  readonly reason: string;
  readonly waitSeconds: number;
  readonly undo: UndoProgress;
}

/** How far the undo on the host has come. */
export interface UndoProgress {
  /** ISO; no try begins after it. */
  readonly until: string;
  readonly tries: number;
  /** Stopped processes, in the order of the record, that commands before this one have let go on. */
  readonly letGo: number;
}

export interface IsolationResult {
  readonly kind: 'done';
  readonly interfaces: readonly InterfaceStanding[];
  /** Until the changes have taken effect. */
  readonly settleSeconds: number;
  /** Why the flow logs cannot be asked, in words; absent = they can, or there are none. */
  readonly logRefusals?: readonly string[];
}

/** The function that isolates failed as often as it was started. */
export interface IsolationFailed {
  readonly kind: 'failed';
  readonly failure: Failure;
}

export interface VerifyResult {
  readonly kind: VerdictKind;
  readonly reason: string;
  /** Looks so far, and how many of them have cut again. */
  readonly attempt: number;
  readonly cuts: number;
  readonly next: NextLook;
  /** What is cut again. */
  readonly denies: PackedDenies;
}

export type RestoreOutcome = 'restored' | 'already' | 'drifted' | 'gone' | 'failed';

/** One thing that was put back, or why not. */
export interface RestoreItem {
  readonly item: string;
  readonly outcome: RestoreOutcome;
  readonly detail?: string;
}

export type RestoreResult =
  | { readonly kind: 'refused'; readonly caseId: string; readonly instanceId: string; readonly reason: string }
  | {
      readonly kind: 'restored' | 'partly-restored';
      readonly caseId: string;
      readonly instanceId: string;
      readonly items: readonly RestoreItem[];
      /** What the case table has lost and what stands, in a sentence; absent = nothing is lost. */
      readonly lost?: string;
      /** Where the host firewall is to be undone, and which processes were stopped; null = the host was never asked for anything. */
      readonly host: { readonly platform: 'linux' | 'windows'; readonly stopped: readonly number[] } | null;
    };

export interface EvidenceRestored {
  readonly items: readonly RestoreItem[];
}

/** The record of the restore state machine. */
export interface Restoring {
  readonly restore: RestoreResult;
  readonly evidence?: EvidenceRestored;
  readonly host?: HostResult;
}

/** What became of the groups that the isolation replaced. */
export type DeletionResult =
  | { readonly kind: 'kept'; readonly reason: string }
  | { readonly kind: 'done'; readonly items: readonly { readonly item: string; readonly outcome: string }[] };

/** What became of the denies once every flow was proven dead twice. */
export type ReleaseResult =
  | { readonly kind: 'released'; readonly items: readonly RestoreItem[] }
  | { readonly kind: 'kept'; readonly reason: string };

export interface Failure {
  readonly Error?: string;
  readonly Cause?: string;
}

/** What has denies to make: the newest list in the record counts. */
export type Denying = Opened & {
  readonly host?: HostResult;
  readonly cut?: Cuts;
  readonly lateDenies?: DenyResult;
  readonly verdict?: VerifyResult;
  readonly cutAgain?: DenyResult;
};
export type CheckingHost = (Opened | { readonly restore: RestoreResult }) & { readonly host: HostCommandSent };
/** The outcomes of the branches of the cut; the definition's ResultSelector names them. */
export interface Cuts {
  readonly deny: DenyResult;
  readonly host: HostResult;
  /** What became of the denies of peers that only the host has listed; `none` = none was asked for. */
  readonly hostDenies: DenyResult | { readonly kind: 'none' };
  readonly preparation: PreparationResult;
}
/** `verdict` is there where something is taken again. */
export type Isolating = Opened & { readonly cut?: Cuts; readonly verdict?: VerifyResult };
/** The record beside the isolation's evidence, once the groups are swapped. */
export type Isolated = Isolating & { readonly isolated: IsolationResult | IsolationFailed };
/**
 * `isolation` holds the swap and, from beside it, what was done for the evidence and what became of the denies that had to
 * wait. `isolated` is the swap alone, as its own branch knows it: people are told while the others go on.
 */
export type Verifying = Isolating & {
  readonly isolated?: IsolationResult | IsolationFailed;
  readonly isolation?: {
    readonly swap: IsolationResult | IsolationFailed;
    readonly evidence: EvidenceResult;
    readonly lateDenies: DenyResult;
    /** Absent in executions of before there was a seal. */
    readonly seal?: SealResult;
  };
  readonly verdict?: VerifyResult;
  readonly cutAgain?: DenyResult;
  /** What became of controls that were taken again, by the newest round; absent = none was. */
  readonly retaken?: {
    readonly swap: IsolationResult | IsolationFailed;
    readonly evidence: EvidenceResult;
    readonly seal: SealResult;
    readonly denies: DenyResult;
  };
  readonly release?: ReleaseResult;
  readonly deletion?: DeletionResult;
};
export type Reporting = Partial<Opened> & Omit<Verifying, keyof Opened> & { readonly failure?: Failure };
