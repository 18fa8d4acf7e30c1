import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { describe, expect, it } from 'vitest';
import { createCase } from '../../functions/aws/case-table/cases.ts';
import {
  setDeleteOnTermination,
  setProtection,
  setShutdownBehavior,
  tag,
} from '../../functions/aws/instance-attributes.ts';
import { deregister, leaveClassic } from '../../functions/aws/load-balancers.ts';
import { createDeny } from '../../functions/aws/network-acls.ts';
import { setGroups, setTimeouts } from '../../functions/aws/network-interfaces.ts';
import { enterStandby } from '../../functions/aws/scaling.ts';
import { SHORTEST_TIMEOUTS } from '../../functions/core/case/expiry.ts';
import { restoreEvidence } from '../../functions/restore-evidence/step.ts';
import { restoreInstance } from '../../functions/restore-instance/step.ts';
import { ensureIsolationGroup, GROUP_SECONDS } from '../../functions/shared/isolation-group.ts';
import { worldOf } from '../scenarios/worlds.ts';
import { type Bench, ids, onBench } from '../support/bench.ts';
import { theCase } from '../support/incident.ts';

const CASE = 'case-00000000000000000abc';
const DELETED = 'sg-0000000000000dead';

/** Items as version 0.1.0 wrote them, letter for letter: a deployed table holds such for years. */
const itemsOf = (targetGroupArn: string): readonly Record<string, unknown>[] => {
  const pk = `CASE#${CASE}`;
  const preserved = (name: string, text: string) => ({ pk, sk: `PRESERVED#${name}`, preserved: text, taken: 1 });
  const deny = (side: 'in' | 'out') => [
    {
      pk: `ACL#${ids.acl}`,
      sk: `DENY#${side}#198.51.100.7/32`,
      aclId: ids.acl,
      egress: side === 'out',
      cidr: '198.51.100.7/32',
      ruleNumber: 1,
      cases: new Set([CASE]),
    },
    { pk: `ACL#${ids.acl}`, sk: `NUMBER#${side}#00001`, cidr: '198.51.100.7/32' },
  ];
  return [
    preserved('Auto Scaling group shop-web', '{"kind":"auto-scaling","groupName":"shop-web","action":"standby"}'),
    preserved(
      `target group shop-web target ${ids.instance}:8443`,
      `{"kind":"target","targetGroupArn":"${targetGroupArn}","targetId":"${ids.instance}","port":8443}`,
    ),
    preserved(
      'classic load balancer shop-classic',
      '{"kind":"classic-load-balancer","loadBalancerName":"shop-classic"}',
    ),
    preserved('termination protection', '{"kind":"protection","attribute":"disableApiTermination","before":false}'),
    preserved('stop protection', '{"kind":"protection","attribute":"disableApiStop","before":false}'),
    preserved('shutdown behaviour', '{"kind":"shutdown-behavior","before":"terminate"}'),
    preserved(
      'delete on termination of /dev/xvda',
      '{"kind":"delete-on-termination","deviceName":"/dev/xvda","volumeId":"vol-0000000000000f001"}',
    ),
    preserved('tags', '{"kind":"tags"}'),
    preserved('snapshots', '{"kind":"snapshots"}'),
    {
      pk,
      sk: `BEFORE#${ids.eni}`,
      before: `{"networkInterfaceId":"${ids.eni}","vpcId":"${ids.vpc}","subnetId":"${ids.subnet}","groupIds":["${ids.web}","${DELETED}"],"timeouts":{"tcpEstablishedSeconds":600,"udpSeconds":45,"udpStreamSeconds":120},"instanceType":"m6i.large","recordedAt":"2026-01-15T10:00:00.000Z"}`,
    },
    { pk: `GROUP#${ids.web}`, sk: `CASE#${CASE}` },
    {
      pk,
      sk: `GROUP#${DELETED}`,
      group: `{"groupId":"${DELETED}","name":"shop-old","description":"the old one","vpcId":"${ids.vpc}","tags":[{"Key":"team","Value":"web"}],"ingress":[{"IpProtocol":"tcp","FromPort":443,"ToPort":443,"IpRanges":[{"CidrIp":"0.0.0.0/0"}],"Ipv6Ranges":[],"PrefixListIds":[],"UserIdGroupPairs":[]}],"egress":[]}`,
    },
    ...deny('in'),
    ...deny('out'),
  ];
};

