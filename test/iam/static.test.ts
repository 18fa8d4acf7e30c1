import { describe, expect, it } from 'vitest';
import { readTemplate } from '../../scripts/template.ts';
import { parameterSets } from './support/parameters.ts';
import { allPolicies } from './support/policies.ts';
import { statementCount, staticProblems } from './support/static.ts';

const template = readTemplate();

describe.each(Object.entries(parameterSets(template)))('with %s', (_, values) => {
  it('every statement names actions that exist, on what they are done to, under conditions that a request brings', async () => {
    const policies = allPolicies(template, values);

    expect(statementCount(policies)).toBeGreaterThan(50);
    expect(await staticProblems(policies)).toEqual([]);
  });
});
