import {
  DescribeExecutionCommand,
  type DescribeExecutionCommandOutput,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { mockClient } from 'aws-sdk-client-mock';
import { describe, expect, it } from 'vitest';
import { startResponse } from '../../functions/start-response/step.ts';
import { laterFinding } from '../scenarios/worlds.ts';
import { type Bench, defaultWorld, ids, onBench, readEvent } from '../support/bench.ts';

const finding = readEvent('guardduty-ec2-c2activity');

/** The same finding seen again so many hours after the first. */
const occurrence = (hours: number, peer: string = ids.peer) =>
  laterFinding(peer, hours, new Date(Date.parse('2026-01-15T10:00:00Z') + hours * 3_600_000).toISOString());

/** How the executions end, in the order in which they are started; `runs` = it goes on. */
function executionsThat(bench: Bench, ...ends: readonly ('runs' | 'fails' | 'succeeds')[]): readonly string[] {
  const names: string[] = [];
  bench.world.onStartExecution = ({ name }) => {
    const end = ends[names.length] ?? 'runs';
    names.push(name);
    if (end === 'fails') return { result: Promise.reject(new Error('States.Runtime')) };
    return { result: end === 'succeeds' ? Promise.resolve({}) : new Promise(() => undefined) };
  };
  return names;
}

const hours = (bench: Bench, count: number) => bench.world.clock.sleep(count * 3600);
const cases = ({ world }: Bench) => world.dumpTable().filter(({ sk }) => sk === 'CASE');
const arnOf = (bench: Bench, name: string) =>
  `${bench.tools.config.respondStateMachineArn.replace(':stateMachine:', ':execution:')}:${name}`;

describe('a response that runs', () => {
  it('holds the case: whatever comes with nothing new starts no second one', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const names = executionsThat(bench, 'runs');
      await startResponse(bench.tools, finding);
      await startResponse(bench.tools, finding);
      await hours(bench, 8);
      await startResponse(bench.tools, occurrence(7));
      expect(names).toHaveLength(1);
      expect(bench.calls('DescribeExecution')).toBe(0);
    });
  });
});

describe('a response that failed', () => {
  it('is taken over at the next delivery of the same event, in the same case', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const names = executionsThat(bench, 'fails', 'runs');
      await startResponse(bench.tools, finding);
      expect(await startResponse(bench.tools, finding)).toMatchObject({ kind: 'started' });
      expect(names).toEqual([names[0], `${names[0]}-2`]);
      expect(cases(bench)).toHaveLength(1);
      await startResponse(bench.tools, finding);
      expect(names).toHaveLength(2);
    });
  });

  it('again and again is given to a person, through the dead-letter queue', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const names = executionsThat(bench, 'fails', 'fails', 'fails', 'fails', 'fails');
      for (let delivery = 1; delivery <= 5; delivery += 1) await startResponse(bench.tools, finding);
      expect(names).toHaveLength(5);
      await expect(startResponse(bench.tools, finding)).rejects.toThrow('have failed one after another');
      expect(names).toHaveLength(5);
    });
  });
});

