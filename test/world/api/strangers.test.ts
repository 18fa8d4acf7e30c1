import {
  CloudWatchLogsClient,
  CreateLogStreamCommand,
  DeleteLogGroupCommand,
  DeleteLogStreamCommand,
  FilterLogEventsCommand,
  PutLogEventsCommand,
  PutRetentionPolicyCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import {
  AttachNetworkInterfaceCommand,
  CreateNetworkInterfaceCommand,
  DeleteNetworkInterfaceCommand,
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DetachNetworkInterfaceCommand,
  EC2Client,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { describe, expect, it } from 'vitest';
import { runInVirtualTime } from '../../../local/world/clock.ts';
import { createEmbeddedWorld, type EmbeddedWorld } from '../../../local/world/embedded-world.ts';
import { formatOf } from '../../../local/world/physics/log-format.ts';
import { parseQuietWorld } from '../../support/quiet-agents.ts';
import { theShell, theWorld } from '../physics/fixtures.ts';
import { ids, inWorld, outcome } from './small-world.ts';

const create = (ec2: EC2Client, over: object = {}) =>
  ec2.send(new CreateNetworkInterfaceCommand({ SubnetId: ids.subnet, ...over }));
const attach = (ec2: EC2Client, NetworkInterfaceId: string | undefined, DeviceIndex = 1) =>
  ec2.send(new AttachNetworkInterfaceCommand({ NetworkInterfaceId, InstanceId: ids.instance, DeviceIndex }));

describe('a network interface', () => {
  it('is created free, with an address of the subnet and the default group, attached, detached and deleted', () =>
    inWorld({}, async ({ ec2, state }) => {
      const { NetworkInterface: made } = await create(ec2);
      const { AttachmentId } = await attach(ec2, made?.NetworkInterfaceId);
      const { NetworkInterfaces } = await ec2.send(
        new DescribeNetworkInterfacesCommand({
          Filters: [{ Name: 'attachment.instance-id', Values: [ids.instance] }],
        }),
      );
      const remove = () =>
        outcome(ec2.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId: made?.NetworkInterfaceId })));

      expect(made).toMatchObject({ Status: 'available', Groups: [{ GroupId: ids.defaultGroup }] });
      expect(made?.PrivateIpAddress).toMatch(/^10\.0\.1\./);
      expect(NetworkInterfaces).toHaveLength(2);
      expect(await remove()).toBe('InvalidParameterValue');
      await ec2.send(new DetachNetworkInterfaceCommand({ AttachmentId }));
      expect(await remove()).toBe('ok');
      expect(state.NetworkInterfaces).toHaveLength(1);
    }));

  it.each([
    ['InvalidSubnetID.NotFound', { SubnetId: 'subnet-0000000000000dead' }],
    ['InvalidGroup.NotFound', { Groups: ['sg-0000000000000dead'] }],
    ['InvalidIPAddress.InUse', { PrivateIpAddress: '10.0.1.10' }],
    ['InvalidParameterValue', { PrivateIpAddress: '10.0.2.10' }],
  ])('is not created: %s', (code, over) =>
    inWorld({}, async ({ ec2 }) => {
      expect(await outcome(create(ec2, over))).toBe(code);
    }),
  );

  it('is attached once, where there is room, and the primary one stays', () =>
    inWorld({}, async ({ ec2, state }) => {
      const { NetworkInterface: made } = await create(ec2);
      const primary = state.NetworkInterfaces[0]?.Attachment?.AttachmentId;

      expect(await outcome(attach(ec2, made?.NetworkInterfaceId, 0))).toBe('InvalidParameterValue');
      expect(await outcome(attach(ec2, ids.eni))).toBe('InvalidNetworkInterface.InUse');
      expect(await outcome(ec2.send(new DetachNetworkInterfaceCommand({ AttachmentId: primary })))).toBe(
        'OperationNotPermitted',
      );
    }));
});

describe('TerminateInstances', () => {
  const terminate = (ec2: EC2Client) => ec2.send(new TerminateInstancesCommand({ InstanceIds: [ids.instance] }));

  it('ends the machine, and takes its primary interface along', () =>
    inWorld({}, async ({ ec2, world, clock, state }) => {
      const { TerminatingInstances } = await terminate(ec2);
      await clock.sleep(31);
      const { Reservations } = await ec2.send(new DescribeInstancesCommand({}));

      expect(TerminatingInstances).toMatchObject([{ CurrentState: { Name: 'shutting-down' } }]);
      expect(Reservations?.[0]?.Instances?.[0]?.State?.Name).toBe('terminated');
      expect(state.NetworkInterfaces).toEqual([]);
      expect(world.physics.told).toEqual([`stopped ${ids.instance}`, 'networkChanged']);
    }));

  it('is refused where the instance is protected', () =>
    inWorld({ InstanceAttributes: { [ids.instance]: { DisableApiTermination: true } } }, async ({ ec2, state }) => {
      expect(await outcome(terminate(ec2))).toBe('OperationNotPermitted');
      expect(state.NetworkInterfaces).toHaveLength(1);
    }));
});

