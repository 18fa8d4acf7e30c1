import { describe, expect, it } from 'vitest';
import { parseHostOutput } from '../../../functions/core/host/host-protocol.ts';
import { bench, ids, theShell, theWorld, truthOf } from './fixtures.ts';

const slow = { ...theShell, PacketEverySeconds: 100 };
const lowered = theWorld.NetworkInterfaces.map((eni) => ({
  ...eni,
  ConnectionTrackingConfiguration: { TcpEstablishedTimeout: 60, UdpTimeout: 30, UdpStreamTimeout: 60 },
}));

describe('EntryTimeoutSeconds', () => {
  it.each([
    { title: 'without it the interface counts', flow: slow, stoppedBy: 'expiry' },
    {
      title: 'an entry from before the timer was lowered lives on',
      flow: { ...slow, EntryTimeoutSeconds: 432_000 },
      stoppedBy: null,
    },
    {
      title: 'of UDP it is the stream timer',
      flow: { ...slow, Protocol: 'udp', EntryTimeoutSeconds: 180 },
      stoppedBy: null,
    },
    {
      title: 'a lowered timer that applies to old entries takes it back',
      flow: { ...slow, EntryTimeoutSeconds: 432_000 },
      assumptions: { LoweredTimeoutAppliesToExisting: true },
      stoppedBy: 'expiry',
    },
  ])('$title', ({ flow, assumptions = {}, stoppedBy }) => {
    const on = bench({
      ...theWorld,
      NetworkInterfaces: lowered,
      Flows: [flow],
      Assumptions: { PropagationSeconds: 0, ...assumptions },
    });

    on.swap(10, ids.isolation);

    expect(truthOf(on).stoppedBy).toBe(stoppedBy);
  });

  it('lengthens the time for which the world runs on', () => {
    const on = bench({
      ...theWorld,
      NetworkInterfaces: lowered,
      Flows: [{ ...theShell, PacketEverySeconds: null, WakesAtSeconds: 400_000, EntryTimeoutSeconds: 432_000 }],
    });

    on.swap(10, ids.isolation);

    expect(truthOf(on)).toMatchObject({ stoppedBy: null, lastPacketAt: expect.any(Number) });
  });
});

describe('a flow that is on no host list', () => {
  const hidden = {
    ...theWorld,
    Flows: [
      { ...theShell, OnHostLists: false },
      { ...theShell, LocalPort: 2 },
    ],
  };

  it('is neither listed nor closed nor dropped by the host, and the list looks whole', () => {
    const on = bench(hidden);

    const answer = on.command(10, 'cut', '198.51.100.7').answer(13);
    on.physics.closeSockets(ids.instance, '198.51.100.7', 20);

    const parsed = parseHostOutput(answer?.stdout ?? '', { verb: 'cut', caseId: 'case-1' });
    expect(parsed).toMatchObject({ kind: 'evidence', verdict: { listed: 1, omitted: 0, errors: [] } });
    expect(truthOf(on, 0)).toMatchObject({ stoppedBy: null });
    expect(truthOf(on, 1)).toMatchObject({ stoppedBy: 'host' });
  });

  it('is stopped by the network like any other, and ends with the machine', () => {
    const denied = bench(hidden);
    const off = bench(hidden);

    denied.deny(10);
    off.physics.advanceTo(10);
    off.physics.instanceStopped(ids.instance);

    expect(truthOf(denied).stoppedBy).toBe('nacl');
    expect(truthOf(off).stoppedBy).toBe('host');
  });
});

