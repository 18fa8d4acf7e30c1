import { describe, expect, it } from 'vitest';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { ids, readEvent, refusedBy, shellAlone, twoInterfaces } from '../support/bench.ts';
import { simulate } from '../support/own-flow-log.ts';
import {
  addFlow,
  addInterface,
  deniedPeers,
  falselyStopped,
  findingWith,
  firstOf,
  flowNamed,
  fullAcl,
  hostWith,
  noAgent,
  openBothWays,
  passedAfterVerdict,
  withIpv6,
} from './claims.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const asking = (...remoteAddresses: readonly string[]) => ({ instanceId: ids.instance, remoteAddresses });

interface TrackedByPeer {
  readonly what: string;
  readonly peer: string;
  readonly local: string;
  readonly build: (world: WorldFile) => void;
}

const IPV6_ENDS = { peer: '2001:db8:10:1::40', local: '2001:db8:10:1::10' };
const OTHER_VPC = { VpcId: 'vpc-00000000000000a02', SubnetId: 'subnet-00000000000000b99' };
const PUBLIC_RANGE = '192.0.2.0/24';

/** The VPC has addresses that anybody on the internet could have, and the instance 192.0.2.10 of them. */
function publicRange(world: WorldFile): void {
  firstOf(world, 'Vpcs').CidrBlock = PUBLIC_RANGE;
  firstOf(world, 'Subnets').CidrBlock = '192.0.2.0/25';
  const table = firstOf(world, 'RouteTables');
  const internet = table.Routes?.filter(({ GatewayId }) => GatewayId !== 'local') ?? [];
  table.Routes = [{ DestinationCidrBlock: PUBLIC_RANGE, GatewayId: 'local' }, ...internet];
  Object.assign(firstOf(world, 'NetworkInterfaces'), {
    PrivateIpAddress: '192.0.2.10',
    PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: '192.0.2.10' }],
  });
}

const TRACKED_BY_PEER: readonly TrackedByPeer[] = [
  {
    what: 'an interface endpoint, over IPv6',
    ...IPV6_ENDS,
    build: (world) => {
      withIpv6(world);
      addInterface(world, 'vpc_endpoint', IPV6_ENDS.peer);
    },
  },
  {
    what: 'the node of a load balancer, over IPv6',
    ...IPV6_ENDS,
    build: (world) => {
      withIpv6(world);
      addInterface(world, 'network_load_balancer', IPV6_ENDS.peer);
    },
  },
  {
    what: 'the node of a load balancer, in a VPC of public addresses',
    peer: '192.0.2.40',
    local: '192.0.2.10',
    build: (world) => {
      publicRange(world);
      addInterface(world, 'network_load_balancer', '192.0.2.40');
    },
  },
  {
    what: 'an interface endpoint whose address a machine in another VPC has too',
    peer: '10.0.1.40',
    local: '10.0.1.10',
    build: (world) => {
      addInterface(world, 'vpc_endpoint', '10.0.1.40');
      world.Vpcs.push({ ...structuredClone(firstOf(world, 'Vpcs')), VpcId: OTHER_VPC.VpcId });
      world.Subnets.push({ ...structuredClone(firstOf(world, 'Subnets')), ...OTHER_VPC });
      addInterface(world, 'interface', '10.0.1.40', { ...OTHER_VPC, Groups: [] });
    },
  },
];

