import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { readBefore, recordBefore } from '../../functions/aws/case-table/before-states.ts';
import { createCase, readCase } from '../../functions/aws/case-table/cases.ts';
import { forgetDeny, joinDeny, leaveDeny, ledgerOf, reserveDeny } from '../../functions/aws/case-table/deny-ledger.ts';
import { openCaseStore, storeFile } from '../../local/live/case-store.ts';
import { theBefore, theCase } from '../support/incident.ts';
import { updateCase } from '../support/update-case.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowcut-store-'));
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;
let file = '';
beforeEach(() => {
  count += 1;
  file = storeFile(join(folder, String(count)), '111122223333', 'eu-central-1');
});

const { caseId } = theCase;
const deny = { aclId: 'acl-1', egress: true, cidr: '198.51.100.7/32', ruleNumber: 1 };
describe('a case store', () => {
  it('keeps cases, before-states and the ledger, for whoever opens the file next', async () => {
    const store = openCaseStore(file);
    await createCase(store, theCase);
    await recordBefore(store, caseId, theBefore);
    await reserveDeny(store, deny, caseId);

    const next = openCaseStore(file);

    expect(await readCase(next, caseId)).toEqual(theCase);
    expect(await readBefore(next, caseId)).toEqual([theBefore]);
    expect(await ledgerOf(next, 'acl-1')).toEqual([{ ...deny, cases: [caseId] }]);
  });

  it('holds conditions: what was recorded first stays', async () => {
    const store = openCaseStore(file);
    await recordBefore(store, caseId, theBefore);
    await recordBefore(openCaseStore(file), caseId, { ...theBefore, groupIds: ['sg-isolation'] });

    expect(await readBefore(store, caseId)).toEqual([theBefore]);
  });

  it('shares denies between cases', async () => {
    const store = openCaseStore(file);
    await reserveDeny(store, deny, 'case-a');
    await joinDeny(openCaseStore(file), deny, 'case-b');
    const [entry] = await ledgerOf(store, 'acl-1');
    if (entry === undefined) throw new Error('the deny was not recorded');

    expect(await leaveDeny(store, entry, 'case-a')).toEqual(['case-b']);
    expect(await forgetDeny(store, entry)).toBe(false);
    expect(await leaveDeny(store, entry, 'case-b')).toEqual([]);
    expect(await forgetDeny(store, entry)).toBe(true);
  });

  it('loses no update of several writers', async () => {
    await createCase(openCaseStore(file), theCase);
    const writers = Array.from({ length: 10 }, (_, number) =>
      updateCase(openCaseStore(file), caseId, (document) => ({
        ...document,
        aclIds: [...document.aclIds, `acl-${number + 10}`],
      })),
    );
    await Promise.all(writers);

    expect((await readCase(openCaseStore(file), caseId))?.aclIds).toHaveLength(theCase.aclIds.length + 10);
  });

  it('takes over the lock of a process that died, and leaves none', async () => {
    await createCase(openCaseStore(file), theCase);
    writeFileSync(`${file}.lock`, '');
    const minuteAgo = Date.now() / 1000 - 60;
    utimesSync(`${file}.lock`, minuteAgo, minuteAgo);

    expect(await readCase(openCaseStore(file), caseId)).toEqual(theCase);
    expect(existsSync(`${file}.lock`)).toBe(false);
  });

  it('is for its owner only, and leaves no half-written file', async () => {
    await createCase(openCaseStore(file), theCase);

    expect(statSync(file).mode & 0o077).toBe(0);
    expect(readdirSync(join(file, '..'))).toEqual(['cases.json']);
  });

  it('never writes over a file that it cannot read', async () => {
    await createCase(openCaseStore(file), theCase);
    writeFileSync(file, 'half of a fi');

    await expect(createCase(openCaseStore(file), theCase)).rejects.toThrow('is not JSON; repair it or move it away');
    expect(readFileSync(file, 'utf8')).toBe('half of a fi');
  });

  it('records nothing, and says so, where it cannot be written', async () => {
    await createCase(openCaseStore(file), theCase);
    const store = openCaseStore(storeFile(file, '111122223333', 'eu-central-1'));

    await expect(createCase(store, theCase)).rejects.toThrow(/ENOTDIR|EEXIST/);
  });
});
