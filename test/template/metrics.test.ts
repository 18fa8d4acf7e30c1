import { describe, expect, it } from 'vitest';
import { type SimulationOptions, simulate } from '../../local/simulate.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { resolve } from '../../scripts/template.ts';
import { laterFinding } from '../scenarios/worlds.ts';
import { defaultWorld, ids, readEvent, refusedBy } from '../support/bench.ts';
import { inEpisode } from '../support/episode.ts';
import { metricFilters, PROJECT } from './agreements.ts';
import { counts } from './filter-pattern.ts';

/** A log, and the lines that the log group gets of it. */
function listening() {
  const lines: string[] = [];
  const say = (message: string, fields: object = {}) => lines.push(JSON.stringify({ message, ...fields }));
  return { lines, log: { info: say, warn: say } };
}

/** What a response logs, as the log group gets it, and the verdict that it ends with. */
async function logged(file: WorldFile, event: unknown, options: SimulationOptions = {}) {
  const { lines, log } = listening();
  const { report } = await simulate(file, event, {
    ...options,
    prepare: (_, tools) => Object.assign(tools, { log }),
  });
  return { verdict: report.verdict, lines };
}

/** The lines that one metric filter counts, by verdict. */
const counted = (id: string, lines: readonly string[]): readonly string[] => {
  const filter = metricFilters(PROJECT.template).find((candidate) => candidate.id === id);
  return lines
    .filter((line) => counts(filter?.pattern ?? '', line))
    .map((line) => (JSON.parse(line) as { verdict: string }).verdict);
};

const event = readEvent('guardduty-ec2-c2activity');

describe('an alarm', () => {
  it.each([
    ['NotProvenAlarm', 'not-proven'],
    ['RefusedAlarm', 'refused'],
    ['PlanWaitsAlarm', 'planned'],
  ])('%s rings for a report that is %s', (id, verdict) => {
    const { Namespace, MetricName, Dimensions } = PROJECT.template.Resources[id]?.Properties ?? {};

    expect({ MetricName, Dimensions }).toEqual({
      MetricName: 'Reports',
      Dimensions: [{ Name: 'Verdict', Value: verdict }],
    });
    expect(JSON.stringify(Namespace)).toContain('AWS::StackName');
  });

  it('of a plan is silent where the mode is to plan', () => {
    const enabled = (Mode: string) =>
      resolve(PROJECT.template, PROJECT.template.Resources['PlanWaitsAlarm']?.Properties['ActionsEnabled'] ?? null, {
        Mode,
      });

    expect([enabled('observe'), enabled('contain')]).toEqual([false, true]);
  });

  it.each<[string, string, SimulationOptions]>([
    ['refused', 'the stack lists it as exempt', { parameters: { ExemptInstanceIds: ids.instance } }],
    ['planned', 'the cap is reached', { parameters: { IsolationsPerHour: '0' } }],
  ])('hears of a finding that is %s because %s', async (verdict, _, options) => {
    const { lines } = await logged(defaultWorld(), event, options);

    expect(counted('ReportsMetric', lines)).toEqual([verdict]);
  });
});

describe('one incident', () => {
  it('counts once, though people hear of it twice', async () => {
    const { verdict, lines } = await logged(defaultWorld(), event);

    expect(lines.filter((line) => line.includes('"message":"report"'))).toHaveLength(2);
    expect(counted('ReportsMetric', lines)).toEqual([verdict]);
    expect(counted('LeakingMetric', lines)).toEqual([]);
  });

  it('that leaks raises the alarm before the wait, and counts once all the same', async () => {
    const Faults = [{ Api: 'CreateNetworkAclEntry', Call: '1+', Error: 'UnauthorizedOperation' }];
    const noAgent = (world: WorldFile) => Object.assign(world, { Faults, InstanceInformationList: [] });
    const { verdict, lines } = await logged(defaultWorld(noAgent), event);

    expect(verdict).toBe('leaking');
    expect(counted('ReportsMetric', lines)).toEqual(['leaking']);
    expect(counted('LeakingMetric', lines)).toEqual(['leaking', 'leaking']);
  });

  it('that GuardDuty reports again counts once, and once more where another verdict ends it', async () => {
    const { lines, log } = listening();
    const verdicts = await inEpisode(defaultWorld(), async ({ tools, world, send }) => {
      Object.assign(tools, { log });
      const updates = [laterFinding(ids.peer, 2), laterFinding(ids.peer, 3, '2026-01-15T22:00:00.000Z')];
      const verdicts: string[] = [];
      const tell = async (each: unknown) => verdicts.push(...(await send(each)).map(({ verdict }) => verdict));
      for (const each of [event, ...updates]) await tell(each);
      world.interceptors.push({
        before: ({ call }) => {
          if (call === 'CreateNetworkAclEntry') throw refusedBy('UnauthorizedOperation')();
        },
      });
      await tell(laterFinding('203.0.113.9', 4, '2026-01-16T10:00:00.000Z'));
      return verdicts;
    });

    expect(verdicts).toEqual(['held', 'held', 'held', 'leaking']);
    expect(counted('ReportsMetric', lines)).toEqual(['held', 'leaking']);
  });

  it('that is planned counts once', async () => {
    const { lines } = await logged(defaultWorld(), event, { mode: 'observe' });

    expect(counted('ReportsMetric', lines)).toEqual(['planned']);
  });

  it('that is none is counted as ignored, which the dashboard shows', async () => {
    const { verdict, lines } = await logged(defaultWorld(), readEvent('guardduty-sample'));

    expect(verdict).toBe('ignored');
    expect([...counted('ReportsMetric', lines), ...counted('NothingBegunMetric', lines)]).toEqual(['ignored']);
  });

  it('that is beyond the border counts as refused, which the dashboard shows', async () => {
    const { verdict, lines } = await logged(defaultWorld(), event, { config: { vpcIds: ['vpc-0000000000000fff0'] } });

    expect(verdict).toBe('refused');
    expect([...counted('ReportsMetric', lines), ...counted('NothingBegunMetric', lines)]).toEqual(['refused']);
  });
});
