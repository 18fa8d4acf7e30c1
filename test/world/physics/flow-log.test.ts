import { describe, expect, it } from 'vitest';
import { formatOf } from '../../../local/world/physics/log-format.ts';
import { bench, ids, theShell, theWorld } from './fixtures.ts';

const epoch = Date.parse('2026-01-15T10:00:00Z') / 1000;
const out = '10.0.1.10 198.51.100.7 51234 4444 6';
const back = '198.51.100.7 10.0.1.10 4444 51234 6';
const line = (fields: string, window: number, verdict: string) =>
  `2 111122223333 ${ids.eni} ${fields} ${epoch + window * 60} ${epoch + (window + 1) * 60} ${verdict}`;

describe('flow log records', () => {
  it('add up what passed in windows of a minute, each way', () => {
    const on = bench(theWorld, true);

    expect(on.physics.flowLogRecords(ids.eni, 0, 119, 1000)).toEqual([
      line(`${out} 11 704`, 0, 'ACCEPT OK'),
      line(`${back} 11 704`, 0, 'ACCEPT OK'),
      line(`${out} 12 768`, 1, 'ACCEPT OK'),
      line(`${back} 12 768`, 1, 'ACCEPT OK'),
    ]);
  });

  it('are delivered 300 s after the end of their window', () => {
    const on = bench(theWorld, true);

    expect(on.physics.flowLogRecords(ids.eni, 0, 600, 359)).toHaveLength(0);
    expect(on.physics.flowLogRecords(ids.eni, 0, 600, 360)).toHaveLength(2);
  });

  it('show what a deny drops as rejected, on the way out and in', () => {
    const on = bench({ ...theWorld, Flows: [{ ...theShell, Protocol: 'udp' }] }, true);

    on.deny(62);

    const verdicts = on.physics.flowLogRecords(ids.eni, 120, 179, 1000).map((one) =>
      one
        .split(' ')
        .slice(3, 5)
        .concat(one.split(' ')[12] ?? ''),
    );
    expect(verdicts).toEqual([
      ['10.0.1.10', '198.51.100.7', 'REJECT'],
      ['198.51.100.7', '10.0.1.10', 'REJECT'],
    ]);
  });

  it('say NODATA for windows without traffic, in at most one line per hour over long ranges', () => {
    const on = bench({ ...theWorld, Flows: [] }, true);
    const fine = on.physics.flowLogRecords(ids.eni, 0, 3540, 10_000);
    const days = on.physics.flowLogRecords(ids.eni, 0, 432_000, 500_000);

    expect(fine).toHaveLength(60);
    expect(fine[0]).toBe(line('- - - - - - -', 0, '- NODATA'));
    expect(days.length).toBeGreaterThanOrEqual(120);
    expect(days.length).toBeLessThanOrEqual(121);
  });

  it.each([
    { on: ids.vpc, records: true },
    { on: ids.subnet, records: true },
    { on: ids.eni, records: true },
    { on: ids.secondEni, records: false },
  ])('a flow log on $on covers the ENI: $records', ({ on: ResourceId, records }) => {
    const second = { ...theWorld.NetworkInterfaces[0], NetworkInterfaceId: ids.secondEni, PrivateIpAddresses: [] };
    const world = {
      ...theWorld,
      NetworkInterfaces: [...theWorld.NetworkInterfaces, second],
      FlowLogs: [{ ResourceId }],
    };

    expect(bench(world).physics.flowLogRecords(ids.eni, 0, 600, 1000).length > 0).toBe(records);
  });

  it('is empty without a flow log', () => {
    expect(bench(theWorld).physics.flowLogRecords(ids.eni, 0, 600, 1000)).toEqual([]);
  });

  it('counts the same packets whether they were simulated in one go or in many', () => {
    const once = bench(theWorld, true);
    const often = bench(theWorld, true);
    for (let at = 0; at < 1000; at += 3.7) often.physics.advanceTo(at);

    expect(often.physics.flowLogRecords(ids.eni, 0, 600, 2000)).toEqual(
      once.physics.flowLogRecords(ids.eni, 0, 600, 2000),
    );
  });
});

