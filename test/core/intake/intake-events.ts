import { readdirSync, readFileSync } from 'node:fs';
import { InputError } from '../../../functions/core/errors.ts';
import { intake } from '../../../functions/core/intake/intake.ts';
import type { CaseRequest, Intake } from '../../../functions/core/intake/intake-types.ts';

/** The samples of events/, by file name without `.json`. */
const FOLDER = new URL('../../../events/', import.meta.url);

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export function readEvent(name: string): { [key: string]: Json } {
  return JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8'));
}

export function eventNames(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.startsWith('guardduty-') || file.startsWith('manual-'))
    .map((file) => file.replace(/\.json$/, ''));
}

/** A copy of an event with the value at a path of keys replaced, or removed where `value` is undefined. */
export function withValue<T extends Json>(event: T, path: string, value: Json | undefined): T {
  const copy = structuredClone(event);
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  let parent: Json = copy;
  for (const key of keys) {
    const next: Json | undefined = Array.isArray(parent) ? parent[Number(key)] : childOf(parent, key);
    if (next === undefined) throw new Error(`${path} is not in the event`);
    parent = next;
  }
  if (typeof parent !== 'object' || parent === null) throw new Error(`${path} is not in the event`);
  if (Array.isArray(parent)) parent[Number(last)] = value ?? null;
  else if (value === undefined) delete parent[last];
  else parent[last] = value;
  return copy;
}

function childOf(parent: Json, key: string): Json | undefined {
  return typeof parent === 'object' && parent !== null && !Array.isArray(parent) ? parent[key] : undefined;
}

/** What is asked for, at once or after a person's word. */
export function requestsOf(result: Intake): readonly CaseRequest[] {
  if (result.kind === 'case') return [result.request];
  return result.kind === 'ask' ? result.requests : [];
}

export function requestOf(result: Intake): CaseRequest {
  const [request] = requestsOf(result);
  if (request === undefined) throw new Error(`nothing is asked for: ${result.reason}`);
  return request;
}

/** The outcome; anything thrown but an InputError fails the test. */
export function outcomeOf(input: unknown): Intake | InputError {
  try {
    return intake(input);
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
}

export function refusalOf(input: unknown): InputError {
  const outcome = outcomeOf(input);
  if (outcome instanceof InputError) return outcome;
  throw new Error(`the input was accepted: ${outcome.reason}`);
}
