import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { LARGEST } from './scale-facts.ts';
import { atLeast, atMost, type Effort, median, rounded, type Section } from './section.ts';

const CHILD = fileURLToPath(new URL('scale-child.ts', import.meta.url));

interface Cost {
  readonly cpuSeconds: number;
  readonly maxRssBytes: number;
}

/** Medians over fresh processes; CPU time, which other work on the machine disturbs less than the clock. */
function measure(what: string, flows: number, runs: number): Cost {
  const costs = Array.from({ length: runs }, () => {
    const line = execFileSync(process.execPath, [CHILD, what, String(flows)], { encoding: 'utf8' });
    return JSON.parse(line) as Cost;
  });
  return {
    cpuSeconds: median(costs.map((cost) => cost.cpuSeconds)),
    maxRssBytes: median(costs.map((cost) => cost.maxRssBytes)),
  };
}

const LOOK_UPS = 2_000_000;

export function scaleOfOne({ quick }: Effort): Section {
  const runs = quick ? 1 : 5;
  const nothing = measure('nothing', 0, runs);
  const sizes = [LARGEST.flows / 10, LARGEST.flows, LARGEST.flows * 10];
  const assessed = sizes.map((flows) => ({
    flows,
    assess: measure('assess', flows, runs),
    classify: measure('classify', flows, runs),
  }));
  const [first, whole] = assessed;
  if (first === undefined || whole === undefined) throw new Error('nothing was assessed');
  const perSecond = LOOK_UPS / measure('look-up', LOOK_UPS, runs).cpuSeconds;
  const growth = (one: (typeof assessed)[number], of: 'assess' | 'classify'): number =>
    one[of].cpuSeconds / first[of].cpuSeconds;
  return {
    name: 'scale-of-one',
    title: 'Scale of one',
    text: [
      `One instance with ${LARGEST.interfaces} ENIs, ${LARGEST.groups} groups on each, ${LARGEST.rulesEachWay} rules each way in each group, every ENI in a subnet behind an ACL of its own, and flows to one peer for every five, each named. CPU seconds of the process, user and system, medians of ${runs} fresh processes.`,
    ],
    tables: [
      {
        caption: 'Growth with the number of flows (1 = the smallest; assess also plans the denies):',
        head: [
          'flows',
          'times the flows',
          'classify: times the CPU',
          'assess: times the CPU',
          'MB more than the empty process',
        ],
        rows: assessed.map((one) => [
          one.flows,
          one.flows / first.flows,
          rounded(growth(one, 'classify')),
          rounded(growth(one, 'assess')),
          rounded((one.assess.maxRssBytes - nothing.maxRssBytes) / 1e6),
        ]),
      },
    ],
    goals: [
      atMost(`CPU seconds to assess ${LARGEST.flows} flows`, 1, whole.assess.cpuSeconds),
      atMost('MB more than the empty process, meanwhile', 128, (whole.assess.maxRssBytes - nothing.maxRssBytes) / 1e6),
      atLeast('flows classified per CPU second, table compiled', 1_000_000, perSecond),
      ...assessed
        .slice(1)
        .map((one) =>
          atMost(
            `${one.flows / first.flows} times the flows: times the CPU`,
            (one.flows / first.flows) * 1.25,
            growth(one, 'assess'),
          ),
        ),
    ],
  };
}
