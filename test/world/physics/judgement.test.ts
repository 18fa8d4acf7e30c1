import { describe, expect, it } from 'vitest';
import type { WorldFile } from '../../../local/world/parse-world.ts';
import { bench, ids, theShell, theWorld, withNeighbour } from './fixtures.ts';

const everywhere = [{ CidrIp: '0.0.0.0/0' }];
const all = { IpProtocol: '-1', IpRanges: everywhere };
const tcp = (FromPort: number, ToPort: number, IpRanges = everywhere) => ({
  IpProtocol: 'tcp',
  FromPort,
  ToPort,
  IpRanges,
});

const withRules = (IpPermissions: object[], IpPermissionsEgress: object[], members: object = {}) => ({
  ...theWorld,
  SecurityGroups: [
    { GroupId: ids.group, IpPermissions, IpPermissionsEgress },
    { GroupId: ids.isolation },
    { GroupId: ids.open },
  ],
  ...members,
});
const remoteSsh = { OpenedBy: 'remote', LocalPort: 22, RemoteAddress: '203.0.113.9', RemotePort: 50_000 };
const flows = (members: object) => ({ Flows: [{ ...theShell, ...members }] });
const routed = (...Routes: object[]) => ({ RouteTables: [{ ...theWorld.RouteTables[0], Routes }] });
const endpoint = (type: string, service: string) => ({
  VpcEndpoints: [
    {
      VpcEndpointId: 'vpce-00000000000000001',
      VpcEndpointType: type,
      ServiceName: `com.amazonaws.eu-central-1.${service}`,
    },
  ],
  ManagedPrefixLists: [{ PrefixListId: 'pl-00000001', Entries: [{ Cidr: '198.51.100.0/24' }] }],
  ...routed(
    { DestinationCidrBlock: '0.0.0.0/0', GatewayId: 'igw-1' },
    { DestinationPrefixListId: 'pl-00000001', GatewayId: 'vpce-00000000000000001' },
  ),
});

