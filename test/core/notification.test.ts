import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { notification } from '../../functions/core/notification.ts';
import { quietReport, type Report } from '../../functions/core/report.ts';

/** What SNS takes: it begins with a letter, number or mark, 99 ASCII characters, no line breaks or control characters. */
const SUBJECT = /^[!-~][ -~]{0,98}$/;

const theReport: Report = {
  ...quietReport({
    caseId: 'case-1',
    instanceId: 'i-0000000000000ab01',
    verdict: 'refused',
    reason: 'every flow is dead',
  }),
  verdict: 'contained',
  flows: [
    {
      protocol: 'tcp',
      remoteAddress: '198.51.100.7',
      remotePort: 4444,
      localPort: 51_234,
      localAddress: '10.0.1.10',
      tracking: 'tracked',
      because: 'the rules say so',
      evidence: 'observed',
    },
    {
      protocol: 'unknown',
      remoteAddress: '203.0.113.9',
      remotePort: null,
      localPort: null,
      localAddress: null,
      tracking: 'unknown',
      because: 'not seen',
      evidence: 'unproven',
    },
  ],
  held: [{ NetworkAclId: 'acl-1', RuleNumber: 1, Egress: true, Cidr: '198.51.100.7/32' }],
  skipped: [{ id: 'eni-2', reason: 'requester-managed' }],
  leftOpen: ['VPC DNS resolver'],
  lastResort: ['stop the instance'],
  plan: [{ change: 'deny 198.51.100.7/32', why: '', alsoHits: '', undo: '', cuts: '' }],
  undo: 'start the restore state machine',
};

describe('notification', () => {
  it('says in the subject which instance and what became of it', () => {
    expect(notification(theReport, 'final').subject).toBe('flowcut: i-0000000000000ab01 contained');
    expect(notification({ ...theReport, instanceId: null, verdict: 'ignored' }, 'final').subject).toBe(
      'flowcut: no instance ignored',
    );
  });

  it('says before the wait that this is not the last word', () => {
    const { subject, body } = notification({ ...theReport, verdict: 'held' }, 'interim');
    expect(subject).toBe('flowcut: i-0000000000000ab01 so far held');
    expect(body).toMatch(/^SO FAR HELD: /);
  });

  it('says everything that a person needs at 3 a.m.', () => {
    const { body } = notification(theReport, 'final');
    for (const line of [
      'CONTAINED: every flow is dead',
      '- tcp 198.51.100.7:4444: tracked, observed',
      '- unknown 203.0.113.9:*: unknown, unproven',
      '- acl-1 rule 1 out 198.51.100.7/32',
      '- eni-2: requester-managed',
      '- VPC DNS resolver',
      '- stop the instance',
      '- deny 198.51.100.7/32',
      '- start the restore state machine',
      'case case-1',
    ])
      expect(body.split('\n')).toContain(line);
  });

  it('leaves out sections that have nothing to say', () => {
    const { body } = notification(
      quietReport({ caseId: 'note-1', instanceId: null, verdict: 'ignored', reason: 'a sample' }),
      'final',
    );
    expect(body).toBe('IGNORED: a sample\n\ncase note-1');
  });

  it('keeps within what SNS takes as a subject, for every verdict', () => {
    const verdicts = ['contained', 'held', 'not-proven', 'leaking', 'planned', 'refused', 'ignored'] as const;
    const ids = fc.option(fc.stringMatching(/^i-[0-9a-f]{8,17}$/), { nil: null });
    fc.assert(
      fc.property(
        fc.constantFrom(...verdicts),
        ids,
        fc.constantFrom('interim' as const, 'final' as const),
        fc.string(),
        (verdict, instanceId, phase, reason) => {
          expect(notification({ ...theReport, verdict, instanceId, reason }, phase).subject).toMatch(SUBJECT);
        },
      ),
      { numRuns: 200 },
    );
  });
});
