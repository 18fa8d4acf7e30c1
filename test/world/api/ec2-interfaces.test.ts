import {
  DescribeInstanceAttributeCommand,
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  ModifyInstanceAttributeCommand,
  ModifyNetworkInterfaceAttributeCommand,
  type ModifyNetworkInterfaceAttributeCommandInput,
  paginateDescribeNetworkInterfaces,
  StopInstancesCommand,
} from '@aws-sdk/client-ec2';
import { describe, expect, it } from 'vitest';
import { ids, instanceOf, interfaceOf, inWorld, outcome } from './small-world.ts';

const modify = (
  change: Omit<ModifyNetworkInterfaceAttributeCommandInput, 'NetworkInterfaceId'>,
  eni: string = ids.eni,
) => new ModifyNetworkInterfaceAttributeCommand({ NetworkInterfaceId: eni, ...change });

describe('ModifyNetworkInterfaceAttribute', () => {
  it('swaps the groups, also where the instance shows them', () =>
    inWorld({}, async ({ ec2, world }) => {
      await ec2.send(modify({ Groups: [ids.defaultGroup] }));

      const groups = [{ GroupId: ids.defaultGroup, GroupName: 'default' }];
      const { NetworkInterfaces } = await ec2.send(new DescribeNetworkInterfacesCommand({}));
      expect(NetworkInterfaces?.[0]?.Groups).toEqual(groups);
      const { Reservations } = await ec2.send(new DescribeInstancesCommand({}));
      expect(Reservations?.[0]?.Instances?.[0]?.SecurityGroups).toEqual(groups);
      expect(Reservations?.[0]?.Instances?.[0]?.NetworkInterfaces?.[0]?.Groups).toEqual(groups);
      expect(world.physics.told).toEqual(['networkChanged']);
    }));

  it.each<[string, Parameters<typeof modify>[0]]>([
    ['InvalidParameterCombination', {}],
    ['InvalidParameterCombination', { Groups: [] }],
    ['InvalidParameterCombination', { Groups: [ids.web], ConnectionTrackingSpecification: { UdpTimeout: 30 } }],
    ['InvalidGroup.NotFound', { Groups: ['sg-0000000000000dead'] }],
    ['InvalidGroupId.Malformed', { Groups: ['web'] }],
    ['InvalidGroup.NotFound', { Groups: [ids.otherVpcGroup] }],
    ['InvalidParameterValue', { ConnectionTrackingSpecification: { TcpEstablishedTimeout: 59 } }],
    ['InvalidParameterValue', { ConnectionTrackingSpecification: { TcpEstablishedTimeout: 432_001 } }],
    ['InvalidParameterValue', { ConnectionTrackingSpecification: { UdpTimeout: 61 } }],
    ['InvalidParameterValue', { ConnectionTrackingSpecification: { UdpStreamTimeout: 59 } }],
    ['InvalidParameterCombination', { ConnectionTrackingSpecification: {} }],
    ['InvalidAttachmentID.NotFound', { Attachment: { AttachmentId: 'eni-attach-x', DeleteOnTermination: false } }],
  ])('answers %s', (code, change) =>
    inWorld({}, async ({ ec2, world }) => {
      expect(await outcome(ec2.send(modify(change)))).toBe(code);
      expect(world.physics.told).toEqual([]);
    }),
  );

  it('never unsets a timeout that was set', () =>
    inWorld({}, async ({ ec2, state }) => {
      await ec2.send(modify({ ConnectionTrackingSpecification: { TcpEstablishedTimeout: 60, UdpTimeout: 30 } }));
      await ec2.send(modify({ ConnectionTrackingSpecification: { UdpStreamTimeout: 60 } }));
      await outcome(ec2.send(modify({ ConnectionTrackingSpecification: {} })));

      expect(state.NetworkInterfaces[0]?.ConnectionTrackingConfiguration).toEqual({
        TcpEstablishedTimeout: 60,
        UdpTimeout: 30,
        UdpStreamTimeout: 60,
      });
    }));

  it('sets timeouts on Nitro only', () =>
    inWorld(
      { Reservations: [{ Instances: [instanceOf(ids.instance, { InstanceType: 't2.micro' })] }] },
      async ({ ec2 }) => {
        const change = modify({ ConnectionTrackingSpecification: { UdpTimeout: 30 } });
        expect(await outcome(ec2.send(change))).toBe('UnsupportedOperation');
      },
    ));

  it.each([
    ['AuthFailure', { RequesterManaged: true }],
    ['AuthFailure', { InterfaceType: 'branch' }],
    ['OperationNotPermitted', { Operator: { Managed: true, Principal: 'eks.amazonaws.com' } }],
    ['UnauthorizedOperation', { OwnerId: '444455556666' }],
  ])('answers %s for an interface that is not ours to change', (code, over) =>
    inWorld({ NetworkInterfaces: [interfaceOf(ids.eni, ids.instance, over)] }, async ({ ec2, state }) => {
      expect(await outcome(ec2.send(modify({ Groups: [ids.defaultGroup] })))).toBe(code);
      expect(state.NetworkInterfaces[0]?.Groups[0]?.GroupId).toBe(ids.web);
    }),
  );

  it('leaves the interfaces of a managed instance alone', () => {
    const Operator = { Managed: true, Principal: 'eks.amazonaws.com' };
    return inWorld({ Reservations: [{ Instances: [instanceOf(ids.instance, { Operator })] }] }, async ({ ec2 }) => {
      expect(await outcome(ec2.send(modify({ Groups: [ids.defaultGroup] })))).toBe('OperationNotPermitted');
    });
  });

  it('changes DeleteOnTermination of its attachment', () =>
    inWorld({}, async ({ ec2, state }) => {
      const AttachmentId = state.NetworkInterfaces[0]?.Attachment?.AttachmentId;
      await ec2.send(modify({ Attachment: { AttachmentId, DeleteOnTermination: false } }));

      expect(state.NetworkInterfaces[0]?.Attachment?.DeleteOnTermination).toBe(false);
    }));
});

