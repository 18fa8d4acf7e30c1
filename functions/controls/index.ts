import type { Recorded } from '../core/control.ts';
import { EVIDENCE_CONTROLS, isOf } from './evidence-controls.ts';
import type { AnyControl } from './subject.ts';
import { subnetSeal } from './subnet-seal.ts';

/**
 * All controls whose records are kept in the case table: what a plan asks and a restore gives back, in the reverse order.
 * To add one: docs/adding-a-control.md.
 */
export const CONTROLS: readonly AnyControl[] = [...EVIDENCE_CONTROLS, subnetSeal];

/** Where the control of a record stands in the list; -1 = it was taken by another version. */
export const placeInList = (recorded: Recorded): number => CONTROLS.findIndex((control) => isOf(control)(recorded));
