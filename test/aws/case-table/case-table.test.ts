import {
  DynamoDBClient,
  PutItemCommand,
  QueryCommand,
  TransactionCanceledException,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { mockClient } from 'aws-sdk-client-mock';
import { describe, expect, it } from 'vitest';
import { readBefore, recordBefore, recordBeforeAnew } from '../../../functions/aws/case-table/before-states.ts';
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
import type { CaseTable } from '../../../functions/aws/case-table/table.ts';
import { addToTimeline } from '../../../functions/aws/case-table/timeline.ts';
import type { RecordedGroup } from '../../../functions/aws/replaced-groups.ts';
import type { BeforeInterface, LedgerDeny } from '../../../functions/core/case/case.ts';
import { type Bench, defaultWorld, onBench, refusedBy } from '../../support/bench.ts';
import { theBefore, theCase } from '../../support/incident.ts';
import { updateCase } from '../../support/update-case.ts';

const onTable = <T>(body: (table: CaseTable, bench: Bench) => Promise<T>): Promise<T> =>
  onBench(defaultWorld(), (bench) => body(bench.tools.cases, bench));

const key = { accountId: '111122223333', region: 'eu-central-1', instanceId: 'i-0000000000000ab01' };
const { caseId } = theCase;
const deny = { aclId: 'acl-1', egress: true, cidr: '198.51.100.7/32', ruleNumber: 1 };
const entryOf = (...cases: string[]): LedgerDeny => ({ ...deny, cases });

describe('the claim on an instance', () => {
  it('is won once, and replaced only by whoever read the generation that stands', async () => {
    await onTable(async (table) => {
      expect(await readClaim(table, key)).toBeNull();
      expect(await writeClaim(table, key, { caseId: 'case-a', generation: 1 }, 0)).toBe(true);
      expect(await writeClaim(table, key, { caseId: 'case-b', generation: 1 }, 0)).toBe(false);
      expect(await writeClaim(table, key, { caseId: 'case-c', generation: 3 }, 2)).toBe(false);
      expect(await readClaim(table, key)).toEqual({ caseId: 'case-a', generation: 1 });
      expect(await writeClaim(table, key, { caseId: 'case-d', generation: 2 }, 1)).toBe(true);
      expect(await readClaim(table, key)).toEqual({ caseId: 'case-d', generation: 2 });
    });
  });

  it('is won by one of ten that write at the same time', async () => {
    const won = await onTable((table) =>
      Promise.all(
        Array.from({ length: 10 }, (_, n) => writeClaim(table, key, { caseId: `case-${n}`, generation: 1 }, 0)),
      ),
    );
    expect(won.filter(Boolean)).toHaveLength(1);
  });

  it('is per account and Region', async () => {
    await onTable(async (table) => {
      await writeClaim(table, key, { caseId: 'case-a', generation: 1 }, 0);
      expect(await readClaim(table, { ...key, region: 'eu-west-1' })).toBeNull();
      expect(await readClaim(table, { ...key, accountId: '444455556666' })).toBeNull();
    });
  });
});

describe('the case document', () => {
  it('is created once and comes back as it was written, nulls and empty lists included', async () => {
    await onTable(async (table) => {
      expect(await readCase(table, caseId)).toBeNull();
      expect(await createCase(table, theCase)).toBe(true);
      expect(await createCase(table, { ...theCase, status: 'restored' })).toBe(false);
      expect(await readCase(table, caseId)).toEqual(theCase);
    });
  });

  it('loses no change of writers that run at the same time', async () => {
    await onTable(async (table) => {
      await createCase(table, theCase);
      const acls = Array.from({ length: 8 }, (_, n) => `acl-${n + 10}`);
      await Promise.all(
        acls.map((id) => updateCase(table, caseId, (stored) => ({ ...stored, aclIds: [...stored.aclIds, id] }))),
      );
      expect([...((await readCase(table, caseId))?.aclIds ?? [])].sort()).toEqual(['acl-1', ...acls].sort());
    });
  });

  it('loses no change of fifty findings that arrive at the same time', async () => {
    await onTable(async (table) => {
      await createCase(table, theCase);
      const acls = Array.from({ length: 50 }, (_, n) => `acl-${n + 10}`);
      await Promise.all(
        acls.map((id) => updateCase(table, caseId, (stored) => ({ ...stored, aclIds: [...stored.aclIds, id] }))),
      );
      expect((await readCase(table, caseId))?.aclIds).toHaveLength(51);
    });
  });

  it('is read consistently, and has a new version after each change', async () => {
    await onTable(async (table, bench) => {
      await createCase(table, theCase);
      for (const id of ['acl-2', 'acl-3'])
        await updateCase(table, caseId, (stored) => ({ ...stored, aclIds: [...stored.aclIds, id] }));
      expect(bench.world.dumpTable().find(({ sk }) => sk === 'CASE')?.['version']).toBe(3);
      const reads = bench.inputsOf('GetItem') as { ConsistentRead?: boolean }[];
      expect(reads.map(({ ConsistentRead }) => ConsistentRead)).toEqual([true, true]);
    });
  });

  it('writes nothing where nothing changes', async () => {
    await onTable(async (table, bench) => {
      await createCase(table, theCase);
      expect(await updateCase(table, caseId, (stored) => stored)).toEqual(theCase);
      expect(bench.calls('UpdateItem')).toBe(0);
    });
  });

  it('survives that the answer to a write is lost: the change is there, once', async () => {
    await onTable(async (table, bench) => {
      await createCase(table, theCase);
      let lost = false;
      bench.fail(
        ({ call }) => call === 'UpdateItem' && !lost,
        () => {
          lost = true;
          return Object.assign(new Error('no answer'), { name: 'TimeoutError' });
        },
        'after',
      );
      const add = (acls: readonly string[]) => (acls.includes('acl-2') ? acls : [...acls, 'acl-2']);
      await updateCase(table, caseId, (stored) => ({ ...stored, aclIds: add(stored.aclIds) }));
      expect((await readCase(table, caseId))?.aclIds).toEqual(['acl-1', 'acl-2']);
    });
  });

  it('of a case that must be there is read, or is an error', async () => {
    await onTable(async (table) => {
      await expect(needCase(table, caseId)).rejects.toThrow(new Error(`case ${caseId} is not in the case table`));
      await createCase(table, theCase);
      expect(await needCase(table, caseId)).toEqual(theCase);
    });
  });

  it('is never made by an update', async () => {
    await onTable(async (table) => {
      await expect(updateCase(table, caseId, (stored) => stored)).rejects.toThrow('is not in the case table');
    });
  });
});

describe('the before-state', () => {
  const before: BeforeInterface = {
    ...theBefore,
    groupIds: ['sg-2', 'sg-1'],
    timeouts: { tcpEstablishedSeconds: null, udpSeconds: 45, udpStreamSeconds: null },
  };

  it('is written once: a second run would record our own changes', async () => {
    await onTable(async (table) => {
      await recordBefore(table, caseId, before);
      await recordBefore(table, caseId, { ...before, groupIds: ['sg-isolation'] });
      await recordBefore(table, caseId, { ...before, networkInterfaceId: 'eni-2' });
      expect(await readBefore(table, caseId)).toEqual([before, { ...before, networkInterfaceId: 'eni-2' }]);
      expect(await readBefore(table, 'case-other')).toEqual([]);
    });
  });
});

describe('the timeline', () => {
  it('keeps the same entry of a step once', async () => {
    await onTable(async (table, { world }) => {
      const entry = { at: '2026-01-15T10:00:01.000Z', step: 'verify-cut', what: 'contained' };
      await addToTimeline(table, caseId, entry);
      await addToTimeline(table, caseId, entry);
      await addToTimeline(table, caseId, { ...entry, step: 'report-case' });
      expect(world.dumpTable().filter(({ sk }) => String(sk).startsWith('TIME#'))).toHaveLength(2);
    });
  });

  const told = (world: Bench['world']) =>
    world
      .dumpTable()
      .flatMap(({ sk, at, step, what }) => (String(sk).startsWith('TIME#') ? [[at, step, what].join(' ')] : []));
  const said = (at: string, what: string) => ({ at: `2026-01-15T10:${at}.000Z`, step: 'verify-cut', what });

  it('keeps once what a step says again when it is started again, and twice what it says later or otherwise', async () => {
    await onTable(async (table, { world }) => {
      await addToTimeline(table, caseId, said('00:01', 'contained'));
      await addToTimeline(table, caseId, said('05:01', 'contained'));
      await addToTimeline(table, caseId, said('06:00', 'held'));
      await addToTimeline(table, caseId, said('50:00', 'held'));
      expect(told(world)).toEqual([
        '2026-01-15T10:00:01.000Z verify-cut contained',
        '2026-01-15T10:06:00.000Z verify-cut held',
        '2026-01-15T10:50:00.000Z verify-cut held',
      ]);
    });
  });

  it('has both entries of two runs that say different things in the same millisecond', async () => {
    await onTable(async (table, { world }) => {
      await addToTimeline(table, caseId, said('00:01', 'held'));
      await addToTimeline(table, caseId, said('00:01', 'contained'));
      expect(told(world).sort()).toEqual([
        '2026-01-15T10:00:01.000Z verify-cut contained',
        '2026-01-15T10:00:01.000Z verify-cut held',
      ]);
      // The key ends with the hash of the words: printf contained | sha256sum | cut -c1-8
      expect(world.dumpTable().map(({ sk }) => sk)).toContain('TIME#2026-01-15T10:00:01.000Z#verify-cut#8a935a27');
    });
  });

  it('is read in the order of time', async () => {
    await onTable(async (table, { world }) => {
      for (const at of ['00:03', '00:01', '00:02']) await addToTimeline(table, caseId, said(at, `at ${at}`));
      expect(told(world).map((entry) => entry.slice(-5))).toEqual(['00:01', '00:02', '00:03']);
    });
  });

  it('has the entry of a step that died before writing it, under the time at which it meant to', async () => {
    await onTable(async (table, bench) => {
      let isDead = false;
      const isEntry = ({ call, input }: { call: string; input: unknown }) =>
        call === 'PutItem' && JSON.stringify(input).includes('TIME#');
      bench.fail(
        (call) => isEntry(call) && !isDead,
        () => {
          isDead = true;
          return refusedBy('Killed')();
        },
      );
      await expect(addToTimeline(table, caseId, said('00:01', 'contained'))).rejects.toThrow('Killed');
      expect(told(bench.world)).toEqual([]);
      await addToTimeline(table, caseId, said('00:31', 'contained'));
      expect(told(bench.world)).toEqual(['2026-01-15T10:00:01.000Z verify-cut contained']);
    });
  });
});

describe('the ledger', () => {
  it('records a deny with its number, once however often the case asks', async () => {
    await onTable(async (table) => {
      expect(await reserveDeny(table, deny, 'case-a')).toEqual({ kind: 'reserved', ruleNumber: 1, shared: false });
      expect(await reserveDeny(table, { ...deny, ruleNumber: 5 }, 'case-a')).toEqual({
        kind: 'reserved',
        ruleNumber: 1,
        shared: false,
      });
      // Nothing is in it that the table has not: no mark of a removal.
      expect(await ledgerOf(table, 'acl-1')).toStrictEqual([entryOf('case-a')]);
    });
  });

  it('lets a second case join, at the number that stands', async () => {
    await onTable(async (table) => {
      await reserveDeny(table, deny, 'case-a');
      expect(await reserveDeny(table, { ...deny, ruleNumber: 7 }, 'case-b')).toEqual({
        kind: 'reserved',
        ruleNumber: 1,
        shared: true,
      });
      expect(await ledgerOf(table, 'acl-1')).toEqual([entryOf('case-a', 'case-b')]);
    });
  });

  it('gives a number to one network only, in each direction and ACL apart', async () => {
    await onTable(async (table) => {
      await reserveDeny(table, deny, 'case-a');
      const other = { ...deny, cidr: '203.0.113.9/32' };
      expect(await reserveDeny(table, other, 'case-a')).toEqual({ kind: 'number-taken' });
      expect(await reserveDeny(table, { ...other, egress: false }, 'case-a')).toEqual({
        kind: 'reserved',
        ruleNumber: 1,
        shared: false,
      });
      expect(await reserveDeny(table, { ...other, aclId: 'acl-2' }, 'case-a')).toEqual({
        kind: 'reserved',
        ruleNumber: 1,
        shared: false,
      });
      expect(await ledgerOf(table, 'acl-1')).toHaveLength(2);
    });
  });

  it('gives one number to one of ten cases that want it for ten networks', async () => {
    const outcomes = await onTable((table) =>
      Promise.all(
        Array.from({ length: 10 }, (_, n) => reserveDeny(table, { ...deny, cidr: `203.0.113.${n}/32` }, `case-${n}`)),
      ),
    );
    expect(outcomes.filter(({ kind }) => kind === 'reserved')).toHaveLength(1);
  });

  it('joins ten cases that want the same deny at the same time', async () => {
    const cases = Array.from({ length: 10 }, (_, n) => `case-${n}`);
    const ledger = await onTable(async (table) => {
      await Promise.all(cases.map((id, n) => reserveDeny(table, { ...deny, ruleNumber: n + 1 }, id)));
      return ledgerOf(table, 'acl-1');
    });
    expect(ledger).toHaveLength(1);
    expect(ledger[0]?.cases).toEqual(cases);
  });

  it('knows its own reservation again when the answer was lost', async () => {
    await onTable(async (table, bench) => {
      let lost = false;
      bench.fail(
        ({ call }) => call === 'TransactWriteItems' && !lost,
        () => {
          lost = true;
          return Object.assign(new Error('no answer'), { name: 'TimeoutError' });
        },
        'after',
      );
      expect(await reserveDeny(table, deny, 'case-a')).toEqual({ kind: 'reserved', ruleNumber: 1, shared: false });
      expect(await ledgerOf(table, 'acl-1')).toEqual([entryOf('case-a')]);
    });
  });

  it('frees no number of another deny when it forgets late', async () => {
    await onTable(async (table) => {
      await reserveDeny(table, deny, 'case-a');
      await leaveDeny(table, entryOf('case-a'), 'case-a');
      expect(await forgetDeny(table, entryOf())).toBe(true);
      await reserveDeny(table, { ...deny, cidr: '203.0.113.9/32' }, 'case-b');
      expect(await forgetDeny(table, entryOf())).toBe(true);
      expect(await reserveDeny(table, { ...deny, cidr: '203.0.113.10/32' }, 'case-c')).toEqual({
        kind: 'number-taken',
      });
    });
  });

  it('leaves a deny that has moved to another number to whoever looks at it there', async () => {
    await onTable(async (table) => {
      await reserveDeny(table, deny, 'case-a');
      await leaveDeny(table, entryOf('case-a'), 'case-a');
      await renumberDeny(table, deny, 5);
      expect(await forgetDeny(table, entryOf())).toBe(true);
      expect(await ledgerOf(table, 'acl-1')).toEqual([{ ...entryOf(), ruleNumber: 5 }]);
    });
  });

  it('does not join what it does not know', async () => {
    await onTable(async (table) => {
      expect(await joinDeny(table, deny, 'case-a')).toBeNull();
      expect(await ledgerOf(table, 'acl-1')).toEqual([]);
    });
  });

  it('says who still needs a deny that a case leaves', async () => {
    await onTable(async (table) => {
      for (const id of ['case-a', 'case-b']) await reserveDeny(table, deny, id);
      const [entry = entryOf()] = await ledgerOf(table, 'acl-1');
      expect(await leaveDeny(table, entry, 'case-a')).toEqual(['case-b']);
      expect(await leaveDeny(table, entry, 'case-a')).toEqual(['case-b']);
      expect(await leaveDeny(table, entry, 'case-b')).toEqual([]);
      expect(await leaveDeny(table, { ...entry, cidr: '203.0.113.9/32' }, 'case-b')).toEqual([]);
    });
  });

  it('can be read when nobody needs a deny any more and it is not forgotten yet', async () => {
    await onTable(async (table) => {
      await reserveDeny(table, deny, 'case-a');
      await leaveDeny(table, entryOf('case-a'), 'case-a');
      expect(await ledgerOf(table, 'acl-1')).toEqual([entryOf()]);
      expect(await reserveDeny(table, deny, 'case-b')).toEqual({ kind: 'reserved', ruleNumber: 1, shared: false });
    });
  });

  it('stands under the ACL, by direction and network, and by direction and number in order', async () => {
    await onTable(async (table, { world }) => {
      await reserveDeny(table, deny, 'case-a');
      await reserveDeny(table, { ...deny, egress: false, ruleNumber: 12_345 }, 'case-a');
      expect(world.dumpTable().map(({ pk, sk }) => [pk, sk])).toEqual([
        ['ACL#acl-1', 'DENY#in#198.51.100.7/32'],
        ['ACL#acl-1', 'DENY#out#198.51.100.7/32'],
        ['ACL#acl-1', 'NUMBER#in#12345'],
        ['ACL#acl-1', 'NUMBER#out#00001'],
      ]);
    });
  });

  it('forgets a deny and its number together, and not while a case needs it', async () => {
    await onTable(async (table) => {
      await reserveDeny(table, deny, 'case-a');
      expect(await forgetDeny(table, entryOf('case-a'))).toBe(false);
      await leaveDeny(table, entryOf('case-a'), 'case-a');
      expect(await forgetDeny(table, entryOf())).toBe(true);
      expect(await ledgerOf(table, 'acl-1')).toEqual([]);
      expect(await reserveDeny(table, { ...deny, cidr: '203.0.113.9/32' }, 'case-b')).toEqual({
        kind: 'reserved',
        ruleNumber: 1,
        shared: false,
      });
    });
  });

  it('does not forget a deny that a case has joined in the meantime', async () => {
    await onTable(async (table) => {
      await reserveDeny(table, deny, 'case-a');
      await leaveDeny(table, entryOf('case-a'), 'case-a');
      await reserveDeny(table, deny, 'case-b');
      expect(await forgetDeny(table, entryOf())).toBe(false);
      expect(await ledgerOf(table, 'acl-1')).toEqual([entryOf('case-b')]);
    });
  });
});

describe('a deny whose number somebody else has taken', () => {
  it('gets another number for all cases, once, and only from the number that it had', async () => {
    await onTable(async (table, { world }) => {
      await reserveDeny(table, deny, 'case-a');
      await reserveDeny(table, { ...deny, cidr: '203.0.113.9/32', ruleNumber: 2 }, 'case-b');
      expect(await renumberDeny(table, deny, 2)).toBe(false);
      expect(await renumberDeny(table, deny, 3)).toBe(true);
      expect(await renumberDeny(table, deny, 4)).toBe(false);
      expect((await ledgerOf(table, 'acl-1')).map(({ ruleNumber, cases }) => [ruleNumber, cases])).toEqual([
        [3, ['case-a']],
        [2, ['case-b']],
      ]);
      const numbers = world.dumpTable().flatMap(({ sk }) => (String(sk).startsWith('NUMBER#') ? [sk] : []));
      expect(numbers).toEqual(['NUMBER#out#00002', 'NUMBER#out#00003']);
    });
  });
});

describe('the mark of a deny that is being removed', () => {
  it('is set only while nobody needs it, survives a case that joins, and ends with the one who set it', async () => {
    await onTable(async (table) => {
      await reserveDeny(table, deny, 'case-a');
      expect(await beginLifting(table, entryOf('case-a'), 'case-a')).toBe(false);
      await leaveDeny(table, entryOf('case-a'), 'case-a');
      expect(await beginLifting(table, entryOf(), 'case-a')).toBe(true);
      await joinDeny(table, deny, 'case-b');
      expect(await ledgerOf(table, 'acl-1')).toEqual([{ ...entryOf('case-b'), liftedBy: 'case-a' }]);
      await endLifting(table, entryOf('case-b'), 'case-c');
      expect((await ledgerOf(table, 'acl-1'))[0]?.liftedBy).toBe('case-a');
      await endLifting(table, entryOf('case-b'), 'case-a');
      expect(await ledgerOf(table, 'acl-1')).toEqual([entryOf('case-b')]);
    });
  });
});

describe('the use of a group', () => {
  it('is let go of once, however often that is asked, and an error is no answer', async () => {
    await onTable(async (table, bench) => {
      await noteGroupUse(table, 'case-a', ['sg-1']);
      await noteGroupUse(table, 'case-b', ['sg-1']);
      await forgetGroupUse(table, 'case-a', ['sg-1', 'sg-2']);
      await forgetGroupUse(table, 'case-a', ['sg-1', 'sg-2']);
      expect(await casesNeedingGroup(table, 'sg-1')).toEqual(['case-b']);
      bench.fail(({ call }) => call === 'DeleteItem', refusedBy('AccessDeniedException'));
      await expect(forgetGroupUse(table, 'case-b', ['sg-1'])).rejects.toThrow('AccessDeniedException');
    });
  });
});

describe('a place for a new isolation', () => {
  const ask = (table: CaseTable, id: string, places = 2) =>
    takePlace(table, { vpcId: 'vpc-1', hour: '2026-01-15T10', isHigh: false, caseId: id, places });

  it('is kept with the cases that have one', async () => {
    await onTable(async (table, { world }) => {
      await ask(table, 'case-a');
      await ask(table, 'case-b');
      expect(world.dumpTable()).toEqual([
        { pk: 'CAP#vpc-1#2026-01-15T10', sk: 'PLACES', cases: new Set(['case-a', 'case-b']) },
      ]);
    });
  });

  it('is had by as many cases as there are places, once each, of all that ask at once', async () => {
    await onTable(async (table) => {
      const ids = Array.from({ length: 6 }, (_, index) => `case-${index}`);
      const taken = await Promise.all(ids.map((id) => ask(table, id)));
      expect(taken.filter(Boolean)).toHaveLength(2);
      expect(await Promise.all(ids.map((id) => ask(table, id)))).toEqual(taken);
    });
  });

  it('is not there where there are none', async () => {
    await onTable(async (table) => {
      expect(await ask(table, 'case-a', 0)).toBe(false);
    });
  });

  it('is of one VPC, one hour and one severity, and a question that cannot be asked is no answer', async () => {
    await onTable(async (table, bench) => {
      expect(await ask(table, 'case-a', 1)).toBe(true);
      const elsewhere = { vpcId: 'vpc-2', hour: '2026-01-15T10', isHigh: false, caseId: 'case-b', places: 1 };
      expect(await takePlace(table, elsewhere)).toBe(true);
      expect(await takePlace(table, { ...elsewhere, vpcId: 'vpc-1', hour: '2026-01-15T11' })).toBe(true);
      expect(await takePlace(table, { ...elsewhere, vpcId: 'vpc-1' })).toBe(false);
      expect(await takePlace(table, { ...elsewhere, vpcId: 'vpc-1', isHigh: true })).toBe(true);
      bench.fail(({ call }) => call === 'UpdateItem', refusedBy('AccessDeniedException'));
      await expect(ask(table, 'case-c', 9)).rejects.toThrow('AccessDeniedException');
    });
  });
});

describe('with DynamoDB as it is in a storm', () => {
  const cancelled = (...codes: string[]) =>
    new TransactionCanceledException({
      message: 'Transaction cancelled',
      $metadata: {},
      CancellationReasons: codes.map((Code) => ({ Code })),
    });

  it('reserves a deny all the same when another transaction is in the way for a moment', async () => {
    const mock = mockClient(DynamoDBClient);
    mock
      .on(UpdateItemCommand)
      .rejects(Object.assign(new Error('no'), { name: 'ConditionalCheckFailedException' }))
      .on(TransactWriteItemsCommand)
      .rejectsOnce(cancelled('None', 'TransactionConflict'))
      .resolves({});
    const table = { client: new DynamoDBClient({}), name: 'cases' };
    const outcome = await reserveDeny(table, deny, 'case-a').finally(() => mock.restore());
    expect(outcome).toEqual({ kind: 'reserved', ruleNumber: 1, shared: false });
  });

  it.each([
    ['a conflict of two transactions', Object.assign(new Error('no'), { name: 'TransactionConflictException' })],
    ['a transaction that is on its way', Object.assign(new Error('no'), { name: 'TransactionInProgressException' })],
    ['a conflict among reasons', cancelled('TransactionConflict', 'None')],
  ])('joins a deny all the same after %s', async (_, conflict) => {
    const mock = mockClient(DynamoDBClient);
    const item = { aclId: 'acl-1', egress: true, cidr: deny.cidr, ruleNumber: 4, cases: new Set(['case-a']) };
    mock
      .on(UpdateItemCommand)
      .rejectsOnce(conflict)
      .resolves({ Attributes: marshall(item) });
    const table = { client: new DynamoDBClient({}), name: 'cases' };
    const joined = await joinDeny(table, deny, 'case-a').finally(() => mock.restore());
    expect(joined).toMatchObject({ ruleNumber: 4, cases: ['case-a'] });
    expect(mock.commandCalls(UpdateItemCommand)).toHaveLength(2);
  });

  it('does not try again where a condition failed beside a conflict: the number is taken', async () => {
    const mock = mockClient(DynamoDBClient);
    mock
      .on(UpdateItemCommand)
      .rejects(refusedBy('ConditionalCheckFailedException')())
      .on(TransactWriteItemsCommand)
      .rejects(cancelled('ConditionalCheckFailed', 'None'));
    const table = { client: new DynamoDBClient({}), name: 'cases' };
    const outcome = await reserveDeny(table, deny, 'case-a').finally(() => mock.restore());
    expect(outcome).toEqual({ kind: 'number-taken' });
    expect(mock.commandCalls(TransactWriteItemsCommand)).toHaveLength(1);
  });

  it.each(['ThrottlingError', 'ValidationError'])('throws a transaction that was cancelled for %s', async (code) => {
    const mock = mockClient(DynamoDBClient);
    mock
      .on(UpdateItemCommand)
      .rejects(refusedBy('ConditionalCheckFailedException')())
      .on(TransactWriteItemsCommand)
      .rejects(cancelled('None', code));
    const table = { client: new DynamoDBClient({}), name: 'cases' };
    const calls = [
      reserveDeny(table, deny, 'case-a'),
      renumberDeny(table, deny, 2),
      forgetDeny(table, { ...deny, cases: [] }),
    ];
    const outcomes = await Promise.allSettled(calls).finally(() => mock.restore());
    expect(outcomes).toEqual(
      calls.map(() => ({ status: 'rejected', reason: expect.any(TransactionCanceledException) })),
    );
  });

  it('gives up after sixty conflicts, and throws the last', async () => {
    await onTable(async (table, bench) => {
      await reserveDeny(table, deny, 'case-a');
      const before = bench.calls('UpdateItem');
      bench.fail(({ call }) => call === 'UpdateItem', refusedBy('TransactionConflictException'));
      await expect(joinDeny(table, deny, 'case-b')).rejects.toThrow('TransactionConflictException');
      expect(bench.inputsOf('UpdateItem').length - before).toBe(60);
    });
  });

  it('gives up after sixty writers that were faster, and says so', async () => {
    const atOnce = defaultWorld((world) => {
      world.LatencySeconds = 0;
    });
    await onBench(atOnce, async (bench) => {
      const table = bench.tools.cases;
      await createCase(table, theCase);
      bench.fail(({ call }) => call === 'UpdateItem', refusedBy('ConditionalCheckFailedException'));
      const change = updateCase(table, caseId, (stored) => ({ ...stored, status: 'reported' }));
      await expect(change).rejects.toThrow(`case ${caseId} is being written by too many at once`);
      expect(bench.inputsOf('UpdateItem')).toHaveLength(60);
      // It steps aside for half a second on the average, the first few times for less.
      expect(bench.world.clock.now()).toBeGreaterThan(10);
      expect(bench.world.clock.now()).toBeLessThan(55);
    });
  });

  it('takes a failed condition for the answer, though another transaction was in the way of the rest', async () => {
    const mock = mockClient(DynamoDBClient);
    mock
      .on(UpdateItemCommand)
      .rejects(Object.assign(new Error('no'), { name: 'ConditionalCheckFailedException' }))
      .on(TransactWriteItemsCommand)
      .rejects(cancelled('TransactionConflict', 'ConditionalCheckFailed'));
    const table = { client: new DynamoDBClient({}), name: 'cases' };
    const outcome = await reserveDeny(table, deny, 'case-a').finally(() => mock.restore());
    expect(outcome).toEqual({ kind: 'number-taken' });
  });

  it('does not ask again where a condition failed beside a conflict', async () => {
    const mock = mockClient(DynamoDBClient);
    mock.on(TransactWriteItemsCommand).rejects(cancelled('ConditionalCheckFailed', 'TransactionConflict'));
    const table = { client: new DynamoDBClient({}), name: 'cases' };
    expect(await renumberDeny(table, deny, 2).finally(() => mock.restore())).toBe(false);
    expect(mock.commandCalls(TransactWriteItemsCommand)).toHaveLength(1);
  });

  it('reads the whole ledger, page by page, and consistently', async () => {
    const mock = mockClient(DynamoDBClient);
    const item = (cidr: string) => ({
      aclId: { S: 'acl-1' },
      egress: { BOOL: true },
      cidr: { S: cidr },
      ruleNumber: { N: '1' },
      cases: { SS: ['case-a'] },
    });
    mock
      .on(QueryCommand)
      .resolvesOnce({ Items: [item('198.51.100.7/32')], LastEvaluatedKey: { pk: { S: 'x' } } })
      .resolvesOnce({ Items: [item('203.0.113.9/32')] });
    const table = { client: new DynamoDBClient({}), name: 'cases' };
    const ledger = await ledgerOf(table, 'acl-1').finally(() => mock.restore());
    expect(ledger.map(({ cidr }) => cidr)).toEqual(['198.51.100.7/32', '203.0.113.9/32']);
    expect(mock.commandCalls(QueryCommand).map((call) => call.args[0].input.ConsistentRead)).toEqual([true, true]);
  });
});

describe('an error that is not about a condition', () => {
  const preserved = { kind: 'tags' } as const;
  const entry = { at: '2026-01-15T10:00:01.000Z', step: 'verify-cut', what: 'contained' };

  it.each<[string, string, (table: CaseTable) => Promise<unknown>]>([
    ['the first claim', 'PutItem', (table) => writeClaim(table, key, { caseId, generation: 1 }, 0)],
    ['the next claim', 'PutItem', (table) => writeClaim(table, key, { caseId, generation: 2 }, 1)],
    ['a change of the case', 'UpdateItem', (table) => updateCase(table, caseId, (one) => ({ ...one, aclIds: [] }))],
    ['evidence that is kept', 'PutItem', (table) => recordPreserved(table, caseId, 'tags', preserved)],
    ['evidence that is kept again', 'UpdateItem', (table) => recordPreserved(table, caseId, 'tags', preserved)],
    ['evidence that is put back', 'UpdateItem', (table) => notePutBack(table, caseId, { item: 'tags', taken: 1 })],
    ['the timeline', 'PutItem', (table) => addToTimeline(table, caseId, entry)],
    ['a deny that is joined', 'UpdateItem', (table) => joinDeny(table, deny, 'case-b')],
    [
      'a deny that is reserved',
      'TransactWriteItems',
      (table) => reserveDeny(table, { ...deny, cidr: '203.0.113.9/32', ruleNumber: 2 }, 'case-b'),
    ],
    ['a deny that is renumbered', 'TransactWriteItems', (table) => renumberDeny(table, deny, 3)],
    ['a deny that is forgotten', 'TransactWriteItems', (table) => forgetDeny(table, entryOf())],
    ['the mark of a deny', 'UpdateItem', (table) => beginLifting(table, entryOf(), 'case-a')],
  ])('is thrown on: %s', async (_, api, call) => {
    await onTable(async (table, bench) => {
      await createCase(table, theCase);
      await reserveDeny(table, deny, 'case-a');
      if (api === 'UpdateItem') await recordPreserved(table, caseId, 'tags', preserved);
      bench.fail((made) => made.call === api, refusedBy('UnauthorizedOperation'));
      await expect(call(table)).rejects.toThrow('UnauthorizedOperation');
    });
  });
});

describe('an error that comes once, and is not about a condition', () => {
  const once = (bench: Bench, api: string) => {
    let failed = false;
    bench.fail(
      ({ call }) => call === api && !failed,
      () => {
        failed = true;
        return refusedBy('UnauthorizedOperation')();
      },
    );
  };

  it('does not count evidence as taken', async () => {
    await onTable(async (table, bench) => {
      await recordPreserved(table, caseId, 'tags', { kind: 'tags' });
      once(bench, 'UpdateItem');
      await expect(recordPreserved(table, caseId, 'tags', { kind: 'tags' })).rejects.toThrow('UnauthorizedOperation');
      expect((await readPreserved(table, caseId)).map(({ taken }) => taken)).toEqual([1]);
    });
  });

  it('does not tell the timeline what may be told already', async () => {
    await onTable(async (table, bench) => {
      once(bench, 'PutItem');
      const entry = { at: '2026-01-15T10:00:01.000Z', step: 'verify-cut', what: 'contained' };
      await expect(addToTimeline(table, caseId, entry)).rejects.toThrow('UnauthorizedOperation');
      expect(bench.world.dumpTable()).toEqual([]);
    });
  });
});

describe('an item that a hand has changed', () => {
  const put = (table: CaseTable, item: Record<string, unknown>) =>
    table.client.send(new PutItemCommand({ TableName: table.name, Item: marshall(item) }));
  const claim = { pk: `INSTANCE#${key.accountId}#${key.region}#${key.instanceId}`, sk: 'CLAIM' };
  const document = { pk: `CASE#${caseId}`, sk: 'CASE' };
  const ledger = { pk: 'ACL#acl-1', sk: 'DENY#out#198.51.100.7/32' };

  it.each<[string, Record<string, unknown>, (table: CaseTable) => Promise<unknown>]>([
    ['caseId is not text', { ...claim, caseId: 5, generation: 1 }, (table) => readClaim(table, key)],
    ['generation is not a number', { ...claim, caseId, generation: '1' }, (table) => readClaim(table, key)],
    ['document is not a JSON object', { ...document, version: 1, document: '{' }, (table) => readCase(table, caseId)],
    ['document is not a JSON object', { ...document, version: 1, document: '[]' }, (table) => readCase(table, caseId)],
    [
      'document is not a JSON object',
      { ...document, version: 1, document: 'null' },
      (table) => readCase(table, caseId),
    ],
    ['document is not a JSON object', { ...document, version: 1, document: '7' }, (table) => readCase(table, caseId)],
    ['document is not a JSON object', { ...document, version: 1 }, (table) => readCase(table, caseId)],
    ['version is not a number', { ...document, version: '1', document: '{}' }, (table) => readCase(table, caseId)],
    ['ruleNumber is not a number', { ...ledger, aclId: 'acl-1', cidr: deny.cidr }, (table) => ledgerOf(table, 'acl-1')],
    ['cidr is not text', { ...ledger, aclId: 'acl-1', ruleNumber: 1 }, (table) => ledgerOf(table, 'acl-1')],
  ])('is named, and its %s', async (problem, item, read) => {
    await onTable(async (table) => {
      await put(table, item);
      await expect(read(table)).rejects.toMatchObject({
        message: `the case table's item ${JSON.stringify(item['pk'])} ${JSON.stringify(item['sk'])}: its ${problem}`,
      });
    });
  });
});

describe('the evidence of a case', () => {
  const item = 'stop protection';
  const preserved = { kind: 'protection', attribute: 'disableApiStop', before: false } as const;

  it('is recorded as it was found, counts how often it was taken, and is found anew once it was put back', async () => {
    await onTable(async (table) => {
      await recordPreserved(table, caseId, item, preserved);
      await recordPreserved(table, caseId, item, { ...preserved, before: true });
      const [record] = await readPreserved(table, caseId);
      expect(record).toEqual({ item, preserved, undone: false, taken: 2 });
      if (record === undefined) return;
      expect(await notePutBack(table, caseId, { ...record, taken: 1 })).toBe(false);
      expect(await notePutBack(table, caseId, record)).toBe(true);
      expect(await readPreserved(table, caseId)).toEqual([{ item, preserved, undone: true, taken: 2 }]);
      await recordPreserved(table, caseId, item, { ...preserved, before: true });
      expect(await readPreserved(table, caseId)).toEqual([
        { item, preserved: { ...preserved, before: true }, undone: false, taken: 3 },
      ]);
    });
  });
});

describe('what the host printed', () => {
  it('is kept whole, once for each command, and the first answer stays', async () => {
    await onTable(async (table, { world }) => {
      await recordHostAnswer(table, caseId, { commandId: 'command-1', output: 'flows and processes' });
      await recordHostAnswer(table, caseId, { commandId: 'command-1', output: 'something else' });
      await recordHostAnswer(table, caseId, { commandId: 'command-2', output: '' });
      expect(world.dumpTable()).toEqual([
        { pk: `CASE#${caseId}`, sk: 'HOST#command-1', output: 'flows and processes' },
        { pk: `CASE#${caseId}`, sk: 'HOST#command-2', output: '' },
      ]);
    });
  });
});

describe('a group that is about to be deleted', () => {
  const group: RecordedGroup = {
    groupId: 'sg-1',
    name: 'web',
    description: 'the web servers',
    vpcId: 'vpc-1',
    tags: [],
    ingress: [{ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] }],
    egress: [],
  };
  const narrowed: RecordedGroup = { ...group, ingress: [] };

  it('is recorded whole, and anew where it has changed before it could be deleted', async () => {
    await onTable(async (table) => {
      await recordDeletedGroup(table, caseId, group);
      expect(await readDeletedGroups(table, caseId)).toEqual([group]);
      await recordDeletedGroup(table, caseId, narrowed, group);
      expect(await readDeletedGroups(table, caseId)).toEqual([narrowed]);
    });
  });

  it.each([
    ['for the first time', undefined],
    ['anew', group],
  ])('is recorded %s where the answer was lost', async (_, known) => {
    await onTable(async (table, bench) => {
      await recordDeletedGroup(table, caseId, { ...group, groupId: 'sg-0' });
      if (known !== undefined) await recordDeletedGroup(table, caseId, known);
      let isLost = false;
      bench.fail(
        ({ call }) => call === 'PutItem' && !isLost,
        () => {
          isLost = true;
          return Object.assign(new Error('no answer'), { name: 'TimeoutError' });
        },
        'after',
      );
      await recordDeletedGroup(table, caseId, narrowed, known);
      expect([isLost, (await readDeletedGroups(table, caseId)).slice(1)]).toEqual([true, [narrowed]]);
    });
  });

  it.each([
    ['for the first time', undefined],
    ['anew', group],
  ])('is not recorded %s over what another run has recorded meanwhile, and that is an error', async (_, known) => {
    await onTable(async (table) => {
      const other = { ...group, description: 'as another run has read it' };
      await recordDeletedGroup(table, caseId, other);
      await expect(recordDeletedGroup(table, caseId, narrowed, known)).rejects.toThrow(
        'security group sg-1 was recorded by another run meanwhile',
      );
      expect(await readDeletedGroups(table, caseId)).toEqual([other]);
    });
  });

  it('is not recorded where the table refuses, and that is no answer', async () => {
    await onTable(async (table, bench) => {
      await recordDeletedGroup(table, caseId, group);
      bench.fail(({ call }) => call === 'PutItem', refusedBy('AccessDeniedException'));
      await expect(recordDeletedGroup(table, caseId, narrowed, group)).rejects.toThrow('AccessDeniedException');
    });
  });
});

