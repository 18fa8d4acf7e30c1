import { describe, expect, it } from 'vitest';
import { deleteEntry } from '../../functions/aws/network-acls.ts';
import { packDenies } from '../../functions/core/network/packed-denies.ts';
import { denyAtNacl } from '../../functions/deny-at-nacl/step.ts';
import { verifyCut } from '../../functions/verify-cut/step.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { type Bench, ids, onBench, readEvent, refusedBy, shellAlone, shellWatched } from '../support/bench.ts';

const NO_DENIES = packDenies([]);

const finding = readEvent('guardduty-ec2-c2activity');

/** A second shell that a lying host does not list. */
const hidden = () =>
  shellWatched((world) => {
    const [shell] = world.Flows;
    if (shell) world.Flows.push({ ...shell, Name: 'second', LocalPort: 51_999, RemoteAddress: '203.0.113.66' });
    world.Hosts = [{ InstanceId: ids.instance, AgentLies: 'hides' } as WorldFile['Hosts'][number]];
  });

const denies = (bench: Bench) => bench.entries().filter((line) => line.includes('deny'));

describe('verify', () => {
  it('reads back what is in force and gives the verdict', async () => {
    await onBench(shellAlone(), async (bench) => {
      const { case: ref, verdict } = await bench.contain(finding);
      expect(verdict).toMatchObject({ kind: 'held', attempt: 1, next: { kind: 'report' }, denies: NO_DENIES });
      expect(await bench.document(ref.caseId)).toMatchObject({
        status: 'reported',
        cutAgainAt: null,
      });
    });
  });

  it('run twice comes to the same and changes nothing', async () => {
    await onBench(shellAlone(), async (bench) => {
      const record = await bench.contain(finding);
      const before = bench.state();
      const { verdict: _verdict, ...again } = record;
      expect(await verifyCut(bench.tools, again)).toEqual(record.verdict);
      expect(bench.state()).toBe(before);
    });
  });

  it('believes what stands, not what was done: a deny that somebody removed is missed', async () => {
    await onBench(shellAlone(), async (bench) => {
      const record = await bench.contain(finding);
      await deleteEntry(bench.tools.ec2, { aclId: ids.acl, egress: true, ruleNumber: 1 });
      expect((await verifyCut(bench.tools, record)).kind).toBe('not-proven');
    });
  });

  it('believes what stands: a rule that somebody added to the isolation group is seen', async () => {
    await onBench(shellAlone(), async (bench) => {
      const record = await bench.contain(finding);
      const group = bench.file.SecurityGroups.find(({ GroupName }) => GroupName === 'flowcut-isolation');
      group?.IpPermissionsEgress.push({ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] });
      const verdict = await verifyCut(bench.tools, record);
      expect(verdict.kind).toBe('not-proven');
      expect(verdict.reason).toContain(ids.eni);
    });
  });

  it.each(['DescribeNetworkAcls', 'DescribeSecurityGroups', 'DescribeNetworkInterfaces'])(
    'is never contained where %s fails',
    async (api) => {
      await onBench(shellAlone(), async (bench) => {
        const record = await bench.contain(finding);
        bench.fail(({ call }) => call === api, refusedBy('UnauthorizedOperation'));
        const verdict = await verifyCut(bench.tools, record).catch(() => ({ kind: 'thrown' }));
        expect(['not-proven', 'leaking', 'thrown']).toContain(verdict.kind);
      });
    },
  );

  it('is contained on the word of the flow log when it was silent for the whole timer', async () => {
    await onBench(shellWatched(), async (bench) => {
      const { verdict } = await bench.contain(finding);
      expect(verdict?.kind).toBe('contained');
      expect(bench.world.clock.now()).toBeGreaterThan(432_000);
    });
  });

  it('is not contained while a flow log is there that cannot be read', async () => {
    await onBench(shellWatched(), async (bench) => {
      bench.fail(({ call }) => call === 'FilterLogEvents', refusedBy('AccessDeniedException'));
      expect((await bench.contain(finding)).verdict?.kind).toBe('held');
    });
  });

  it('finds by the flow log a shell that the host hides, cuts it once more, and then asks a person', async () => {
    await onBench(hidden(), async (bench) => {
      const record = await bench.contain(finding);
      expect(record.verdict).toMatchObject({ kind: 'leaking', next: { kind: 'cut-again' }, cuts: 1 });
      expect(record.verdict?.denies).toMatchObject({
        cidrs: ['203.0.113.66/32'],
        acls: [{ ids: [ids.acl], in: [{}], out: [{}] }],
      });
      expect((await bench.document(record.case.caseId)).flows).toMatchObject([
        { remoteAddress: ids.peer, named: true },
        { remoteAddress: '203.0.113.66', named: false, source: 'flow-log' },
      ]);

      const cutAgain = await denyAtNacl(bench.tools, record);
      expect(denies(bench)).toHaveLength(4);
      await bench.tools.sleep(90);
      const second = await verifyCut(bench.tools, { ...record, cutAgain });
      expect(second).toMatchObject({ kind: 'held', next: { kind: 'tell-and-wait' }, denies: NO_DENIES });
    });
  });

  it('asks a person, not for a third cut, when it still leaks', async () => {
    await onBench(hidden(), async (bench) => {
      const record = await bench.contain(finding);
      bench.fail(({ call }) => call === 'CreateNetworkAclEntry', refusedBy('UnauthorizedOperation'));
      await denyAtNacl(bench.tools, record);
      let verdict = await verifyCut(bench.tools, record);
      while (verdict.next.kind === 'cut-again') verdict = await verifyCut(bench.tools, { ...record, verdict });
      expect(verdict).toMatchObject({ kind: 'leaking', next: { kind: 'tell-and-wait' } });
      // A later look tries again: what refused the deny may be over.
      expect(await verifyCut(bench.tools, { ...record, verdict })).toMatchObject({
        next: { kind: 'cut-again' },
        cuts: 4,
      });
    });
  });
});
