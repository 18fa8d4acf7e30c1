import type { Config } from '../config.ts';
import type { NetworkInterfaceFacts } from '../model.ts';
import { isAsOurs } from '../verdict/own-log.ts';
import type { InterfaceStanding } from '../verdict/verdict.ts';
import { isInBounds } from './assess.ts';
import type { CaseDocument } from './case.ts';
import type { FlowLogFacts } from './facts.ts';
import { flowLogItem, groupsItem, isSealItem, sealItem } from './restore-items.ts';

/** A control that is lost so often within a day is somebody's will: people decide. */
const MOST_ROUNDS = 3;
const DAY = 24 * 3600 * 1000;

/** Times that a case keeps at most: a month's worth of what is lost once a day, several times over. */
const MOST_TIMES = 100;

/** Something of the case that was in force, or should be, and was taken again. */
export interface Retaken {
  /** As plan, report and restore name it. */
  readonly item: string;
  /** ISO. */
  readonly at: string;
}

export interface LostControls {
  /** To be taken again now. */
  readonly again: readonly string[];
  /** Lost three times within a day, once: left to people, until they start a response anew. */
  readonly left: readonly string[];
}

interface Seen {
  readonly interfaces: readonly NetworkInterfaceFacts[];
  readonly standings: readonly InterfaceStanding[];
  /** null = they could not be listed. */
  readonly flowLogs: readonly FlowLogFacts[] | null;
}

/** So long after the isolation reads show a flow log that was made beside it, in ms: before that it is not missed. */
const SHOWN_AFTER = 300_000;

/**
 * What should be in force and is not, whoever took it away: the isolation of an interface, be it one that was attached since,
 * the seal of a subnet, and the flow log that watches an interface. `now` in ms. What could not be read is not lost: nothing
 * is said of it.
 */
export function lostControls(
  { evidence, isolatedAt, retaken = [] }: Pick<CaseDocument, 'evidence' | 'isolatedAt' | 'retaken'>,
  { interfaces, standings, flowLogs }: Seen,
  { vpcIds, ownFlowLog, flowLogBucketArn }: Pick<Config, 'vpcIds' | 'ownFlowLog' | 'flowLogBucketArn'>,
  now: number,
): LostControls {
  const standingOf = (id: string) => standings.find((one) => one.id === id);
  const open = interfaces
    .filter((eni) => isInBounds(eni, vpcIds) && standingOf(eni.id)?.isolation === 'failed')
    .map(({ id }) => groupsItem(id));
  const taken = evidence.filter(({ outcome }) => outcome === 'done').map(({ item }) => item);
  const sealed = taken.filter(isSealItem);
  const unsealed = interfaces
    .filter((eni) => standingOf(eni.id)?.sealed !== true)
    .map(({ subnetId }) => sealItem(subnetId))
    .filter((item) => sealed.includes(item));
  const isShown = isolatedAt !== null && now - Date.parse(isolatedAt) > SHOWN_AFTER;
  const bucketArn = ownFlowLog && isShown ? flowLogBucketArn : null;
  const isLogged = ({ id }: NetworkInterfaceFacts): boolean =>
    bucketArn === null ||
    flowLogs === null ||
    flowLogs.some((log) => log.resourceId === id && isAsOurs(log, bucketArn));
  const unwatched = interfaces
    .filter((eni) => !isLogged(eni))
    .map(({ id }) => flowLogItem(id))
    .filter((item) => taken.includes(item));
  const lost = [...new Set([...open, ...unsealed, ...unwatched])];
  const isLeft = (item: string): boolean => {
    const times = retaken.filter((one) => one.item === item).map(({ at }) => Date.parse(at));
    return times.some((at) => times.filter((other) => other >= at && other - at < DAY).length >= MOST_ROUNDS);
  };
  return { again: lost.filter((item) => !isLeft(item)), left: lost.filter(isLeft) };
}

/** The case once these are about to be taken again: what was opened meanwhile nobody knows. */
export function withRetaken(stored: CaseDocument, items: readonly string[], at: string): CaseDocument {
  const known = stored.retaken ?? [];
  const fresh = items.filter((item) => !known.some((one) => one.item === item && one.at === at));
  if (fresh.length === 0) return stored;
  const retaken = [...known, ...fresh.map((item) => ({ item, at }))].slice(-MOST_TIMES);
  const isOpen = items.some((item) => item.endsWith(groupsItem('')));
  if (!isOpen) return { ...stored, retaken };
  // The groups that stood in between may track what those before them did not.
  const flows = stored.flows.map((flow) => (flow.staysUntracked === true ? { ...flow, staysUntracked: false } : flow));
  return { ...stored, retaken, isolatedAt: null, flows };
}
