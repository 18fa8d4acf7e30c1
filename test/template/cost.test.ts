import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Cost, costOf, costTable, watchCost, withTable } from '../../scripts/cost.ts';
import { readTemplate } from '../../scripts/template.ts';

describe('the cost of a response', () => {
  let [usual, silent]: Cost[] = [];
  beforeAll(async () => {
    [usual, silent] = [await costOf(readTemplate(), true), await costOf(readTemplate(), false)];
  });

  it('stays under two US cents, also where the agent never answers and the case is watched for days', () => {
    expect(usual?.dollars).toBeGreaterThan(0.0001);
    expect(usual?.dollars).toBeLessThan(0.01);
    expect(silent?.dollars).toBeGreaterThan(usual?.dollars ?? 0);
    expect(silent?.dollars).toBeLessThan(0.02);
  });

  it('grows with the memory of the functions', async () => {
    const template = readTemplate();
    const larger = { ...template, Globals: { Function: { MemorySize: 10_240 } } };

    expect((await costOf(larger, true)).dollars).toBeGreaterThan(usual?.dollars ?? 0);
  });

  it('of a month of the watch stays under 20 cents, in some hundred and fifty looks of few states each', async () => {
    const { looks, transitions, look, sweeps } = await watchCost(readTemplate());

    expect(looks).toBeGreaterThan(140);
    expect(looks).toBeLessThan(160);
    expect(transitions).toBeGreaterThan(4);
    // An execution has 25,000 events; none of these has more than a handful per transition.
    expect(transitions).toBeLessThan(10);
    expect(looks * look).toBeGreaterThan(0.01);
    expect(looks * look).toBeLessThan(0.2);
    expect(sweeps).toBeLessThan(0.2);
  });

  it('is what the README says: otherwise run npm run -s cost -- --write', async () => {
    const readme = readFileSync('README.md', 'utf8');

    expect(withTable(readme, await costTable(readTemplate()))).toBe(readme);
  });
});
