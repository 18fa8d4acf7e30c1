import type { Config } from '../config.ts';
import type { NetworkInterfaceFacts } from '../model.ts';
import type { InterfaceStanding } from '../verdict/verdict.ts';
import { isInBounds } from './assess.ts';
import type { CaseDocument } from './case.ts';
import { groupsItem, isSealItem, sealItem } from './restore-items.ts';

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
}

/**
 * What should be in force and is not, whoever took it away: the isolation of an interface, be it one that was attached since,
 * and the seal of a subnet. What could not be read is not lost: nothing is said of it.
 */
export function lostControls(
  { evidence, retaken = [] }: Pick<CaseDocument, 'evidence' | 'retaken'>,
  { interfaces, standings }: Seen,
  { vpcIds }: Pick<Config, 'vpcIds'>,
): LostControls {
  const standingOf = (id: string) => standings.find((one) => one.id === id);
  const open = interfaces
    .filter((eni) => isInBounds(eni, vpcIds) && standingOf(eni.id)?.isolation === 'failed')
    .map(({ id }) => groupsItem(id));
  const sealed = evidence.filter(({ item, outcome }) => isSealItem(item) && outcome === 'done').map(({ item }) => item);
  const unsealed = interfaces
    .filter((eni) => standingOf(eni.id)?.sealed !== true)
    .map(({ subnetId }) => sealItem(subnetId))
    .filter((item) => sealed.includes(item));
  const lost = [...new Set([...open, ...unsealed])];
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
