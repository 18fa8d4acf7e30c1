import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bench, ids, theShell, theWorld } from './fixtures.ts';

/** Changes at random times, on a flow and a host of random kind. */
const world = fc.record({
  flow: fc.record({
    Protocol: fc.constantFrom('tcp', 'udp', '47'),
    OpenedBy: fc.constantFrom('instance', 'remote'),
    PacketEverySeconds: fc.constantFrom(null, 0.7, 5, 29, 30, 31, 100, 599, 601, 1000),
    WakesAtSeconds: fc.constantFrom(null, 3, 50, 700),
  }),
  host: fc.record({ RootAttacker: fc.boolean(), SocketKill: fc.boolean() }),
  assumptions: fc.record({
    LoweredTimeoutAppliesToExisting: fc.boolean(),
    UntrackDwellConverts: fc.constantFrom('never' as const, 'active' as const, 'all' as const),
    NaclDroppedEgressRefreshes: fc.boolean(),
    RstDroppedByNaclClears: fc.boolean(),
    PropagationSeconds: fc.constantFrom(0, 2),
    TcpRetransmitSeconds: fc.constantFrom(60, 924.6),
  }),
  acts: fc.array(
    fc.record({
      after: fc.integer({ min: 0, max: 400 }),
      act: fc.constantFrom('isolate', 'open', 'back', 'deny', 'deny egress', 'lift', 'shorten', 'cut', 'kill'),
    }),
    { maxLength: 6 },
  ),
});

type Sample = typeof world extends fc.Arbitrary<infer T> ? T : never;

/** Plays it, stopping at every `step` seconds, and tells all that can be seen of it. */
function play({ flow, host, assumptions, acts }: Sample, step: number) {
  const on = bench(
    {
      ...theWorld,
      Flows: [{ ...theShell, ...flow }],
      Hosts: [{ InstanceId: ids.instance, ...host }],
      Assumptions: assumptions,
    },
    true,
  );
  let at = 0;
  const walk = (to: number): void => {
    for (at += step; at < to; at += step) on.physics.advanceTo(at);
    at = to;
  };
  for (const { after, act } of acts) {
    walk(at + after);
    if (act === 'isolate') on.swap(at, ids.isolation);
    if (act === 'open') on.swap(at, ids.open);
    if (act === 'back') on.swap(at, ids.group);
    if (act === 'deny') on.deny(at);
    if (act === 'deny egress') on.deny(at, 'egress');
    if (act === 'lift') on.lift(at);
    if (act === 'kill') on.physics.closeSockets(ids.instance, '198.51.100.7', at);
    if (act === 'cut') on.command(at, 'cut', '198.51.100.7');
    if (act === 'shorten') {
      on.change(at, ({ NetworkInterfaces }) => {
        for (const eni of NetworkInterfaces) eni.ConnectionTrackingConfiguration = { TcpEstablishedTimeout: 60 };
      });
    }
  }
  walk(at + 3000);
  on.physics.advanceTo(at);
  return { truth: on.physics.truthNow(), log: on.physics.flowLogRecords(ids.eni, 0, at, at) };
}

describe('time', () => {
  it('makes no difference by how it is cut into steps', () => {
    fc.assert(
      fc.property(world, (sample) => {
        expect(play(sample, 0.9)).toEqual(play(sample, Number.POSITIVE_INFINITY));
      }),
      { numRuns: 150 },
    );
  });

  it('tells no revival after the last packet', () => {
    fc.assert(
      fc.property(world, (sample) => {
        const [truth] = play(sample, Number.POSITIVE_INFINITY).truth;
        expect(truth?.lastPacketAt ?? 0).toBeGreaterThanOrEqual(truth?.revivedAt ?? 0);
      }),
    );
  });
});
