import { describe, expect, it } from 'vitest';
import type { WorldAssumptions } from '../../../local/world/parse-world.ts';
import { bench, ids, theShell, theWorld, truthOf } from './fixtures.ts';

const assuming = (assumptions: Partial<WorldAssumptions>, flow: object = {}) => ({
  ...theWorld,
  Flows: [{ ...theShell, ...flow }],
  Assumptions: { PropagationSeconds: 0, ...assumptions },
});

const beacon = { Protocol: 'udp', RemotePort: 53 };
const slow = { PacketEverySeconds: 100 };
const dormant = { PacketEverySeconds: null, WakesAtSeconds: 200 };

function shorten(on: ReturnType<typeof bench>, at: number): void {
  on.change(at, ({ NetworkInterfaces }) => {
    for (const eni of NetworkInterfaces)
      eni.ConnectionTrackingConfiguration = { TcpEstablishedTimeout: 60, UdpTimeout: 30, UdpStreamTimeout: 60 };
  });
}

describe('LoweredTimeoutAppliesToExisting', () => {
  it.each([
    { applies: false, stoppedBy: null },
    { applies: true, stoppedBy: 'expiry' },
  ])('$applies: a flow that speaks every 100 s, timeout lowered to 60 s before the swap', ({ applies, stoppedBy }) => {
    const on = bench(assuming({ LoweredTimeoutAppliesToExisting: applies }, slow));

    shorten(on, 10);
    on.swap(12, ids.isolation);

    expect(truthOf(on).stoppedBy).toBe(stoppedBy);
  });

  it('lets an entry that is already older than the lowered timeout expire at once', () => {
    const on = bench(assuming({ LoweredTimeoutAppliesToExisting: true }, { PacketEverySeconds: null }));

    on.swap(90, ids.isolation);
    shorten(on, 100);
    on.physics.advanceTo(100.1);

    expect(on.physics.truthNow()[0]?.stoppedBy).toBe('expiry');
  });

  it('gives a new entry the lowered timeout either way', () => {
    const reopening = { ...assuming({}, slow), Hosts: [{ InstanceId: ids.instance, RootAttacker: true }] };
    const on = bench(reopening);

    shorten(on, 1);
    on.physics.closeSockets(ids.instance, '198.51.100.7', 5);
    on.swap(40, ids.isolation);

    expect(truthOf(on)).toEqual({ lastPacketAt: 35, stoppedBy: 'expiry', revivedAt: 35 });
  });
});

describe('UntrackDwellConverts', () => {
  it.each([
    { converts: 'never', flow: {}, stoppedBy: null },
    { converts: 'active', flow: {}, stoppedBy: 'security-group' },
    { converts: 'all', flow: {}, stoppedBy: 'security-group' },
    { converts: 'never', flow: dormant, stoppedBy: null },
    { converts: 'active', flow: dormant, stoppedBy: null },
    { converts: 'all', flow: dormant, stoppedBy: 'security-group' },
  ] as const)('$converts with $flow: open group from 12 to 100 s, then isolation', ({ converts, flow, stoppedBy }) => {
    const on = bench(assuming({ UntrackDwellConverts: converts }, flow));

    on.swap(12, ids.open);
    on.swap(100, ids.isolation);

    expect(truthOf(on).stoppedBy).toBe(stoppedBy);
  });

  it.each(['active', 'all'] as const)('%s does not convert what a NAT gateway keeps tracked', (converts) => {
    const on = bench({
      ...assuming({ UntrackDwellConverts: converts }),
      RouteTables: [
        { ...theWorld.RouteTables[0], Routes: [{ DestinationCidrBlock: '0.0.0.0/0', NatGatewayId: 'nat-1' }] },
      ],
    });

    on.swap(12, ids.open);
    on.swap(100, ids.isolation);

    expect(truthOf(on).stoppedBy).toBeNull();
  });
});

describe('NaclDroppedEgressRefreshes', () => {
  it.each([
    { refreshes: true, revivedAt: 305 },
    { refreshes: false, revivedAt: null },
  ])('$refreshes: a beacon under a deny for longer than its timer', ({ refreshes, revivedAt }) => {
    const on = bench(assuming({ NaclDroppedEgressRefreshes: refreshes }, beacon));

    on.deny(12);
    on.swap(14, ids.isolation);
    on.lift(302);

    expect(truthOf(on).revivedAt).toBe(revivedAt);
  });
});