describe('DescribeNetworkInterfaces', () => {
  const many = Array.from({ length: 12 }, (_, i) =>
    interfaceOf(`eni-000000000000001${String(i).padStart(2, '0')}`, ids.instance),
  );

  it('pages', () =>
    inWorld({ NetworkInterfaces: many }, async ({ ec2, world }) => {
      const seen: string[] = [];
      for await (const page of paginateDescribeNetworkInterfaces({ client: ec2, pageSize: 5 }, {})) {
        seen.push(...(page.NetworkInterfaces ?? []).map((eni) => eni.NetworkInterfaceId ?? ''));
      }

      expect(seen).toEqual(many.map((eni) => eni.NetworkInterfaceId));
      expect(world.calls().total).toBe(3);
    }));

  it.each([
    ['InvalidParameterValue', { MaxResults: 4 }],
    ['InvalidPaginationToken', { MaxResults: 5, NextToken: 'nonsense' }],
    ['InvalidParameterCombination', { MaxResults: 5, NetworkInterfaceIds: [ids.eni] }],
    ['InvalidNetworkInterfaceID.NotFound', { NetworkInterfaceIds: ['eni-0000000000000dead'] }],
    ['InvalidNetworkInterfaceId.Malformed', { NetworkInterfaceIds: ['eni'] }],
    ['InvalidParameterValue', { Filters: [{ Name: 'instance', Values: ['x'] }] }],
    ['InvalidParameterValue', { Filters: [{ Name: 'vpc-id' }] }],
  ])('answers %s', (code, input) =>
    inWorld({}, async ({ ec2 }) => {
      expect(await outcome(ec2.send(new DescribeNetworkInterfacesCommand(input)))).toBe(code);
    }),
  );

  it.each([
    [1, { Name: 'attachment.instance-id', Values: [ids.instance] }],
    [2, { Name: 'vpc-id', Values: ['vpc-*'] }],
    [0, { Name: 'vpc-id', Values: ['vpc-\\*'] }],
    [1, { Name: 'tag:team', Values: ['blue', 'red'] }],
    [1, { Name: 'tag-key', Values: ['team'] }],
    [2, { Name: 'requester-managed', Values: ['false'] }],
  ])('finds %i by %o', (count, filter) =>
    inWorld(
      {
        NetworkInterfaces: [
          interfaceOf(ids.eni, ids.instance, { TagSet: [{ Key: 'team', Value: 'red' }] }),
          interfaceOf(ids.secondEni, ids.spot),
        ],
      },
      async ({ ec2 }) => {
        const { NetworkInterfaces } = await ec2.send(new DescribeNetworkInterfacesCommand({ Filters: [filter] }));
        expect(NetworkInterfaces).toHaveLength(count);
      },
    ),
  );
});

