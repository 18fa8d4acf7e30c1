import { describe, expect, it } from 'vitest';
import { keepReport, readReport } from '../../functions/aws/case-table/reports.ts';
import { LEFT_OPEN } from '../../functions/core/report/report.ts';
import { reportCase } from '../../functions/report-case/step.ts';
import { type Bench, ids, onBench, readEvent, refusedBy, shellAlone, shellWatched } from '../support/bench.ts';
import { updateCase } from '../support/update-case.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const subjects = ({ world }: Bench) => world.messages.map(({ subject }) => subject);

describe('report', () => {
  it('says what stands, publishes it, and says the same the second time', async () => {
    await onBench(shellAlone(), async (bench) => {
      const record = await bench.contain(finding);
      const report = await reportCase(bench.tools, record);
      expect(report).toMatchObject({
        caseId: record.case.caseId,
        instanceId: ids.instance,
        verdict: 'held',
        basis: ['host'],
        flows: [{ remoteAddress: ids.peer, tracking: 'tracked', evidence: 'in-force' }],
        held: [
          { NetworkAclId: ids.acl, RuleNumber: 1, Egress: false, Cidr: `${ids.peer}/32` },
          { NetworkAclId: ids.acl, RuleNumber: 1, Egress: true, Cidr: `${ids.peer}/32` },
        ],
        skipped: [],
        undo: expect.stringContaining(record.case.caseId),
      });
      expect(report.leftOpen).toContain('VPC DNS resolver');
      const before = bench.state();
      expect(await reportCase(bench.tools, record)).toEqual(report);
      expect(bench.state()).toBe(before);
      expect(subjects(bench)).toEqual(Array.from({ length: 2 }, () => `flowcut: ${ids.instance} held`));
    });
  });

  it('says before the wait what is cut so far', async () => {
    await onBench(shellAlone(), async (bench) => {
      const { verdict: _verdict, isolation, ...record } = await bench.contain(finding);
      if (isolation?.swap.kind !== 'done') throw new Error('unreachable');
      await reportCase(bench.tools, { ...record, isolated: isolation.swap });
      expect(subjects(bench)[0]).toMatch(/so far/);
    });
  });

  it('is made although nobody can be told', async () => {
    await onBench(shellAlone(), async (bench) => {
      const record = await bench.contain(finding);
      bench.fail(({ call }) => call === 'Publish', refusedBy('AuthorizationError'));
      expect(await reportCase(bench.tools, record)).toMatchObject({ verdict: 'held' });
    });
  });

  it('is kept whole in the case table, and an older one does not take its place', async () => {
    await onBench(shellAlone(), async (bench) => {
      const { tools } = bench;
      const record = await bench.contain(finding);
      const report = await reportCase(tools, record);
      const { caseId } = record.case;
      expect(await readReport(tools.cases, caseId)).toEqual(report);
      await keepReport(tools.cases, { ...report, reason: 'of an hour ago' }, '2026-01-15T09:00:00.000Z');
      expect(await readReport(tools.cases, caseId)).toEqual(report);
      await keepReport(tools.cases, { ...report, reason: 'newer' }, '2027-01-15T10:00:00.000Z');
      expect(await readReport(tools.cases, caseId)).toMatchObject({ reason: 'newer' });
    });
  });

  it('is made although the case table does not take it, and says what is lost by that', async () => {
    await onBench(shellAlone(), async (bench) => {
      const record = await bench.contain(finding);
      await updateCase(bench.tools.cases, record.case.caseId, (stored) => ({
        ...stored,
        evidence: Array.from({ length: 500 }, (_, index) => ({
          item: `target group ${index}`,
          outcome: 'failed' as const,
          reason: 'the call was refused, and so was every attempt after it',
        })),
      }));
      bench.fail(
        ({ call, input }) => call === 'PutItem' && JSON.stringify(input).includes('"REPORT"'),
        refusedBy('AccessDeniedException'),
      );
      const report = await reportCase(bench.tools, record);
      expect(report).toMatchObject({ verdict: 'held' });
      expect(report.more).toEqual([expect.stringMatching(/^and \d+ more things .*: left out, .*AccessDenied/)]);
    });
  });

  it('publishes nothing where there is no topic', async () => {
    await onBench(
      shellAlone(),
      async (bench) => {
        await reportCase(bench.tools, await bench.contain(finding));
        expect(bench.calls('Publish')).toBe(0);
      },
      { topicArn: null },
    );
  });

  it('says after a failure half way what stands, and that it stopped', async () => {
    await onBench(shellAlone(), async (bench) => {
      const opened = await bench.open(finding);
      await bench.cutHost(opened);
      const Cause = JSON.stringify({ errorType: 'Error', errorMessage: 'the swap has failed' });
      const report = await reportCase(bench.tools, { ...opened, failure: { Error: 'Error', Cause } });
      expect(report.verdict).toBe('not-proven');
      expect(report.skipped).toMatchObject([
        { id: ids.eni },
        { id: 'evidence', reason: expect.stringContaining('stopped before evidence was preserved') },
      ]);
      expect(report.leftOpen).toContain('the response stopped early: the swap has failed');
      expect(report.undo).not.toBeNull();
    });
  });

  it('claims nothing where nothing can be read back, and says what a person can do', async () => {
    await onBench(shellAlone(), async (bench) => {
      const record = await bench.contain(finding);
      bench.fail(({ call }) => call === 'GetItem', refusedBy('AccessDeniedException'));
      const report = await reportCase(bench.tools, record);
      expect(report).toMatchObject({ verdict: 'not-proven', basis: [], flows: [], held: [] });
      expect(report.reason).toContain('could not be read back');
      expect(report.lastResort).not.toEqual([]);
    });
  });

  it('says of a plan what would be done, and of a refusal why', async () => {
    await onBench(shellAlone(), async (bench) => {
      const planned = await bench.open({
        instanceId: ids.instance,
        remoteAddresses: [ids.peer, '10.9.9.9'],
        mode: 'observe',
      });
      const report = await reportCase(bench.tools, planned);
      expect(report).toMatchObject({ verdict: 'planned', held: [], undo: null });
      expect(report.plan.length).toBeGreaterThan(2);
      expect(report.flows).toMatchObject([{ evidence: 'unproven' }, { evidence: 'unproven' }]);
      const refused = await bench.open({ instanceId: 'i-0000000000000ffff' });
      expect(await reportCase(bench.tools, refused)).toMatchObject({
        verdict: 'refused',
        reason: expect.stringContaining('there is no instance'),
      });
    });
  });

  it('keeps in a plan what stays open and what the finding has to say, and tells people of the domain', async () => {
    await onBench(
      shellAlone(),
      async (bench) => {
        const planned = await bench.open(readEvent('guardduty-ec2-c2activity-dns'));
        const report = await reportCase(bench.tools, planned);
        expect(report).toMatchObject({
          verdict: 'planned',
          finding: { type: 'Backdoor:EC2/C&CActivity.B!DNS', severity: 8, link: expect.stringContaining('guardduty') },
          domains: ['c2.example.com'],
        });
        expect(report.leftOpen).toEqual([...LEFT_OPEN, expect.stringContaining('DNS Firewall')]);
        const message = bench.world.messages[0]?.message ?? '';
        for (const part of [
          'Backdoor:EC2/C&CActivity.B!DNS',
          'severity 8',
          'domain c2.example.com',
          'DNS Firewall',
          'guardduty/home',
        ])
          expect(message).toContain(part);
      },
      { defaultMode: 'observe' },
    );
  });

  it('says of a plan for an attack sequence for which instances nothing was begun', async () => {
    await onBench(shellAlone(), async (bench) => {
      const report = await reportCase(bench.tools, await bench.open(readEvent('guardduty-attack-sequence-ec2')));
      expect(report).toMatchObject({ verdict: 'planned', instanceId: ids.instance });
      expect(report.leftOpen.join()).toMatch(/Nothing was begun for .*i-0000000000000ab02/);
    });
  });

  it('chooses of the instances of an attack sequence one that is of this account', async () => {
    await onBench(
      shellAlone(),
      async (bench) => {
        const opened = await bench.open(readEvent('guardduty-attack-sequence-ec2'));
        expect(opened.case.instanceId).toBe('i-0000000000000ab02');
      },
      { accountId: '444455556666' },
    );
  });

  it.each([
    ['ignored', 'guardduty-ec2-port-probe'],
    ['refused', 'guardduty-ec2-c2activity'],
  ])('says what GuardDuty found where it is %s', async (verdict, event) => {
    await onBench(
      shellAlone(),
      async (bench) => {
        const report = await reportCase(bench.tools, await bench.open(readEvent(event)));
        expect(report).toMatchObject({ verdict, finding: { severity: expect.any(Number), link: expect.any(String) } });
      },
      { region: 'eu-west-1' },
    );
  });

  it('says what GuardDuty found of an instance that may not be touched', async () => {
    await onBench(
      shellAlone(),
      async (bench) => {
        const report = await reportCase(bench.tools, await bench.open(finding));
        expect(report).toMatchObject({ verdict: 'refused', finding: { type: 'Backdoor:EC2/C&CActivity.B' } });
      },
      { exemptInstanceIds: [ids.instance] },
    );
  });

  it('gives advice with what it ignores', async () => {
    await onBench(shellAlone(), async (bench) => {
      const report = await reportCase(bench.tools, await bench.open(readEvent('guardduty-sample')));
      expect(report).toMatchObject({ verdict: 'ignored', plan: [], flows: [] });
      expect(report.reason.length).toBeGreaterThan(30);
    });
  });

  it('verifies a case that is contained already, and does not start over', async () => {
    await onBench(shellWatched(), async (bench) => {
      const record = await bench.contain(finding);
      const before = bench.state();
      const again = await bench.open({ caseId: record.case.caseId });
      expect(again.assessment.kind).toBe('already-contained');
      expect(await reportCase(bench.tools, again)).toMatchObject({ verdict: 'contained' });
      expect(bench.state()).toBe(before);
    });
  });

  it("knows a person's case again as contained when the same person asks again", async () => {
    await onBench(shellAlone(), async (bench) => {
      const ask = { instanceId: ids.instance, remoteAddresses: [ids.peer] };
      await bench.contain(ask);
      expect((await bench.open(ask)).assessment.kind).toBe('already-contained');
    });
  });

  it('keeps the verdict when the same person asks again and the agent is cut off by then', async () => {
    await onBench(shellAlone(), async (bench) => {
      const ask = { instanceId: ids.instance, remoteAddresses: [ids.peer] };
      const first = await bench.contain(ask);
      const second = await bench.contain(ask);
      expect(second.verdict?.kind).toBe(first.verdict?.kind);
    });
  });
});