describe('a flow that its peer in the same subnet makes tracked, through a group that is open both ways', () => {
  const about = ({ peer, local }: Pick<TrackedByPeer, 'peer' | 'local'>) => {
    const version = peer.includes(':') ? 'V6' : 'V4';
    return findingWith(
      [`"ipAddressV4":"${ids.peer}"`, `"ipAddress${version}":"${peer}"`],
      ['"localIpDetails":{"ipAddressV4":"10.0.1.10"}', `"localIpDetails":{"ipAddress${version}":"${local}"}`],
    );
  };
  const worldOf = ({ peer, local, build }: TrackedByPeer, more: (world: WorldFile) => void = () => undefined) =>
    shellAlone((world) => {
      build(world);
      openBothWays(world);
      Object.assign(firstOf(world, 'Flows'), { RemoteAddress: peer, LocalAddress: local });
      more(world);
    });

  it.each(TRACKED_BY_PEER)('leaks, and is not called untracked: $what', async (tracked) => {
    const run = await simulate(worldOf(tracked, noAgent), about(tracked));

    const shell = flowNamed(run, 'reverse shell');
    expect(shell).toMatchObject({ tracking: 'auto-tracked', evidence: 'unproven', truth: { stoppedBy: null } });
    expect(passedAfterVerdict(run, shell)).toBe(true);
    expect(run.report).toMatchObject({ verdict: 'leaking', basis: [] });
  });

  it.each(TRACKED_BY_PEER)('has ended on the word of the host alone, where that answers: $what', async (tracked) => {
    const run = await simulate(worldOf(tracked), about(tracked));

    expect(run.report).toMatchObject({ verdict: 'not-proven', basis: ['host'] });
    expect(flowNamed(run, 'reverse shell').evidence).toBe('gone');
  });

  it('leaks, and may be tracked, where what the peer is cannot be read', async () => {
    const peer = '10.0.1.40';
    const build = (world: WorldFile) => addInterface(world, 'vpc_endpoint', peer);
    const tracked = { what: '', peer, local: '10.0.1.10', build };
    const run = await simulate(worldOf(tracked, noAgent), about(tracked), {
      prepare: ({ interceptors }) => {
        interceptors.push({
          before: ({ call, input }) => {
            const isAboutPeer = call === 'DescribeNetworkInterfaces' && JSON.stringify(input).includes(peer);
            if (isAboutPeer) throw refusedBy('UnauthorizedOperation')();
          },
        });
      },
    });

    const shell = flowNamed(run, 'reverse shell');
    expect(shell).toMatchObject({ tracking: 'unknown', evidence: 'unproven', truth: { stoppedBy: null } });
    expect(run.report.verdict).toBe('leaking');
  });
});

describe('a flow that came in through what no packet shows, to a group that is open both ways', () => {
  const CLIENT = '198.51.100.200';
  const TARGET_GROUP = 'arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/shop/0123456789abcdef';
  const inbound = findingWith(
    [ids.peer, CLIENT],
    ['"OUTBOUND"', '"INBOUND"'],
    ['"port":4444', '"port":40211'],
    ['"port":51234', '"port":443'],
  );

  it.each<[string, (world: WorldFile) => void]>([
    [
      'a Network Load Balancer from which the instance is being taken away',
      (world) => {
        const group = { TargetGroupArn: TARGET_GROUP, Protocol: 'TCP', Port: 443, VpcId: ids.vpc };
        const target = { Id: ids.instance, Port: 443 };
        world.TargetGroups = [group];
        world.TargetHealth = [
          { TargetGroupArn: TARGET_GROUP, Target: target, TargetHealth: { State: 'draining' } },
        ] as WorldFile['TargetHealth'];
      },
    ],
    ['Global Accelerator', (world) => addInterface(world, 'global_accelerator_managed', '10.0.1.99')],
  ])('leaks where nothing denies it, and is not called untracked: %s', async (_, through) => {
    const world = shellAlone((file) => {
      openBothWays(file);
      noAgent(file);
      fullAcl(file);
      through(file);
      const ends = { OpenedBy: 'remote', LocalPort: 443, RemoteAddress: CLIENT, RemotePort: 40_211 };
      Object.assign(firstOf(file, 'Flows'), ends);
    });
    const run = await simulate(world, inbound);

    const shell = flowNamed(run, 'reverse shell');
    expect(shell).toMatchObject({ tracking: 'auto-tracked', evidence: 'unproven', truth: { stoppedBy: null } });
    expect(passedAfterVerdict(run, shell)).toBe(true);
    expect(run.report.verdict).toBe('leaking');
  });
});

