import { describe, expect, it } from 'vitest';
import type { RestoreItem } from '../../functions/core/case/record.ts';
import { readDefinition } from '../../local/definitions.ts';
import { runMachine } from '../../local/runner.ts';
import { type Bench, defaultWorld, ids, onBench, readEvent, refusedBy, shellAlone } from '../support/bench.ts';
import { inEpisode } from '../support/episode.ts';
import { simulate } from '../support/own-flow-log.ts';
import { withoutAgent, worldOf } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');

/** Calls that the restore alone is refused. */
const restoreWithout = (
  apis: readonly string[],
  { code = 'UnauthorizedOperation', file = defaultWorld(), force = true } = {},
) => {
  let isDenied = false;
  return simulate(file, finding, {
    restore: { force },
    prepare: (world) => {
      world.interceptors.push({
        before: ({ call }) => {
          if (!isDenied || !apis.includes(call)) return;
          throw Object.assign(refusedBy(code)(), {
            stack: 'at somewhere',
            message: `no right to ${call}\nat somewhere`,
          });
        },
      });
    },
    between: () => {
      isDenied = true;
      return Promise.resolve();
    },
  });
};

const itemsThat = (items: readonly RestoreItem[], outcome: RestoreItem['outcome']): readonly string[] =>
  items.filter((one) => one.outcome === outcome).map(({ item }) => item);

describe('people who are told of a restore', () => {
  it('hear once, at its end, what was put back and by which execution', async () => {
    const run = await simulate(shellAlone(), finding, { restore: { force: true } });
    const told = run.messages.filter(({ subject }) => subject?.includes('restore'));

    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ subject: `flowcut: ${ids.instance} restored`, at: expect.closeTo(run.endedAt, 0) });
    expect(told[0]?.message).toContain(`- ${ids.eni} groups`);
    expect(told[0]?.message).toMatch(
      /\nstarted by execution local-\d+; its StartExecution in CloudTrail says who called\n/,
    );
    expect(told[0]?.message).toContain(`case ${run.report.caseId}: https://`);
  });

  it('hear who says to have started it, and that nobody has asked whether a flow may revive', async () => {
    await inEpisode(shellAlone(), async (episode) => {
      const [report] = await episode.send(finding);
      const input = { caseId: report?.caseId, force: true, by: 'alice, ticket 4711' };

      await runMachine(readDefinition('restore'), input, episode.tools);

      const message = episode.world.messages.at(-1)?.message;
      expect(message).toContain('\nstarted by alice, ticket 4711, as its input says\n');
      expect(message).toContain('\nforced: ');
    });
  });

  it('hear of one that is refused, with the reason: somebody has tried to lift a containment', async () => {
    const run = await simulate(withoutAgent(), finding, { restore: { force: false } });

    expect(run.restore?.kind).toBe('refused');
    expect(run.restoreReport?.kind).toBe('refused');
    expect(run.messages.at(-1)).toMatchObject({
      subject: `flowcut: ${ids.instance} restore refused`,
      message: expect.stringContaining('may still be open on the host, and would go on'),
    });
  });

  it('see of a refused one no state that reads as if something had been done', async () => {
    const run = await simulate(withoutAgent(), finding, { restore: { force: false } });
    const from = run.visits.findIndex(({ state }) => state === 'Put back what was found');

    expect(run.visits.slice(from).map(({ state }) => state)).toEqual(['Put back what was found', 'Report the restore']);
  });

  it('hear of one that stopped on the way, in one line', async () => {
    await onBench(shellAlone(), async (bench) => {
      const { case: ref } = await bench.contain(finding);
      bench.fail(({ call }) => call === 'GetItem', refusedBy('AccessDeniedException'));

      const { error } = await restore(bench, { caseId: ref.caseId });

      expect(error).not.toBeNull();
      expect(bench.world.messages.at(-1)?.subject).toBe('flowcut: no instance restore failed');
      expect(bench.world.messages.at(-1)?.message.split('\n')[0]).toMatch(/^RESTORE FAILED: AccessDeniedException: /);
    });
  });

  it('hear nothing of wrong input, whose sentence whoever typed it sees', async () => {
    await onBench(shellAlone(), async (bench) => {
      const { error } = await restore(bench, { caseId: 'the web server' });

      expect(error?.cause).toContain('is not a case id');
      expect(bench.world.messages).toEqual([]);
    });
  });

  it('find on the timeline that they could not be told', async () => {
    await onBench(shellAlone(), async (bench) => {
      const { case: ref } = await bench.contain(finding);
      bench.fail(({ call }) => call === 'Publish', refusedBy('AuthorizationError'));

      const { output } = await restore(bench, { caseId: ref.caseId, force: true });

      expect(output).toMatchObject({ report: { kind: 'restored' } });
      const told = bench.world.dumpTable().filter(({ step }) => step === 'report-restore');
      expect(told.map(({ what }) => what)).toContainEqual(
        expect.stringContaining('could not be published: AuthorizationError'),
      );
    });
  });

  it('are counted on, each restore by its outcome', async () => {
    const logged: unknown[] = [];
    await onBench(shellAlone(), async (bench) => {
      const { case: ref } = await bench.contain(finding);
      const log = {
        ...bench.tools.log,
        info: (message: string, fields?: object) => logged.push({ message, ...fields }),
      };
      bench.fail(({ call }) => call === 'DeleteNetworkAclEntry', refusedBy('UnauthorizedOperation'));
      await runMachine(readDefinition('restore'), { caseId: ref.caseId, force: true }, { ...bench.tools, log });
    });

    expect(logged).toContainEqual(
      expect.objectContaining({ message: 'restore', outcome: 'partly-restored', failed: 2 }),
    );
  });
});