describe('a flow is tracked', () => {
  it.each([
    { title: 'all out, nothing in', world: withRules([], [all]), tracked: true },
    { title: 'all out, all in', world: withRules([all], [all]), tracked: false },
    { title: 'all out, every TCP port in', world: withRules([tcp(0, 65_535)], [all]), tracked: false },
    {
      title: 'all out, TCP without ports in',
      world: withRules([{ IpProtocol: 'tcp', IpRanges: everywhere }], [all]),
      tracked: false,
    },
    { title: 'all out, TCP ports from 1 in', world: withRules([tcp(1, 65_535)], [all]), tracked: true },
    {
      title: 'all out, every UDP port in',
      world: withRules([{ ...tcp(0, 65_535), IpProtocol: 'udp' }], [all]),
      tracked: true,
    },
    { title: 'its port out, all in', world: withRules([all], [tcp(4444, 4444)]), tracked: false },
    {
      title: 'another port out, all in: at 0 it has an entry',
      world: withRules([all], [tcp(443, 443)]),
      tracked: true,
    },
    {
      title: 'one address out, all in',
      world: withRules([all], [tcp(4444, 4444, [{ CidrIp: '198.51.100.7/32' }])]),
      tracked: true,
    },
    {
      title: 'IPv6 everywhere is not IPv4 everywhere',
      world: withRules([{ IpProtocol: '-1', Ipv6Ranges: [{ CidrIpv6: '::/0' }] }], [all]),
      tracked: true,
    },
    { title: 'no rule for it at all: at 0 it has an entry', world: withRules([], []), tracked: true },
    {
      title: 'SSH from one network',
      world: withRules([tcp(22, 22, [{ CidrIp: '203.0.113.0/24' }])], [all], flows(remoteSsh)),
      tracked: true,
    },
    { title: 'SSH from everywhere, all out', world: withRules([tcp(22, 22)], [all], flows(remoteSsh)), tracked: false },
    {
      title: 'SSH from everywhere, HTTPS out',
      world: withRules([tcp(22, 22)], [tcp(443, 443)], flows(remoteSsh)),
      tracked: true,
    },
    {
      title: 'a prefix list with everything in it',
      world: withRules([{ IpProtocol: '-1', PrefixListIds: [{ PrefixListId: 'pl-00000001' }] }], [all], {
        ManagedPrefixLists: [{ PrefixListId: 'pl-00000001', Entries: [{ Cidr: '0.0.0.0/0' }] }],
      }),
      tracked: true,
    },
    {
      title: 'NAT gateway',
      world: withRules([all], [all], routed({ DestinationCidrBlock: '0.0.0.0/0', NatGatewayId: 'nat-1' })),
      tracked: true,
    },
    {
      title: 'NAT gateway, but a longer prefix past it',
      world: withRules(
        [all],
        [all],
        routed(
          { DestinationCidrBlock: '0.0.0.0/0', NatGatewayId: 'nat-1' },
          { DestinationCidrBlock: '198.51.100.0/24', GatewayId: 'igw-1' },
        ),
      ),
      tracked: false,
    },
    {
      title: 'DynamoDB gateway endpoint',
      world: withRules([all], [all], endpoint('Gateway', 'dynamodb')),
      tracked: true,
    },
    { title: 'S3 gateway endpoint', world: withRules([all], [all], endpoint('Gateway', 's3')), tracked: false },
    {
      title: 'firewall endpoint',
      world: withRules([all], [all], endpoint('GatewayLoadBalancer', 'vpce-svc-1')),
      tracked: true,
    },
    {
      title: 'transit gateway',
      world: withRules([all], [all], routed({ DestinationCidrBlock: '0.0.0.0/0', TransitGatewayId: 'tgw-1' })),
      tracked: false,
    },
  ])('$title: $tracked', ({ world, tracked }) => {
    const on = bench(world);

    on.swap(12, ids.isolation);
    on.physics.advanceTo(60);
    expect(on.physics.truthNow()[0]?.stoppedBy).toBe(tracked ? null : 'security-group');
  });

  it('through a load balancer for 350 s', () => {
    const world = withNeighbour('other subnet');
    const [own, neighbour] = world.NetworkInterfaces;
    const on = bench({
      ...world,
      NetworkInterfaces: [
        own,
        { ...neighbour, InterfaceType: 'network_load_balancer', Groups: [{ GroupId: ids.open }] },
      ],
      Flows: [{ ...theShell, RemoteAddress: '10.0.2.20', PacketEverySeconds: 351 }],
    });

    on.swap(12, ids.isolation);
    on.physics.advanceTo(400);

    expect(on.physics.truthNow()[0]).toMatchObject({ lastPacketAt: null, stoppedBy: 'expiry' });
  });
});

describe('an ACL', () => {
  const entry = (members: object) => ({
    RuleAction: 'deny',
    Egress: true,
    Protocol: '-1',
    CidrBlock: '198.51.100.7/32',
    RuleNumber: 50,
    ...members,
  });
  const drops = (entries: object[], flow: object = {}): boolean => {
    const on = bench({ ...theWorld, ...flows({ Protocol: 'udp', ...flow }) });
    on.change(2, ({ NetworkAcls }) => {
      NetworkAcls[0]?.Entries.push(...(entries as WorldFile['NetworkAcls'][number]['Entries']));
    });
    on.physics.advanceTo(60);
    return on.physics.truthNow()[0]?.stoppedBy === 'nacl';
  };
  const bothWays = (members: object) => [entry(members), entry({ ...members, Egress: false })];

  it.each([
    { title: 'a deny below the allow', entries: bothWays({}), dropped: true },
    { title: 'a deny above the allow', entries: bothWays({ RuleNumber: 200 }), dropped: false },
    {
      title: 'an allow below the deny',
      entries: [...bothWays({}), ...bothWays({ RuleNumber: 40, RuleAction: 'allow' })],
      dropped: false,
    },
    { title: 'a deny of TCP', entries: bothWays({ Protocol: '6' }), dropped: false },
    { title: 'a deny of UDP', entries: bothWays({ Protocol: '17' }), dropped: true },
    {
      title: 'a deny of the peer’s port out and ours in',
      entries: [
        entry({ Protocol: '17', PortRange: { From: 4444, To: 4444 } }),
        entry({ Protocol: '17', Egress: false, PortRange: { From: 51_000, To: 52_000 } }),
      ],
      dropped: true,
    },
    {
      title: 'a deny of the peer’s port both ways',
      entries: bothWays({ Protocol: '17', PortRange: { From: 4444, To: 4444 } }),
      dropped: false,
    },
    { title: 'a network that holds the peer', entries: bothWays({ CidrBlock: '198.51.96.0/20' }), dropped: true },
    { title: 'the peer next door', entries: bothWays({ CidrBlock: '198.51.100.8/32' }), dropped: false },
  ])('$title: $dropped', ({ entries, dropped }) => {
    expect(drops(entries)).toBe(dropped);
  });

  it('of echo requests out and echo replies in stops a ping', () => {
    const ping = { Protocol: 'icmp', LocalPort: null, RemotePort: null };
    const types = (out: number, back: number) => [
      entry({ Protocol: '1', IcmpTypeCode: { Type: out, Code: -1 } }),
      entry({ Protocol: '1', Egress: false, IcmpTypeCode: { Type: back, Code: -1 } }),
    ];

    expect(drops(types(8, 0), ping)).toBe(true);
    expect(drops(types(0, 8), ping)).toBe(false);
  });

  it('that no subnet names is the default of its VPC', () => {
    const [acl] = theWorld.NetworkAcls;
    const on = bench({ ...theWorld, NetworkAcls: [{ ...acl, IsDefault: true, Associations: [] }] });

    on.deny(12);
    on.physics.advanceTo(60);

    expect(on.physics.truthNow()[0]).toMatchObject({ lastPacketAt: 10, stoppedBy: 'nacl' });
  });
});