describe('the groups of a case', () => {
  it('are needed by the cases that say so, until each lets go', async () => {
    await onTable(async (table) => {
      for (const id of ['case-a', 'case-b']) await noteGroupUse(table, id, ['sg-1', 'sg-2']);
      expect(await casesNeedingGroup(table, 'sg-1')).toEqual(['case-a', 'case-b']);
      await forgetGroupUse(table, 'case-a', ['sg-1']);
      expect(await casesNeedingGroup(table, 'sg-1')).toEqual(['case-b']);
      expect(await casesNeedingGroup(table, 'sg-2')).toEqual(['case-a', 'case-b']);
    });
  });

  it('an interface that is found anew replaces only what was known', async () => {
    await onTable(async (table) => {
      const first = { ...theBefore, networkInterfaceId: 'eni-1' };
      const second = { ...first, groupIds: ['sg-second'] };
      await recordBefore(table, caseId, first);
      await recordBeforeAnew(table, caseId, first, second);
      expect(await readBefore(table, caseId)).toEqual([second]);
      // Another run was faster.
      await recordBeforeAnew(table, caseId, first, { ...first, groupIds: ['sg-third'] });
      expect(await readBefore(table, caseId)).toEqual([second]);
    });
  });

  it('keep the id under which they were made again last', async () => {
    await onTable(async (table) => {
      expect(await readSuccessor(table, caseId, 'sg-1')).toBeNull();
      await recordSuccessor(table, caseId, 'sg-1', 'sg-8');
      await recordSuccessor(table, caseId, 'sg-1', 'sg-9');
      expect(await readSuccessor(table, caseId, 'sg-1')).toBe('sg-9');
    });
  });
});