const restore = (bench: Bench, input: object) => runMachine(readDefinition('restore'), input, bench.tools);

describe('a restore that may not do everything', () => {
  const groups = `${ids.eni} groups`;
  const denies = [`${ids.acl} rule 1 inbound deny ${ids.peer}/32`, `${ids.acl} rule 1 outbound deny ${ids.peer}/32`];

  it.each<[string, readonly string[]]>([
    ['DescribeNetworkAcls', [...denies, 'tags']],
    ['DeleteNetworkAclEntry', [...denies, 'tags']],
    ['DescribeInstanceAttribute', ['stop protection', 'termination protection']],
    ['DeleteTags', ['tags']],
    ['SendCommand', ['host firewall']],
  ])('for want of %s has a line for each thing that failed, and puts back all else', async (api, failed) => {
    const code = api === 'SendCommand' ? 'AccessDeniedException' : 'UnauthorizedOperation';
    const run = await restoreWithout([api], { code, file: shellAlone() });

    expect([...itemsThat(run.restored, 'failed')].sort()).toEqual([...failed].sort());
    expect(itemsThat(run.restored, 'restored')).toContain(groups);
    expect(run.restoreReport).toMatchObject({ kind: 'partly-restored' });
    for (const { outcome, detail = '' } of run.restored)
      expect(outcome === 'failed' && /\n|stack/.test(detail)).toBe(false);
    expect(run.messages.at(-1)?.message).toContain(`- ${failed[0]}: failed`);
  });

  it('for want of DescribeInstances says of each thing of the instance that it could not be looked at', async () => {
    const run = await restoreWithout(['DescribeInstances'], { file: shellAlone() });

    expect(itemsThat(run.restored, 'restored')).toEqual(expect.arrayContaining([groups, ...denies]));
    expect(itemsThat(run.restored, 'failed')).toEqual(
      expect.arrayContaining(['host firewall', 'tags', 'stop protection', 'termination protection']),
    );
    expect(itemsThat(run.restored, 'failed')).not.toContain('snapshots');
  });

  it('without force is refused where it cannot see that the instance is gone', async () => {
    const refused = await restoreWithout(['DescribeInstances'], { file: withoutAgent(), force: false });

    expect(refused.restore).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('may still be open on the host'),
    });
  });

  it('is finished by the next one, once it may', async () => {
    await inEpisode(shellAlone(), async (episode) => {
      let isDenied = false;
      episode.world.interceptors.push({
        before: ({ call }) => {
          if (isDenied && call === 'DescribeNetworkAcls') throw refusedBy('UnauthorizedOperation')();
        },
      });
      const [report] = await episode.send(finding);
      const caseId = report?.caseId ?? '';
      isDenied = true;
      const first = await episode.restore(caseId, true);
      isDenied = false;
      const second = await episode.restore(caseId, true);

      expect([first.report.kind, second.report.kind]).toEqual(['partly-restored', 'restored']);
      expect(second.report.putBack).toEqual(
        expect.arrayContaining([...denies, 'tags'].map((item) => ({ item, outcome: 'restored' }))),
      );
    });
  });
});

describe('a restore that could not give the groups back', () => {
  const tagOf = (state: Record<string, unknown>): boolean =>
    JSON.stringify(state['Reservations']).includes('flowcut:case');

  it.each(['ModifyNetworkInterfaceAttribute', 'DescribeNetworkInterfaces', 'DescribeSecurityGroups'])(
    'for want of %s keeps the instance protected, marked, out of service and behind its own firewall',
    async (api) => {
      const run = await restoreWithout([api], { file: worldOf('auto-scaling-member') });
      const kept = run.restored.filter(({ detail }) => detail?.startsWith('kept, for the network'));

      expect(itemsThat(run.restored, 'failed')).toContain(`${ids.eni} groups`);
      expect(kept.map(({ item }) => item)).toEqual(
        expect.arrayContaining(['host firewall', 'tags', 'termination protection', 'Auto Scaling group shop-web']),
      );
      for (const call of ['ModifyInstanceAttribute', 'ExitStandby', 'RegisterTargets', 'DeleteTags']) {
        expect(run.timeline.filter(({ call: made, at }) => made === call && at > run.reportedAt)).toEqual([]);
      }
      expect(tagOf(run.finalState)).toBe(true);
      expect(run.restoreReport).toMatchObject({ kind: 'partly-restored' });
    },
  );
});