describe('RstDroppedByNaclClears', () => {
  it.each([
    { clears: true, state: 'REJECT' },
    { clears: false, state: 'ACCEPT' },
  ])('$clears: a packet of the peer 30 s after a kill under a deny meets $state', ({ clears, state }) => {
    // The peer's own retransmissions come in by the entry alone.
    const on = bench(assuming({ RstDroppedByNaclClears: clears }), true);

    on.deny(12);
    on.swap(13, ids.isolation);
    on.physics.closeSockets(ids.instance, '198.51.100.7', 20);
    on.lift(62);

    const inbound = on.physics
      .flowLogRecords(ids.eni, 60, 600, 1000)
      .filter((line) => line.includes('198.51.100.7 10.0.1.10'))
      .map((line) => line.split(' ')[12]);
    expect(inbound.at(-1)).toBe(state);
  });

  it('an RST that gets through ends the entry and the peer', () => {
    const on = bench(assuming({}), true);

    on.physics.closeSockets(ids.instance, '198.51.100.7', 12);

    const after = on.physics.flowLogRecords(ids.eni, 60, 3600, 5000).filter((line) => !line.includes('NODATA'));
    expect(after).toEqual([]);
  });
});

describe('PropagationSeconds', () => {
  it('lets packets through until the change has reached them', () => {
    const on = bench(assuming({ PropagationSeconds: 7 }));

    on.deny(4);
    on.physics.advanceTo(20);

    expect(on.physics.truthNow()[0]).toMatchObject({ lastPacketAt: 10, stoppedBy: 'nacl' });
  });

  it('keeps changes in order, each at its own time', () => {
    const on = bench(assuming({ PropagationSeconds: 7 }));

    on.deny(4);
    on.lift(9);
    on.physics.advanceTo(30);

    // Dropped at 15, sent again after 0.2, 0.6 and 1.4 s: the deny is gone at 16.
    expect(on.physics.truthNow()[0]).toMatchObject({ lastPacketAt: 30, stoppedBy: null });
    expect(on.physics.truthNow()[0]?.revivedAt).toBeCloseTo(16.4, 6);
  });

  it('is not disturbed by what happens to the world in between', () => {
    const on = bench(assuming({ PropagationSeconds: 7 }));

    on.deny(4);
    for (const acl of on.world.NetworkAcls) acl.Entries.length = 0;
    on.physics.advanceTo(20);

    expect(on.physics.truthNow()[0]).toMatchObject({ lastPacketAt: 10 });
  });
});

describe('TcpRetransmitSeconds', () => {
  /** Outbound packets at the ENI after the first that was dropped, by the waits before them. */
  it('sends an unanswered packet again with the waits of Linux', () => {
    const on = bench(assuming({}), true);
    const sent: number[] = [];
    on.deny(12);
    let before = 0;

    for (let at = 15.05; at < 1000; at += 0.1) {
      on.physics.advanceTo(at);
      const events = on.physics.processedEvents();
      if (events > before && before > 0) sent.push(Math.round(at * 10) / 10);
      before = events;
    }

    const waits = [0.2, 0.6, 1.4, 3, 6.2, 12.6, 25.4, 51, 102.2, 204.6, 324.6, 444.6, 564.6, 684.6, 804.6, 924.6];
    expect(sent).toHaveLength(waits.length);
    for (const [index, wait] of waits.entries()) expect(Math.abs((sent[index] ?? 0) - 15 - wait)).toBeLessThan(0.2);
  });

  it.each([
    { seconds: 924.6, liftAt: 939, revived: false, why: 'no retransmission is left before the socket closes' },
    { seconds: 5000, liftAt: 939, revived: true, why: 'a kernel that was told to go on, goes on' },
    { seconds: 60, liftAt: 100, revived: false, why: 'a kernel that was told to give up early, has' },
  ])('$seconds s and a deny lifted at $liftAt s: $why', ({ seconds, liftAt, revived }) => {
    const on = bench(assuming({ TcpRetransmitSeconds: seconds }));

    on.deny(12);
    on.lift(liftAt);

    expect(truthOf(on).revivedAt !== null).toBe(revived);
  });
});
