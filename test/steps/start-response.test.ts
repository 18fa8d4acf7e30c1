import { describe, expect, it } from 'vitest';
import { startResponse } from '../../functions/start-response/step.ts';
import { type Bench, defaultWorld, ids, onBench, readEvent, refusedBy } from '../support/bench.ts';
import { updateCase } from '../support/update-case.ts';

interface Event {
  detail: Record<string, unknown> & {
    updatedAt: string;
    service: { count: number; action: { networkConnectionAction: { remoteIpDetails: { ipAddressV4: string } } } };
  };
}

const theEvent = readEvent('guardduty-ec2-c2activity') as Event;

/** A later occurrence of the same finding, with another peer: GuardDuty overwrites the older one. */
function laterEvent(peer: string): Event {
  const event = structuredClone(theEvent);
  event.detail.updatedAt = '2026-01-15T16:00:00.000Z';
  event.detail.service.count = 2;
  event.detail.service.action.networkConnectionAction.remoteIpDetails.ipAddressV4 = peer;
  return event;
}

const started = (bench: Bench): readonly string[] =>
  (bench.inputsOf('StartExecution') as { name: string }[]).map(({ name }) => name);
/** Executions that really started: a name starts once. */
const executions = (bench: Bench): number => new Set(started(bench)).size;

const told = ({ world }: Bench) =>
  world
    .dumpTable()
    .flatMap(({ sk, step, what }) => (String(sk).startsWith('TIME#') && step === 'start-response' ? [what] : []));

/** The bench's tools with a log that can be read. */
function listening({ tools }: Bench) {
  const lines: unknown[][] = [];
  const log = {
    info: (...line: unknown[]) => void lines.push(['info', ...line]),
    warn: (...line: unknown[]) => void lines.push(['warn', ...line]),
  };
  return { tools: { ...tools, log }, lines };
}

