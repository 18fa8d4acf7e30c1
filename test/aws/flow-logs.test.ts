import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { DescribeFlowLogsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { mockClient } from 'aws-sdk-client-mock';
import 'aws-sdk-client-mock-vitest/extend';
import { beforeEach, describe, expect, it } from 'vitest';
import { flowLogsOn, readStream, searchRefusal } from '../../functions/aws/flow-logs.ts';
import { formatText } from '../support/flow-log.ts';

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

  const facts = {
    id: 'fl-1',
    resourceId: 'vpc-1',
    destinationType: 'cloud-watch-logs',
    destinationAccountId: null,
    logGroupName: 'flow-logs',
    destination: null,
    caseId: null,
    problem: null,
    trafficType: 'ALL',
    format: null,
    intervalSeconds: 600,
    createdAt: null,
  };

  it('finds the logs on any of the resources', async () => {
    ec2.on(DescribeFlowLogsCommand).resolves({ FlowLogs: [usable] });
    expect(await flowLogsOn(client, ['vpc-1', 'eni-1'])).toEqual([facts]);
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

  it('says how lines are made and where they go, the account by the ARN', async () => {
    const log = {
      ...usable,
      LogGroupName: undefined,
      LogDestination: 'arn:aws:logs:eu-central-1:444455556666:log-group:central/flow-logs',
      LogFormat: formatText('version', 'interface-id'),
      MaxAggregationInterval: 60,
    };
    ec2.on(DescribeFlowLogsCommand).resolves({ FlowLogs: [log] });
    expect(await flowLogsOn(client, ['vpc-1'])).toEqual([
      {
        ...facts,
        destinationAccountId: '444455556666',
        logGroupName: 'central/flow-logs',
        destination: 'arn:aws:logs:eu-central-1:444455556666:log-group:central/flow-logs',
        format: formatText('version', 'interface-id'),
        intervalSeconds: 60,
      },
    ]);
  });

  it.each([
    [
      'is delivered to S3',
      { LogGroupName: undefined, LogDestinationType: 's3' as const, LogDestination: 'arn:aws:s3:::logs' },
      { destinationType: 's3', logGroupName: null, destination: 'arn:aws:s3:::logs' },
    ],
    ['says no destination at all', { LogGroupName: undefined }, { destinationType: 'unknown', logGroupName: null }],
    ['is not active', { FlowLogStatus: 'INACTIVE' }, { problem: 'its status is INACTIVE' }],
    ['is not delivered', { DeliverLogsStatus: 'FAILED' }, { problem: 'its delivery fails' }],
    [
      'is not delivered, with the reason',
      { DeliverLogsStatus: 'FAILED', DeliverLogsErrorMessage: 'Access error' },
      { problem: 'Access error' },
    ],
    ['records accepted traffic only', { TrafficType: 'ACCEPT' as const }, { trafficType: 'ACCEPT' }],
    ['records rejected traffic only', { TrafficType: 'REJECT' as const }, { trafficType: 'REJECT' }],
  ])('tells of one that %s, for somebody to hear of', async (_, change, told) => {
    ec2.on(DescribeFlowLogsCommand).resolves({ FlowLogs: [{ ...usable, ...change }] });
    expect(await flowLogsOn(client, ['vpc-1'])).toEqual([{ ...facts, ...told }]);
  });

  it('asks for nothing where there is no resource', async () => {
    expect(await flowLogsOn(client, [])).toEqual([]);
    expect(ec2).not.toHaveReceivedAnyCommand();
  });
});

const search = { logGroupName: 'flow-logs', networkInterfaceId: 'eni-1', from: 1000.9, to: 2000.1 };
const input = { logGroupName: 'flow-logs', logStreamNamePrefix: 'eni-1', startTime: 1_000_000, endTime: 2_001_000 };

/** An answer of AWS that the SDK does not try again. */
const refusal = (name: string, message = 'by the test') => Object.assign(new Error(message), { name });

describe('readStream', () => {
  const client = new CloudWatchLogsClient({});
  const read = async (deadline = Date.now() + 10_000) => {
    const lines: string[] = [];
    await readStream(client, search, deadline, (line) => void lines.push(line));
    return lines;
  };

  it('reads the stream of the interface alone, in whole seconds, page by page, empty ones among them', async () => {
    logs
      .on(FilterLogEventsCommand)
      .resolvesOnce({ events: [{ message: 'a' }, {}], nextToken: 'more' })
      .resolvesOnce({ events: [], nextToken: 'even more' })
      .resolvesOnce({ events: [{ message: 'b' }] });
    expect(await read()).toEqual(['a', 'b']);
    expect(logs).toHaveReceivedNthCommandWith(FilterLogEventsCommand, 1, input);
    expect(logs).toHaveReceivedNthCommandWith(FilterLogEventsCommand, 3, { ...input, nextToken: 'even more' });
  });

  it('gives up on a log that is too long to be read', async () => {
    logs.on(FilterLogEventsCommand).resolves({ events: [], nextToken: 'more' });
    await expect(read()).rejects.toThrow('more lines than can be read');
    expect(logs).toHaveReceivedCommandTimes(FilterLogEventsCommand, 400);
  });

  it('waits for no answer beyond the deadline', async () => {
    logs.on(FilterLogEventsCommand).callsFake(() => new Promise(() => undefined));
    await expect(read(Date.now() + 20)).rejects.toThrow('in time');
  });

  it('asks for no other page beyond the deadline', async () => {
    logs.on(FilterLogEventsCommand).callsFake(async () => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      return { events: [{ message: 'x' }], nextToken: 'more' };
    });
    await expect(read(Date.now() + 20)).rejects.toThrow('in time');
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(logs).toHaveReceivedCommandTimes(FilterLogEventsCommand, 1);
  });

  it('finds nothing in a stream that is not there yet', async () => {
    logs
      .on(FilterLogEventsCommand)
      .rejects(refusal('ResourceNotFoundException', 'The specified log stream does not exist.'));
    expect(await read()).toEqual([]);
  });

  it('throws what the service says', async () => {
    logs.on(FilterLogEventsCommand).rejects(refusal('AccessDeniedException'));
    await expect(read()).rejects.toThrow('by the test');
  });
});

