import { describe, expect, it } from 'vitest';
import type { HostResult, RestoreItem, RestoreResult } from '../../../functions/core/case/record.ts';
import { TAKEN_UP } from '../../../functions/core/case/restore-items.ts';
import {
  isBy,
  isWrongInput,
  type RestoreEnd,
  restoredItems,
  restoreReport,
  shortRestoreReport,
} from '../../../functions/core/report/restore-report.ts';

const caseId = 'case-0123456789abcdef0123';
const instanceId = 'i-0000000000000ab01';
const ARN = 'arn:aws:states:eu-central-1:111122223333:execution:flowcut-restore:monday';

const groups: RestoreItem = { item: 'eni-1 groups', outcome: 'restored' };
const drifted: RestoreItem = { item: 'eni-2 groups', outcome: 'drifted', detail: 'found sg-9' };
const failed: RestoreItem = { item: 'tags', outcome: 'failed', detail: 'AccessDenied: no' };

type Done = Exclude<RestoreResult, { kind: 'refused' }>;

const theRestore: Done = {
  kind: 'restored',
  caseId,
  instanceId,
  items: [groups],
  host: { platform: 'linux', stopped: [] },
};
const answered: HostResult = {
  kind: 'answered',
  denies: { acls: [], cidrs: [], denies: [] } as never,
  summary: 'removed',
};
const theEnd: RestoreEnd = { caseId, force: true, restore: theRestore, evidence: { items: [] }, host: answered };

