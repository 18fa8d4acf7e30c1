import { describe, expect, it } from 'vitest';
import { createCase } from '../../functions/aws/case-table/cases.ts';
import { beginWatch, noteLook, noteLookOver, readWatched, takeWake } from '../../functions/aws/case-table/watch.ts';
import type { CaseDocument } from '../../functions/core/case/case.ts';
import { sweepCases } from '../../functions/sweep-cases/step.ts';
import { readDefinition } from '../../local/definitions.ts';
import { runMachine } from '../../local/runner.ts';
import { type Bench, ids, onBench, refusedBy, shellAlone } from '../support/bench.ts';
import { theCase } from '../support/incident.ts';
import { trailEvent } from '../support/trail-event.ts';
import { updateCase } from '../support/update-case.ts';

const TICK = { 'detail-type': 'Scheduled Event', detail: {} };
const idOf = (index: number): string => `case-${index.toString(16).padStart(20, '0')}`;

/** A case that was contained long ago, and under watch since. */
async function open({ tools }: Bench, index = 1, change: Partial<CaseDocument> = {}): Promise<string> {
  const caseId = idOf(index);
  const now = tools.now().toISOString();
  await createCase(tools.cases, {
    ...theCase,
    caseId,
    isolatedAt: now,
    status: 'reported',
    verdict: 'held',
    ...change,
  });
  await beginWatch(tools.cases, { caseId, from: now, due: now, execution: null, touches: [ids.acl] });
  return caseId;
}

const started = (bench: Bench) =>
  (bench.inputsOf('StartExecution') as { name: string; input: string }[]).map(({ name, input }) => ({
    name,
    ...(JSON.parse(input) as { look: { caseId: string; as: string } }),
  }));

