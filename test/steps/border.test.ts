import { describe, expect, it } from 'vitest';
import { assessFlows } from '../../functions/assess-flows/step.ts';
import { startResponse } from '../../functions/start-response/step.ts';
import { swapSecurityGroups } from '../../functions/swap-security-groups/step.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { type Bench, defaultWorld, ids, onBench, readEvent, refusedBy, twoInterfaces } from '../support/bench.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const OTHER_VPC = 'vpc-0000000000000ff01';

/** The instance has its first interface in the VPC, its second in another one. */
function secondElsewhere(world: WorldFile): void {
  twoInterfaces(world);
  const [vpc] = world.Vpcs;
  const [subnet] = world.Subnets;
  const [group] = world.SecurityGroups;
  const [acl] = world.NetworkAcls;
  if (!vpc || !subnet || !group || !acl) throw new Error('the default world has lost a part');
  world.Vpcs.push({ VpcId: OTHER_VPC, CidrBlock: '10.9.0.0/16' });
  world.Subnets.push({ SubnetId: 'subnet-0000000000000ff01', VpcId: OTHER_VPC, CidrBlock: '10.9.1.0/24' });
  world.SecurityGroups.push({
    ...structuredClone(group),
    GroupId: 'sg-0000000000000ff01',
    GroupName: 'other',
    VpcId: OTHER_VPC,
  });
  world.NetworkAcls.push({
    ...structuredClone(acl),
    NetworkAclId: 'acl-0000000000000ff01',
    VpcId: OTHER_VPC,
    Associations: [
      {
        NetworkAclAssociationId: 'aclassoc-0000000000000ff01',
        NetworkAclId: 'acl-0000000000000ff01',
        SubnetId: 'subnet-0000000000000ff01',
      },
    ],
  });
  const second = world.NetworkInterfaces.find(({ NetworkInterfaceId }) => NetworkInterfaceId === ids.secondEni);
  Object.assign(second ?? {}, {
    VpcId: OTHER_VPC,
    SubnetId: 'subnet-0000000000000ff01',
    PrivateIpAddress: '10.9.1.11',
    PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: '10.9.1.11' }],
    Ipv6Addresses: [],
    Groups: [{ GroupId: 'sg-0000000000000ff01', GroupName: 'other' }],
  });
}

const items = ({ world }: Bench): readonly string[] => world.dumpTable().map(({ pk }) => String(pk));
const isClaimed = (bench: Bench): boolean => items(bench).some((pk) => /^(INSTANCE|CASE)#/.test(pk));

const hasRefused = (result: Awaited<ReturnType<typeof startResponse>>): string | null =>
  result.kind === 'nothing-to-do' && result.report.verdict === 'refused' ? result.report.reason : null;

describe('the border of VpcIds', () => {
  const worlds: readonly [string, WorldFile, string, string, readonly string[]][] = [
    ['an instance in another VPC', defaultWorld(), ids.eni, ids.vpc, [OTHER_VPC]],
    [
      'an instance of which one interface is in another VPC',
      defaultWorld(secondElsewhere),
      ids.secondEni,
      OTHER_VPC,
      [ids.vpc],
    ],
  ];

  it.each(worlds)('refuses a finding about %s before it claims anything', async (_, world, eni, vpc, vpcIds) => {
    await onBench(
      world,
      async (bench) => {
        const reason = hasRefused(await startResponse(bench.tools, finding));
        expect(reason).toContain(eni);
        expect(reason).toContain(vpc);
        expect([isClaimed(bench), bench.calls('StartExecution')]).toEqual([false, 0]);
      },
      { vpcIds },
    );
  });

  it.each(worlds)('refuses a person who asks for %s before it claims anything', async (_, world, eni, vpc, vpcIds) => {
    await onBench(
      world,
      async (bench) => {
        const { assessment } = await bench.open({ instanceId: ids.instance });
        expect(assessment).toMatchObject({ kind: 'refused', reason: expect.stringContaining(eni) });
        expect(assessment).toMatchObject({ reason: expect.stringContaining(vpc) });
        expect(isClaimed(bench)).toBe(false);
      },
      { vpcIds },
    );
  });

  it.each(worlds)(
    'refuses a case that was claimed without a look at %s, before its host is asked',
    async (_, world, eni, _vpc, vpcIds) => {
      await onBench(
        world,
        async (bench) => {
          bench.fail(({ call }) => call === 'DescribeNetworkInterfaces', refusedBy('UnauthorizedOperation'));
          const started = await startResponse(bench.tools, finding);
          if (started.kind === 'nothing-to-do') throw new Error(started.report.reason);
          bench.world.interceptors.pop();
          const before = bench.state();
          const { assessment } = await assessFlows(bench.tools, { caseId: started.caseIds[0] });
          expect(assessment).toMatchObject({ kind: 'refused', reason: expect.stringContaining(eni) });
          expect([bench.state() === before, bench.calls('SendCommand')]).toEqual([true, 0]);
        },
        { vpcIds },
      );
    },
  );

  it('lets pass what lies within, and asks EC2 for it only where VPCs are named', async () => {
    await onBench(
      defaultWorld(),
      async (bench) => {
        expect((await startResponse(bench.tools, finding)).kind).toBe('started');
        expect(bench.calls('DescribeNetworkInterfaces')).toBe(1);
        expect((await bench.open()).assessment.kind).toBe('contain');
      },
      { vpcIds: [OTHER_VPC, ids.vpc] },
    );
    await onBench(defaultWorld(), async (bench) => {
      expect((await startResponse(bench.tools, finding)).kind).toBe('started');
      expect(bench.calls('DescribeNetworkInterfaces')).toBe(0);
    });
  });

  it('leaves an interface as it is that was attached beyond it since, and does not call the instance isolated', async () => {
    await onBench(
      defaultWorld(secondElsewhere),
      async (bench) => {
        const [second] = bench.file.NetworkInterfaces.splice(-1);
        if (second === undefined) throw new Error('no second interface');
        const opened = await bench.open(finding);
        bench.file.NetworkInterfaces.push(second);
        const before = structuredClone(second);
        const { interfaces } = await swapSecurityGroups(bench.tools, opened);
        expect(bench.interfaceOf(ids.secondEni)).toEqual(before);
        expect(interfaces.find(({ id }) => id === ids.secondEni)).toMatchObject({
          isolation: 'failed',
          reason: expect.stringContaining(OTHER_VPC),
        });
      },
      { vpcIds: [ids.vpc] },
    );
  });
});