describe('a restore report', () => {
  it('says that all was put back, by which execution, and that it was forced', () => {
    expect(restoreReport(theEnd, ARN)).toMatchObject({
      kind: 'restored',
      caseId,
      instanceId,
      forced: true,
      startedBy: { by: null, execution: ARN },
      failed: [],
      left: [],
      putBack: [groups, { item: 'host firewall', outcome: 'restored' }],
    });
  });

  it('is no failure where somebody else has changed something since: that is left, and named', () => {
    expect(restoreReport({ ...theEnd, restore: { ...theRestore, items: [groups, drifted] } }, ARN)).toMatchObject({
      kind: 'restored',
      left: [drifted],
    });
  });

  it.each<[string, RestoreEnd]>([
    ['on the network', { ...theEnd, restore: { ...theRestore, kind: 'partly-restored', items: [groups, failed] } }],
    ['of the evidence', { ...theEnd, evidence: { items: [failed] } }],
  ])('is partly restored where something %s failed, though the step itself ended well', (_, end) => {
    expect(restoreReport(end, ARN)).toMatchObject({
      kind: 'partly-restored',
      reason: expect.stringMatching(/^1 thing could not/),
      failed: [failed],
    });
  });

  it.each<[string, HostResult | undefined, RestoreItem['outcome'], string]>([
    ['gave up', { kind: 'unavailable', reason: 'no agent' }, 'failed', 'no agent'],
    ['printed nothing of use', { kind: 'no-evidence', reason: 'garbage' }, 'failed', 'garbage'],
    ['failed', { kind: 'failed', reason: 'broken' }, 'failed', 'broken'],
    [
      'was to be asked again',
      { kind: 'again', reason: 'away', waitSeconds: 1, undo: { until: '', tries: 1, letGo: 0 } },
      'failed',
      'away',
    ],
    [
      'has not answered',
      { kind: 'pending', verb: 'undo', commandId: 'c-1', deadline: '', lastPendingAt: '' },
      'failed',
      'the host gave no answer',
    ],
    ['is a newer case', { kind: 'left', reason: 'case-2 has it' }, 'drifted', 'case-2 has it'],
  ])('names the host where it %s', (_, host, outcome, detail) => {
    const { host: _host, ...rest } = theEnd;
    const end = { ...rest, ...(host !== undefined && { host }) };

    expect(restoredItems(end).at(-1)).toEqual({ item: 'host firewall', outcome, detail });
    expect(restoreReport(end, ARN).kind).toBe(outcome === 'failed' ? 'partly-restored' : 'restored');
  });

  it('names the host where the function itself failed, whatever it had said before', () => {
    const hostFailure = { Error: 'TypeError', Cause: '{"errorType":"TypeError","errorMessage":"a is not b\\n at x"}' };

    expect(restoredItems({ ...theEnd, hostFailure }).at(-1)).toEqual({
      item: 'host firewall',
      outcome: 'failed',
      detail: 'TypeError: a is not b',
    });
  });

  it('does not speak of a host that was never asked for anything', () => {
    const { host: _host, ...rest } = theEnd;

    expect(restoredItems({ ...rest, restore: { ...theRestore, host: null } })).toEqual([groups]);
  });

  it('says that a response has taken the case up, where nothing failed and not all is back', () => {
    const items = [{ item: 'eni-1 groups', ...TAKEN_UP }];

    expect(
      restoreReport({ caseId, restore: { ...theRestore, kind: 'partly-restored', items, host: null } }, ARN),
    ).toMatchObject({ kind: 'partly-restored', reason: TAKEN_UP.detail, failed: [], left: items });
  });

  it('of a refused one has the reason and nothing else', () => {
    const restore: RestoreResult = { kind: 'refused', caseId, instanceId, reason: 'the flow may revive' };

    expect(restoreReport({ caseId, restore }, ARN)).toMatchObject({
      kind: 'refused',
      reason: 'the flow may revive',
      forced: false,
      failed: [],
      putBack: [],
    });
  });

  it('of one that stopped on the way says why in one line, and what was put back until then', () => {
    const failure = {
      Error: 'AccessDeniedException',
      Cause: '{"errorType":"x","errorMessage":"no\\nstack","trace":["at y"]}',
    };

    expect(restoreReport({ ...theEnd, failure }, ARN)).toMatchObject({
      kind: 'failed',
      reason: 'AccessDeniedException: no',
      putBack: [groups, { item: 'host firewall' }],
    });
  });

  it('has a name for a failure without words', () => {
    expect(restoreReport({ instanceId, failure: { Error: 'States.Timeout', Cause: '' } }, null)).toMatchObject({
      kind: 'failed',
      reason: 'States.Timeout',
      caseId: null,
      instanceId,
      startedBy: { by: null, execution: null },
    });
  });

  it('names nothing by what the input says that is no id', () => {
    const failure = { Error: 'States.Timeout', Cause: '' };

    expect(restoreReport({ caseId: 'case-1\nRESTORED', instanceId: '<b>', failure }, null)).toMatchObject({
      caseId: null,
      instanceId: null,
    });
    expect(restoreReport({ caseId, failure }, null).caseId).toBe(caseId);
  });

  it('names 20 things of each list, and counts the rest', () => {
    const items = Array.from({ length: 50 }, (_, n): RestoreItem => ({ ...failed, item: `target ${n}` }));
    const short = shortRestoreReport(restoreReport({ ...theEnd, evidence: { items } }, ARN));

    expect(short.failed).toHaveLength(21);
    expect(short.failed.at(-1)?.item).toContain('30 more');
  });
});

describe('wrong input', () => {
  it('is what no step has taken', () => {
    expect(isWrongInput({ failure: { Error: 'InputError', Cause: '' } })).toBe(true);
    expect(isWrongInput({ failure: { Error: 'TypeError', Cause: '' } })).toBe(false);
    expect(isWrongInput({ ...theEnd, failure: { Error: 'InputError', Cause: '' } })).toBe(false);
    expect(isWrongInput(theEnd)).toBe(false);
  });
});

describe('who starts a restore, by the word of its input', () => {
  it.each([
    'alice',
    'Zoë Müller, on call',
    'alice@example.com',
    'arn:aws:sts::111122223333:assumed-role/Responder/alice',
    'x'.repeat(128),
  ])('is kept: %s', (by) => {
    expect(isBy(by)).toBe(true);
    expect(restoreReport({ ...theEnd, by }, ARN).startedBy.by).toBe(by);
  });

  it.each(['', ' alice', 'x'.repeat(129), 'alice\nRESTORED', '<b>alice</b>', 'see https://evil.test', 'a`b', 7, null])(
    'is no word of ours to pass on: %j',
    (by) => {
      expect(isBy(by)).toBe(false);
      expect(restoreReport({ ...theEnd, by }, ARN).startedBy.by).toBeNull();
    },
  );
});