describe("the agent's own connection", () => {
  const withAgent = { ...theWorld, Hosts: [{ InstanceId: ids.instance, AgentConnection: true }] };
  const agentOf = (on: ReturnType<typeof bench>) =>
    on.physics.truthNow().find(({ name }) => name === `SSM agent of ${ids.instance}`);

  it('ticks once a minute, survives the host cut and the group swap, and lets the agent answer', () => {
    const on = bench(withAgent);
    on.command(1, 'cut', '198.51.100.7').answer(4);

    on.swap(10, ids.isolation);
    const late = on.command(100, 'verify').answer(103);

    expect(late?.status).toBe('Success');
    on.physics.advanceTo(600);
    expect(agentOf(on)).toMatchObject({ lastPacketAt: 600, stoppedBy: null, localPorts: [48_620] });
  });

  it('is not on the list of the script', () => {
    const on = bench(withAgent);

    const { stdout = '' } = on.command(10, 'list').answer(13) ?? {};

    expect(stdout).not.toContain('52.94.0.10');
    expect(stdout).toContain('198.51.100.7');
  });

  it('is lost under a deny of its endpoint: the agent is out of touch once it is isolated', () => {
    const on = bench(withAgent);

    on.deny(5, 'both', '52.94.0.10');
    on.swap(10, ids.isolation);

    expect(on.command(20, 'verify').answer(1000)).toBeNull();
    expect(agentOf(on)?.stoppedBy).toBe('nacl');
  });

  it('ends for good when it is closed after the swap', () => {
    const on = bench(withAgent);

    on.swap(10, ids.isolation);
    on.physics.closeAgentConnection(ids.instance, 70);
    on.physics.advanceTo(4000);

    expect(agentOf(on)).toMatchObject({ lastPacketAt: 60, stoppedBy: 'host', revivedAt: null });
    expect(on.command(4001, 'verify').answer(5000)).toBeNull();
  });

  it('is made anew when it is closed before the swap: closing comes after isolating', () => {
    const on = bench(withAgent);

    on.physics.closeAgentConnection(ids.instance, 70);
    on.physics.advanceTo(100);
    on.swap(110, ids.isolation);
    on.physics.advanceTo(1000);

    expect(agentOf(on)).toMatchObject({ stoppedBy: null });
    expect(agentOf(on)?.localPorts).toHaveLength(2);
  });

  it.each([
    { title: 'a kernel that closes sockets', over: {} },
    { title: 'one that closes none: its service starts anew', over: { SocketKill: false } },
    { title: 'a host that hides flows, but not its agent', over: { AgentLies: 'hides' } },
    { title: 'a host whose answer nobody can read', over: { AgentLies: 'garbage' } },
  ])('ends after its answer where the host is asked to close it: $title', ({ over }) => {
    const on = bench({ ...theWorld, Hosts: [{ InstanceId: ids.instance, AgentConnection: true, ...over }] });
    on.swap(10, ids.isolation);

    const asked = on.command(70, 'close-agent');

    expect(asked.answer(74)?.status).toBe('Success');
    on.physics.advanceTo(4000);
    expect(agentOf(on)).toMatchObject({ lastPacketAt: 60, stoppedBy: 'host', revivedAt: null });
    expect(on.command(4001, 'verify').answer(5000)).toBeNull();
  });

  it.each([
    { title: 'an agent that does not answer', over: { AgentAnswers: false } },
    { title: 'a host that only claims to', over: { AgentLies: 'claims-success' } },
  ])('goes on whatever it is asked: $title', ({ over }) => {
    const on = bench({ ...theWorld, Hosts: [{ InstanceId: ids.instance, AgentConnection: true, ...over }] });
    on.swap(10, ids.isolation);

    on.command(70, 'close-agent');
    on.physics.advanceTo(4000);

    expect(agentOf(on)).toMatchObject({ lastPacketAt: 3960, stoppedBy: null });
  });

  it('is closed again where it was made anew before the swap took effect', () => {
    const on = bench(withAgent);
    on.command(5, 'close-agent');

    on.swap(20, ids.isolation);
    on.physics.advanceTo(4000);

    expect(agentOf(on)).toMatchObject({ stoppedBy: 'host' });
    expect(agentOf(on)?.localPorts.length).toBeGreaterThan(1);
  });

  it('is judged anew by the groups where a root attacker opens it again', () => {
    const on = bench({ ...theWorld, Hosts: [{ InstanceId: ids.instance, AgentConnection: true, RootAttacker: true }] });
    on.swap(10, ids.isolation);

    on.command(70, 'close-agent');
    on.physics.advanceTo(4000);

    expect(agentOf(on)).toMatchObject({ lastPacketAt: 60, revivedAt: null });
    expect(agentOf(on)?.localPorts.length).toBeGreaterThan(1);
  });

  it('lets the agent answer again once the groups are back', () => {
    const on = bench(withAgent);
    on.swap(10, ids.isolation);
    on.command(70, 'close-agent');
    on.physics.advanceTo(4000);

    on.swap(4000, ids.group);

    expect(on.command(4010, 'undo').answer(4060)?.status).toBe('Success');
  });

  it('goes to the endpoint that the file names', () => {
    const on = bench({
      ...theWorld,
      Hosts: [{ InstanceId: ids.instance, AgentConnection: true, AgentEndpoint: '2001:db8:ffff::443' }],
    });

    expect(on.world.Flows[1]).toMatchObject({
      Name: `SSM agent of ${ids.instance}`,
      Malicious: false,
      LocalAddress: '2001:db8:1::10',
      LocalPort: 48_620,
      RemoteAddress: '2001:db8:ffff::443',
      RemotePort: 443,
      PacketEverySeconds: 60,
    });
  });

  it.each([
    { title: 'an instance that Systems Manager does not know', over: { InstanceInformationList: [] } },
    { title: 'a host that says so', over: { Hosts: [{ InstanceId: ids.instance, AgentConnection: false }] } },
  ])('does not exist on $title', ({ over }) => {
    expect(bench({ ...withAgent, ...over }).world.Flows).toHaveLength(1);
  });

  it('is there once when a final state is fed back', () => {
    const { world } = bench(withAgent);

    expect(bench(JSON.parse(JSON.stringify(world)) as object).world.Flows).toEqual(world.Flows);
  });
});

