import type { Recorded } from '../core/control.ts';
import { autoScaling } from './auto-scaling.ts';
import { classicBalancers } from './classic-balancers.ts';
import { stopProtection, terminationProtection } from './protection.ts';
import { shutdownBehaviour } from './shutdown-behaviour.ts';
import { snapshots } from './snapshots.ts';
import type { AnyControl } from './subject.ts';
import { subnetSeal } from './subnet-seal.ts';
import { tags } from './tags.ts';
import { targetGroups } from './target-groups.ts';
import { volumes } from './volumes.ts';

/** The controls that keep the instance and its evidence, in the order in which they are taken and reported. */
export const EVIDENCE_CONTROLS: readonly AnyControl[] = [
  autoScaling,
  targetGroups,
  classicBalancers,
  terminationProtection,
  stopProtection,
  shutdownBehaviour,
  volumes,
  tags,
  snapshots,
];

/**
 * All controls whose records are kept in the case table: what a plan asks and a restore gives back, in the reverse order.
 * To add one: docs/adding-a-control.md.
 */
export const CONTROLS: readonly AnyControl[] = [...EVIDENCE_CONTROLS, subnetSeal];

/** Whether a record of the case table is the control's. */
export const isOf =
  (control: AnyControl) =>
  (recorded: Recorded): boolean =>
    control.kind === recorded.kind && (control.owns?.(recorded) ?? true);

/** Where the control of a record stands in the list; -1 = it was taken by another version. */
export const placeInList = (recorded: Recorded): number => CONTROLS.findIndex((control) => isOf(control)(recorded));