describe('a tick of the sweep', () => {
  it('starts one look at a case that is due, under a name of the case and its time', () =>
    onBench(shellAlone(), async (bench) => {
      const caseId = await open(bench);

      expect(await sweepCases(bench.tools, TICK)).toEqual({ watched: 1, seen: 1, looks: 1 });
      expect(await sweepCases(bench.tools, TICK)).toEqual({ watched: 1, seen: 0, looks: 0 });

      expect(started(bench)).toEqual([
        { name: expect.stringMatching(new RegExp(`^${caseId}-look-\\d{13}$`)), look: { caseId, as: 'alone' } },
      ]);
      expect(started(bench)[0]?.name.length).toBeLessThanOrEqual(80);
    }));

  it('that dies after it has started a look starts no other', () =>
    onBench(shellAlone(), async (bench) => {
      await open(bench);
      let isDead = false;
      bench.fail(({ call }) => call === 'UpdateItem' && !isDead, refusedBy('AccessDeniedException'));

      await expect(sweepCases(bench.tools, TICK)).rejects.toThrow('AccessDenied');
      isDead = true;
      await sweepCases(bench.tools, TICK);

      expect(new Set(started(bench).map(({ name }) => name)).size).toBe(1);
    }));

  it('sees to a hundred cases, of which one that fails keeps none of the others', () =>
    onBench(shellAlone(), async (bench) => {
      for (let index = 1; index <= 100; index += 1) await open(bench, index);
      bench.fail(
        ({ call, input }) => call === 'StartExecution' && JSON.stringify(input).includes(idOf(7)),
        refusedBy('ServiceUnavailable'),
      );

      const queries = bench.calls('Query');
      await expect(sweepCases(bench.tools, TICK)).rejects.toThrow('ServiceUnavailable');

      expect(bench.calls('Query') - queries).toBe(1);
      expect(new Set(started(bench).map(({ look }) => look.caseId)).size).toBe(100);
      const due = (await readWatched(bench.tools.cases)).filter(
        (one) => Date.parse(one.due) <= bench.tools.now().getTime(),
      );
      expect(due.map(({ caseId }) => caseId)).toEqual([idOf(7)]);
    }));

  it('reads more cases than a page holds', () =>
    onBench(shellAlone(), async (bench) => {
      const touches = Array.from({ length: 400 }, (_, index) => `eni-${index.toString(16).padStart(17, '0')}`);
      const now = bench.tools.now().toISOString();
      for (let index = 1; index <= 160; index += 1) {
        await beginWatch(bench.tools.cases, { caseId: idOf(index), from: now, due: now, execution: null, touches });
      }

      expect(await readWatched(bench.tools.cases)).toHaveLength(160);
    }));

  it.each(['restoring', 'restored'] as const)('lets go of a case that is %s', (status) =>
    onBench(shellAlone(), async (bench) => {
      await open(bench, 1, { status });

      await sweepCases(bench.tools, TICK);

      expect(started(bench)).toEqual([]);
      expect(await readWatched(bench.tools.cases)).toEqual([]);
    }),
  );

  it('starts nothing while the switch says observe', () =>
    onBench(shellAlone(), async (bench) => {
      await open(bench);
      const { PutItemCommand } = await import('@aws-sdk/client-dynamodb');
      const Item = { pk: { S: 'SETTINGS' }, sk: { S: 'MODE' }, mode: { S: 'observe' } };
      await bench.tools.cases.client.send(new PutItemCommand({ TableName: bench.tools.cases.name, Item }));

      await sweepCases(bench.tools, TICK);
      await sweepCases(bench.tools, trailEvent());

      expect(started(bench)).toEqual([]);
      expect(await readWatched(bench.tools.cases)).toHaveLength(1);
    }));

  it('leaves a case alone whose response goes on, and takes it when that has ended', () =>
    onBench(shellAlone(), async (bench) => {
      const caseId = await open(bench);
      const { tools, world } = bench;
      const { promise, resolve } = Promise.withResolvers<unknown>();
      const executionArn = 'arn:aws:states:eu-central-1:111122223333:execution:flowcut-respond:own';
      world.executionStarted({ executionArn, input: {} }, { result: promise });
      const now = tools.now().toISOString();
      await noteLook(tools.cases, {
        caseId,
        from: now,
        due: now,
        execution: executionArn,
        wakesAt: null,
        touches: [ids.acl],
      });

      await sweepCases(tools, TICK);
      expect(started(bench)).toEqual([]);

      resolve(null);
      await tools.sleep(300);
      await sweepCases(tools, TICK);
      expect(started(bench)).toHaveLength(1);
    }));
});

describe('an event of CloudTrail', () => {
  it('wakes the case that it touches, once in a minute', () =>
    onBench(shellAlone(), async (bench) => {
      const caseId = await open(bench);
      await noteLookOver(bench.tools.cases, { caseId, due: '2026-02-01T00:00:00.000Z', touches: [ids.acl] });

      for (let event = 0; event < 5; event += 1) await sweepCases(bench.tools, trailEvent());
      expect(started(bench)).toHaveLength(1);
      expect(started(bench)[0]).toMatchObject({ look: { caseId, as: 'alone' } });
    }));

  it.each<[string, object]>([
    ['another ACL', { requestParameters: { networkAclId: 'acl-00000000000000d99' } }],
    ['another account', { recipientAccountId: '999988887777' }],
    ['a read', { eventName: 'DescribeNetworkAcls' }],
  ])('about %s wakes nobody', (_, change) =>
    onBench(shellAlone(), async (bench) => {
      await open(bench);

      await sweepCases(bench.tools, trailEvent(change));

      expect(started(bench)).toEqual([]);
    }),
  );

  it('that comes while a look goes on is seen to at the next tick, whatever that look says', () =>
    onBench(shellAlone(), async (bench) => {
      const caseId = await open(bench);
      const { tools } = bench;
      const looking = Promise.withResolvers<unknown>();
      bench.world.onStartExecution = () => ({ result: looking.promise });
      await sweepCases(tools, TICK);
      await tools.sleep(70);

      await sweepCases(tools, trailEvent());
      await noteLookOver(tools.cases, { caseId, due: '2026-02-01T00:00:00.000Z', touches: [ids.acl] });
      expect(started(bench)).toHaveLength(1);
      looking.resolve(null);
      await tools.sleep(200);
      await sweepCases(tools, TICK);

      expect(started(bench)).toHaveLength(2);
    }));

  it('is taken by one of two sweeps at once', () =>
    onBench(shellAlone(), async (bench) => {
      const caseId = await open(bench);
      const times = { at: '2026-01-15T10:01:00.000Z', since: '2026-01-15T10:00:00.000Z' };

      const taken = await Promise.all([1, 2, 3].map(() => takeWake(bench.tools.cases, { caseId }, times)));

      expect(taken.filter(Boolean)).toHaveLength(1);
      expect(await takeWake(bench.tools.cases, { caseId: idOf(2) }, times)).toBe(false);
    }));
});

