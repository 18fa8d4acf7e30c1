import { CreateFlowLogsCommand, DeleteFlowLogsCommand, DescribeFlowLogsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { mockClient } from 'aws-sdk-client-mock';
import 'aws-sdk-client-mock-vitest/extend';
import { beforeEach, describe, expect, it } from 'vitest';
import { createOwnFlowLog, deleteFlowLogs } from '../../functions/aws/own-flow-logs.ts';

const ec2 = mockClient(EC2Client);
const client = new EC2Client({ region: 'eu-central-1' });
beforeEach(() => ec2.reset());

const wanted = { networkInterfaceId: 'eni-1', bucketArn: 'arn:aws:s3:::our-bucket', caseId: 'case-1' };
const there = (...ids: readonly string[]) => ({
  FlowLogs: ids.map((FlowLogId) => ({ FlowLogId, ResourceId: 'eni-1', FlowLogStatus: 'ACTIVE' })),
});
const tokens = () => ec2.commandCalls(CreateFlowLogsCommand).map(({ args }) => args[0].input.ClientToken);
const failed = (Code: string) => ({ Unsuccessful: [{ ResourceId: 'eni-1', Error: { Code, Message: 'by the test' } }] });
const error = (Code: string) => Object.assign(new Error('by the test'), { name: Code, Code });

describe('createOwnFlowLog', () => {
  it('asks for all traffic by the minute, in our bucket, with the tag of the case, once', async () => {
    ec2.on(CreateFlowLogsCommand).resolves({ FlowLogIds: ['fl-1'] });
    ec2.on(DescribeFlowLogsCommand).resolves(there('fl-1'));
    await createOwnFlowLog(client, wanted);
    expect(ec2).toHaveReceivedCommandExactlyOnceWith(CreateFlowLogsCommand, {
      ResourceIds: ['eni-1'],
      ResourceType: 'NetworkInterface',
      TrafficType: 'ALL',
      LogDestinationType: 's3',
      LogDestination: 'arn:aws:s3:::our-bucket',
      MaxAggregationInterval: 60,
      TagSpecifications: [{ ResourceType: 'vpc-flow-log', Tags: [{ Key: 'flowcut:case', Value: 'case-1' }] }],
    });
  });

  it('has one token for a case and an interface, and another one for others', async () => {
    ec2.on(CreateFlowLogsCommand).resolves({ FlowLogIds: ['fl-1'] });
    ec2.on(DescribeFlowLogsCommand).resolves(there('fl-1'));
    await createOwnFlowLog(client, wanted);
    await createOwnFlowLog(client, wanted);
    await createOwnFlowLog(client, { ...wanted, caseId: 'case-2' });
    const [first, second, other] = tokens();
    expect(second).toBe(first);
    expect(other).not.toBe(first);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
  });

  it('takes the next token where the log that the first one made is there no more', async () => {
    ec2
      .on(CreateFlowLogsCommand)
      .resolvesOnce({ FlowLogIds: ['fl-gone'] })
      .resolves({ FlowLogIds: ['fl-new'] });
    ec2.on(DescribeFlowLogsCommand).resolvesOnce(there()).resolves(there('fl-new'));
    await createOwnFlowLog(client, wanted);
    expect(new Set(tokens()).size).toBe(2);
  });

  it('takes the next token where another version has used it for something else', async () => {
    ec2
      .on(CreateFlowLogsCommand)
      .rejectsOnce(error('IdempotentParameterMismatch'))
      .resolves({ FlowLogIds: ['fl-1'] });
    ec2.on(DescribeFlowLogsCommand).resolves(there('fl-1'));
    await createOwnFlowLog(client, wanted);
    expect(new Set(tokens()).size).toBe(2);
  });

  it.each([
    ['as an error', () => ec2.on(CreateFlowLogsCommand).rejects(error('FlowLogAlreadyExists'))],
    ['in a list', () => ec2.on(CreateFlowLogsCommand).resolves(failed('FlowLogAlreadyExists'))],
  ])('is content where EC2 has one like it, and says so %s', async (_, prepare) => {
    prepare();
    await createOwnFlowLog(client, wanted);
    expect(tokens()).toHaveLength(1);
  });

  it('ends where every log is deleted as soon as it is made', async () => {
    ec2.on(CreateFlowLogsCommand).resolves({ FlowLogIds: ['fl-gone'] });
    ec2.on(DescribeFlowLogsCommand).resolves(there());
    await createOwnFlowLog(client, wanted);
    expect(new Set(tokens()).size).toBe(5);
  });

  it('throws what EC2 refused in an answer that is a success', async () => {
    ec2.on(CreateFlowLogsCommand).resolves(failed('FlowLogsLimitExceeded'));
    await expect(createOwnFlowLog(client, wanted)).rejects.toMatchObject({ name: 'FlowLogsLimitExceeded' });
  });
});

describe('deleteFlowLogs', () => {
  it('deletes by id, and calls nobody for none', async () => {
    ec2.on(DeleteFlowLogsCommand).resolves({});
    await deleteFlowLogs(client, []);
    await deleteFlowLogs(client, ['fl-1']);
    expect(ec2).toHaveReceivedCommandExactlyOnceWith(DeleteFlowLogsCommand, { FlowLogIds: ['fl-1'] });
  });

  it.each([
    ['as an error', () => ec2.on(DeleteFlowLogsCommand).rejects(error('InvalidFlowLogId.NotFound'))],
    ['in a list', () => ec2.on(DeleteFlowLogsCommand).resolves(failed('InvalidFlowLogId.NotFound'))],
  ])('is content with one that is there no more, said %s', async (_, prepare) => {
    prepare();
    await expect(deleteFlowLogs(client, ['fl-1'])).resolves.toBeUndefined();
  });

  it('throws what was not deleted', async () => {
    ec2.on(DeleteFlowLogsCommand).resolves(failed('UnauthorizedOperation'));
    await expect(deleteFlowLogs(client, ['fl-1'])).rejects.toMatchObject({ Code: 'UnauthorizedOperation' });
  });
});
