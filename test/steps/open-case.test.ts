import { describe, expect, it } from 'vitest';
import { readClaim, writeClaim } from '../../functions/aws/case-table/claims.ts';
import { type CaseDocument, caseIdOf } from '../../functions/core/case/case.ts';
import type { CaseRequest } from '../../functions/core/intake/intake-types.ts';
import { type CaseOpening, openOrTakeUp } from '../../functions/shared/open-case.ts';
import { type Bench, defaultWorld, ids, onBench, refusedBy } from '../support/bench.ts';
import { theRequest, theShell } from '../support/incident.ts';
import { updateCase } from '../support/update-case.ts';

const key = { accountId: '111122223333', region: 'eu-central-1', instanceId: ids.instance };
const firstId = caseIdOf({ ...key, generation: 1 });
const secondId = caseIdOf({ ...key, generation: 2 });

const opening: CaseOpening = {
  decision: 'act',
  class: 'ISO',
  classReason: 'the instance talks to a command and control server',
  request: theRequest,
};
const asking: CaseOpening = { ...opening, decision: 'ask' };
const withPeer = (remoteAddress: string): CaseRequest => ({ ...theRequest, flows: [{ ...theShell, remoteAddress }] });
const another = withPeer('203.0.113.9');
const findingAt = (updatedAt: string) => {
  if (theRequest.finding === null) throw new Error('the request has no finding');
  return { ...theRequest.finding, updatedAt };
};
const seenLater: CaseRequest = { ...theRequest, finding: findingAt('2026-01-15T16:00:00.000Z') };

const open = ({ tools }: Bench, change: Partial<CaseOpening> = {}) => openOrTakeUp(tools, { ...opening, ...change });
const setStatus = ({ tools }: Bench, status: CaseDocument['status'], caseId: string = firstId) =>
  updateCase(tools.cases, caseId, (stored) => ({ ...stored, status }));
const cases = ({ world }: Bench) => world.dumpTable().filter(({ sk }) => sk === 'CASE');

describe('the first request for an instance', () => {
  it('opens a case of which nothing is known yet but the request', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const document: CaseDocument = {
        ...opening,
        ...key,
        caseId: firstId,
        generation: 1,
        openedAt: '2026-01-15T10:00:00.000Z',
        status: 'open',
        flows: [],
        aclIds: [],
        denyRefusals: [],
        host: null,
        evidence: [],
        isolatedAt: null,
        cutAgainAt: null,
        verdict: null,
      };
      const opened = await open(bench);
      expect(opened).toEqual({
        document: { ...document, openedAt: expect.stringMatching(/^2026-01-15T10:00:0/) },
        isTakenUp: false,
      });
      // The claim is read and written, and the case is written.
      expect(bench.world.calls().total).toBe(3);
      expect(await bench.document(firstId)).toEqual(opened.document);
      expect(await readClaim(bench.tools.cases, key)).toEqual({ caseId: firstId, generation: 1 });
    });
  });

  it('writes the document of a claim whose process died before it wrote one, of the same generation', async () => {
    await onBench(defaultWorld(), async (bench) => {
      await writeClaim(bench.tools.cases, key, { caseId: firstId, generation: 1 }, 0);
      await writeClaim(bench.tools.cases, key, { caseId: secondId, generation: 2 }, 1);
      expect(await open(bench)).toMatchObject({ document: { caseId: secondId, generation: 2 }, isTakenUp: false });
      expect(await readClaim(bench.tools.cases, key)).toEqual({ caseId: secondId, generation: 2 });
    });
  });

  it('gives up on a claim that others win each time, and says which', async () => {
    await onBench(defaultWorld(), async (bench) => {
      bench.fail(({ call }) => call === 'PutItem', refusedBy('ConditionalCheckFailedException'));
      const before = bench.world.clock.now();
      await expect(open(bench)).rejects.toThrow(`the claim on ${ids.instance} is being written by too many at once`);
      expect(bench.inputsOf('PutItem')).toHaveLength(30);
      // It waits longer each time, or all who contend would come again at once.
      const waited = bench.world.clock.now() - before;
      expect(waited).toBeGreaterThan(9.3);
      expect(waited).toBeLessThan(30);
    });
  });
});

describe('a request for an instance that has a case', () => {
  it('joins it, and writes nothing where it brings nothing', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const { document } = await open(bench);
      expect(await open(bench)).toEqual({ document, isTakenUp: false });
      expect(bench.calls('UpdateItem')).toBe(0);
      expect(cases(bench)).toHaveLength(1);
    });
  });

  it('adds what it brings, and leaves the rest as it is', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const { document } = await open(bench);
      await setStatus(bench, 'reported');
      const joined = await open(bench, { request: another });
      const request = { ...theRequest, flows: [...theRequest.flows, ...another.flows] };
      expect(joined).toEqual({ document: { ...document, status: 'reported', request }, isTakenUp: false });
      expect(await bench.document(firstId)).toEqual(joined.document);
    });
  });

  it('lifts one that waits for a person, where it may act', async () => {
    await onBench(defaultWorld(), async (bench) => {
      await open(bench, asking);
      expect((await open(bench, asking)).document.decision).toBe('ask');
      expect((await open(bench)).document.decision).toBe('act');
      expect((await bench.document(firstId)).decision).toBe('act');
    });
  });

  it('never makes one wait for a person that acts', async () => {
    await onBench(defaultWorld(), async (bench) => {
      await open(bench);
      expect((await open(bench, { ...asking, request: another })).document.decision).toBe('act');
    });
  });
});

