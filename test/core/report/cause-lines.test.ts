import { describe, expect, it } from 'vitest';
import { causeLines } from '../../../functions/core/report/cause-lines.ts';
import { causeOf } from '../../../functions/core/report/report.ts';
import { theRequest } from '../../support/incident.ts';

const { finding } = theRequest;
const NONE = { finding: null, domains: [], processes: [] };

describe('what GuardDuty found, for people', () => {
  it('is the type, the severity, the time, the domain, the process, the id and the link', () => {
    const processes = [{ pid: 4242, name: 'bash', executablePath: '/usr/bin/bash' }];

    expect(causeLines(causeOf({ ...theRequest, domains: ['c2.example.com'], processes }))).toEqual([
      'Backdoor:EC2/C&CActivity.B, severity 8 (high), 2026-01-15T09:59:41.105Z',
      'domain c2.example.com',
      'process 4242 (bash, /usr/bin/bash)',
      'finding 00c2a17e5f2b4d0c9a4be1d3f6a70801',
      expect.stringMatching(
        /^https:\/\/eu-central-1\.console\.aws\.amazon\.com\/guardduty\/home\S+00c2a17e5f2b4d0c9a4be1d3f6a70801$/,
      ),
    ]);
  });

  it.each([
    [9, 'critical'],
    [7.5, 'high'],
    [4, 'medium'],
    [3.9, 'low'],
  ])('calls a severity of %d %s', (severity, word) => {
    const [line] = causeLines(causeOf({ ...theRequest, finding: finding && { ...finding, severity } }));

    expect(line).toContain(`severity ${severity} (${word})`);
  });

  it('says how often it was seen, and no time where there is none', () => {
    const seen = finding && { ...finding, count: 3, updatedAt: '' };

    expect(causeLines(causeOf({ ...theRequest, finding: seen }))[0]).toBe(
      'Backdoor:EC2/C&CActivity.B, severity 8 (high), seen 3 times',
    );
  });

  it('is nothing where a person asked without a finding', () => {
    expect(causeLines(causeOf(null))).toEqual([]);
    expect(causeLines(NONE)).toEqual([]);
  });

  it('names a process by what is known of it', () => {
    const of = (name: string | null, executablePath: string | null) =>
      causeLines({ ...NONE, processes: [{ pid: 7, name, executablePath }] });

    expect(of(null, null)).toEqual(['process 7']);
    expect(of(null, '/tmp/.x')).toEqual(['process 7 (/tmp/.x)']);
    expect(of('sshd', null)).toEqual(['process 7 (sshd)']);
  });

  it.each(['<!channel>', 'To undo: call me', 'https://x.test/click', 'a\u{202e}b', 'x'.repeat(256)])(
    'shows no name that could speak to whoever reads it: %j',
    (hostile) => {
      const lines = causeLines({
        ...NONE,
        domains: [hostile],
        processes: [{ pid: 7, name: hostile, executablePath: null }],
      });

      expect(lines).toEqual([
        expect.stringMatching(/^domain a name that/),
        expect.stringMatching(/^process 7 \(a name/),
      ]);
    },
  );
});