describe('searchRefusal', () => {
  const client = new CloudWatchLogsClient({ maxAttempts: 1 });

  it('asks for one line', async () => {
    logs.on(FilterLogEventsCommand).resolves({ events: [] });
    expect(await searchRefusal(client, search)).toBeNull();
    expect(logs).toHaveReceivedCommandExactlyOnceWith(FilterLogEventsCommand, { ...input, limit: 1 });
  });

  it.each([
    ['the right to it is missing', 'AccessDeniedException', 'not authorized'],
    [
      'its class is Infrequent Access',
      'InvalidOperationException',
      'FilterLogEvents is not supported for this log class',
    ],
    ['it is not there', 'ResourceNotFoundException', 'The specified log group does not exist.'],
  ])('says so where %s', async (_, name, message) => {
    logs.on(FilterLogEventsCommand).rejects(refusal(name, message));
    const said = await searchRefusal(client, search);
    expect(said).toContain('flow-logs');
    expect(said).toContain(message);
  });

  it.each([
    [
      'the stream begins with the first packet',
      'ResourceNotFoundException',
      'The specified log stream does not exist.',
    ],
    ['too many ask at once', 'ThrottlingException', 'Rate exceeded'],
    ['the service is down', 'ServiceUnavailableException', 'try again'],
  ])('says nothing against it where %s', async (_, name, message) => {
    logs.on(FilterLogEventsCommand).rejects(refusal(name, message));
    expect(await searchRefusal(client, search)).toBeNull();
  });
});