describe('a name that an execution has had already', () => {
  /** When the finding of the event was seen, as GuardDuty says. */
  const seen = Date.parse((finding as { detail: { updatedAt: string } }).detail.updatedAt);
  const [before, after] = [new Date(seen - 1), new Date(seen + 1)];

  /**
   * What is started where Step Functions says that the first name is taken, and how its execution stands. The world's
   * executions end as they like and never time out, so Step Functions itself is played here.
   */
  async function startedAfter({ tools }: Bench, execution: Partial<DescribeExecutionCommandOutput>, namesTaken = 1) {
    const lines: unknown[][] = [];
    const log = { info: () => undefined, warn: (...line: unknown[]) => void lines.push(line) };
    const taken = Object.assign(new Error('taken'), { name: 'ExecutionAlreadyExists' });
    const sfn = mockClient(SFNClient);
    const start = sfn.on(StartExecutionCommand);
    for (let name = 1; name <= namesTaken; name += 1) start.rejectsOnce(taken);
    start.resolves({});
    sfn.on(DescribeExecutionCommand).resolves(execution);
    const result = await startResponse({ ...tools, log }, finding).finally(() => sfn.restore());
    if (result.kind === 'nothing-to-do') throw new Error(result.report.reason);
    const names = sfn.commandCalls(StartExecutionCommand).map(({ args }) => args[0].input.name ?? '');
    return { kind: result.kind, caseId: result.caseIds[0] ?? '', names, lines };
  }

  it.each(['TIMED_OUT', 'FAILED'] as const)('is followed by a second one where it has %s', async (status) => {
    await onBench(defaultWorld(), async (bench) => {
      const { kind, caseId, names, lines } = await startedAfter(bench, { status, startDate: after, stopDate: after });
      expect(kind).toBe('started');
      expect(names).toEqual([expect.stringMatching(new RegExp(`^${caseId}-[0-9a-f]{12}$`)), `${names[0]}-2`]);
      expect(lines).toEqual([['a response has ended and is taken over', { caseId, status, name: names[1] }]]);
    });
  });

  it.each<[string, Partial<DescribeExecutionCommandOutput>]>([
    [
      'ended well, having begun before the finding was seen',
      { status: 'SUCCEEDED', startDate: before, stopDate: after },
    ],
    ['was stopped before the finding was seen', { status: 'ABORTED', startDate: before, stopDate: before }],
  ])('is followed by one of the occurrence where it %s', async (_, execution) => {
    await onBench(defaultWorld(), async (bench) => {
      const { kind, caseId, names } = await startedAfter(bench, execution);
      expect(kind).toBe('started');
      expect(names).toEqual([names[0], expect.stringMatching(new RegExp(`^${caseId}-[0-9a-f]{12}$`))]);
      expect(names[1]).not.toBe(names[0]);
    });
  });

  it('is not followed by another one where the occurrence has had its own', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const ended = { status: 'SUCCEEDED', startDate: before, stopDate: after } as const;
      const { kind, names } = await startedAfter(bench, ended, 2);
      expect({ kind, started: names.length }).toEqual({ kind: 'already-started', started: 2 });
    });
  });

  it.each<[string, Partial<DescribeExecutionCommandOutput>]>([
    ['runs', { status: 'RUNNING', startDate: before }],
    ['ended well, having begun after the finding was seen', { status: 'SUCCEEDED', startDate: after, stopDate: after }],
    ['began when the finding was seen', { status: 'SUCCEEDED', startDate: new Date(seen), stopDate: after }],
    ['was stopped after the finding was seen', { status: 'ABORTED', startDate: before, stopDate: after }],
    ['was stopped, nobody knows when', { status: 'ABORTED', startDate: before }],
  ])('is not followed by another one where it %s', async (_, execution) => {
    await onBench(defaultWorld(), async (bench) => {
      const { kind, names, lines } = await startedAfter(bench, execution);
      expect({ kind, started: names.length, lines }).toEqual({ kind: 'already-started', started: 1, lines: [] });
    });
  });
});

describe('a response that a person stopped', () => {
  it('stays stopped for the event that started it, and is taken over by an occurrence after the stop', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const names = executionsThat(bench, 'runs', 'runs');
      await startResponse(bench.tools, finding);
      await hours(bench, 3);
      await bench.tools.sfn.send(new StopExecutionCommand({ executionArn: arnOf(bench, names[0] ?? '') }));
      expect(await startResponse(bench.tools, finding)).toMatchObject({ kind: 'already-started' });
      // Seen before the stop: the person knew.
      expect(await startResponse(bench.tools, occurrence(2))).toMatchObject({ kind: 'already-started' });
      await hours(bench, 4);
      expect(await startResponse(bench.tools, occurrence(6))).toMatchObject({ kind: 'started' });
      expect(await startResponse(bench.tools, occurrence(6))).toMatchObject({ kind: 'started' });
      expect(names).toHaveLength(2);
      expect(cases(bench)).toHaveLength(1);
    });
  });
});

describe('a response that ended well but left the case open, as a plan does', () => {
  it('is not repeated for the same event, and is for a later occurrence: by then somebody may want it contained', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const names = executionsThat(bench, 'succeeds', 'succeeds');
      await startResponse(bench.tools, finding);
      await hours(bench, 6);
      expect(await startResponse(bench.tools, finding)).toMatchObject({ kind: 'already-started' });
      expect(await startResponse(bench.tools, occurrence(6))).toMatchObject({ kind: 'started' });
      expect(await startResponse(bench.tools, occurrence(6))).toMatchObject({ kind: 'already-started' });
      expect(names).toHaveLength(2);
    });
  });
});
