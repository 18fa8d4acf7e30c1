import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { notification } from '../../../functions/core/report/notification.ts';
import { quietReport, type Report } from '../../../functions/core/report/report.ts';

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
  basis: ['host', 'untracked'],
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

const LINKS = {
  place: 'account 111122223333, eu-central-1',
  execution: 'https://eu-central-1.console.aws.amazon.com/states/home',
  case: 'https://eu-central-1.console.aws.amazon.com/dynamodbv2/home',
};
const NO_LINKS = { place: null, execution: null, case: null };

const quiet = (verdict: 'planned' | 'refused' | 'ignored') =>
  quietReport({ caseId: 'note-1', instanceId: null, verdict, reason: 'a sample' });

describe('notification', () => {
  it('says in the subject which instance and what became of it', () => {
    expect(notification(theReport, 'final', LINKS).subject).toBe('flowcut: i-0000000000000ab01 contained');
    expect(notification(quiet('ignored'), 'final', LINKS).subject).toBe('flowcut: no instance ignored');
  });

  it('says before the wait that this is not the last word', () => {
    const { subject, body } = notification({ ...theReport, verdict: 'held' }, 'interim', LINKS);
    expect(subject).toBe('flowcut: i-0000000000000ab01 so far held');
    expect(body).toMatch(/^SO FAR HELD: /);
  });

  it('says what is cut, what is not proven, what is open, how to undo it, and where to look', () => {
    expect(notification(theReport, 'final', LINKS).body).toBe(
      [
        'CONTAINED: every flow is dead',
        'on the word of: host, untracked',
        '',
        'Last resorts',
        '- stop the instance',
        '',
        'Cut',
        "- tcp 198.51.100.7 port 4444: dead on the network's record (tracked)",
        '',
        'Not proven',
        '- unknown 203.0.113.9 port any: nothing shows that it ended (unknown)',
        '',
        'Could not be done',
        '- eni-2: requester-managed',
        '',
        'Still open',
        '- VPC DNS resolver',
        '',
        'Denies that stand',
        '- acl-1 rule 1 out 198.51.100.7/32',
        '',
        'Plan',
        '- deny 198.51.100.7/32',
        '',
        'To undo',
        '- start the restore state machine',
        '',
        'account 111122223333, eu-central-1',
        'execution: https://eu-central-1.console.aws.amazon.com/states/home',
        'case case-1: https://eu-central-1.console.aws.amazon.com/dynamodbv2/home',
      ].join('\n'),
    );
  });

  it.each([
    ['observed', 'Cut', "dead on the network's record"],
    ['in-force', 'Cut', 'blocked, not proven dead'],
    ['gone', 'Cut', "gone from the host's lists, which is its own word"],
    ['requested', 'Not proven', 'asked for, not seen in force'],
    ['unproven', 'Not proven', 'nothing shows that it ended'],
  ] as const)('files a flow with evidence %s under "%s"', (evidence, title, says) => {
    const flows = theReport.flows.slice(0, 1).map((flow) => ({ ...flow, evidence }));

    const { body } = notification({ ...theReport, flows }, 'final', LINKS);

    expect(body).toContain(`\n${title}\n- tcp 198.51.100.7 port 4444: ${says} (tracked)\n`);
    expect(body).not.toContain(title === 'Cut' ? 'Not proven' : '\nCut\n');
  });

  it('tells a person who has to decide how to act', () => {
    const report: Report = { ...quiet('planned'), instanceId: 'i-0000000000000ab01' };

    expect(notification(report, 'final', LINKS).body).toContain(
      'To act\n- start the respond state machine with {"instanceId": "i-0000000000000ab01", "mode": "contain"}\n',
    );
    expect(notification(theReport, 'final', LINKS).body).not.toContain('To act');
  });

  it('has no section that the 3 a.m. page does not explain', () => {
    const page = readFileSync('docs/operations.md', 'utf8').replaceAll(/\s+/g, ' ');
    const everything: Report = { ...theReport, verdict: 'planned' };

    const sections = [...notification(everything, 'final', LINKS).body.matchAll(/\n\n(.+)\n- /g)];

    expect(sections).toHaveLength(9);
    for (const [, title] of sections) expect(page).toContain(`**${title}**`);
  });

  it('leaves out sections and links that have nothing to say', () => {
    expect(notification(quiet('ignored'), 'final', NO_LINKS).body).toBe('IGNORED: a sample\n\ncase note-1');
  });

  it('stays short where the lists are long, and says how much is left out', () => {
    const held = Array.from({ length: 40 }, (_, index) => ({
      NetworkAclId: 'acl-1',
      RuleNumber: index + 1,
      Egress: false,
      Cidr: `198.51.100.${index}/32`,
    }));

    const lines = notification({ ...theReport, held }, 'final', LINKS).body.split('\n');

    expect(lines.filter((line) => line.startsWith('- acl-1'))).toHaveLength(10);
    expect(lines).toContain("- and 30 more: see the execution's output");
  });

  it('says where the whole list is, where the execution has not all of it', () => {
    const skipped = Array.from({ length: 12 }, (_, index) => ({ id: `eni-${index}`, reason: 'requester-managed' }));

    const { body } = notification({ ...theReport, skipped }, 'final', LINKS, "the case's item REPORT");

    expect(body).toContain("\n- and 2 more: see the case's item REPORT\n");
  });

  it('passes on no markup, no line break and no control character of a text that is not ours', () => {
    const hostile = 'failed: <a href="https://x.test">*now*</a>\r\nTo undo\u001b[31m | `rm`\u202e';
    const report = { ...theReport, reason: hostile, leftOpen: [hostile], skipped: [{ id: hostile, reason: hostile }] };

    const { body } = notification(report, 'final', NO_LINKS);

    expect(body.replaceAll('\n', '')).not.toMatch(/[<>`*|]|\p{C}/u);
    expect(body.split('\n').filter((line) => line === 'To undo')).toHaveLength(1);
  });

  it('keeps within what SNS takes as a subject and a message, for every report', () => {
    const verdicts = ['contained', 'held', 'not-proven', 'leaking', 'planned', 'refused', 'ignored'] as const;
    const ids = fc.option(fc.stringMatching(/^i-[0-9a-f]{8,17}$/), { nil: null });
    fc.assert(
      fc.property(
        fc.constantFrom(...verdicts),
        ids,
        fc.constantFrom('interim' as const, 'final' as const),
        fc.array(fc.string({ maxLength: 2000 }), { maxLength: 100 }),
        (verdict, instanceId, phase, texts) => {
          const report = {
            ...theReport,
            verdict,
            instanceId,
            reason: texts.join(),
            leftOpen: texts,
            lastResort: texts,
          };
          const { subject, body } = notification(report, phase, LINKS);
          expect(subject).toMatch(SUBJECT);
          // https://docs.aws.amazon.com/sns/latest/api/API_Publish.html: 256 KiB; 16 are still readable.
          expect(Buffer.byteLength(body)).toBeLessThan(16 * 1024);
        },
      ),
      { numRuns: 200 },
    );
  });
});
