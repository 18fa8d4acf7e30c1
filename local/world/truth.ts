import type { PacketTruth } from './physics/truth-tracker.ts';

/** What really became of one flow of the file, under whatever ports it had. */
export interface FlowTruth extends PacketTruth {
  readonly name: string;
  /** The local ports that it had, in order: more than one when an attacker opened it again. */
  readonly localPorts: readonly (number | null)[];
}

const A_DAY = 86_400;

/** How long the world runs on before truth is read: twice its longest tracking timer plus a day. */
export const truthHorizon = (longestTimer: number): number => 2 * longestTimer + A_DAY;