/** What that version had done to the account. */
async function contained({ tools, file }: Bench): Promise<void> {
  const { ec2, scaling, elb, classicElb, cases } = tools;
  const isolation = await ensureIsolationGroup(tools, ids.vpc, GROUP_SECONDS.swap);
  const [targetGroup] = file.TargetGroups;
  if (targetGroup === undefined) throw new Error('the world has lost its target group');
  const targetGroupArn = targetGroup.TargetGroupArn;
  await setGroups(ec2, ids.eni, [isolation]);
  await setTimeouts(ec2, ids.eni, SHORTEST_TIMEOUTS);
  for (const egress of [true, false]) {
    await createDeny(ec2, { aclId: ids.acl, egress, ruleNumber: 1 }, '198.51.100.7/32');
  }
  await enterStandby(scaling, 'shop-web', ids.instance);
  await deregister(elb, { targetGroupArn, targetId: ids.instance, port: 8443 });
  await leaveClassic(classicElb, 'shop-classic', ids.instance);
  await setProtection(ec2, ids.instance, 'disableApiTermination', true);
  await setProtection(ec2, ids.instance, 'disableApiStop', true);
  await setShutdownBehavior(ec2, ids.instance, 'stop');
  await setDeleteOnTermination(ec2, ids.instance, '/dev/xvda', false);
  await tag(ec2, ids.instance, { 'flowcut:case': CASE });
  for (const item of itemsOf(targetGroupArn)) {
    await cases.client.send(new PutItemCommand({ TableName: cases.name, Item: marshall(item) }));
  }
  const { accountId, region } = tools.config;
  await createCase(cases, { ...theCase, caseId: CASE, accountId, region, aclIds: [ids.acl], status: 'reported' });
  await tools.sleep(60);
}

describe('a case that an earlier version of flowcut has contained', () => {
  it('is restored whole: groups, timers, denies, deleted groups and evidence', async () => {
    await onBench(worldOf('auto-scaling-member'), async (bench) => {
      await contained(bench);
      const { tools, file } = bench;
      const restore = await restoreInstance(tools, { caseId: CASE, force: true });
      const { items } = await restoreEvidence(tools, { restore });
      if (restore.kind === 'refused') throw new Error(restore.reason);
      const other = [...restore.items, ...items].filter(({ outcome }) => outcome !== 'restored');
      expect(other).toEqual([{ item: 'snapshots', outcome: 'already', detail: 'kept: they are the evidence' }]);
      expect(restore.items.map(({ item }) => item)).toEqual([
        `security group ${DELETED} (shop-old)`,
        `${ids.eni} groups`,
        `${ids.eni} tracking timeouts`,
        `${ids.acl} rule 1 inbound deny 198.51.100.7/32`,
        `${ids.acl} rule 1 outbound deny 198.51.100.7/32`,
      ]);
      expect(items).toHaveLength(9);
      const again = file.SecurityGroups.find(({ GroupName }) => GroupName === 'shop-old');
      expect(bench.groupsOf(ids.eni)).toEqual([ids.web, again?.GroupId]);
      expect(bench.interfaceOf(ids.eni).ConnectionTrackingConfiguration).toEqual({
        TcpEstablishedTimeout: 600,
        UdpTimeout: 45,
        UdpStreamTimeout: 120,
      });
      expect(bench.entries().filter((line) => line.includes('deny'))).toEqual([]);
      expect(file.InstanceAttributes[ids.instance]).toEqual({
        DisableApiTermination: false,
        DisableApiStop: false,
        InstanceInitiatedShutdownBehavior: 'terminate',
      });
      expect((await bench.document(CASE)).status).toBe('restored');
    });
  });

  it('says of a thing that a later version has taken that it cannot give it back', async () => {
    await onBench(worldOf('auto-scaling-member'), async (bench) => {
      await contained(bench);
      const { cases } = bench.tools;
      const item = {
        pk: `CASE#${CASE}`,
        sk: 'PRESERVED#domain evil.example',
        preserved: '{"kind":"domain"}',
        taken: 1,
      };
      await cases.client.send(new PutItemCommand({ TableName: cases.name, Item: marshall(item) }));
      const restore = await restoreInstance(bench.tools, { caseId: CASE, force: true });
      const { items } = await restoreEvidence(bench.tools, { restore });
      expect(items.filter(({ outcome }) => outcome === 'failed')).toEqual([
        { item: 'domain evil.example', outcome: 'failed', detail: expect.stringContaining('another version') },
      ]);
    });
  });
});
