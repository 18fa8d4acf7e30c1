import { describe, expect, it } from 'vitest';
import { reportCase } from '../../functions/report-case/step.ts';
import { tellReport } from '../../local/live/tell-report.ts';
import { resultJson } from '../../local/result.ts';
import { tellSimulation } from '../../local/tell.ts';
import { type Json, readEvent, withValue } from '../core/intake/intake-events.ts';
import { ids, onBench, shellAlone } from '../support/bench.ts';
import { simulate } from '../support/own-flow-log.ts';

const CONNECTION = 'detail.service.action.networkConnectionAction';
const C2 = readEvent('guardduty-ec2-c2activity');
const peers = (flows: readonly { readonly remoteAddress: string }[]) => flows.map((flow) => flow.remoteAddress);

/** The reverse shell as GuardDuty tells it of a container behind the address of the instance. */
const inContainer = withValue(
  withValue(C2, `${CONNECTION}.localIpDetails.ipAddressV4`, '172.17.0.5'),
  `${CONNECTION}.localPortDetails.port`,
  40_000,
);

describe('a finding that names a domain alone', () => {
  it.each(['contain', 'observe'] as const)(
    'reaches people with its domain, its type and its link, in mode %s',
    async (mode) => {
      const run = await simulate(shellAlone(), readEvent('guardduty-ec2-c2activity-dns'), { mode });
      const told = [JSON.stringify(resultJson(run)), tellSimulation(run), tellReport(run.report, mode)];
      const mails = run.messages.map(({ message }) => message);

      expect(mails.length).toBeGreaterThan(0);
      for (const text of [...told, ...mails]) {
        expect(text).toContain('c2.example.com');
        expect(text).toContain('Backdoor:EC2/C&CActivity.B!DNS');
        expect(text).toMatch(/guardduty\/home\?region=eu-central-1#\/findings\?macros=current&fId=[0-9a-f]{32}/);
        expect(text.replace(/\s+/g, ' ')).toContain('until a DNS Firewall rule blocks the domain');
      }
    },
  );
});

describe('a plan', () => {
  it.each([
    ['Recon:EC2/Portscan', 'one flow of many'],
    ['Backdoor:EC2/Spambot', 'one flow of many'],
  ])('for %s says what the finding leaves open: %s', async (type, note) => {
    const { report } = await simulate(shellAlone(), withValue(C2, 'detail.type', type));

    expect(report.verdict).toBe('planned');
    expect(report.leftOpen).toEqual(expect.arrayContaining(['VPC DNS resolver', expect.stringContaining(note)]));
  });

  it('names the process of a finding', async () => {
    const { report } = await simulate(shellAlone(), readEvent('guardduty-runtime-reverse-shell'), { mode: 'observe' });

    expect(report.processes).toEqual([{ pid: 4242, name: 'bash', executablePath: '/usr/bin/bash' }]);
  });
});

describe('a finding that tells the address of a container', () => {
  it('is about the flow of the interface, not about a second one', async () => {
    const { report } = await simulate(shellAlone(), inContainer);

    expect(report).toMatchObject({ verdict: 'held', flows: [{ remoteAddress: ids.peer, evidence: 'in-force' }] });
  });

  it('tells nothing new to a case that knows the flow, and a failed look at it leaves nothing undone', async () => {
    await onBench(shellAlone(), async (bench) => {
      const record = await bench.contain(inContainer);
      const { caseId } = record.case;
      await reportCase(bench.tools, record);
      const again = await bench.open(C2);
      expect(again.case.caseId).toBe(caseId);
      const { flows } = await bench.document(caseId);
      expect(peers(flows)).toEqual([ids.peer]);

      const failure = { Error: 'Error', Cause: JSON.stringify({ errorMessage: 'EC2 did not answer' }) };
      const report = await reportCase(bench.tools, { caseId, failure } as Parameters<typeof reportCase>[1]);
      expect(report.verdict).toBe('held');
      expect(report.reason).not.toContain('nothing was done');
    });
  });
});

describe('a finding about something else in a manual request', () => {
  it('brings no deny and no claim about flows that are not those of the instance', async () => {
    const lambda = withValue(
      withValue(C2, 'detail.resource', { resourceType: 'Lambda' }),
      `${CONNECTION}.remoteIpDetails.ipAddressV4`,
      '203.0.113.80',
    );
    const finding: Json | undefined = lambda['detail'];
    const { report } = await simulate(shellAlone(), { instanceId: ids.instance, mode: 'contain', finding });

    expect(peers(report.flows)).not.toContain('203.0.113.80');
    expect(report.held.map(({ Cidr }) => Cidr)).not.toContain('203.0.113.80/32');
    expect(report.leftOpen.join()).toContain('another kind of resource');
  });
});
