import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** Fields of JSONata states, which the offline interpreter skips without a word (docs/adr/0002-jsonpath-state-machines.md). */
const JSONATA_FIELDS = new Set(['QueryLanguage', 'Assign', 'Output', 'Arguments', 'Items', 'Condition']);

function jsonataFields(definition: unknown, path = '$'): string[] {
  if (typeof definition !== 'object' || definition === null) return [];
  return Object.entries(definition).flatMap(([key, value]) => [
    ...(JSONATA_FIELDS.has(key) && !isDataOfAState(path) ? [`${path}.${key}`] : []),
    ...jsonataFields(value, `${path}.${key}`),
  ]);
}

/** Below these fields stand payloads, whose keys are ours. */
const isDataOfAState = (path: string) => /\.(Parameters|Result|ResultSelector|ItemSelector)(\.|$)/.test(path);

const definitions = globSync('statemachine/*.asl.json');

describe('state machine definitions', () => {
  it('are there', () => {
    expect(definitions).not.toEqual([]);
  });

  it.each(definitions)('%s speaks JSONPath only', (file) => {
    expect(jsonataFields(JSON.parse(readFileSync(file, 'utf8')))).toEqual([]);
  });

  it('would be caught speaking JSONata', () => {
    const states = { Decide: { Type: 'Task', Arguments: {} }, Pass: { Type: 'Pass', Parameters: { Output: 1 } } };

    expect(jsonataFields({ QueryLanguage: 'JSONata', States: states })).toEqual([
      '$.QueryLanguage',
      '$.States.Decide.Arguments',
    ]);
  });
});
