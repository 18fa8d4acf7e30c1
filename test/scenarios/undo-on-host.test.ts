import { describe, expect, it } from 'vitest';
import type { Config } from '../../functions/core/config.ts';
import type { Simulation, World } from '../../local/simulate.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { defaultWorld, ids, readEvent, refusedBy, shellAlone } from '../support/bench.ts';
import { simulate } from '../support/own-flow-log.ts';
import { updateCase } from '../support/update-case.ts';

const finding = readEvent('guardduty-ec2-c2activity');

type Host = WorldFile['Hosts'][number];

const withHost = (change: Partial<Host>): WorldFile =>
  defaultWorld((world) => {
    world.Hosts = [{ InstanceId: ids.instance, ...change } as Host];
  });

const hostOf = ({ restored }: Pick<Simulation, 'restored'>) => restored.find(({ item }) => item === 'host firewall');

const statusOf = ({ table }: Simulation): Record<string, unknown> =>
  JSON.parse(String(table.find(({ sk }) => sk === 'CASE')?.['document'])) as Record<string, unknown>;

interface Tries {
  readonly verb: string;
  readonly at: number;
  readonly lives: number;
}

/** Counts what is sent to the host, and refuses it as long as somebody says so. */
function watchCommands(world: World, isRefused: () => boolean, code = 'InvalidInstanceId'): readonly Tries[] {
  const tries: Tries[] = [];
  world.interceptors.push({
    before: ({ call, input }) => {
      if (call !== 'SendCommand') return;
      const { Parameters, TimeoutSeconds = 0 } = input as {
        Parameters: Record<string, string[]>;
        TimeoutSeconds?: number;
      };
      tries.push({ verb: Parameters['Verb']?.[0] ?? '', at: world.clock.now(), lives: TimeoutSeconds });
      if (isRefused()) throw refusedBy(code)();
    },
  });
  return tries;
}

/** A response, and a restore while the agent is away for so many seconds. */
async function restoreWhileAway(seconds: number, code?: string) {
  let awayUntil = 0;
  let tries: readonly Tries[] = [];
  const run = await simulate(shellAlone(), finding, {
    restore: { force: true },
    prepare: (world) => {
      tries = watchCommands(world, () => world.clock.now() < awayUntil, code);
    },
    between: (world) => {
      awayUntil = world.clock.now() + seconds;
      return Promise.resolve();
    },
  });
  return { run, undos: tries.filter(({ verb }) => verb === 'undo') };
}

describe('the undo on the host, while the agent is away', () => {
  it.each([
    ['half a minute', 30],
    ['five minutes', 300],
    ['fourteen minutes', 840],
  ])('%s: is made when it is back', async (_, seconds) => {
    const { run, undos } = await restoreWhileAway(seconds);

    expect(hostOf(run)).toEqual({ item: 'host firewall', outcome: 'restored' });
    expect(run.restoreReport?.kind).toBe('restored');
    expect(statusOf(run)['hostUndone']).toBe(true);
    expect(undos.length).toBeGreaterThan(1);
    expect(run.endedAt - run.reportedAt).toBeLessThan(seconds + 150);
  });

  it('for good: is tried for 15 minutes at growing distances, and told as not done', async () => {
    const { run, undos } = await restoreWhileAway(1_000_000);
    const gaps = undos.slice(1).map(({ at }, index) => Math.round(at - (undos[index]?.at ?? 0)));

    expect(gaps.slice(0, 5)).toEqual(gaps.slice(0, 5).sort((a, b) => a - b));
    expect((undos.at(-1)?.at ?? 0) - (undos[0]?.at ?? 0)).toBeGreaterThan(890);
    expect(run.endedAt - run.reportedAt).toBeLessThan(960);
    expect(hostOf(run)).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('InvalidInstanceId') });
    expect(run.restoreReport).toMatchObject({
      kind: 'partly-restored',
      reason: expect.stringMatching(/^1 thing could not be put back/),
      failed: [{ item: 'host firewall', outcome: 'failed' }],
    });
    expect(run.messages.at(-1)?.subject).toBe(`flowcut: ${ids.instance} partly restored`);
    expect(run.messages.at(-1)?.message).toMatch(/Could not be put back\n- host firewall: failed/);
    expect(statusOf(run)['hostUndone']).not.toBe(true);
  });

  it('because the permission is missing: is not tried again', async () => {
    const { run, undos } = await restoreWhileAway(1_000_000, 'AccessDeniedException');

    expect(undos).toHaveLength(1);
    expect(hostOf(run)).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('AccessDeniedException') });
    expect(run.endedAt - run.reportedAt).toBeLessThan(60);
  });
});