describe('instances', () => {
  it('take groups as a whole only with one interface', () =>
    inWorld({}, async ({ ec2, state }) => {
      const change = new ModifyInstanceAttributeCommand({ InstanceId: ids.instance, Groups: [ids.defaultGroup] });
      await ec2.send(change);
      expect(state.NetworkInterfaces[0]?.Groups).toEqual([{ GroupId: ids.defaultGroup, GroupName: 'default' }]);

      state.NetworkInterfaces.push(interfaceOf(ids.secondEni, ids.instance));
      expect(await outcome(ec2.send(change))).toBe('InvalidInstanceID');
    }));

  it('have termination protection, but not on Spot', () =>
    inWorld(
      {
        Reservations: [{ Instances: [instanceOf(ids.instance), instanceOf(ids.spot, { InstanceLifecycle: 'spot' })] }],
      },
      async ({ ec2 }) => {
        const protect = (InstanceId: string) =>
          outcome(ec2.send(new ModifyInstanceAttributeCommand({ InstanceId, DisableApiTermination: { Value: true } })));
        const read = new DescribeInstanceAttributeCommand({
          InstanceId: ids.instance,
          Attribute: 'disableApiTermination',
        });

        expect((await ec2.send(read)).DisableApiTermination).toEqual({ Value: false });
        expect(await protect(ids.instance)).toBe('ok');
        expect((await ec2.send(read)).DisableApiTermination).toEqual({ Value: true });
        expect(await protect(ids.spot)).toBe('UnsupportedOperation');
      },
    ));

  it('stop over half a minute, which ends their sockets at once', () =>
    inWorld({}, async ({ ec2, clock, world }) => {
      const stateName = async () => {
        const { Reservations } = await ec2.send(new DescribeInstancesCommand({}));
        return Reservations?.[0]?.Instances?.[0]?.State?.Name;
      };
      const { StoppingInstances } = await ec2.send(new StopInstancesCommand({ InstanceIds: [ids.instance] }));

      expect(StoppingInstances).toMatchObject([
        { PreviousState: { Name: 'running' }, CurrentState: { Name: 'stopping' } },
      ]);
      expect(world.physics.told).toEqual([`stopped ${ids.instance}`]);
      expect(await stateName()).toBe('stopping');
      await clock.sleep(30);
      expect(await stateName()).toBe('stopped');
    }));

  it('that are protected from stopping stay', () =>
    inWorld({ InstanceAttributes: { [ids.instance]: { DisableApiStop: true } } }, async ({ ec2, world }) => {
      expect(await outcome(ec2.send(new StopInstancesCommand({ InstanceIds: [ids.instance] })))).toBe(
        'OperationNotPermitted',
      );
      expect(world.physics.told).toEqual([]);
    }));

  it('are running where the file does not say', () =>
    inWorld({ Reservations: [{ Instances: [{ InstanceId: ids.instance }] }] }, async ({ ec2 }) => {
      const { Reservations } = await ec2.send(
        new DescribeInstancesCommand({ Filters: [{ Name: 'instance-state-name', Values: ['running'] }] }),
      );

      expect(Reservations?.[0]).toMatchObject({ OwnerId: ids.account, Instances: [{ State: { Name: 'running' } }] });
    }));
});
