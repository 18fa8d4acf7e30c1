import { describe, expect, it } from 'vitest';
import { allTraffic, type Bench, bench, ids, theShell, theWorld, truthOf, withNeighbour } from './fixtures.ts';

const untracked = {
  ...theWorld,
  SecurityGroups: theWorld.SecurityGroups.map((one) =>
    one.GroupId === ids.group ? { ...one, IpPermissions: [allTraffic] } : one,
  ),
};
const flow = (members: object) => ({ ...theWorld, Flows: [{ ...theShell, ...members }] });
const dormant = (WakesAtSeconds: number | null, members: object = {}) =>
  flow({ PacketEverySeconds: null, WakesAtSeconds, ...members });
const beacon = { Protocol: 'udp', RemotePort: 53 };
/** m5: five days; the world runs on for twice that and a day. */
const TIMER = 432_000;
const horizonAfter = (at: number) => at + 2 * TIMER + 86_400;

interface Case {
  readonly title: string;
  readonly world: object;
  readonly act: (bench: Bench) => void;
  readonly lastPacketAt: number | null;
  readonly stoppedBy: string | null;
  readonly revivedAt?: number | null;
}

const cases: Case[] = [
  {
    title: 'nothing done: the shell goes on',
    world: theWorld,
    act: () => {},
    lastPacketAt: horizonAfter(0),
    stoppedBy: null,
  },
  {
    title: 'swap alone: a tracked active flow continues',
    world: theWorld,
    act: (it) => it.swap(12, ids.isolation),
    lastPacketAt: horizonAfter(10),
    stoppedBy: null,
  },
  {
    title: 'swap alone: an untracked flow is cut at once',
    world: untracked,
    act: (it) => it.swap(12, ids.isolation),
    lastPacketAt: 10,
    stoppedBy: 'security-group',
  },
  {
    title: 'a rule revoked in place cuts an untracked flow as well',
    world: untracked,
    act: (it) =>
      it.change(12, ({ SecurityGroups }) => {
        for (const group of SecurityGroups) group.IpPermissions = group.IpPermissionsEgress = [];
      }),
    lastPacketAt: 10,
    stoppedBy: 'security-group',
  },
  {
    title: 'deny both ways: packets stop at once, for good once the socket has given up',
    world: theWorld,
    act: (it) => {
      it.deny(12);
      it.lift(2000);
    },
    lastPacketAt: 10,
    stoppedBy: 'nacl',
  },
  {
    title: 'a deny lifted early: the retransmission at 15 + 102.2 s revives the flow',
    world: theWorld,
    act: (it) => {
      it.deny(12);
      it.swap(14, ids.isolation);
      it.lift(100);
    },
    lastPacketAt: horizonAfter(100),
    stoppedBy: null,
    revivedAt: 117.2,
  },
  {
    title: 'egress denied alone: what the peer sends is delivered until it gives up',
    world: theWorld,
    act: (it) => it.deny(12, 'egress'),
    lastPacketAt: 15 + 804.6,
    stoppedBy: 'nacl',
  },
  {
    title: 'a deny does nothing to a peer in the same subnet',
    world: withNeighbour('same subnet'),
    act: (it) => it.deny(12, 'both', '10.0.1.20'),
    lastPacketAt: horizonAfter(10),
    stoppedBy: null,
  },
  {
    title: 'a deny on the subnet of the peer cuts it',
    world: withNeighbour('other subnet'),
    act: (it) => it.deny(12, 'both', '10.0.1.10', ids.otherAcl),
    lastPacketAt: 10,
    stoppedBy: 'nacl',
  },
  {
    title: 'swap on the side of the peer: its own table tracks the flow too',
    world: withNeighbour('other subnet'),
    act: (it) => it.swap(12, ids.isolation, ids.neighbourEni),
    lastPacketAt: horizonAfter(10),
    stoppedBy: null,
  },
  {
    title: 'a UDP beacon under a deny keeps its entry and revives when the deny is lifted',
    world: flow(beacon),
    act: (it) => {
      it.deny(12);
      it.swap(14, ids.isolation);
      it.lift(500_000);
    },
    lastPacketAt: horizonAfter(500_000),
    stoppedBy: null,
    revivedAt: 500_000 + 5,
  },
  {
    title: 'a UDP beacon under a deny that stays is stopped by it',
    world: flow(beacon),
    act: (it) => {
      it.deny(12);
      it.swap(14, ids.isolation);
    },
    lastPacketAt: 10,
    stoppedBy: 'nacl',
  },
  {
    title: 'a UDP beacon slower than its timer ends with the swap and its entry',
    world: flow({ ...beacon, PacketEverySeconds: 200 }),
    act: (it) => it.swap(12, ids.isolation),
    lastPacketAt: null,
    stoppedBy: 'expiry',
  },
  {
    title: 'ICMP is tracked whatever the rules, for 600 s',
    world: {
      ...untracked,
      Flows: [{ ...theShell, Protocol: 'icmp', LocalPort: null, RemotePort: null, PacketEverySeconds: 300 }],
    },
    act: (it) => it.swap(12, ids.isolation),
    lastPacketAt: horizonAfter(12) - (horizonAfter(12) % 300),
    stoppedBy: null,
  },
  {
    title: 'another protocol is tracked for 600 s and then gone',
    world: flow({ Protocol: '47', LocalPort: null, RemotePort: null, PacketEverySeconds: 601 }),
    act: (it) => it.swap(12, ids.isolation),
    lastPacketAt: null,
    stoppedBy: 'expiry',
  },
  {
    title: 'a dormant flow that wakes within the timer continues after the swap',
    world: dormant(TIMER - 1),
    act: (it) => it.swap(12, ids.isolation),
    lastPacketAt: TIMER - 1 + 5 * Math.floor((horizonAfter(12) - TIMER + 1) / 5),
    stoppedBy: null,
  },
  {
    title: 'a dormant flow that wakes after the timer has expired',
    world: dormant(TIMER + 1),
    act: (it) => it.swap(12, ids.isolation),
    lastPacketAt: null,
    stoppedBy: 'expiry',
  },
  {
    title: 'a dormant flow on Nitro v6 is gone after 350 s',
    world: {
      ...dormant(351),
      Reservations: [{ Instances: [{ InstanceId: ids.instance, InstanceType: 'm8i.large' }] }],
    },
    act: (it) => it.swap(12, ids.isolation),
    lastPacketAt: null,
    stoppedBy: 'expiry',
  },
  {
    title: 'a dormant flow that nothing hinders could still speak',
    world: dormant(null),
    act: () => {},
    lastPacketAt: null,
    stoppedBy: null,
  },
  {
    title: 'a dormant flow under a deny is stopped by the deny, also after its entry has expired',
    world: dormant(TIMER + 100),
    act: (it) => {
      it.deny(12);
      it.swap(14, ids.isolation);
    },
    lastPacketAt: null,
    stoppedBy: 'nacl',
  },
  {
    title: 'a dormant flow whose deny is lifted before its entry expires ends by expiry',
    world: dormant(null),
    act: (it) => {
      it.deny(12);
      it.swap(14, ids.isolation);
      it.lift(1000);
    },
    lastPacketAt: null,
    stoppedBy: 'expiry',
  },
  {
    title: 'a dormant datagram flow repeats its first packet until it is answered',
    world: dormant(100, beacon),
    act: (it) => {
      it.deny(12);
      it.lift(203);
    },
    lastPacketAt: 205 + 5 * Math.floor((horizonAfter(203) - 205) / 5),
    stoppedBy: null,
    revivedAt: 205,
  },
  {
    title: 'a host kill ends the flow, and lifting the denies later revives nothing',
    world: theWorld,
    act: (it) => {
      it.deny(12);
      it.command(13, 'cut', '198.51.100.7');
      it.swap(20, ids.isolation);
      it.lift(1000);
    },
    lastPacketAt: 10,
    stoppedBy: 'host',
  },
  {
    title: 'a host kill under a deny that stays: the deny came first',
    world: theWorld,
    act: (it) => {
      it.deny(12);
      it.command(13, 'cut', '198.51.100.7');
    },
    lastPacketAt: 10,
    stoppedBy: 'nacl',
  },
  {
    title: 'a host kill alone',
    world: theWorld,
    act: (it) => it.physics.closeSockets(ids.instance, '198.51.100.7', 12),
    lastPacketAt: 10,
    stoppedBy: 'host',
  },
  {
    title: 'an instance that is stopped',
    world: theWorld,
    act: (it) => {
      it.physics.advanceTo(12);
      it.physics.instanceStopped(ids.instance);
    },
    lastPacketAt: 10,
    stoppedBy: 'host',
  },
  {
    title: 'an IPv6 flow under an IPv6 deny',
    world: flow({ LocalAddress: '2001:db8:1::10', RemoteAddress: '2001:db8:ffff::7' }),
    act: (it) => it.deny(12, 'both', '2001:db8:ffff::7'),
    lastPacketAt: 10,
    stoppedBy: 'nacl',
  },
  {
    title: 'an IPv6 flow is not reached by an IPv4 deny',
    world: flow({ LocalAddress: '2001:db8:1::10', RemoteAddress: '2001:db8:ffff::7' }),
    act: (it) => it.deny(12, 'both', '0.0.0.0'),
    lastPacketAt: horizonAfter(10),
    stoppedBy: null,
  },
  {
    title: 'IPv6 is untracked only by ::/0, which is in the rules',
    world: {
      ...untracked,
      Flows: [{ ...theShell, LocalAddress: '2001:db8:1::10', RemoteAddress: '2001:db8:ffff::7' }],
    },
    act: (it) => it.swap(12, ids.isolation),
    lastPacketAt: 10,
    stoppedBy: 'security-group',
  },
  {
    title: 'behind a NAT gateway a flow is tracked although the rules leave it untracked',
    world: {
      ...untracked,
      RouteTables: [
        {
          ...theWorld.RouteTables[0],
          Routes: [{ DestinationCidrBlock: '0.0.0.0/0', NatGatewayId: 'nat-00000000000000001' }],
        },
      ],
    },
    act: (it) => it.swap(12, ids.isolation),
    lastPacketAt: horizonAfter(10),
    stoppedBy: null,
  },
  {
    title: 'a bind shell is tracked when its ingress rule names a network',
    world: flow({ OpenedBy: 'remote', LocalPort: 22, RemoteAddress: '203.0.113.9', RemotePort: 50_000 }),
    act: (it) => it.swap(12, ids.isolation),
    lastPacketAt: horizonAfter(10),
    stoppedBy: null,
  },
  {
    title: 'two /1 halves are not "all addresses": tracked',
    world: {
      ...theWorld,
      SecurityGroups: theWorld.SecurityGroups.map((one) =>
        one.GroupId === ids.group
          ? {
              ...one,
              IpPermissions: [{ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/1' }, { CidrIp: '128.0.0.0/1' }] }],
            }
          : one,
      ),
    },
    act: (it) => it.swap(12, ids.isolation),
    lastPacketAt: horizonAfter(10),
    stoppedBy: null,
  },
];

describe('what each control does', () => {
  it.each(cases)('$title', ({ world, act, lastPacketAt, stoppedBy, revivedAt = null }) => {
    const on = bench(world);

    act(on);

    // Who goes on to the end of the world speaks within its last tick; all else is exact.
    const truth = truthOf(on);
    const slack = stoppedBy === null ? 5 : 0.000_001;
    const off = Math.abs((truth.lastPacketAt ?? -99) - (lastPacketAt ?? -99));
    expect({ ...truth, lastPacketAt: off <= slack }).toEqual({ lastPacketAt: true, stoppedBy, revivedAt });
  });
});
