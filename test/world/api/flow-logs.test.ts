import {
  CloudWatchLogsClient,
  FilterLogEventsCommand,
  type FilterLogEventsCommandInput,
} from '@aws-sdk/client-cloudwatch-logs';
import { DescribeFlowLogsCommand } from '@aws-sdk/client-ec2';
import { describe, expect, it } from 'vitest';
import { matchesPattern } from '../../../local/world/api/log-filter.ts';
import { ids, interfaceOf, inWorld, outcome } from './small-world.ts';

const ZERO = Date.parse('2026-01-15T10:00:00Z') / 1000;
const record = (eni: string, start: number, action = 'ACCEPT', peer = '198.51.100.7') =>
  `2 111122223333 ${eni} 10.0.1.10 ${peer} 51234 4444 6 12 960 ${ZERO + start} ${ZERO + start + 60} ${action} OK`;

const flowLogRecords = (eni: string, from: number, to: number) =>
  [0, 60, 120, 180]
    .filter((start) => start >= from && start <= to)
    .map((start) => record(eni, start, start < 120 ? 'ACCEPT' : 'REJECT'));

const logGroupName = `/aws/vpc/flow-logs/${ids.subnet}`;

function search(input: Partial<FilterLogEventsCommandInput>) {
  return inWorld(
    {
      FlowLogs: [{ ResourceId: ids.subnet, DeliverySeconds: 300 }],
      NetworkInterfaces: [
        interfaceOf(ids.eni, ids.instance),
        interfaceOf(ids.secondEni, ids.spot),
        interfaceOf(ids.managedEni, ids.spot, { SubnetId: 'subnet-00000000000000009' }),
      ],
    },
    async ({ world, clock }) => {
      const logs = world.attach(new CloudWatchLogsClient({ region: 'eu-central-1' }));
      await clock.sleep(600);
      return logs.send(new FilterLogEventsCommand({ logGroupName, ...input }));
    },
    { flowLogRecords },
  );
}

describe('FilterLogEvents', () => {
  it('gives what the interfaces of the resource recorded, in order', async () => {
    const { events } = await search({});

    expect(events).toHaveLength(8);
    expect(events?.map(({ timestamp }) => (timestamp ?? 0) / 1000 - ZERO)).toEqual([0, 0, 60, 60, 120, 120, 180, 180]);
    expect(events?.[0]).toMatchObject({ logStreamName: `${ids.eni}-all`, message: record(ids.eni, 0) });
  });

  it('narrows by time, stream and terms', async () => {
    const { events } = await search({
      startTime: (ZERO + 60) * 1000,
      endTime: (ZERO + 120) * 1000,
      logStreamNames: [`${ids.secondEni}-all`],
      filterPattern: '"198.51.100.7" REJECT',
    });

    expect(events?.map(({ message }) => message)).toEqual([record(ids.secondEni, 120, 'REJECT')]);
  });

  it('pages', async () => {
    const { events, nextToken } = await search({ limit: 5 });
    expect(events).toHaveLength(5);

    const rest = await search({ limit: 5, nextToken });
    expect(rest.events).toHaveLength(3);
    expect(rest.nextToken).toBeUndefined();
  });

  it.each([
    ['ResourceNotFoundException', { logGroupName: 'elsewhere' }],
    ['InvalidParameterException', { limit: 10_001 }],
    ['InvalidParameterException', { nextToken: 'nonsense' }],
    ['InvalidParameterException', { filterPattern: '198.51.100.7' }],
  ])('answers %s', async (code, input) => {
    expect(await outcome(search(input))).toBe(code);
  });
});

describe('a filter pattern', () => {
  const line = record(ids.eni, 0);

  it.each([
    ['', true],
    ['ACCEPT OK', true],
    ['ACCEPT REJECT', false],
    ['accept', false],
    ['?REJECT ?ACCEPT', true],
    ['?REJECT ?NODATA', false],
    ['OK ?REJECT', true],
    ['OK -ACCEPT', false],
    ['"198.51.100.7 51234"', true],
    ['[version, account, eni, source, dest="198.51.100.*", ...]', true],
    ['[version, account, eni, source, dest="203.0.113.*", ...]', false],
    ['[..., action=REJECT, status]', false],
    ['[..., action!=REJECT, status]', true],
    ['[version, account]', false],
  ])('%s fits: %s', (pattern, fits) => {
    expect(matchesPattern(pattern)(line)).toBe(fits);
  });
});

describe('DescribeFlowLogs', () => {
  it('shows the logs of the world as ones that deliver to CloudWatch Logs', () =>
    inWorld(
      {
        FlowLogs: [
          { ResourceId: ids.subnet, DeliverySeconds: 300 },
          { ResourceId: ids.vpc, TrafficType: 'REJECT' },
        ],
      },
      async ({ ec2 }) => {
        const { FlowLogs } = await ec2.send(
          new DescribeFlowLogsCommand({ Filter: [{ Name: 'resource-id', Values: [ids.subnet, ids.vpc] }] }),
        );

        expect(FlowLogs).toMatchObject([
          {
            FlowLogId: expect.stringMatching(/^fl-[0-9a-f]{17}$/),
            LogDestinationType: 'cloud-watch-logs',
            LogGroupName: logGroupName,
            FlowLogStatus: 'ACTIVE',
            DeliverLogsStatus: 'SUCCESS',
            MaxAggregationInterval: 60,
            TrafficType: 'ALL',
          },
          { ResourceId: ids.vpc, TrafficType: 'REJECT' },
        ]);
      },
    ));
});