describe('a route', () => {
  it('that is a blackhole drops packets, which is no cause that the truth names', () => {
    const on = bench(theWorld);

    on.change(12, ({ RouteTables }) => {
      for (const table of RouteTables)
        table.Routes?.push({ DestinationCidrBlock: '198.51.100.0/24', State: 'blackhole' });
    });
    on.physics.advanceTo(2000);

    // Only the way out is closed: what the peer sends is still delivered until it gives up.
    expect(on.physics.truthNow()[0]).toMatchObject({ lastPacketAt: 819.6, stoppedBy: null });
  });

  it('that nobody lists lets packets pass', () => {
    const on = bench({ ...theWorld, RouteTables: [] });

    on.physics.advanceTo(12);

    expect(on.physics.truthNow()[0]?.lastPacketAt).toBe(10);
  });
});

describe('a peer in the world', () => {
  it('goes away with its instance', () => {
    const on = bench(withNeighbour('same subnet'));

    on.physics.advanceTo(12);
    on.physics.instanceStopped(ids.neighbour);
    on.physics.advanceTo(60);

    expect(on.physics.truthNow()[0]).toMatchObject({ lastPacketAt: 10, stoppedBy: 'host' });
  });

  it('judges a new connection by its own groups', () => {
    const world = withNeighbour('same subnet');
    const reach = (groupId: string): number | null => {
      const on = bench({ ...world, Hosts: [{ InstanceId: ids.instance, RootAttacker: true }] });
      on.swap(1, groupId, ids.neighbourEni);
      on.physics.closeSockets(ids.instance, '10.0.1.20', 7);
      on.physics.advanceTo(100);
      return on.physics.truthNow()[0]?.revivedAt ?? null;
    };

    expect(reach(ids.neighbourGroup)).toBe(37);
    expect(reach(ids.isolation)).toBeNull();
  });

  it('has a flow log of its own', () => {
    const on = bench(withNeighbour('other subnet'), true);

    const [line] = on.physics.flowLogRecords(ids.neighbourEni, 0, 59, 1000);

    expect(line).toContain(`${ids.neighbourEni} 10.0.1.10 10.0.2.20 51234 4444 6 11 704`);
  });
});

describe('an ENI that is detached', () => {
  it('sends nothing any more', () => {
    const on = bench(theWorld);

    on.change(12, ({ NetworkInterfaces }) => {
      for (const eni of NetworkInterfaces) delete eni.Attachment;
    });
    on.physics.advanceTo(60);

    expect(on.physics.truthNow()[0]).toMatchObject({ lastPacketAt: 10, stoppedBy: 'host' });
  });
});