describe('an untracked session that the attacker opens again from inside before the swap takes effect', () => {
  const CLIENT = '198.51.100.200';
  const slowly = (PropagationSeconds: number, LatencySeconds: number) => (world: WorldFile) =>
    Object.assign(world, { LatencySeconds, Assumptions: { PropagationSeconds } });
  const noSwapUntil = (second: number) => ({
    before: ({ call, at }: { readonly call: string; readonly at: number }) => {
      if (call === 'ModifyNetworkInterfaceAttribute' && at < second) throw refusedBy('RequestLimitExceeded')();
    },
  });

  describe.each<{ what: string; change: (world: WorldFile) => void; noSwapBefore: number }>([
    { what: 'EC2 has no turn for the swap for a minute', change: () => undefined, noSwapBefore: 60 },
    { what: 'changes take 20 s and calls one', change: slowly(20, 1), noSwapBefore: 0 },
    { what: 'changes take 28 s', change: slowly(28, 0.2), noSwapBefore: 0 },
  ])('$what', ({ change, noSwapBefore }) => {
    const respond = (request: unknown, more: (world: WorldFile) => void = () => undefined) =>
      simulate(
        shellAlone((world) => {
          world.Hosts = hostWith({ RootAttacker: true });
          const ends = { OpenedBy: 'remote', LocalPort: 443, RemoteAddress: CLIENT, RemotePort: 40_211 } as const;
          addFlow(world, { Name: 'web shell', ...ends });
          change(world);
          more(world);
        }),
        request,
        { prepare: ({ interceptors }) => interceptors.push(noSwapUntil(noSwapBefore)) },
      );

    it('is never called blocked where nobody names it: it lives on', async () => {
      const run = await respond(finding);

      expect(run.report.verdict).toBe('held');
      expect(run.report.reason).not.toContain(CLIENT);
      expect(flowNamed(run, 'web shell')).toMatchObject({ evidence: 'gone', truth: { stoppedBy: null } });
      expect(falselyStopped(run)).toEqual([]);
    });

    it('is denied where a person names it, and nothing of it passes', async () => {
      const run = await respond(asking(ids.peer, CLIENT));

      expect(run.report.verdict).toBe('held');
      expect(deniedPeers(run)).toEqual([CLIENT, ids.peer].sort());
      expect(flowNamed(run, 'web shell')).toMatchObject({ evidence: 'in-force', truth: { stoppedBy: 'nacl' } });
      expect(falselyStopped(run)).toEqual([]);
    });

    it('is not held by the swap where a person names it and there is no room for a deny', async () => {
      const run = await respond(asking(CLIENT), fullAcl);

      expect(run.report.verdict).toBe('not-proven');
      expect(flowNamed(run, 'web shell')).toMatchObject({ evidence: 'gone', truth: { stoppedBy: null } });
    });

    it('is seen by a flow log, denied, and contained only then', async () => {
      const run = await respond(finding, (world) => {
        world.FlowLogs = [{ ResourceId: ids.vpc, DeliverySeconds: 300 }];
      });

      expect(run.report.verdict).toBe('contained');
      expect(deniedPeers(run)).toContain(CLIENT);
      expect(flowNamed(run, 'web shell').truth?.revivedAt).toBeGreaterThan(0);
      expect(falselyStopped(run)).toEqual([]);
    });
  });
});

