import {
  CreateSnapshotsCommand,
  CreateTagsCommand,
  DeleteSnapshotCommand,
  DeleteTagsCommand,
  DescribeManagedPrefixListsCommand,
  DescribeRouteTablesCommand,
  DescribeSnapshotsCommand,
  DescribeSubnetsCommand,
  DescribeTagsCommand,
  DescribeVpcEndpointsCommand,
  DescribeVpcsCommand,
  GetManagedPrefixListEntriesCommand,
} from '@aws-sdk/client-ec2';
import { describe, expect, it } from 'vitest';
import { ids, instanceOf, inWorld, outcome } from './small-world.ts';

describe('tags', () => {
  const tag = (Resources: string[], Key = 'flowcut', Value = 'case') =>
    new CreateTagsCommand({ Resources, Tags: [{ Key, Value }] });

  it('are put on everything that has them, replaced, listed and taken off', () =>
    inWorld({}, async ({ ec2 }) => {
      await ec2.send(tag([ids.instance, ids.eni, ids.web, ids.acl, ids.subnet, ids.vpc]));
      await ec2.send(tag([ids.instance], 'flowcut', 'other'));

      const { Tags } = await ec2.send(new DescribeTagsCommand({ Filters: [{ Name: 'value', Values: ['other'] }] }));
      expect(Tags).toEqual([{ Key: 'flowcut', ResourceId: ids.instance, ResourceType: 'instance', Value: 'other' }]);
      const remove = (Value?: string) =>
        ec2.send(
          new DeleteTagsCommand({ Resources: [ids.instance], Tags: [{ Key: 'flowcut', ...(Value && { Value }) }] }),
        );
      await remove('case');
      expect((await ec2.send(new DescribeTagsCommand({}))).Tags).toHaveLength(6);
      await remove();
      expect((await ec2.send(new DescribeTagsCommand({}))).Tags).toHaveLength(5);
    }));

  it.each([
    ['InvalidInstanceID.NotFound', tag(['i-0000000000000dead'])],
    ['InvalidInstanceID.Malformed', tag(['i-x'])],
    ['InvalidID', tag(['x'])],
    ['InvalidParameterValue', tag([ids.instance], 'aws:x')],
    ['InvalidParameterValue', tag([ids.instance], 'x'.repeat(129))],
    ['MissingParameter', tag([])],
  ])('are refused with %s', (code, command) =>
    inWorld({}, async ({ ec2 }) => {
      expect(await outcome(ec2.send(command))).toBe(code);
    }),
  );

  it('are changed on all resources or on none', () =>
    inWorld({}, async ({ ec2, state }) => {
      await outcome(ec2.send(tag([ids.instance, 'i-0000000000000dead'])));

      expect(state.Reservations[0]?.Instances[0]?.Tags).toBeUndefined();
    }));

  it('end at fifty', () =>
    inWorld({}, async ({ ec2 }) => {
      const Tags = Array.from({ length: 51 }, (_, i) => ({ Key: `k${i}`, Value: '' }));
      expect(await outcome(ec2.send(new CreateTagsCommand({ Resources: [ids.eni], Tags })))).toBe('TagLimitExceeded');
    }));
});

describe('snapshots', () => {
  const volumes = instanceOf(ids.instance, {
    RootDeviceName: '/dev/xvda',
    BlockDeviceMappings: [
      { DeviceName: '/dev/xvda', Ebs: { VolumeId: 'vol-00000000000000001' } },
      { DeviceName: '/dev/sdb', Ebs: { VolumeId: 'vol-00000000000000002' } },
    ],
  });

  it('are made of every volume, and complete later', () =>
    inWorld({ Reservations: [{ Instances: [volumes] }] }, async ({ ec2, clock, world }) => {
      const { Snapshots } = await ec2.send(
        new CreateSnapshotsCommand({
          InstanceSpecification: { InstanceId: ids.instance },
          Description: 'evidence',
          TagSpecifications: [{ ResourceType: 'snapshot', Tags: [{ Key: 'case', Value: '1' }] }],
        }),
      );
      expect(Snapshots).toMatchObject([
        { VolumeId: 'vol-00000000000000001', State: 'pending', StartTime: new Date('2026-01-15T10:00:00.200Z') },
        { VolumeId: 'vol-00000000000000002' },
      ]);

      await clock.sleep(300);
      const filter = {
        OwnerIds: ['self'],
        Filters: [
          { Name: 'tag:case', Values: ['1'] },
          { Name: 'status', Values: ['completed'] },
        ],
      };
      expect((await ec2.send(new DescribeSnapshotsCommand(filter))).Snapshots).toHaveLength(2);
      expect(world.snapshot()).toMatchObject({ Snapshots: [{ State: 'completed' }, { State: 'completed' }] });
      const remove = new DeleteSnapshotCommand({ SnapshotId: Snapshots?.[0]?.SnapshotId });
      expect([await outcome(ec2.send(remove)), await outcome(ec2.send(remove))]).toEqual([
        'ok',
        'InvalidSnapshot.NotFound',
      ]);
    }));

  it('leave out what is excluded, and must have something left', () =>
    inWorld({ Reservations: [{ Instances: [volumes] }] }, async ({ ec2 }) => {
      const make = (ExcludeDataVolumeIds: string[]) =>
        ec2.send(
          new CreateSnapshotsCommand({
            InstanceSpecification: { InstanceId: ids.instance, ExcludeBootVolume: true, ExcludeDataVolumeIds },
          }),
        );
      expect((await make([])).Snapshots).toHaveLength(1);
      expect(await outcome(make(['vol-00000000000000002']))).toBe('InvalidParameterValue');
    }));
});