describe('start-response', () => {
  it('opens a case and starts one execution that carries its id, and what to begin reading with', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const result = await startResponse(bench.tools, theEvent);
      if (result.kind === 'nothing-to-do') throw new Error(result.report.reason);
      const [caseId] = result.caseIds;
      expect(result.kind).toBe('started');
      expect(bench.inputsOf('StartExecution')).toEqual([
        {
          stateMachineArn: bench.tools.config.respondStateMachineArn,
          name: expect.stringMatching(new RegExp(`^${caseId}-[0-9a-f]{12}$`)),
          input: JSON.stringify({
            caseId,
            instanceId: ids.instance,
            hints: {
              vpcIds: [ids.vpc],
              subnetIds: [ids.subnet],
              groupIds: [ids.web],
              instanceType: 'm6i.large',
              peers: [ids.peer],
            },
          }),
        },
      ]);
      const { decision, classReason } = await bench.document(caseId ?? '');
      expect(decision).toBe('act');
      expect(told(bench)).toEqual([`taken: Backdoor:EC2/C&CActivity.B, ${classReason}`]);
    });
  });

  it('starts once for an event that is delivered twice, and for one that comes ten times at once', async () => {
    await onBench(defaultWorld(), async (bench) => {
      await startResponse(bench.tools, theEvent);
      await startResponse(bench.tools, theEvent);
      await Promise.all(Array.from({ length: 10 }, () => startResponse(bench.tools, theEvent)));
      expect(executions(bench)).toBe(1);
      expect(bench.world.dumpTable().filter(({ sk }) => sk === 'CASE')).toHaveLength(1);
    });
  });

  it('opens one case for ten first deliveries at once', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const results = await Promise.all(Array.from({ length: 10 }, () => startResponse(bench.tools, theEvent)));
      const ids = results.flatMap((result) => (result.kind === 'nothing-to-do' ? [] : result.caseIds));
      expect(new Set(ids).size).toBe(1);
      expect(executions(bench)).toBe(1);
    });
  });

  it('starts one more for a new peer, and keeps the union whatever the order', async () => {
    for (const events of [
      [theEvent, laterEvent('203.0.113.9')],
      [laterEvent('203.0.113.9'), theEvent],
    ]) {
      await onBench(defaultWorld(), async (bench) => {
        for (const event of events) await startResponse(bench.tools, event);
        for (const event of events) await startResponse(bench.tools, event);
        expect(executions(bench)).toBe(2);
        const [caseId = ''] = bench.world
          .dumpTable()
          .flatMap(({ pk, sk }) => (sk === 'CASE' ? [String(pk).slice(5)] : []));
        const { request } = await bench.document(caseId);
        expect(request.flows.map(({ remoteAddress }) => remoteAddress).sort()).toEqual([ids.peer, '203.0.113.9']);
        expect(request.finding).toMatchObject({ count: 2, updatedAt: '2026-01-15T16:00:00.000Z' });
      });
    }
  });

  it('opens one case for ten findings at once, each with a peer of its own, and loses none', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const peers = Array.from({ length: 10 }, (_, n) => `203.0.113.${n + 1}`);
      const results = await Promise.all(peers.map((peer) => startResponse(bench.tools, laterEvent(peer))));
      const [caseId = ''] = results.flatMap((result) => (result.kind === 'nothing-to-do' ? [] : result.caseIds));
      const { request } = await bench.document(caseId);
      expect(request.flows.map(({ remoteAddress }) => remoteAddress).sort()).toEqual([...peers].sort());
      expect(executions(bench)).toBe(10);
    });
  });

  it('does not start over for a later occurrence once the case is reported: it is verified again, once', async () => {
    await onBench(defaultWorld(), async (bench) => {
      await startResponse(bench.tools, theEvent);
      const [caseId = ''] = bench.world
        .dumpTable()
        .flatMap(({ pk, sk }) => (sk === 'CASE' ? [String(pk).slice(5)] : []));
      await updateCase(bench.tools.cases, caseId, (stored) => ({ ...stored, status: 'reported' }));
      const again = laterEvent(ids.peer);
      await startResponse(bench.tools, again);
      await startResponse(bench.tools, again);
      expect(executions(bench)).toBe(2);
      expect(bench.world.dumpTable().filter(({ sk }) => sk === 'CASE')).toHaveLength(1);
    });
  });

  it('opens the next generation after a restore, with a before-state of its own', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const first = await startResponse(bench.tools, theEvent);
      const caseId = first.kind === 'nothing-to-do' ? '' : (first.caseIds[0] ?? '');
      await updateCase(bench.tools.cases, caseId, (stored) => ({ ...stored, status: 'restored' }));
      // Delivered again, it is what was restored.
      expect(await startResponse(bench.tools, theEvent)).toMatchObject({
        kind: 'nothing-to-do',
        report: {
          caseId,
          instanceId: ids.instance,
          verdict: 'ignored',
          reason: `its case ${caseId} was restored, and the finding is none that it did not know`,
        },
      });
      expect(executions(bench)).toBe(1);
      const later = structuredClone(theEvent);
      later.detail.updatedAt = '2026-01-15T16:00:00.000Z';
      const second = await startResponse(bench.tools, later);
      expect(second.kind === 'started' && second.caseIds[0]).not.toBe(caseId);
      expect(executions(bench)).toBe(2);
    });
  });

  it.each([
    ['a sample', 'guardduty-sample'],
    ['an archived finding', 'guardduty-archived'],
    ['an exposed port', 'guardduty-ec2-port-probe'],
    ['stolen credentials', 'guardduty-credential-exfiltration'],
  ])('starts nothing for %s, writes nothing, and says why', async (_, name) => {
    await onBench(defaultWorld(), async (bench) => {
      const result = await startResponse(bench.tools, readEvent(name));
      expect(result).toMatchObject({
        kind: 'nothing-to-do',
        report: { verdict: 'ignored', reason: expect.stringMatching(/.{20}/), flows: [] },
      });
      expect(bench.world.calls().total).toBe(0);
    });
  });

  it.each([
    ['account', { accountId: '444455556666' }],
    ['Region', { region: 'eu-west-1' }],
  ])('starts nothing for a finding about another %s, and writes nothing', async (what, change) => {
    await onBench(defaultWorld(), async (bench) => {
      const event = { ...theEvent, detail: { ...theEvent.detail, ...change } };
      const result = await startResponse(bench.tools, event);
      expect(result).toMatchObject({
        kind: 'nothing-to-do',
        report: { verdict: 'refused', reason: expect.stringContaining(what) },
      });
      expect(bench.world.calls().total).toBe(0);
    });
  });

  it('opens a case for a person to decide where the finding asks for one', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const result = await startResponse(bench.tools, readEvent('guardduty-eks-runtime-crypto-miner'));
      if (result.kind === 'nothing-to-do') throw new Error(result.report.reason);
      const { decision, classReason } = await bench.document(result.caseIds[0] ?? '');
      expect(decision).toBe('ask');
      expect(told(bench)).toEqual([`taken for a person to decide: Impact:Runtime/CryptoMinerExecuted, ${classReason}`]);
    });
  });

  describe('an attack sequence', () => {
    interface Sequence {
      detail: { service: { detection: { sequence: { resources: { uid: string; accountId: string }[] } } } };
    }

    /** The sequence with as many instances, each of the account that is given for it. */
    function sequenceOf(...accounts: readonly string[]): Sequence {
      const event = readEvent('guardduty-attack-sequence-ec2') as Sequence;
      const { sequence } = event.detail.service.detection;
      const bare = sequence.resources.find(({ uid }) => uid === 'i-0000000000000ab02');
      if (bare === undefined) throw new Error('the event has lost an instance');
      sequence.resources = accounts.map((accountId, n) => ({
        ...bare,
        accountId,
        uid: `i-0000000000000ab${String(n).padStart(2, '0')}`,
      }));
      return event;
    }

    it.each([12, 34])('opens a case for each of its %d instances, and asks a person', async (length) => {
      await onBench(defaultWorld(), async (bench) => {
        const result = await startResponse(bench.tools, sequenceOf(...Array.from({ length }, () => '111122223333')));
        if (result.kind === 'nothing-to-do') throw new Error(result.report.reason);
        expect(new Set(result.caseIds).size).toBe(length);
        expect(executions(bench)).toBe(length);
        for (const caseId of result.caseIds) {
          const { decision, request } = await bench.document(caseId);
          expect(decision).toBe('ask');
          expect(request.notes.join(' ')).toContain(`names ${length} instances`);
        }
      });
    });

    it('opens the other cases where one cannot be opened, fails, and opens that one the next time', async () => {
      await onBench(defaultWorld(), async (bench) => {
        let isDown = true;
        bench.fail(
          ({ call, input }) => isDown && call === 'PutItem' && JSON.stringify(input).includes('i-0000000000000ab01'),
          refusedBy('AccessDeniedException'),
        );
        const event = sequenceOf(...Array.from({ length: 12 }, () => '111122223333'));
        await expect(startResponse(bench.tools, event)).rejects.toMatchObject({ name: 'AccessDeniedException' });
        expect(executions(bench)).toBe(11);
        isDown = false;
        expect(await startResponse(bench.tools, event)).toMatchObject({ kind: 'started' });
        expect(executions(bench)).toBe(12);
      });
    });

    it('says why nothing is begun where every instance is of another account', async () => {
      await onBench(defaultWorld(), async (bench) => {
        expect(await startResponse(bench.tools, sequenceOf('444455556666', '444455556666'))).toMatchObject({
          kind: 'nothing-to-do',
          report: { verdict: 'refused', reason: expect.stringContaining('444455556666') },
        });
      });
    });

    it('passes over an instance of another account, and goes on', async () => {
      await onBench(defaultWorld(), async (bench) => {
        const { tools, lines } = listening(bench);
        const result = await startResponse(tools, sequenceOf('444455556666', '111122223333'));
        if (result.kind === 'nothing-to-do') throw new Error(result.report.reason);
        const [caseId = ''] = result.caseIds;
        expect(result).toEqual({ kind: 'started', caseIds: [caseId] });
        expect((await bench.document(caseId)).instanceId).toBe('i-0000000000000ab01');
        expect(lines).toEqual([
          [
            'warn',
            'refused',
            {
              caseId: expect.stringMatching(/^note-/),
              verdict: 'refused',
              reason: expect.stringContaining('444455556666'),
              findingId: expect.stringMatching(/./),
              type: 'AttackSequence:EC2/CompromisedInstanceGroup',
              instanceId: 'i-0000000000000ab00',
            },
          ],
        ]);
      });
    });
  });

  it('writes into the log what it does not act on, and why', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const { tools, lines } = listening(bench);
      const ignored = await startResponse(tools, readEvent('guardduty-archived'));
      const misplaced = await startResponse(tools, {
        ...theEvent,
        detail: { ...theEvent.detail, region: 'eu-west-1' },
      });
      if (ignored.kind !== 'nothing-to-do' || misplaced.kind !== 'nothing-to-do') throw new Error('it acts');
      expect(lines).toEqual([
        [
          'info',
          'ignored',
          {
            caseId: ignored.report.caseId,
            reason: ignored.report.reason,
            verdict: 'ignored',
            class: 'ARCHIVED',
            findingId: ignored.report.finding?.id,
            type: 'CryptoCurrency:EC2/BitcoinTool.B',
            instanceId: ids.instance,
          },
        ],
        [
          'warn',
          'refused',
          {
            caseId: misplaced.report.caseId,
            verdict: 'refused',
            reason: misplaced.report.reason,
            findingId: theEvent.detail['id'],
            type: theEvent.detail['type'],
            instanceId: ids.instance,
          },
        ],
      ]);
      expect(ignored.report.finding?.id).toMatch(/^[0-9a-f]{32}$/);
      expect(ignored.report.reason).toMatch(/\w\. \w/);
    });
  });

  it('throws at input that it cannot read, so that it is not lost in silence', async () => {
    await onBench(defaultWorld(), async (bench) => {
      await expect(startResponse(bench.tools, { ...theEvent, detail: null })).rejects.toMatchObject({
        name: 'InputError',
        field: 'detail',
      });
      expect(bench.world.calls().total).toBe(0);
    });
  });

  it('finishes what a run that died between claim and case has begun', async () => {
    await onBench(defaultWorld(), async (bench) => {
      let dead = false;
      bench.fail(
        ({ call, input }) => call === 'PutItem' && JSON.stringify(input).includes('"CASE"') && !dead,
        () => {
          dead = true;
          return Object.assign(new Error('killed'), { name: 'Killed' });
        },
      );
      await expect(startResponse(bench.tools, theEvent)).rejects.toThrow('killed');
      expect(await startResponse(bench.tools, theEvent)).toMatchObject({ kind: 'started' });
      expect(executions(bench)).toBe(1);
    });
  });
});