describe('a finding whose interface is not the one that has its address', () => {
  const SECOND_ACL = 'acl-00000000000000d02';
  const local = (address: string) => ['"localIpDetails":{"ipAddressV4":"10.0.1.10"}', address] as const;
  const about = (address: string) => {
    const [from] = local(address);
    return findingWith([from, from.replace('10.0.1.10', address)]);
  };

  /** The second interface is in the other subnet, which has an ACL of its own, and carries the shell. */
  function inOtherSubnet(world: WorldFile): void {
    twoInterfaces(world);
    const acl = firstOf(world, 'NetworkAcls');
    const [here, there] = acl.Associations;
    const second = world.NetworkInterfaces.at(-1);
    if (here === undefined || there === undefined || second === undefined) throw new Error('the world has lost a part');
    const PrivateIpAddress = '10.0.2.11';
    Object.assign(second, {
      SubnetId: there.SubnetId,
      PrivateIpAddress,
      PrivateIpAddresses: [{ Primary: true, PrivateIpAddress }],
      Ipv6Addresses: [],
    });
    acl.Associations = [here];
    const associations = [{ ...there, NetworkAclId: SECOND_ACL }];
    world.NetworkAcls.push({ ...structuredClone(acl), NetworkAclId: SECOND_ACL, Associations: associations });
    Object.assign(firstOf(world, 'Flows'), { NetworkInterfaceId: ids.secondEni, LocalAddress: PrivateIpAddress });
  }

  it('is denied where the address is, and nothing of it passes', async () => {
    const world = shellAlone((file) => {
      inOtherSubnet(file);
      noAgent(file);
    });
    const run = await simulate(world, about('10.0.2.11'), { config: { sealSubnet: 'never' } });

    expect(run.report.verdict).toBe('held');
    expect(new Set(run.report.held.map(({ NetworkAclId }) => NetworkAclId))).toEqual(new Set([SECOND_ACL]));
    expect(flowNamed(run, 'reverse shell')).toMatchObject({ evidence: 'in-force', truth: { stoppedBy: 'nacl' } });
    expect(falselyStopped(run)).toEqual([]);
  });

  it('is tracked as the groups say of the interface to which the address has moved, and leaks', async () => {
    const moved = '10.0.1.12';
    const world = shellAlone((file) => {
      twoInterfaces(file);
      noAgent(file);
      fullAcl(file);
      // The interface that the finding names tracks nothing; the one that has the address now does.
      openBothWays(file);
      const second = file.NetworkInterfaces.at(-1);
      second?.PrivateIpAddresses?.push({ PrivateIpAddress: moved });
      Object.assign(second ?? {}, { Groups: [{ GroupId: ids.second, GroupName: 'shop-second' }] });
      Object.assign(firstOf(file, 'Flows'), { NetworkInterfaceId: ids.secondEni, LocalAddress: moved });
    });
    const run = await simulate(world, about(moved));

    const shell = flowNamed(run, 'reverse shell');
    expect(shell).toMatchObject({ tracking: 'tracked', evidence: 'unproven', truth: { stoppedBy: null } });
    expect(passedAfterVerdict(run, shell)).toBe(true);
    expect(run.report.verdict).toBe('leaking');
  });
});

describe('what the host itself lists', () => {
  it('counts where the peer is reached over NAT64: a socket that stays open is denied, and nothing of it passes', async () => {
    const peer = '64:ff9b::c633:64c8';
    const world = shellAlone((file) => {
      withIpv6(file);
      const NatGatewayId = 'nat-00000000000000201';
      firstOf(file, 'RouteTables').Routes?.push({ DestinationIpv6CidrBlock: '64:ff9b::/96', NatGatewayId });
      file.Hosts = hostWith({ SocketKill: false });
      const ends = { LocalAddress: '2001:db8:10:1::10', LocalPort: 51_999, RemoteAddress: peer, RemotePort: 443 };
      addFlow(file, { Name: 'over NAT64', ...ends, Process: null });
    });
    const run = await simulate(world, finding);

    expect(deniedPeers(run)).toContain(peer);
    expect(flowNamed(run, 'over NAT64')).toMatchObject({ evidence: 'in-force', truth: { stoppedBy: 'nacl' } });
    expect(falselyStopped(run)).toEqual([]);
  });

  it('is no whole list where it is cut off: the case is held, the report counts what is missing, and calls none of it stopped', async () => {
    const world = shellAlone((file) => {
      for (let number = 1; number <= 200; number += 1)
        addFlow(file, {
          Name: `filler ${number}`,
          LocalPort: 20_000 + number,
          RemoteAddress: `192.0.2.${number}`,
          PacketEverySeconds: null,
          Process: { Pid: 5000 + number, Name: 'filler' },
        });
      addFlow(file, { Name: 'second shell', LocalPort: 51_999, RemoteAddress: '203.0.113.66' });
      const portless = { Protocol: 'icmp', LocalPort: null, RemotePort: null };
      addFlow(file, { Name: 'tunnel', ...portless, RemoteAddress: '203.0.113.67' });
    });
    const run = await simulate(world, finding);

    expect(run.report.verdict).toBe('held');
    expect(run.report.onHost[0]).toMatch(/^203 of 203 flows closed, 0 left, [1-9]\d+ not listed$/);
    expect(['second shell', 'tunnel'].map((name) => flowNamed(run, name).evidence)).toEqual(['unproven', 'unproven']);
    expect(falselyStopped(run)).toEqual([]);
  });

  it('asks for no deny of twelve customers, and holds the case all the same', async () => {
    const world = shellAlone((file) => {
      for (let number = 1; number <= 12; number += 1)
        addFlow(file, {
          Name: `customer ${number}`,
          Malicious: false,
          OpenedBy: 'remote',
          LocalPort: 443,
          RemoteAddress: `192.0.2.${number}`,
          RemotePort: 40_000,
        });
    });
    const run = await simulate(world, finding);

    expect(run.report).toMatchObject({ verdict: 'held', skipped: [] });
    expect(deniedPeers(run)).toEqual([ids.peer]);
    expect(falselyStopped(run)).toEqual([]);
  });

  it('is not the only way out of an interface that forwards the packets of others: the report does not call the case contained', async () => {
    const world = shellAlone((file) => {
      Object.assign(firstOf(file, 'NetworkInterfaces'), { SourceDestCheck: false });
    });
    const run = await simulate(world, finding);

    expect(run.report.verdict).toBe('held');
    const document = run.table.find(({ sk }) => sk === 'CASE')?.['document'];
    expect(JSON.parse(String(document))).toMatchObject({ host: { kind: 'answered', complete: false } });
  });
});