describe('a secondary interface', () => {
  const secondary = 'si-0000000000000f001';
  const withSecondary = {
    ...theWorld,
    Reservations: [
      {
        Instances: [
          {
            InstanceId: ids.instance,
            SecondaryInterfaces: [
              { SecondaryInterfaceId: secondary, PrivateIpAddresses: [{ PrivateIpAddress: '172.31.9.9' }] },
            ],
          },
        ],
      },
    ],
    Flows: [{ ...theShell, NetworkInterfaceId: secondary, LocalAddress: undefined }],
  };

  it('carries flows that no group, no ACL and no flow log sees', () => {
    const on = bench(withSecondary, true);

    on.deny(10);
    on.swap(12, ids.isolation);

    expect(on.world.Flows[0]).toMatchObject({ NetworkInterfaceId: secondary, LocalAddress: '172.31.9.9' });
    expect(on.physics.flowLogRecords(ids.eni, 0, 59, 1000).join()).not.toContain('198.51.100.7');
    expect(truthOf(on)).toMatchObject({ stoppedBy: null });
  });

  it('is reached by the host cut', () => {
    const on = bench(withSecondary);

    on.command(10, 'cut', '198.51.100.7').answer(13);

    expect(truthOf(on)).toMatchObject({ stoppedBy: 'host' });
  });
});

describe('NaclDroppedIngressRefreshes', () => {
  const customer = {
    ...theShell,
    Protocol: 'udp',
    OpenedBy: 'remote',
    PacketEverySeconds: 100,
    LocalPort: 22,
    RemoteAddress: '203.0.113.9',
  };

  it.each([
    { refreshes: true, stoppedBy: null },
    { refreshes: false, stoppedBy: 'expiry' },
  ])('$refreshes: what the ACL drops on the way in keeps the entry', ({ refreshes, stoppedBy }) => {
    const on = bench({
      ...theWorld,
      Flows: [customer],
      Assumptions: { PropagationSeconds: 0, NaclDroppedIngressRefreshes: refreshes, NaclDroppedEgressRefreshes: false },
    });

    on.deny(10, 'both', '203.0.113.9');
    on.swap(10, ids.isolation);
    on.lift(1000);
    on.physics.advanceTo(2000);

    expect(on.physics.truthNow()[0]?.stoppedBy).toBe(stoppedBy);
  });
});

