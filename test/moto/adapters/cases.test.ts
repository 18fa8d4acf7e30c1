import { QueryCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readBefore, recordBefore } from '../../../functions/aws/case-table/before-states.ts';
import { readSwitch, takePlace } from '../../../functions/aws/case-table/brakes.ts';
import { createCase, needCase, readCase } from '../../../functions/aws/case-table/cases.ts';
import { readClaim, writeClaim } from '../../../functions/aws/case-table/claims.ts';
import {
  beginLifting,
  endLifting,
  forgetDeny,
  joinDeny,
  leaveDeny,
  ledgerOf,
  renumberDeny,
  reserveDeny,
} from '../../../functions/aws/case-table/deny-ledger.ts';
import {
  casesNeedingGroup,
  forgetGroupUse,
  noteGroupUse,
  readDeletedGroups,
  readSuccessor,
  recordDeletedGroup,
  recordSuccessor,
} from '../../../functions/aws/case-table/groups.ts';
import { recordHostAnswer } from '../../../functions/aws/case-table/host-answers.ts';
import { notePutBack, readPreserved, recordPreserved } from '../../../functions/aws/case-table/preserved.ts';
import { noteRefusal, takeTurn } from '../../../functions/aws/case-table/rate-limit.ts';
import { addToTimeline } from '../../../functions/aws/case-table/timeline.ts';
import type { RecordedGroup } from '../../../functions/aws/replaced-groups.ts';
import type { CaseDocument } from '../../../functions/core/case/case.ts';
import { bucketTimes, rateOf } from '../../../functions/core/pacing.ts';
import { startMoto } from '../../../scripts/moto-server.ts';
import { theBefore } from '../../support/incident.ts';
import { updateCase } from '../../support/update-case.ts';
import { clientsAt, createCaseTable, TABLE } from '../support/clients.ts';

const moto = await startMoto();
afterAll(() => moto?.stop());

const CASE = 'case-0123456789abcdef0123';
const OTHER = 'case-ffffffffffffffffffff';
const INSTANCE = { accountId: '123456789012', region: 'eu-central-1', instanceId: 'i-0123456789abcdef0' };

const DOCUMENT: CaseDocument = {
  caseId: CASE,
  generation: 1,
  ...INSTANCE,
  openedAt: '2026-01-15T10:00:00.000Z',
  status: 'open',
  decision: 'act',
  class: 'MANUAL',
  classReason: 'a person asks',
  request: {} as CaseDocument['request'],
  flows: [],
  aclIds: [],
  denyRefusals: [],
  host: null,
  evidence: [],
  isolatedAt: null,
  cutAgainAt: null,
  verdict: null,
};

