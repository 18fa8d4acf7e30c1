import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isCaseId } from '../../functions/core/case/case-id.ts';
import type { Toolbox } from '../../functions/shared/toolbox.ts';
import { type Json, type MachineDefinition, readDefinition, type StateDefinition } from '../definitions.ts';
import { type ExecutionResult, runMachine } from '../runner.ts';
import { writeDurably } from './case-store.ts';

/** Where an execution has come to: the state that it has entered, with its input. */
export interface Checkpoint {
  readonly state: string;
  readonly input: Json;
  /** ISO. */
  readonly enteredAt: string;
}

/** Told of what happens, for a person. */
export type Say = (line: string) => void;

/** The case that a record is about; null before it is opened, and for an input that opens none. */
function caseOf(input: Json): string | null {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return null;
  const { case: ref, caseId } = input as { case?: { caseId?: unknown }; caseId?: unknown };
  const id = ref?.caseId ?? caseId;
  return isCaseId(id) ? id : null;
}

const fileOf = (store: string, caseId: string): string => join(dirname(store), 'executions', `${caseId}.json`);

/** Where the case's execution was when its process ended; null = there is none that has not come to its end. */
export function readCheckpoint(store: string, caseId: string): Checkpoint | null {
  try {
    return JSON.parse(readFileSync(fileOf(store, caseId), 'utf8')) as Checkpoint;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** Seconds that a Wait state would have waited from its input; null = it is no such state. */
function waitOf({ Type, Seconds, SecondsPath }: StateDefinition, input: Json): number | null {
  if (Type !== 'Wait') return null;
  if (typeof Seconds === 'number') return Seconds;
  const keys = String(SecondsPath).match(/[\w-]+/g) ?? [];
  const value = keys.reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], input);
  return typeof value === 'number' ? value : null;
}

/** A person hears of what is done and waited for, not of what is asked on the way. */
export const isWork = ({ Type }: StateDefinition): boolean => !['Choice', 'Succeed', 'Fail'].includes(Type);

/** Until when a wait goes on, for a person; nothing of any other state. */
export function untilText(state: StateDefinition, input: Json, at: Date): string {
  const seconds = waitOf(state, input);
  return seconds === null ? '' : `, until ${new Date(at.getTime() + seconds * 1000).toISOString()}`;
}

/** What is left of a wait is a state of its own: the same wait may come again, and is a whole one then. */
const leftOf = (state: string): string => `${state} (the rest)`;

/** The definition, begun at the checkpoint: a wait goes on where it was, anything else is done again, as a retry would. */
export function resumed(
  definition: MachineDefinition,
  { state, input, enteredAt }: Checkpoint,
  now: Date,
): MachineDefinition {
  const entered = definition.States[state];
  if (entered === undefined) throw new Error(`the checkpoint names ${JSON.stringify(state)}, which is no state`);
  const whole = waitOf(entered, input);
  if (whole === null) return { ...definition, StartAt: state };
  const { SecondsPath: _path, ...rest } = entered;
  const left = Math.max(0, Math.ceil(whole - (now.getTime() - Date.parse(enteredAt)) / 1000));
  const name = leftOf(state);
  return { ...definition, StartAt: name, States: { ...definition.States, [name]: { ...rest, Seconds: left } } };
}

interface Run {
  readonly tools: Toolbox;
  /** File of the case store, beside which the checkpoints lie. */
  readonly store: string;
  readonly say: Say;
  /** Told once the case is known. */
  readonly onCase: (caseId: string) => void;
}

/**
 * Runs the response on this machine and keeps on disk where it is. An execution that has ended, well or not, leaves no
 * checkpoint: the case itself says what stands.
 */
export async function execute(
  { tools, store, say, onCase }: Run,
  start: { readonly input: unknown } | { readonly checkpoint: Checkpoint },
): Promise<ExecutionResult> {
  // The limit of a whole execution is more than a timer of Node can hold (2^31 ms), which would fire at once; a person is
  // there to end this one.
  const { TimeoutSeconds: _limit, ...whole } = readDefinition('respond');
  const isResumed = 'checkpoint' in start;
  const definition = isResumed ? resumed(whole, start.checkpoint, tools.now()) : whole;
  let caseId: string | null = null;
  let takenUp = isResumed ? start.checkpoint : null;
  const onEnter = ({ state, input }: { state: string; input: Json }): void => {
    const at = tools.now();
    const from = takenUp;
    takenUp = null;
    caseId = caseOf(input) ?? caseId;
    if (caseId !== null) {
      onCase(caseId);
      // A resumed wait began when it was first entered.
      const checkpoint = from ?? { state, input, enteredAt: at.toISOString() };
      writeDurably(fileOf(store, caseId), checkpoint satisfies Checkpoint);
    }
    const entered = definition.States[state];
    if (entered !== undefined && isWork(entered)) say(`${from?.state ?? state}${untilText(entered, input, at)}`);
  };
  const result = await runMachine(definition, isResumed ? start.checkpoint.input : start.input, tools, { onEnter });
  if (caseId !== null) rmSync(fileOf(store, caseId), { force: true });
  return result;
}
