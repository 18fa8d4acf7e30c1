import type { Recorded } from '../core/control.ts';
import { autoScaling } from './auto-scaling.ts';
import { classicBalancers } from './classic-balancers.ts';
import { flowLogWitness } from './flow-log-witness.ts';
import { stopProtection, terminationProtection } from './protection.ts';
import { shutdownBehaviour } from './shutdown-behaviour.ts';
import { snapshots } from './snapshots.ts';
import type { AnyControl } from './subject.ts';
import { tags } from './tags.ts';
import { targetGroups } from './target-groups.ts';
import { volumes } from './volumes.ts';

/** The controls that keep the instance and its evidence, in the order in which they are taken and reported. */
export const EVIDENCE_CONTROLS: readonly AnyControl[] = [
  flowLogWitness,
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

/** Whether a record of the case table is the control's. */
export const isOf =
  (control: AnyControl) =>
  (recorded: Recorded): boolean =>
    control.kind === recorded.kind && (control.owns?.(recorded) ?? true);
