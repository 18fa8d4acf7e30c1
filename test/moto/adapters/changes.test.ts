import { DescribeInstancesCommand, DescribeSecurityGroupsCommand } from '@aws-sdk/client-ec2';
import { CreateStateMachineCommand } from '@aws-sdk/client-sfn';
import { CreateDocumentCommand } from '@aws-sdk/client-ssm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancelHostCommand, readHostCommand, sendHostCommand } from '../../../functions/aws/commands.ts';
import { readExecution, startExecution } from '../../../functions/aws/executions.ts';
import {
  readProtection,
  readShutdownBehavior,
  setDeleteOnTermination,
  setProtection,
  setShutdownBehavior,
  tag,
  untag,
} from '../../../functions/aws/instance-attributes.ts';
import { getInstance } from '../../../functions/aws/instances.ts';
import {
  classicBalancersOf,
  deregister,
  joinClassic,
  leaveClassic,
  register,
  targetsIn,
  targetsOf,
} from '../../../functions/aws/load-balancers.ts';
import { aclsById, createDeny, deleteEntry } from '../../../functions/aws/network-acls.ts';
import { interfacesOf, setGroups, setTimeouts } from '../../../functions/aws/network-interfaces.ts';
import { publish } from '../../../functions/aws/notifications.ts';
import {
  deleteGroup,
  readGroup,
  recreateGroup,
  refillGroup,
  usersOfGroup,
} from '../../../functions/aws/replaced-groups.ts';
import { attach, detach, enterStandby, exitStandby, membershipOf } from '../../../functions/aws/scaling.ts';
import { authorize, createGroup, groupByName, revoke, rulesOf } from '../../../functions/aws/security-groups.ts';
import { createSnapshots, snapshotsOfCase } from '../../../functions/aws/snapshots.ts';
import { isolationRules } from '../../../functions/core/network/isolation-rules.ts';
import { startMoto } from '../../../scripts/moto-server.ts';
import { type Account, buildAccount } from '../support/account.ts';
import { type Clients, clientsAt } from '../support/clients.ts';

const moto = await startMoto();
afterAll(() => moto?.stop());

const CASE = 'case-0123456789abcdef0123';