describe('an undo that Systems Manager took, and the agent has not fetched', () => {
  /** The agent is silent for so many seconds from the restore on. */
  async function silentFor(seconds: number) {
    const file = withHost({});
    let tries: readonly Tries[] = [];
    const run = await simulate(file, finding, {
      restore: { force: true },
      prepare: (world) => {
        tries = watchCommands(world, () => false);
      },
      between: (world) => {
        const until = world.clock.now() + seconds;
        Object.defineProperty(file.Hosts[0], 'AgentAnswers', { get: () => world.clock.now() >= until });
        return Promise.resolve();
      },
    });
    return { run, undos: tries.filter(({ verb }) => verb === 'undo') };
  }

  it('for four minutes is still there when it does', async () => {
    const { run, undos } = await silentFor(240);

    expect(undos).toMatchObject([{ lives: 300 }]);
    expect(hostOf(run)).toEqual({ item: 'host firewall', outcome: 'restored' });
  });

  it('for twelve minutes has been sent again, and each one lived as long as it was waited for', async () => {
    const { run, undos } = await silentFor(720);

    expect(undos.map(({ lives }) => lives)).toEqual([300, 300, expect.any(Number)]);
    expect(undos[2]?.lives).toBeGreaterThan(200);
    expect(hostOf(run)).toEqual({ item: 'host firewall', outcome: 'restored' });
    expect(run.calls.byApi['CancelCommand']).toBe(2);
  });

  it('for good is told as not done', async () => {
    const { run } = await silentFor(1_000_000);

    expect(run.endedAt - run.reportedAt).toBeLessThan(1000);
    expect(hostOf(run)).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('3 times') });
    expect(run.restoreReport?.kind).toBe('partly-restored');
  });
});

describe('an undo that is tried again', () => {
  it.each([
    ['left to a response that has taken the case up meanwhile', 'open', 'drifted', 1],
    ['made where none has', 'restored', 'restored', 2],
  ] as const)('is %s', async (_, status, outcome, sent) => {
    const taken: Promise<unknown>[] = [];
    let isAway = false;
    let tries: readonly Tries[] = [];
    const run = await simulate(shellAlone(), finding, {
      restore: { force: true },
      prepare: (world, tools) => {
        tries = watchCommands(world, () => {
          if (!isAway) return false;
          isAway = false;
          const caseId = String(world.dumpTable().find(({ sk }) => sk === 'CASE')?.['pk']).replace('CASE#', '');
          taken.push(updateCase(tools.cases, caseId, (stored) => ({ ...stored, status })));
          return true;
        });
      },
      between: () => {
        isAway = true;
        return Promise.resolve();
      },
    });
    await Promise.all(taken);

    expect(hostOf(run)?.outcome).toBe(outcome);
    expect(tries.filter(({ verb }) => verb === 'undo')).toHaveLength(sent);
  });
});

describe('a function of the undo that fails itself', () => {
  it.each([
    ['before it has sent anything', 'PutItem', 'SAID#restore-evidence#last'],
    ['once it has the answer', 'SendCommand', '"undo"'],
  ])('%s leaves a restore that is not whole, and says why', async (_, api, words) => {
    let isBroken = false;
    const run = await simulate(shellAlone(), finding, {
      restore: { force: true },
      prepare: (world) => {
        world.interceptors.push({
          before: ({ call, input }) => {
            isBroken ||= call === api && JSON.stringify(input).includes(words);
            if (isBroken && call === 'GetItem') throw refusedBy('ResourceNotFoundException')();
          },
        });
      },
    });

    expect(run.restoreReport).toMatchObject({ kind: 'partly-restored', failed: [{ item: 'host firewall' }] });
    expect(hostOf(run)).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('ResourceNotFound') });
    expect(run.visits.at(-1)?.state).toBe('Report the restore');
  });
});

describe('the cut on a host that takes its time', () => {
  const within = (HostDelay: number, config: Partial<Config>) =>
    simulate(withHost({ AgentDelaySeconds: HostDelay }), finding, { config });

  it.each([
    [20, 45],
    [40, 45],
    [100, 180],
    [170, 180],
  ])(
    'of %d s is waited for by a command that lives as long as the budget of %d s',
    async (delay, hostCutBudgetSeconds) => {
      const { report } = await within(delay, { hostCutBudgetSeconds });

      expect(report.onHost[0]).toBe('2 of 2 flows closed, 0 left');
    },
  );

  it('longer than its budget is isolated without it, and the command is taken back', async () => {
    const { report, calls } = await within(60, { hostCutBudgetSeconds: 45 });

    expect(report.skipped).toContainEqual({ id: ids.instance, reason: expect.stringContaining('within 45 s') });
    expect(calls.byApi['CancelCommand']).toBe(1);
  });
});