describe('a deny that hits neighbours', () => {
  const NODE = '2001:db8:10:2::40';

  it.each<[string, (world: WorldFile) => void, unknown, string]>([
    ['an IPv6 one', withIpv6, findingWith([`"ipAddressV4":"${ids.peer}"`, `"ipAddressV6":"${NODE}"`]), NODE],
    ['a public one', publicRange, findingWith([ids.peer, '192.0.2.140']), '192.0.2.140'],
  ])(
    'is not made of an address of the VPC that a finding names, and the report says so: %s',
    async (_, build, event, peer) => {
      const world = shellAlone((file) => {
        build(file);
        Object.assign(firstOf(file, 'Flows'), { RemoteAddress: peer });
        if (peer.includes(':')) Object.assign(firstOf(file, 'Flows'), { LocalAddress: IPV6_ENDS.local });
      });
      const run = await simulate(world, event);

      expect(run.report.held).toEqual([]);
      const reason = expect.stringContaining('the peer is an address of the VPC');
      expect(run.report.skipped).toContainEqual({ id: `${peer} at ${ids.acl}`, reason });
    },
  );

  it('is not made of what may be the resolver of the VPC where its routes cannot be read, though a person names it', async () => {
    const world = shellAlone((file) => {
      file.Faults = [{ Api: 'DescribeRouteTables', Call: '1+', Error: 'UnauthorizedOperation', AfterEffect: false }];
    });
    const run = await simulate(world, asking(ids.peer, '10.0.0.2'));

    expect(deniedPeers(run)).toEqual([ids.peer]);
    const reason = expect.stringContaining('may be its DNS resolver');
    expect(run.report.skipped).toContainEqual({ id: `10.0.0.2 at ${ids.acl}`, reason });
  });

  it("is made of the agent's endpoint where a person names it, and the report says that the host was not cut", async () => {
    const endpoint = '10.0.2.50';
    const world = shellAlone((file) => {
      addInterface(file, 'vpc_endpoint', endpoint, { SubnetId: 'subnet-00000000000000b02', RequesterManaged: true });
      file.Hosts = hostWith({ AgentConnection: true, AgentEndpoint: endpoint });
    });
    const run = await simulate(world, asking(ids.peer, endpoint));

    expect(deniedPeers(run)).toContain(endpoint);
    const reason = expect.stringContaining('no host cut');
    expect(run.report.skipped).toContainEqual({ id: ids.instance, reason });
    expect(falselyStopped(run)).toEqual([]);
  });
});