describe.skipIf(moto === null)('the adapters that change something, over HTTP', () => {
  const clients: Clients = clientsAt(moto?.endpoint ?? '');
  const { ec2, ssm, sfn, sns, scaling, elb, classicElb } = clients;
  let account: Account;
  beforeAll(async () => {
    account = await buildAccount(clients);
  });

  test('network ACLs: a deny is made in either family, is refused by number, and is deleted', async () => {
    const { aclId } = account.publicSubnet;
    const entries = async () => (await aclsById(ec2, [aclId]))[0]?.entries ?? [];
    const before = await entries();
    const places = [
      [{ aclId, egress: true, ruleNumber: 7 }, '198.51.100.7/32'],
      [{ aclId, egress: false, ruleNumber: 8 }, '2001:db8::7/128'],
    ] as const;
    for (const [place, cidr] of places) await createDeny(ec2, place, cidr);
    for (const [{ egress, ruleNumber }, cidr] of places) {
      expect(await entries()).toContainEqual(
        expect.objectContaining({ egress, ruleNumber, cidr, action: 'deny', protocol: '-1' }),
      );
    }
    await expect(createDeny(ec2, places[0][0], '198.51.100.8/32')).rejects.toMatchObject({
      name: 'NetworkAclEntryAlreadyExists',
    });
    for (const [place] of places) await deleteEntry(ec2, place);
    const byNumber = (list: Awaited<ReturnType<typeof entries>>) =>
      list.toSorted((a, b) => a.ruleNumber - b.ruleNumber || Number(a.egress) - Number(b.egress));
    expect(byNumber(await entries())).toEqual(byNumber(before));
  });

  test('security groups: a new one is emptied in both families, opened as asked, and its name is taken', async () => {
    const { vpcId } = account;
    const id = (await createGroup(ec2, vpcId, 'flowcut-isolation')) ?? '';
    expect(await createGroup(ec2, vpcId, 'flowcut-isolation')).toBeNull();
    expect(await groupByName(ec2, vpcId, 'flowcut-isolation')).toEqual({ id, ours: true, empty: false });
    const born = await rulesOf(ec2, [id]);
    await revoke(ec2, id, born);
    await revoke(ec2, id, born);
    expect(await groupByName(ec2, vpcId, 'flowcut-isolation')).toEqual({ id, ours: true, empty: true });
    const openings = isolationRules({ agentEgress: ['192.0.2.0/24'], analystIngress: ['2001:db8::/64'] });
    await authorize(ec2, id, openings);
    await authorize(ec2, id, openings);
    expect(await rulesOf(ec2, [id])).toHaveLength(2);
  });

  test('network interfaces: groups are replaced per interface, in the order given back; timeouts are taken', async () => {
    const { victim, groups } = account;
    const of = async (id: string) => (await interfacesOf(ec2, victim.instanceId)).find((eni) => eni.id === id);
    const before = await of(victim.secondInterfaceId);
    await setGroups(ec2, victim.secondInterfaceId, [groups.bastion]);
    await setGroups(ec2, victim.secondInterfaceId, [groups.bastion]);
    expect((await of(victim.secondInterfaceId))?.groupIds).toEqual([groups.bastion]);
    expect((await of(victim.networkInterfaceId))?.groupIds).toEqual([groups.web]);
    await setGroups(ec2, victim.secondInterfaceId, before?.groupIds ?? []);
    // moto takes the timeouts and never tells them again: that the call is well-formed is all that can be seen here.
    await setTimeouts(ec2, victim.secondInterfaceId, {
      tcpEstablishedSeconds: 60,
      udpSeconds: 30,
      udpStreamSeconds: 60,
    });
    expect(await of(victim.secondInterfaceId)).toEqual(before);
  });

  test('replaced groups: one is deleted and made again with the same rules under another id', async () => {
    const { groups, vpcId } = account;
    const holders = await usersOfGroup(ec2, groups.web);
    // Held by the interfaces of both instances, and named in a rule of the database group.
    expect(holders).toEqual(expect.arrayContaining([account.victim.networkInterfaceId, groups.database]));
    const recorded = await readGroup(ec2, groups.bastion);
    if (recorded === null) throw new Error('the group is not there');
    await deleteGroup(ec2, groups.bastion);
    await deleteGroup(ec2, groups.bastion);
    expect(await readGroup(ec2, groups.bastion)).toBeNull();
    const successor = await recreateGroup(ec2, recorded);
    expect(await recreateGroup(ec2, recorded)).toBe(successor);
    await refillGroup(ec2, successor, recorded, new Map([[groups.bastion, successor]]));
    await refillGroup(ec2, successor, recorded, new Map([[groups.bastion, successor]]));
    expect(await readGroup(ec2, successor)).toMatchObject({ ...recorded, groupId: successor, vpcId });
  });

  test('instance attributes: protection, deletion of volumes and tags, each there and back', async () => {
    const { instanceId } = account.victim;
    for (const attribute of ['disableApiTermination', 'disableApiStop'] as const) {
      for (const value of [true, false]) {
        await setProtection(ec2, instanceId, attribute, value);
        expect(await readProtection(ec2, instanceId, attribute)).toBe(value);
      }
    }
    // moto takes a new shutdown behaviour and forgets it: that the calls are well-formed is all that can be seen here.
    await setShutdownBehavior(ec2, instanceId, 'terminate');
    expect(await readShutdownBehavior(ec2, instanceId)).toBe('stop');
    for (const value of [false, true]) {
      await setDeleteOnTermination(ec2, instanceId, '/dev/sda1', value);
      expect((await getInstance(ec2, instanceId))?.volumes.map(({ isDoomed }) => isDoomed)).toEqual([value]);
    }
    const tags = async () => (await getInstance(ec2, instanceId))?.tags;
    const before = await tags();
    await tag(ec2, instanceId, { 'flowcut:case': CASE });
    expect(await tags()).toEqual({ ...before, 'flowcut:case': CASE });
    await untag(ec2, instanceId, { 'flowcut:case': 'somebody else wrote this' });
    expect(await tags()).toEqual({ ...before, 'flowcut:case': CASE });
    await untag(ec2, instanceId, { 'flowcut:case': CASE });
    expect(await tags()).toEqual(before);
  });

  test('snapshots: one per volume, found by the case', async () => {
    const { instanceId } = account.victim;
    const made = await createSnapshots(ec2, instanceId, CASE, () => Promise.resolve());
    expect(made).toHaveLength(1);
    expect(await snapshotsOfCase(ec2, CASE)).toEqual(made);
    expect(await snapshotsOfCase(ec2, 'case-ffffffffffffffffffff')).toEqual([]);
  });

  test('Auto Scaling: to Standby and back, and out and in again', async () => {
    const { groupName, victim } = account;
    const state = async () => (await membershipOf(scaling, victim.instanceId))?.lifecycleState;
    expect(await membershipOf(scaling, victim.instanceId)).toEqual({ groupName, lifecycleState: 'InService' });
    await enterStandby(scaling, groupName, victim.instanceId);
    expect(await state()).toBe('Standby');
    await exitStandby(scaling, groupName, victim.instanceId);
    expect(await state()).toBe('InService');
    await detach(scaling, groupName, victim.instanceId);
    expect(await membershipOf(scaling, victim.instanceId)).toBeNull();
    await attach(scaling, groupName, victim.instanceId);
    expect(await state()).toBe('InService');
    // Leaving the group must not end the instance.
    const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [victim.instanceId] }));
    expect(Reservations[0]?.Instances?.[0]?.State?.Name).toBe('running');
  });

  test('load balancers: a target leaves and returns with its port, an instance leaves and returns', async () => {
    const { vpcId, targetGroupArn, classicBalancer, victim } = account;
    const target = { targetGroupArn, targetId: victim.instanceId, port: 8443 };
    const targets = () => targetsOf(elb, { vpcIds: [vpcId] }, [victim.instanceId]);
    expect(await targets()).toEqual([target]);
    expect(await targetsOf(elb, { vpcIds: [vpcId], layer: 'network' }, [victim.instanceId])).toEqual([]);
    await deregister(elb, target);
    expect(await targets()).toEqual([]);
    await register(elb, target);
    expect(await targetsIn(elb, [targetGroupArn], [victim.instanceId])).toEqual([target]);
    expect(await classicBalancersOf(classicElb, victim.instanceId)).toEqual([classicBalancer]);
    await leaveClassic(classicElb, classicBalancer, victim.instanceId);
    expect(await classicBalancersOf(classicElb, victim.instanceId)).toEqual([]);
    await joinClassic(classicElb, classicBalancer, victim.instanceId);
    expect(await classicBalancersOf(classicElb, victim.instanceId)).toEqual([classicBalancer]);
  });

  test('commands: one is sent, answered with nothing, and cannot be cancelled any more', async () => {
    const { instanceId } = account.victim;
    await ssm.send(
      new CreateDocumentCommand({
        Name: 'flowcut-host-linux',
        DocumentType: 'Command',
        DocumentFormat: 'JSON',
        Content: JSON.stringify({
          schemaVersion: '2.2',
          description: 'stands in for ours',
          parameters: { caseId: { type: 'String' }, executionTimeout: { type: 'String' } },
          mainSteps: [{ action: 'aws:runShellScript', name: 'run', inputs: { runCommand: ['true'] } }],
        }),
      }),
    );
    const commandId = await sendHostCommand(ssm, {
      instanceId,
      documentName: 'flowcut-host-linux',
      comment: 'flowcut cut',
      parameters: { caseId: CASE },
      seconds: 45,
    });
    expect(await readHostCommand(ssm, instanceId, commandId)).toEqual({ kind: 'answered', output: '' });
    // moto has no CancelCommand: its refusal comes through as an error, which the steps log and pass over.
    await expect(cancelHostCommand(ssm, instanceId, commandId)).rejects.toThrow(Error);
  });

  test('executions: the same name starts once while it runs, and tells how it stands', async () => {
    const { stateMachineArn = '' } = await sfn.send(
      new CreateStateMachineCommand({
        name: 'adapters',
        roleArn: 'arn:aws:iam::123456789012:role/flowcut',
        definition: JSON.stringify({ StartAt: 'Done', States: { Done: { Type: 'Succeed' } } }),
      }),
    );
    const execution = { stateMachineArn, name: `${CASE}-1`, input: { caseId: CASE } };
    expect(await startExecution(sfn, execution)).toBe('started');
    expect(await startExecution(sfn, { ...execution, input: { caseId: 'another' } })).toBe('already-started');
    const { status, startedAt, endedAt } = await readExecution(sfn, execution);
    expect({ status, endedAt }).toEqual({ status: 'RUNNING', endedAt: null });
    expect(startedAt).toBeGreaterThan(0);
    await expect(readExecution(sfn, { ...execution, name: 'nobody' })).rejects.toMatchObject({
      name: 'ExecutionDoesNotExist',
    });
  });

  test('notifications: a topic takes a message, and one that is not there refuses it', async () => {
    await publish(sns, account.topicArn, { subject: 'held', body: 'the verdict' });
    await expect(publish(sns, `${account.topicArn}-gone`, { subject: 'held', body: 'lost' })).rejects.toMatchObject({
      name: 'NotFoundException',
    });
  });

  test('a group that is gone is told as such by EC2 itself', async () => {
    await expect(
      ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: ['sg-0123456789abcdef0'] })),
    ).rejects.toMatchObject({ name: 'InvalidGroup.NotFound' });
    expect(await readGroup(ec2, 'sg-0123456789abcdef0')).toBeNull();
  });
});
