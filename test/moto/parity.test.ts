import { AutoScalingClient, CreateAutoScalingGroupCommand } from '@aws-sdk/client-auto-scaling';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DeleteNetworkAclEntryCommand, DescribeSecurityGroupsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { CreateStateMachineCommand, SFNClient } from '@aws-sdk/client-sfn';
import { SSMClient } from '@aws-sdk/client-ssm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorCode } from '../../functions/aws/errors.ts';
import { runInVirtualTime } from '../../local/world/clock.ts';
import { createEmbeddedWorld } from '../../local/world/embedded-world.ts';
import { startMoto } from '../../scripts/moto-server.ts';
import { heldToPage } from '../../scripts/moto-table.ts';
import { ids, smallWorld, stubPhysics } from '../world/api/small-world.ts';
import { buildAccount } from './support/account.ts';
import { clientsAt, REGION, TABLE } from './support/clients.ts';
import type { Ground } from './support/ground.ts';
import { PROBES } from './support/probes.ts';

const moto = await startMoto();
afterAll(() => moto?.stop());

const SERVICES = Object.keys(PROBES);
const ALL = SERVICES.flatMap((service) => (PROBES[service] ?? []).map((probe) => ({ service, ...probe })));

const MACHINE = {
  name: 'parity',
  roleArn: 'arn:aws:iam::123456789012:role/flowcut',
  definition: JSON.stringify({
    StartAt: 'Wait',
    States: { Wait: { Type: 'Wait', Seconds: 60, End: true } },
  }),
};

/** What one probe comes to, as text. */
async function answerTo(run: () => Promise<unknown>): Promise<string> {
  try {
    const answer = await run();
    return typeof answer === 'string' || typeof answer === 'number' ? String(answer) : 'ok';
  } catch (error) {
    const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
    // A server's fault has no code of its own: moto answers it with a page of HTML.
    return $metadata?.httpStatusCode === 500 ? 'HTTP 500' : errorCode(error);
  }
}

/** The answers to all probes, by title, asked one after another. */
async function answersOn(ground: Ground): Promise<ReadonlyMap<string, string>> {
  const answers = new Map<string, string>();
  for (const { service, title, run } of ALL) answers.set(`${service}: ${title}`, await answerTo(() => run(ground)));
  return answers;
}

/** The probes are about answers, not about what the SDK makes of a second try. */
const ONCE = { region: REGION, maxAttempts: 1, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };

function inEmbeddedWorld(): Promise<ReadonlyMap<string, string>> {
  const group = { AutoScalingGroupName: 'full', MinSize: 0, MaxSize: 1, DesiredCapacity: 1 };
  const member = { InstanceId: ids.instance, LifecycleState: 'InService' };
  const state = smallWorld({
    AutoScalingGroups: [{ ...group, Instances: [{ ...member, HealthStatus: 'Healthy' }] }],
    AutoScalingInstances: [{ ...member, AutoScalingGroupName: 'full' }],
  });
  return runInVirtualTime(state.Now, (clock) => {
    const world = createEmbeddedWorld(state, clock, stubPhysics());
    return answersOn({
      ec2: world.attach(new EC2Client(ONCE)),
      ssm: world.attach(new SSMClient(ONCE)),
      scaling: world.attach(new AutoScalingClient(ONCE)),
      dynamodb: world.attach(new DynamoDBClient(ONCE)),
      sfn: world.attach(new SFNClient(ONCE)),
      vpcId: ids.vpc,
      aclId: ids.acl,
      instanceId: ids.instance,
      networkInterfaceId: ids.eni,
      groupId: ids.web,
      defaultGroupId: ids.defaultGroup,
      groupName: 'full',
      documentName: 'flowcut-host-linux',
      tableName: TABLE,
      stateMachineArn: `arn:aws:states:${REGION}:${ids.account}:stateMachine:parity`,
      settle: () => clock.sleep(90),
    });
  });
}

async function inMoto(endpoint: string): Promise<ReadonlyMap<string, string>> {
  const clients = clientsAt(endpoint);
  const { ec2, scaling, sfn } = clients;
  const account = await buildAccount(clients);
  const { vpcId, victim, groups, publicSubnet } = account;
  const { aclId } = publicSubnet;
  for (const Egress of [true, false]) {
    await ec2.send(new DeleteNetworkAclEntryCommand({ NetworkAclId: aclId, Egress, RuleNumber: 101 }));
  }
  const Filters = [
    { Name: 'vpc-id', Values: [vpcId] },
    { Name: 'group-name', Values: ['default'] },
  ];
  const { SecurityGroups = [] } = await ec2.send(new DescribeSecurityGroupsCommand({ Filters }));
  await scaling.send(
    new CreateAutoScalingGroupCommand({
      AutoScalingGroupName: 'full',
      InstanceId: account.neighbour.instanceId,
      MinSize: 0,
      MaxSize: 1,
      DesiredCapacity: 1,
      VPCZoneIdentifier: publicSubnet.subnetId,
    }),
  );
  const { stateMachineArn = '' } = await sfn.send(new CreateStateMachineCommand(MACHINE));
  const once = { ...ONCE, endpoint };
  return answersOn({
    ec2: new EC2Client(once),
    ssm: new SSMClient(once),
    scaling: new AutoScalingClient(once),
    dynamodb: new DynamoDBClient(once),
    sfn: new SFNClient(once),
    vpcId,
    aclId,
    instanceId: victim.instanceId,
    networkInterfaceId: victim.networkInterfaceId,
    groupId: groups.web,
    defaultGroupId: SecurityGroups[0]?.GroupId ?? '',
    groupName: 'full',
    documentName: 'flowcut-host-linux',
    tableName: TABLE,
    stateMachineArn,
    settle: () => Promise.resolve(),
  });
}

describe('the embedded world answers as AWS documents, but where the table says otherwise', () => {
  let answers: ReadonlyMap<string, string>;
  beforeAll(async () => {
    answers = await inEmbeddedWorld();
  });

  test.each(ALL)('$service $call: $title', ({ service, title, aws, world: differs }) => {
    expect(answers.get(`${service}: ${title}`)).toBe(differs?.answers ?? aws);
  });
});

describe.skipIf(moto === null)('moto answers so too, but where the table says otherwise', () => {
  let answers: ReadonlyMap<string, string>;
  beforeAll(async () => {
    answers = await inMoto(moto?.endpoint ?? '');
  });

  test.each(ALL)('$service $call: $title', ({ service, title, aws, moto: differs }) => {
    expect(answers.get(`${service}: ${title}`)).toBe(differs?.answers ?? aws);
  });
});

test('the docs tell every difference: node scripts/moto-table.ts writes them', () => {
  const { found, wanted } = heldToPage();
  expect(found).toBe(wanted);
});
