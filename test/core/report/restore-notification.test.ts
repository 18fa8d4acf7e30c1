import { describe, expect, it } from 'vitest';
import { restoreNotification, startedByLines } from '../../../functions/core/report/restore-notification.ts';
import type { RestoreReport } from '../../../functions/core/report/restore-report.ts';

const theReport: RestoreReport = {
  kind: 'restored',
  caseId: 'case-0123456789abcdef0123',
  instanceId: 'i-0000000000000ab01',
  reason: 'all is back',
  forced: false,
  startedBy: { by: null, execution: 'arn:aws:states:eu-central-1:111122223333:execution:flowcut-restore:monday' },
  failed: [],
  left: [],
  putBack: [{ item: 'eni-1 groups', outcome: 'restored' }],
};
const partly: RestoreReport = {
  ...theReport,
  kind: 'partly-restored',
  failed: [{ item: 'host firewall', outcome: 'failed', detail: 'no agent' }],
  left: [{ item: 'eni-2 groups', outcome: 'gone' }],
};
const LINKS = {
  place: 'account 111122223333, eu-central-1',
  execution: 'https://states.test',
  case: 'https://table.test',
};
const NO_LINKS = { place: null, execution: null, case: null };

/** The lines below a title, up to the next blank one. */
const below = (body: string, title: string): readonly string[] =>
  body.split('\n\n').flatMap((part) => (part.startsWith(`${title}\n`) ? part.split('\n').slice(1) : []));

describe('the message about a restore', () => {
  it.each([
    ['restored', 'restored'],
    ['partly-restored', 'partly restored'],
    ['refused', 'restore refused'],
    ['failed', 'restore failed'],
  ] as const)('that is %s says so in subject and first line', (kind, words) => {
    const { subject, body } = restoreNotification({ ...theReport, kind }, LINKS);

    expect(subject).toBe(`flowcut: i-0000000000000ab01 ${words}`);
    expect(body.split('\n')[0]).toBe(`${words.toUpperCase()}: all is back`);
  });

  it('names what failed, what was left and what was put back, each in its own list', () => {
    const { body } = restoreNotification(partly, LINKS);

    expect(below(body, 'Could not be put back')).toEqual(['- host firewall: failed (no agent)']);
    expect(below(body, 'Left as it is')).toEqual(['- eni-2 groups: gone']);
    expect(below(body, 'As it was before the case')).toEqual(['- eni-1 groups']);
  });

  it('says how to go on where something is left to do, and not otherwise', () => {
    const toGoOn = (report: RestoreReport) => below(restoreNotification(report, LINKS).body, 'To go on');

    expect(toGoOn(partly)).toEqual([expect.stringContaining('{"caseId": "case-0123456789abcdef0123"}')]);
    expect(toGoOn({ ...partly, kind: 'failed' })).toHaveLength(1);
    expect(toGoOn(theReport)).toEqual([]);
    expect(toGoOn({ ...theReport, kind: 'refused' })).toEqual([]);
    expect(toGoOn({ ...partly, caseId: null })).toEqual([]);
  });

  it('says who started it as far as it is known, and whether it was forced', () => {
    const startedBy = { by: 'alice', execution: theReport.startedBy.execution };
    const { body } = restoreNotification({ ...theReport, startedBy, forced: true }, LINKS);

    expect(body.split('\n').slice(1, 4)).toEqual([
      'started by alice, as its input says',
      'started by execution monday; its StartExecution in CloudTrail says who called',
      'forced: it did not ask whether a flow may revive',
    ]);
    expect(restoreNotification(theReport, LINKS).body).not.toContain('forced');
    expect(startedByLines({ by: null, execution: null })).toEqual(['started by hand, with no execution']);
  });

  it('ends with where to look, as far as there is a link', () => {
    expect(restoreNotification(theReport, LINKS).body.split('\n').slice(-3)).toEqual([
      'account 111122223333, eu-central-1',
      'execution: https://states.test',
      'case case-0123456789abcdef0123: https://table.test',
    ]);
    expect(restoreNotification({ ...theReport, caseId: null }, NO_LINKS).body).not.toMatch(/execution: |\ncase /);
    expect(restoreNotification(theReport, NO_LINKS).body.split('\n').at(-1)).toBe('case case-0123456789abcdef0123');
  });

  it('stops a list at ten lines, and holds no markup from what AWS answers', () => {
    const failed = Array.from({ length: 14 }, (_, n) => ({
      item: `target ${n}`,
      outcome: 'failed' as const,
      detail: '<a href="x">`no`</a>\r\nTo go on',
    }));
    const { body } = restoreNotification({ ...partly, failed }, LINKS);

    expect(below(body, 'Could not be put back')).toHaveLength(11);
    expect(below(body, 'Could not be put back').at(-1)).toContain('and 4 more');
    expect(body.replaceAll('\n', '')).not.toMatch(/[<>`*|]|\p{C}/u);
  });
});