const GROUP = 'flows';
const ENI = 'eni-00000000000000e01';
const STREAM = `${ENI}-all`;

interface LogScene {
  readonly world: EmbeddedWorld;
  readonly logs: CloudWatchLogsClient;
  readonly ec2: EC2Client;
  messages(over?: object): Promise<string[]>;
}

function withLog<T>(body: (scene: LogScene) => Promise<T>): Promise<T> {
  const file = parseQuietWorld({
    ...theWorld,
    Flows: [theShell],
    FlowLogs: [
      {
        ResourceId: 'vpc-00000000000000001',
        LogGroupName: GROUP,
        LogFormat: formatOf(['start', 'action']),
        DeliverySeconds: 0,
      },
    ],
  });
  const epoch = Date.parse(file.Now) / 1000;
  return runInVirtualTime(file.Now, (clock) => {
    const world = createEmbeddedWorld(file, clock);
    const logs = world.attach(new CloudWatchLogsClient({ region: file.Region }));
    const ec2 = world.attach(new EC2Client({ region: file.Region }));
    const messages = async (over: object = {}) => {
      const { events = [] } = await logs.send(new FilterLogEventsCommand({ logGroupName: GROUP, ...over }));
      return [
        ...new Set(events.map(({ message = '' }) => message.replace(/^\d{10}/, (at) => `${Number(at) - epoch}`))),
      ];
    };
    return body({ world, logs, ec2, messages });
  });
}

describe('a log group in the hands of a stranger', () => {
  const forged = { logGroupName: GROUP, logStreamName: STREAM };

  it('takes forged records, and searches them like the others', () =>
    withLog(async ({ world, logs, messages }) => {
      await world.clock.sleep(130);
      const logEvents = [{ timestamp: Date.now() - 60_000, message: 'a forged line' }];
      await logs.send(new PutLogEventsCommand({ ...forged, logEvents }));

      expect(await messages()).toEqual(['0 ACCEPT', '60 ACCEPT', 'a forged line']);
      expect(await messages({ filterPattern: 'forged' })).toEqual(['a forged line']);
      expect(await messages({ logStreamNamePrefix: 'eni-0000000000000dead' })).toEqual([]);
    }));

  it('has only the streams of interfaces and those that are made', () =>
    withLog(async ({ logs }) => {
      const put = () =>
        outcome(
          logs.send(
            new PutLogEventsCommand({
              logGroupName: GROUP,
              logStreamName: 'other',
              logEvents: [{ timestamp: Date.now(), message: 'x' }],
            }),
          ),
        );

      expect(await put()).toBe('ResourceNotFoundException');
      await logs.send(new CreateLogStreamCommand({ logGroupName: GROUP, logStreamName: 'other' }));
      expect(await put()).toBe('ok');
    }));

  it.each([
    ['the group', (logs: CloudWatchLogsClient) => logs.send(new DeleteLogGroupCommand({ logGroupName: GROUP }))],
    ['the stream', (logs: CloudWatchLogsClient) => logs.send(new DeleteLogStreamCommand(forged))],
  ])('loses what was there when %s is deleted, and goes on', (_what, remove) =>
    withLog(async ({ world, logs, messages }) => {
      await world.clock.sleep(130);
      await remove(logs);
      await world.clock.sleep(60);

      expect(await messages()).toEqual(['120 ACCEPT']);
    }),
  );

  it('forgets what is older than its retention', () =>
    withLog(async ({ world, logs, messages }) => {
      await logs.send(new PutRetentionPolicyCommand({ logGroupName: GROUP, retentionInDays: 1 }));
      await world.clock.sleep(86_400 + 125);

      expect((await messages())[0]).toBe('180 ACCEPT');
      expect(await outcome(logs.send(new PutRetentionPolicyCommand({ logGroupName: GROUP, retentionInDays: 2 })))).toBe(
        'InvalidParameterException',
      );
    }));

  it('keeps the records of an interface that is no more', () =>
    withLog(async ({ world, ec2, messages }) => {
      await world.clock.sleep(70);
      await ec2.send(new TerminateInstancesCommand({ InstanceIds: ['i-0000000000000ab01'] }));
      await world.clock.sleep(600);

      expect(await messages({ logStreamNamePrefix: ENI, filterPattern: 'ACCEPT' })).toEqual(['0 ACCEPT', '60 ACCEPT']);
    }));
});
