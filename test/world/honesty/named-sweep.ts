import { describe, expect, it } from 'vitest';
import { type Expectation, NAMED_WORLDS, type NamedWorld } from './named-worlds.ts';
import { RESPONSE_PROPERTIES, RESTORE_PROPERTIES } from './properties.ts';
import { breaches } from './random.ts';
import { run } from './run.ts';
import { assumptionSettings, IS_LONG } from './settings.ts';

const MINUTES = IS_LONG ? 60 : 15;

function expectationOf({ expected }: NamedWorld, assumptions: NamedWorld['incident']['assumptions']): Expectation {
  return typeof expected === 'function' ? expected(assumptions) : expected;
}

/** What a world gives under every setting of the assumptions, where it differs from the expectation or breaks a promise. */
async function surprises(world: NamedWorld): Promise<string[]> {
  const found: string[] = [];
  for (const assumptions of assumptionSettings()) {
    const result = await run({ ...world.incident, assumptions });
    const { verdict, basis, reason } = result.simulation.report;
    const expected = expectationOf(world, assumptions);
    const setting = JSON.stringify(assumptions);
    if (verdict !== expected.verdict || basis.join() !== expected.basis.join()) {
      found.push(`${verdict} on the word of [${basis.join()}] (${reason}) under ${setting}`);
    }
    found.push(...breaches(result, RESPONSE_PROPERTIES).map((sentence) => `${sentence} under ${setting}`));
  }
  return found;
}

/** Every `parts`-th of the named worlds, so that several files can share them. */
export function testNamedWorlds(part: number, parts: number): void {
  describe.each(NAMED_WORLDS.filter((_, index) => index % parts === part - 1))('$name', (world) => {
    it(
      `is told truly under every assumption (${world.because})`,
      async () => {
        expect(await surprises(world)).toEqual([]);
      },
      MINUTES * 60_000,
    );

    it('is as it was found after a restore', async () => {
      const result = await run(world.incident, { restore: true });
      expect(breaches(result, RESTORE_PROPERTIES)).toEqual([]);
    });
  });
}