describe.skipIf(moto === null)('the case table, over HTTP', () => {
  const { dynamodb } = clientsAt(moto?.endpoint ?? '');
  const table = { client: dynamodb, name: TABLE };
  beforeAll(() => createCaseTable({ dynamodb }));

  test('claims: the first of two writers has the instance, and a new generation replaces the one it read', async () => {
    expect(await readClaim(table, INSTANCE)).toBeNull();
    const first = await Promise.all(
      [CASE, OTHER].map((caseId) => writeClaim(table, INSTANCE, { caseId, generation: 1 }, 0)),
    );
    expect(first.filter(Boolean)).toHaveLength(1);
    const claim = { caseId: 'case-00000000000000000002', generation: 2 };
    expect(await writeClaim(table, INSTANCE, claim, 1)).toBe(true);
    expect(await writeClaim(table, INSTANCE, claim, 1)).toBe(false);
    expect(await readClaim(table, INSTANCE)).toEqual(claim);
  });

  test('documents: created once; ten writers at once lose nothing', async () => {
    expect(await readCase(table, CASE)).toBeNull();
    await expect(needCase(table, CASE)).rejects.toThrow(CASE);
    expect(await createCase(table, DOCUMENT)).toBe(true);
    expect(await createCase(table, { ...DOCUMENT, status: 'reported' })).toBe(false);
    const names = Array.from({ length: 10 }, (_, index) => `acl-${index}`);
    await Promise.all(
      names.map((name) => updateCase(table, CASE, (stored) => ({ ...stored, aclIds: [...stored.aclIds, name] }))),
    );
    const { aclIds, ...rest } = await needCase(table, CASE);
    expect(aclIds.toSorted()).toEqual(names);
    expect({ ...rest, aclIds: [] }).toEqual(DOCUMENT);
  });

  test('before-state, evidence and deleted groups: what was recorded first stays', async () => {
    await recordBefore(table, CASE, theBefore);
    await recordBefore(table, CASE, { ...theBefore, groupIds: ['sg-isolation'] });
    expect(await readBefore(table, CASE)).toEqual([theBefore]);
    const item = 'stop protection';
    const preserved = { kind: 'protection', attribute: 'disableApiStop', before: false } as const;
    await recordPreserved(table, CASE, item, preserved);
    await recordPreserved(table, CASE, item, { ...preserved, before: true });
    const record = { item, preserved, undone: false, taken: 2 };
    expect(await readPreserved(table, CASE)).toEqual([record]);
    expect(await notePutBack(table, CASE, { ...record, taken: 1 })).toBe(false);
    expect(await notePutBack(table, CASE, record)).toBe(true);
    expect(await readPreserved(table, CASE)).toEqual([{ ...record, undone: true }]);
    await recordPreserved(table, CASE, item, { ...preserved, before: true });
    expect(await readPreserved(table, CASE)).toEqual([
      { item, preserved: { ...preserved, before: true }, undone: false, taken: 3 },
    ]);
    expect(await notePutBack(table, OTHER, record)).toBe(false);
    const group: RecordedGroup = {
      groupId: 'sg-1',
      name: 'web',
      description: '',
      vpcId: 'vpc-1',
      tags: [],
      ingress: [],
      egress: [],
    };
    await recordDeletedGroup(table, CASE, group);
    expect(await readDeletedGroups(table, CASE)).toEqual([group]);
    expect(await readSuccessor(table, CASE, 'sg-1')).toBeNull();
    await recordSuccessor(table, CASE, 'sg-1', 'sg-2');
    expect(await readSuccessor(table, CASE, 'sg-1')).toBe('sg-2');
  });

  test('groups in use: by every case that needs them, until each has let go', async () => {
    await noteGroupUse(table, CASE, ['sg-9']);
    await noteGroupUse(table, OTHER, ['sg-9']);
    await noteGroupUse(table, CASE, ['sg-9']);
    expect(await casesNeedingGroup(table, 'sg-9')).toEqual([CASE, OTHER]);
    await forgetGroupUse(table, CASE, ['sg-9']);
    expect(await casesNeedingGroup(table, 'sg-9')).toEqual([OTHER]);
  });

  test('the ledger: a deny is shared, a number is not, and the last case to leave forgets it', async () => {
    const deny = { aclId: 'acl-1', egress: true, cidr: '198.51.100.7/32', ruleNumber: 1 };
    const [one, two] = await Promise.all([CASE, OTHER].map((caseId) => reserveDeny(table, deny, caseId)));
    // Whoever comes second joins what the first has recorded.
    const outcomes = [one, two].sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
    expect(outcomes).toEqual([
      { kind: 'reserved', ruleNumber: 1, shared: false },
      { kind: 'reserved', ruleNumber: 1, shared: true },
    ]);
    expect(await reserveDeny(table, { ...deny, cidr: '198.51.100.8/32' }, CASE)).toEqual({ kind: 'number-taken' });
    expect(await ledgerOf(table, 'acl-1')).toEqual([{ ...deny, cases: [CASE, OTHER] }]);
    expect(await joinDeny(table, { ...deny, egress: false }, CASE)).toBeNull();
    expect(await renumberDeny(table, deny, 2)).toBe(true);
    expect(await renumberDeny(table, deny, 3)).toBe(false);
    const moved = { ...deny, ruleNumber: 2, cases: [CASE, OTHER] };
    expect(await ledgerOf(table, 'acl-1')).toEqual([moved]);
    expect(await leaveDeny(table, moved, CASE)).toEqual([OTHER]);
    expect(await beginLifting(table, moved, CASE)).toBe(false);
    expect(await forgetDeny(table, moved)).toBe(false);
    expect(await leaveDeny(table, moved, OTHER)).toEqual([]);
    expect(await beginLifting(table, moved, CASE)).toBe(true);
    expect(await ledgerOf(table, 'acl-1')).toEqual([{ ...moved, cases: [], liftedBy: CASE }]);
    await endLifting(table, moved, CASE);
    expect(await forgetDeny(table, moved)).toBe(true);
    expect(await ledgerOf(table, 'acl-1')).toEqual([]);
    expect(await reserveDeny(table, { ...deny, cidr: '198.51.100.8/32' }, CASE)).toMatchObject({ kind: 'reserved' });
  });

  test('the brakes: no switch is set, and an hour has as many places as it was given', async () => {
    expect(await readSwitch(table)).toBeNull();
    const take = (caseId: string) =>
      takePlace(table, { vpcId: 'vpc-1', hour: '2026-01-15T10', isHigh: false, caseId, places: 2 });
    const ids = Array.from({ length: 5 }, (_, index) => `case-${index}`);
    const taken = await Promise.all(ids.map(take));
    expect(taken.filter(Boolean)).toHaveLength(2);
    expect(await Promise.all(ids.map(take))).toEqual(taken);
  });

  test('the turns: as many as the bucket has tokens, fewer for what can wait, none after a refusal', async () => {
    const bucket = { accountId: '123456789012', region: 'eu-central-1', api: 'CreateNetworkAclEntry' };
    const now = Date.parse('2026-01-15T10:00:00Z');
    const times = (leave: number, at = now) => bucketTimes(rateOf(bucket.api), leave, at);
    const take = (leave = 0, at = now) => takeTurn(table, bucket, at, times(leave, at));
    const waits = await Promise.all(Array.from({ length: 55 }, () => take(5)));
    expect(waits.filter((wait) => wait === 0)).toHaveLength(45);
    expect(await take(5)).toBe(200);
    expect(await take()).toBe(0);
    await noteRefusal(table, bucket, times(0));
    expect(await take()).toBe(200);
    expect(await take(0, now + 200)).toBe(0);
  });

  test('a host answer and a timeline entry are taken again and again', async () => {
    const entry = { at: '2026-01-15T10:00:01.000Z', step: 'verify-cut', what: 'held' };
    const answer = { commandId: 'c-1', output: 'x'.repeat(24_000) };
    for (const _time of [1, 2]) {
      await addToTimeline(table, CASE, entry);
      await recordHostAnswer(table, CASE, answer);
    }
    const { Items = [] } = await dynamodb.send(
      new QueryCommand({
        TableName: TABLE,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': { S: `CASE#${CASE}` } },
      }),
    );
    const keys = Items.map(({ sk }) => sk?.S ?? '');
    expect(keys.filter((key) => key.startsWith('TIME#'))).toHaveLength(1);
    expect(keys.filter((key) => key.startsWith('HOST#'))).toEqual(['HOST#c-1']);
  });
});