describe('a flow log of its own', () => {
  const formatted = (fields: string, over: object = {}, world: object = {}) =>
    bench({
      ...theWorld,
      ...world,
      FlowLogs: [{ ResourceId: ids.vpc, LogFormat: formatOf(fields.split(' ')), ...over }],
    });

  it('prints the fields of its format, in its order, as the highest version among them', () => {
    const on = formatted(
      'pkt-dstaddr flow-direction tcp-flags action version vpc-id subnet-id instance-id type traffic-path region',
    );

    expect(on.physics.flowLogRecords(ids.eni, 0, 59, 1000)).toEqual([
      `198.51.100.7 egress 0 ACCEPT 5 ${ids.vpc} ${ids.subnet} ${ids.instance} IPv4 8 eu-central-1`,
      `10.0.1.10 ingress 0 ACCEPT 5 ${ids.vpc} ${ids.subnet} ${ids.instance} IPv4 - eu-central-1`,
    ]);
  });

  it('shows the own address of a packet in the pkt fields alone', () => {
    const [eni] = theWorld.NetworkInterfaces;
    const PrivateIpAddresses = [...(eni?.PrivateIpAddresses ?? []), { PrivateIpAddress: '10.0.1.11' }];
    const on = formatted(
      'srcaddr pkt-srcaddr',
      {},
      {
        NetworkInterfaces: [{ ...eni, PrivateIpAddresses }],
        Flows: [{ ...theShell, LocalAddress: '10.0.1.11' }],
      },
    );

    expect(on.physics.flowLogRecords(ids.eni, 0, 59, 1000)[0]).toBe('10.0.1.10 10.0.1.11');
  });

  it('adds up the flags of a new connection and of a reset', () => {
    const on = formatted(
      'dstport action tcp-flags',
      {},
      {
        Hosts: [{ InstanceId: ids.instance, RootAttacker: true }],
      },
    );

    on.physics.closeSockets(ids.instance, '198.51.100.7', 62);
    const minutes = [0, 60].map((from) => on.physics.flowLogRecords(ids.eni, from, from + 59, 1000));

    expect(minutes[0]).toContain('4444 ACCEPT 0');
    expect(minutes[1]).toEqual(expect.arrayContaining(['4444 ACCEPT 4', '4444 ACCEPT 2']));
    expect(minutes[1]?.some((one) => one.endsWith('ACCEPT 18'))).toBe(true);
  });

  it('says nothing before it starts and in its gaps, and SKIPDATA where records were lost', () => {
    const on = formatted('start log-status', {
      StartsAtSeconds: 110,
      Gaps: [[250, 260]],
      SkipData: [[310, 311]],
    });

    const told = on.physics.flowLogRecords(ids.eni, 0, 359, 2000);

    expect([...new Set(told)]).toEqual([`${epoch + 120} OK`, `${epoch + 180} OK`, `${epoch + 300} SKIPDATA`]);
  });

  it.each([
    { quiet: true, first: 120 },
    { quiet: false, first: 600 },
  ])('QuietFlowLogSpeaks $quiet: a new log without traffic first speaks at $first s', ({ quiet, first }) => {
    const wakes = { ...theShell, PacketEverySeconds: null, WakesAtSeconds: 610 };
    const on = formatted(
      'start',
      { StartsAtSeconds: 120 },
      {
        Flows: [wakes],
        Assumptions: { PropagationSeconds: 0, QuietFlowLogSpeaks: quiet },
      },
    );

    expect(on.physics.flowLogRecords(ids.eni, 0, 1800, 9000)[0]).toBe(String(epoch + first));
  });

  it.each([
    { InstanceType: 'm5.large', intervals: 10 },
    { InstanceType: 'm4.large', intervals: 1 },
  ])('of ten minutes tells $intervals intervals in ten minutes of $InstanceType', ({ InstanceType, intervals }) => {
    const on = formatted(
      'start',
      { MaxAggregationInterval: 600 },
      {
        Reservations: [{ Instances: [{ InstanceId: ids.instance, InstanceType }] }],
      },
    );

    expect(new Set(on.physics.flowLogRecords(ids.eni, 0, 599, 2000)).size).toBe(intervals);
  });
});

describe('cost', () => {
  it.each([
    { title: 'a live shell for eleven days', flow: {}, limit: 30 },
    {
      title: 'a beacon every second under a deny',
      flow: { Protocol: 'udp', PacketEverySeconds: 1 },
      denied: true,
      limit: 60,
    },
    { title: 'a shell under a deny', flow: {}, denied: true, limit: 60 },
    { title: 'a flow slower than its timer', flow: { Protocol: 'udp', PacketEverySeconds: 200 }, limit: 30 },
    {
      title: 'a datagram flow that wakes under a deny',
      flow: { Protocol: 'udp', PacketEverySeconds: null, WakesAtSeconds: 9 },
      denied: true,
      limit: 60,
    },
  ])('$title takes fewer than $limit steps', ({ flow, denied = false, limit }) => {
    const on = bench({ ...theWorld, Flows: [{ ...theShell, ...flow }] }, true);

    if (denied) on.deny(2);
    on.physics.truth();

    expect(on.physics.processedEvents()).toBeLessThan(limit);
  });
});