describe('a path that is tracked automatically', () => {
  const open = theWorld.NetworkInterfaces.map((eni) => ({ ...eni, Groups: [{ GroupId: ids.open }] }));
  const inbound = { ...theShell, OpenedBy: 'remote', LocalPort: 443, RemoteAddress: '203.0.113.9', RemotePort: 40_000 };
  const group = { TargetGroupArn: 'arn:aws:elasticloadbalancing:x:1:targetgroup/t/1', Protocol: 'TCP', Port: 443 };
  const targets = (over: object, target: object = { Id: ids.instance }) => ({
    TargetGroups: [{ ...group, ...over }],
    TargetHealth: [{ TargetGroupArn: group.TargetGroupArn, Target: target, TargetHealth: { State: 'draining' } }],
  });
  const accelerator = (SubnetId: string) => ({
    NetworkInterfaces: [
      ...open,
      {
        NetworkInterfaceId: 'eni-000000000000000ac',
        SubnetId,
        VpcId: ids.vpc,
        InterfaceType: 'global_accelerator_managed',
        PrivateIpAddresses: [{ PrivateIpAddress: '10.0.1.99' }],
      },
    ],
    Subnets: [...theWorld.Subnets, { SubnetId: ids.otherSubnet, VpcId: ids.vpc, CidrBlock: '10.0.2.0/24' }],
  });

  it.each([
    { title: 'an ordinary inbound flow is cut', over: {}, goesOn: false },
    { title: 'a draining target of a Network Load Balancer goes on', over: targets({}), goesOn: true },
    { title: 'also one that is registered by address', over: targets({}, { Id: '10.0.1.10' }), goesOn: true },
    { title: 'not another port', over: targets({}, { Id: ids.instance, Port: 8443 }), goesOn: false },
    { title: 'not an Application Load Balancer', over: targets({ Protocol: 'HTTPS' }), goesOn: false },
    { title: 'an accelerator in the subnet goes on', over: accelerator(ids.subnet), goesOn: true },
    { title: 'an accelerator elsewhere does not', over: accelerator(ids.otherSubnet), goesOn: false },
  ])('$title', ({ over, goesOn }) => {
    const on = bench({ ...theWorld, NetworkInterfaces: open, Flows: [inbound], ...over });

    on.swap(10, ids.isolation);

    expect(truthOf(on).stoppedBy === null).toBe(goesOn);
  });

  it.each([
    { family: 'IPv4', peer: '10.0.1.44', remote: '10.0.1.44' },
    { family: 'IPv6', peer: '2001:db8:1::44', remote: '2001:db8:1::44' },
  ])(
    'a balancer of the VPC is known by its $family address, not one of another VPC with the same',
    ({ peer, remote }) => {
      const node = (id: string, VpcId: string, SubnetId: string) => ({
        NetworkInterfaceId: id,
        VpcId,
        SubnetId,
        InterfaceType: 'network_load_balancer',
        Groups: [{ GroupId: ids.open }],
        ...(peer.includes(':')
          ? { Ipv6Addresses: [{ Ipv6Address: peer }] }
          : { PrivateIpAddresses: [{ PrivateIpAddress: peer }] }),
      });
      const flow = { ...theShell, LocalAddress: undefined, RemoteAddress: remote };
      const elsewhere = node('eni-000000000000000bb', 'vpc-000000000000000ff', 'subnet-000000000000000ff');
      const world = { ...theWorld, Vpcs: [...theWorld.Vpcs, { VpcId: 'vpc-000000000000000ff' }], Flows: [flow] };
      const subnets = [...theWorld.Subnets, { SubnetId: 'subnet-000000000000000ff', VpcId: 'vpc-000000000000000ff' }];
      const here = bench({
        ...world,
        Subnets: subnets,
        NetworkInterfaces: [elsewhere, ...open, node('eni-000000000000000aa', ids.vpc, ids.subnet)],
      });
      const there = bench({ ...world, Subnets: subnets, NetworkInterfaces: [elsewhere, ...open] });

      here.swap(10, ids.isolation);
      there.swap(10, ids.isolation);

      // The load balancer's own groups stay open, and it holds the flow on its side.
      expect(truthOf(here).stoppedBy).toBeNull();
      expect(truthOf(there).stoppedBy).not.toBeNull();
    },
  );

  it('a NAT64 peer is routed like any public one: tracked behind a NAT gateway, and denied by its IPv6 address', () => {
    const peer = '64:ff9b::c633:64c8';
    const behindNat = {
      ...theWorld,
      NetworkInterfaces: open,
      Flows: [{ ...theShell, LocalAddress: undefined, RemoteAddress: peer }],
      RouteTables: [
        {
          RouteTableId: ids.routes,
          VpcId: ids.vpc,
          Associations: [{ Main: true }],
          Routes: [{ DestinationIpv6CidrBlock: '64:ff9b::/96', NatGatewayId: 'nat-00000000000000001' }],
        },
      ],
    };
    const swapped = bench(behindNat);
    const denied = bench(behindNat);

    swapped.swap(10, ids.isolation);
    denied.deny(10, 'both', peer);

    expect(truthOf(swapped).stoppedBy).toBeNull();
    expect(truthOf(denied).stoppedBy).toBe('nacl');
  });
});