describe('the brakes', () => {
  it.each([
    ['observe', 'observe'],
    ['contain', 'contain'],
    ['CONTAIN', null],
  ])('read %s in the switch as %s', async (mode, read) => {
    await onTable(async (table) => {
      expect(await readSwitch(table)).toBeNull();
      const Item = marshall({ pk: 'SETTINGS', sk: 'MODE', mode });
      await table.client.send(new PutItemCommand({ TableName: table.name, Item }));
      expect(await readSwitch(table)).toBe(read);
    });
  });

  it('give each place of an hour to one case, once, and to ten at once no more than there are', async () => {
    await onTable(async (table) => {
      const place = { vpcId: 'vpc-1', hour: '2026-01-15T10', isHigh: false, places: 3 };
      const take = (id: string, change: Partial<typeof place> = {}) =>
        takePlace(table, { ...place, ...change, caseId: id });
      const taken = await Promise.all(Array.from({ length: 10 }, (_, n) => take(`case-${n}`)));
      expect(taken.filter(Boolean)).toHaveLength(3);
      expect(await Promise.all(taken.map((_, n) => take(`case-${n}`)))).toEqual(taken);
      expect(await take('case-x', { hour: '2026-01-15T11' })).toBe(true);
      expect(await take('case-x', { vpcId: 'vpc-2' })).toBe(true);
    });
  });
});