describe('a look', () => {
  const respond = async (bench: Bench, input: unknown) => {
    const states: string[] = [];
    const result = await runMachine(readDefinition('respond'), input, bench.tools, {
      onTransition: (state) => states.push(state),
    });
    return { ...result, states };
  };

  /** A response to its end. */
  const contained = async (bench: Bench): Promise<string> => {
    const { output } = await respond(bench, { instanceId: ids.instance, remoteAddresses: [ids.peer] });
    return (output as unknown as { case: { caseId: string } }).case.caseId;
  };

  it('goes straight to the verification, and tells nobody what people know', () =>
    onBench(shellAlone(), async (bench) => {
      const caseId = await contained(bench);
      const before = bench.state();
      const messages = bench.world.messages.length;

      const { states, error } = await respond(bench, { look: { caseId, as: 'alone' } });

      expect(error).toBeNull();
      expect(states).toEqual(['Open and assess', 'What is to be done?', 'Verify', 'What comes next?', 'Done']);
      expect(bench.state()).toBe(before);
      expect(bench.world.messages).toHaveLength(messages);
    }));

  it('tells what a response that died had not told', () =>
    onBench(shellAlone(), async (bench) => {
      const caseId = await contained(bench);
      await updateCase(bench.tools.cases, caseId, (document) => ({ ...document, endedAs: [] }));

      const { states, output } = await respond(bench, { look: { caseId } });

      expect(states.at(-2)).toBe('Report');
      expect(output).toMatchObject({ report: { caseId, verdict: 'held' } });
    }));

  it('beside a response leaves the end to it', () =>
    onBench(shellAlone(), async (bench) => {
      const caseId = await contained(bench);
      await updateCase(bench.tools.cases, caseId, (document) => ({ ...document, endedAs: [] }));

      const { states } = await respond(bench, { look: { caseId, as: 'beside' } });

      expect(states.at(-1)).toBe('Done');
      expect(states).not.toContain('Report');
    }));

  it.each(['restoring', 'restored'] as const)('at a case that is %s ends at once', (status) =>
    onBench(shellAlone(), async (bench) => {
      const caseId = await contained(bench);
      await updateCase(bench.tools.cases, caseId, (document) => ({ ...document, status }));
      const before = bench.state();

      const { states, output } = await respond(bench, { look: { caseId } });

      expect(states).toEqual(['Open and assess', 'What is to be done?', 'Done']);
      expect(output).not.toHaveProperty('report');
      expect(bench.state()).toBe(before);
    }),
  );

  it.each<[string, unknown, RegExp]>([
    ['no case', {}, /look\.caseId/],
    ['a case that is not there', { caseId: idOf(9) }, /is not in the case table/],
    ['no id', { caseId: 'case-x"; drop' }, /look\.caseId/],
    ['a part that is none', { caseId: idOf(1), as: 'owner' }, /look\.as/],
    ['text', 'case-0123456789abcdef0123', /is not an object/],
  ])('with %s is refused in the first state', (_, look, sentence) =>
    onBench(shellAlone(), async (bench) => {
      const { error } = await respond(bench, { look });

      expect(error?.cause).toMatch(sentence);
    }),
  );
});