describe('a request while the case is being restored', () => {
  it('is still a taking up where the answer to it was lost, and the second look finds it done', async () => {
    await onBench(defaultWorld(), async (bench) => {
      await open(bench);
      await setStatus(bench, 'restoring');
      let lost = false;
      bench.fail(
        ({ call }) => call === 'UpdateItem' && !lost,
        () => {
          lost = true;
          return Object.assign(new Error('no answer'), { name: 'TimeoutError' });
        },
        'after',
      );
      expect(await open(bench, { request: another })).toMatchObject({ isTakenUp: true });
      expect(lost).toBe(true);
    });
  });

  it('takes it up where it brings news; the restore goes on until the response is about to cut', async () => {
    await onBench(defaultWorld(), async (bench) => {
      await open(bench);
      await setStatus(bench, 'restoring');
      expect(await open(bench, { request: another })).toMatchObject({ isTakenUp: true });
      const { status, request } = await bench.document(firstId);
      expect({ status, peers: request.flows.length }).toEqual({ status: 'restoring', peers: 2 });
    });
  });

  it.each<[string, Partial<CaseOpening>]>([
    ['only asks', { ...asking, request: another }],
    ['brings no news', {}],
  ])('leaves it to the restore where it %s', async (_, change) => {
    await onBench(defaultWorld(), async (bench) => {
      await open(bench);
      await setStatus(bench, 'restoring');
      expect(await open(bench, change)).toMatchObject({ document: { status: 'restoring' }, isTakenUp: false });
      expect((await bench.document(firstId)).status).toBe('restoring');
    });
  });
});

describe('a request for an instance whose case was restored', () => {
  it('opens the next generation', async () => {
    await onBench(defaultWorld(), async (bench) => {
      await open(bench);
      await setStatus(bench, 'restored');
      expect(await open(bench, { request: seenLater })).toMatchObject({
        document: { caseId: secondId, generation: 2 },
        isTakenUp: false,
      });
      expect(await readClaim(bench.tools.cases, key)).toEqual({ caseId: secondId, generation: 2 });
      expect((await bench.document(firstId)).status).toBe('restored');
    });
  });

  it.each<[string, CaseRequest, string]>([
    ['the same finding, delivered again', theRequest, firstId],
    ['an older occurrence, delivered late', { ...theRequest, finding: findingAt('2026-01-15T09:00:00.000Z') }, firstId],
    ['a newer occurrence', seenLater, secondId],
    ['the same occurrence with another peer', { ...theRequest, flows: another.flows }, secondId],
    ['the same occurrence with one peer more', { ...theRequest, flows: [theShell, ...another.flows] }, secondId],
    [
      'another finding',
      { ...theRequest, finding: { ...findingAt('2026-01-15T09:00:00.000Z'), id: 'another' } },
      secondId,
    ],
    ["a person's request", { ...theRequest, origin: 'manual', finding: null }, secondId],
  ])('is what comes next: %s', async (_, request, caseId) => {
    await onBench(defaultWorld(), async (bench) => {
      await open(bench);
      await setStatus(bench, 'restored');
      expect(await open(bench, { request })).toMatchObject({ document: { caseId }, isTakenUp: false });
      expect(cases(bench)).toHaveLength(caseId === firstId ? 1 : 2);
    });
  });

  it('is what comes next: a finding, where a person had asked for the restored case', async () => {
    await onBench(defaultWorld(), async (bench) => {
      await open(bench, { request: { ...theRequest, origin: 'manual', finding: null } });
      await setStatus(bench, 'restored');
      expect((await open(bench)).document.caseId).toBe(secondId);
    });
  });

  it.each<CaseDocument['status']>(['open', 'restoring'])(
    'opens the next generation also where it was %s when the request looked',
    async (status) => {
      await onBench(defaultWorld(), async (bench) => {
        await open(bench);
        await setStatus(bench, status === 'open' ? 'reported' : status);
        const closed: Promise<unknown>[] = [];
        bench.world.interceptors.push({
          before: ({ call, input }) => {
            const changes = call === 'UpdateItem' && JSON.stringify(input).includes('203.0.113.9');
            if (!changes || closed.length > 0) return;
            closed.push(setStatus(bench, 'restored'));
            // This write comes too late: the restore was faster.
            throw refusedBy('ConditionalCheckFailedException')();
          },
        });
        const { document, isTakenUp } = await open(bench, { request: another });
        await Promise.all(closed);
        expect({ caseId: document.caseId, isTakenUp }).toEqual({ caseId: secondId, isTakenUp: false });
        expect((await bench.document(firstId)).request).toEqual(theRequest);
      });
    },
  );

  it('joins the next generation that somebody else has opened meanwhile', async () => {
    await onBench(defaultWorld(), async (bench) => {
      await open(bench);
      await setStatus(bench, 'restored');
      const requests = [seenLater, another, seenLater];
      const opened = await Promise.all(requests.map((request) => open(bench, { request })));
      expect(opened.map(({ document }) => document.caseId)).toEqual([secondId, secondId, secondId]);
      expect(cases(bench)).toHaveLength(2);
      expect((await bench.document(secondId)).request.flows).toHaveLength(2);
    });
  });

  it('joins the document that somebody else writes at the same time for a claim without one', async () => {
    await onBench(defaultWorld(), async (bench) => {
      await writeClaim(bench.tools.cases, key, { caseId: firstId, generation: 1 }, 0);
      const opened = await Promise.all([open(bench), open(bench, { request: another })]);
      expect(opened.map(({ document }) => document.caseId)).toEqual([firstId, firstId]);
      expect(cases(bench)).toHaveLength(1);
      expect((await bench.document(firstId)).request.flows).toHaveLength(2);
    });
  });
});