describe('networks', () => {
  const routes = {
    RouteTables: [
      {
        RouteTableId: 'rtb-00000000000000001',
        VpcId: ids.vpc,
        Associations: [{ SubnetId: ids.subnet }],
        Routes: [{ DestinationCidrBlock: '0.0.0.0/0', GatewayId: 'igw-00000000000000001' }],
      },
      { RouteTableId: 'rtb-00000000000000002', VpcId: ids.vpc, Associations: [{ Main: true }] },
    ],
  };

  it('are found by the filters that a responder needs', () =>
    inWorld(routes, async ({ ec2 }) => {
      const tables = async (Name: string, value: string) => {
        const { RouteTables } = await ec2.send(
          new DescribeRouteTablesCommand({ Filters: [{ Name, Values: [value] }] }),
        );
        return RouteTables?.map((table) => table.RouteTableId?.at(-1)).join('');
      };
      expect(await tables('association.subnet-id', ids.subnet)).toBe('1');
      expect(await tables('association.main', 'true')).toBe('2');
      expect(await tables('route.gateway-id', 'igw-*')).toBe('1');
      expect(await tables('vpc-id', ids.vpc)).toBe('12');
      const { RouteTables } = await ec2.send(
        new DescribeRouteTablesCommand({ RouteTableIds: ['rtb-00000000000000001'] }),
      );
      expect(RouteTables?.[0]?.Routes).toMatchObject([{ State: 'active' }]);
    }));

  it('show prefix lists without their entries, which come in pages', () =>
    inWorld({}, async ({ ec2 }) => {
      const { PrefixLists } = await ec2.send(new DescribeManagedPrefixListsCommand({}));
      expect(PrefixLists).toMatchObject([{ PrefixListName: 'office' }]);
      expect(PrefixLists?.[0]).not.toHaveProperty('Entries');

      const read = (NextToken?: string) =>
        ec2.send(new GetManagedPrefixListEntriesCommand({ PrefixListId: ids.prefixList, MaxResults: 1, NextToken }));
      const first = await read();
      expect(first.Entries).toEqual([{ Cidr: '192.0.2.0/24' }]);
      expect((await read(first.NextToken)).Entries).toEqual([{ Cidr: '198.51.100.0/24' }]);
    }));

  it.each([
    ['InvalidSubnetID.NotFound', new DescribeSubnetsCommand({ SubnetIds: ['subnet-0000000000000dead'] })],
    ['InvalidVpcID.NotFound', new DescribeVpcsCommand({ VpcIds: ['vpc-0000000000000dead'] })],
    ['InvalidRouteTableID.NotFound', new DescribeRouteTablesCommand({ RouteTableIds: ['rtb-0000000000000dead'] })],
    ['InvalidVpcEndpointId.NotFound', new DescribeVpcEndpointsCommand({ VpcEndpointIds: ['vpce-0000000000000dead'] })],
    ['InvalidPrefixListID.NotFound', new GetManagedPrefixListEntriesCommand({ PrefixListId: 'pl-0000000000000dead' })],
    ['InvalidParameterValue', new DescribeVpcsCommand({ Filters: [{ Name: 'colour', Values: ['red'] }] })],
  ])('answer %s', (code, command) =>
    inWorld({}, async ({ ec2 }) => {
      expect(await outcome(ec2.send(command as DescribeSubnetsCommand))).toBe(code);
    }),
  );
});
