import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { DescribeFlowLogsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { mockClient } from 'aws-sdk-client-mock';
import 'aws-sdk-client-mock-vitest/extend';
import { beforeEach, describe, expect, it } from 'vitest';
import { flowLogsOn, searchLog } from '../../functions/aws/flow-logs.ts';

const ec2 = mockClient(EC2Client);
const logs = mockClient(CloudWatchLogsClient);

beforeEach(() => {
  ec2.reset();
  logs.reset();
});

describe('flowLogsOn', () => {
  const client = new EC2Client({});
  const usable = {
    FlowLogId: 'fl-1',
    ResourceId: 'vpc-1',
    LogGroupName: 'flow-logs',
    FlowLogStatus: 'ACTIVE',
    DeliverLogsStatus: 'SUCCESS',
    TrafficType: 'ALL',
  } as const;

  it('finds the logs on any of the resources that can be queried', async () => {
    ec2.on(DescribeFlowLogsCommand).resolves({ FlowLogs: [usable] });
    expect(await flowLogsOn(client, ['vpc-1', 'eni-1'])).toEqual([
      { id: 'fl-1', resourceId: 'vpc-1', logGroupName: 'flow-logs', createdAt: null },
    ]);
    expect(ec2).toHaveReceivedCommandExactlyOnceWith(DescribeFlowLogsCommand, {
      Filter: [{ Name: 'resource-id', Values: ['vpc-1', 'eni-1'] }],
    });
  });

  it('reads on to the last page, and says since when a log has watched', async () => {
    const CreationTime = new Date('2026-01-15T10:00:00.000Z');
    ec2
      .on(DescribeFlowLogsCommand)
      .resolvesOnce({ FlowLogs: [usable], NextToken: 'more' })
      .resolves({ FlowLogs: [{ ...usable, FlowLogId: 'fl-2', CreationTime }] });
    expect((await flowLogsOn(client, ['vpc-1'])).map(({ id, createdAt }) => [id, createdAt])).toEqual([
      ['fl-1', null],
      ['fl-2', 1_768_471_200],
    ]);
  });

  it.each([
    ['that is delivered to S3', { LogGroupName: undefined }],
    ['that is not active', { FlowLogStatus: 'INACTIVE' }],
    ['whose delivery fails', { DeliverLogsStatus: 'FAILED' }],
    ['of accepted traffic only: its silence is no heartbeat', { TrafficType: 'ACCEPT' as const }],
    ['of rejected traffic only', { TrafficType: 'REJECT' as const }],
  ])('does not count one %s', async (_, change) => {
    ec2.on(DescribeFlowLogsCommand).resolves({ FlowLogs: [{ ...usable, ...change }] });
    expect(await flowLogsOn(client, ['vpc-1'])).toEqual([]);
  });

  it('asks for nothing where there is no resource', async () => {
    expect(await flowLogsOn(client, [])).toEqual([]);
    expect(ec2).not.toHaveReceivedAnyCommand();
  });
});

describe('searchLog', () => {
  const client = new CloudWatchLogsClient({});

  it('asks for lines that hold every term, each quoted, in whole seconds, page by page', async () => {
    logs
      .on(FilterLogEventsCommand)
      .resolvesOnce({ events: [{ message: 'a' }, {}], nextToken: 'more' })
      .resolvesOnce({ events: [{ message: 'b' }] });
    expect(await searchLog(client, 'flow-logs', ['eni-1', '198.51.100.7'], 1000.9, 2000.1)).toEqual(['a', 'b']);
    const input = {
      logGroupName: 'flow-logs',
      filterPattern: '"eni-1" "198.51.100.7"',
      startTime: 1_000_000,
      endTime: 2_001_000,
    };
    expect(logs).toHaveReceivedNthCommandWith(FilterLogEventsCommand, 1, input);
    expect(logs).toHaveReceivedNthCommandWith(FilterLogEventsCommand, 2, { ...input, nextToken: 'more' });
  });

  it('reads on after an empty page: the service gives those', async () => {
    logs
      .on(FilterLogEventsCommand)
      .resolvesOnce({ events: [], nextToken: 'more' })
      .resolvesOnce({ events: [{ message: 'late' }] });
    expect(await searchLog(client, 'flow-logs', ['eni-1'], 0, 1)).toEqual(['late']);
  });

  it('gives up on a log that is too busy to prove anything', async () => {
    const events = Array.from({ length: 10_001 }, () => ({ message: 'x' }));
    logs.on(FilterLogEventsCommand).resolves({ events, nextToken: 'more' });
    await expect(searchLog(client, 'flow-logs', ['eni-1'], 0, 1)).rejects.toThrow('more than 50000 matching lines');
    expect(logs).toHaveReceivedCommandTimes(FilterLogEventsCommand, 5);
  });
});
