import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SEED, SEVERAL_RUNS } from './random.ts';
import { IS_LONG } from './settings.ts';
import { brokenBySeveral, members, runSeveral } from './several.ts';

const LAST_PART = 11;

it(
  'keeps its promises where several instances share subnets and peers, and some of them are restored',
  async () => {
    const verdicts = new Map<string, number>();
    const property = fc.asyncProperty(members, async (all) => {
      const run = await runSeveral(all);
      for (const { verdict } of run.played.session.verdicts) verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
      const broken = brokenBySeveral(run);
      if (broken.length > 0) throw new Error(broken.join('\n'));
    });
    const checked = await fc.check(property, { seed: SEED + LAST_PART, numRuns: SEVERAL_RUNS });
    const told = [...verdicts].map(([verdict, count]) => `${verdict} ${count}`).join(', ');
    process.stdout.write(`honesty, several: ${SEVERAL_RUNS} runs from seed ${SEED + LAST_PART}: ${told}\n`);

    const error = checked.errorInstance instanceof Error ? checked.errorInstance.message : null;
    expect(checked.failed ? `${error}\n${JSON.stringify(checked.counterexample)}` : null).toBeNull();
    expect(verdicts.get('held')).toBeGreaterThan(0);
  },
  (IS_LONG ? 60 : 10) * 60_000,
);
