import { describe, expect, it } from 'vitest';
import type { FlowLogFacts } from '../../../functions/core/case/facts.ts';
import { logObjection, streamObjection } from '../../../functions/core/verdict/log-objection.ts';
import { formatText } from '../../support/flow-log.ts';

const ACCOUNT = '111122223333';
const BUCKET = 'arn:aws:s3:::our-bucket';
const reader = { accountId: ACCOUNT, flowLogBucketArn: BUCKET };

const theLog: FlowLogFacts = {
  id: 'fl-1',
  resourceId: 'vpc-1',
  destinationType: 'cloud-watch-logs',
  destinationAccountId: ACCOUNT,
  logGroupName: 'flow-logs',
  destination: null,
  caseId: null,
  problem: null,
  trafficType: 'ALL',
  format: null,
  intervalSeconds: 60,
  createdAt: null,
};

describe('logObjection', () => {
  it('has nothing against a log of all traffic in a log group of this account', () => {
    expect(logObjection(theLog, reader)).toBeNull();
    expect(logObjection({ ...theLog, destinationAccountId: null }, reader)).toBeNull();
  });

  it.each<[string, Partial<FlowLogFacts>, string]>([
    ['is delivered to S3', { destinationType: 's3', logGroupName: null }, 'a bucket'],
    ['is delivered to Data Firehose', { destinationType: 'kinesis-data-firehose', logGroupName: null }, 'Firehose'],
    ['names no log group', { logGroupName: null }, 'CloudWatch Logs'],
    ['is delivered to another account', { destinationAccountId: '444455556666' }, '444455556666'],
    ['is not delivered', { problem: 'Access error' }, 'Access error'],
    ['records accepted traffic only', { trafficType: 'ACCEPT' }, 'ACCEPT'],
    ['records rejected traffic only', { trafficType: 'REJECT' }, 'REJECT'],
    [
      'has no addresses',
      { format: formatText('interface-id', 'start', 'end', 'action', 'log-status') },
      'srcaddr, dstaddr',
    ],
  ])('names the log that %s, and why', (_, change, word) => {
    const objection = logObjection({ ...theLog, ...change }, reader);
    expect(objection).toContain('fl-1');
    expect(objection).toContain(word);
  });
});

describe('logObjection, of a log in a bucket', () => {
  const inBucket: FlowLogFacts = { ...theLog, destinationType: 's3', logGroupName: null, destination: BUCKET };

  it.each([BUCKET, `${BUCKET}/`, `${BUCKET}/cases`])('has nothing against one of our own: %s', (destination) => {
    expect(logObjection({ ...inBucket, destination }, reader)).toBeNull();
  });

  it.each<[string, Partial<FlowLogFacts>, Partial<typeof reader>]>([
    ['of a customer', { destination: 'arn:aws:s3:::their-bucket' }, {}],
    ['whose name begins as ours does', { destination: `${BUCKET}-2` }, {}],
    ['that is not named', { destination: null }, {}],
  ])('objects to a bucket %s', (_, change, other) => {
    expect(logObjection({ ...inBucket, ...change }, { ...reader, ...other })).toContain('a bucket');
  });

  it('objects to every bucket where the stack has none, and to one kind of traffic in ours', () => {
    expect(logObjection(inBucket, { ...reader, flowLogBucketArn: null })).toContain('a bucket');
    expect(logObjection({ ...inBucket, trafficType: 'REJECT' }, reader)).toContain('REJECT');
  });
});

describe('streamObjection', () => {
  it('has nothing against two logs in one bucket: each has files of its own', () => {
    const inBucket: FlowLogFacts = { ...theLog, destinationType: 's3', logGroupName: null, destination: BUCKET };
    expect(streamObjection(inBucket, [inBucket, { ...inBucket, id: 'fl-2', trafficType: 'REJECT' }])).toBeNull();
  });

  const rejects: FlowLogFacts = { ...theLog, id: 'fl-2', resourceId: 'eni-1', trafficType: 'REJECT' };

  it('names the log of one kind of traffic whose lines pass for those of this one', () => {
    expect(streamObjection(theLog, [theLog, rejects])).toContain('fl-2');
  });

  it.each<[string, Partial<FlowLogFacts>]>([
    ['records all traffic too', { trafficType: 'ALL' }],
    ['is in another log group', { logGroupName: 'other' }],
    ['has lines of another length', { format: formatText('interface-id', 'start', 'end', 'action', 'log-status') }],
  ])('has nothing against a neighbour that %s', (_, change) => {
    expect(streamObjection(theLog, [theLog, { ...rejects, ...change }])).toBeNull();
  });
});
