import { gunzipSync } from 'node:zlib';
import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import {
  CreateFlowLogsCommand,
  type CreateFlowLogsCommandInput,
  DeleteFlowLogsCommand,
  DescribeFlowLogsCommand,
  type EC2Client,
} from '@aws-sdk/client-ec2';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { runInVirtualTime } from '../../../local/world/clock.ts';
import { createEmbeddedWorld, type EmbeddedWorld } from '../../../local/world/embedded-world.ts';
import { formatOf } from '../../../local/world/physics/log-format.ts';
import { parseQuietWorld } from '../../support/quiet-agents.ts';
import { theWorld } from '../physics/fixtures.ts';
import { ids, inWorld, outcome } from './small-world.ts';

const toLogs: CreateFlowLogsCommandInput = {
  ResourceIds: [ids.eni],
  ResourceType: 'NetworkInterface',
  TrafficType: 'ALL',
  MaxAggregationInterval: 60,
  LogGroupName: 'flowcut/case-1',
  DeliverLogsPermissionArn: 'arn:aws:iam::111122223333:role/delivery',
};
const { LogGroupName: _group, DeliverLogsPermissionArn: _role, ...common } = toLogs;
const toBucket: CreateFlowLogsCommandInput = {
  ...common,
  LogDestinationType: 's3',
  LogDestination: 'arn:aws:s3:::evidence-bucket/cases/',
};
const ENI = 'eni-00000000000000e01';

const create = (ec2: EC2Client, over: Partial<CreateFlowLogsCommandInput> = {}) =>
  ec2.send(new CreateFlowLogsCommand({ ...toLogs, ...over }));

describe('CreateFlowLogs', () => {
  it('makes a log per resource, which is shown as it was asked for', () =>
    inWorld({}, async ({ ec2 }) => {
      const { FlowLogIds } = await create(ec2, {
        LogFormat: formatOf(['srcaddr', 'action']),
        TagSpecifications: [{ ResourceType: 'vpc-flow-log', Tags: [{ Key: 'flowcut', Value: 'case-1' }] }],
      });

      const { FlowLogs } = await ec2.send(new DescribeFlowLogsCommand({ FlowLogIds }));

      expect(FlowLogs).toMatchObject([
        {
          FlowLogId: FlowLogIds?.[0],
          ResourceId: ids.eni,
          FlowLogStatus: 'ACTIVE',
          DeliverLogsStatus: 'SUCCESS',
          TrafficType: 'ALL',
          LogDestinationType: 'cloud-watch-logs',
          LogGroupName: 'flowcut/case-1',
          LogFormat: formatOf(['srcaddr', 'action']),
          MaxAggregationInterval: 60,
          CreationTime: new Date('2026-01-15T10:00:00.200Z'),
          Tags: [{ Key: 'flowcut', Value: 'case-1' }],
        },
      ]);
      expect(Object.keys(FlowLogs?.[0] ?? {})).not.toContain('StartsAtSeconds');
    }));

  it('is made once for one client token, and refuses the token for something else', () =>
    inWorld({}, async ({ ec2, state }) => {
      const first = await create(ec2, { ClientToken: 'one' });
      const again = await create(ec2, { ClientToken: 'one' });

      expect(again.FlowLogIds).toEqual(first.FlowLogIds);
      expect(state.FlowLogs).toHaveLength(1);
      expect(await outcome(create(ec2, { ClientToken: 'one', TrafficType: 'REJECT' }))).toBe(
        'IdempotentParameterMismatch',
      );
    }));

  it('refuses a twin, and a third log of one resource', () =>
    inWorld({}, async ({ ec2 }) => {
      await create(ec2);

      expect(await outcome(create(ec2))).toBe('FlowLogAlreadyExists');
      expect(await outcome(create(ec2, { LogGroupName: 'second' }))).toBe('ok');
      expect(await outcome(create(ec2, { LogGroupName: 'third' }))).toBe('FlowLogsLimitExceeded');
    }));

  it.each<[string, Partial<CreateFlowLogsCommandInput>]>([
    ['InvalidNetworkInterfaceID.NotFound', { ResourceIds: ['eni-0000000000000dead'] }],
    ['InvalidNetworkInterfaceId.Malformed', { ResourceIds: [ids.subnet] }],
    ['InvalidSubnetID.NotFound', { ResourceType: 'Subnet', ResourceIds: ['subnet-0000000000000dead'] }],
    ['InvalidParameter', { MaxAggregationInterval: 30 }],
    ['InvalidParameter', { LogFormat: formatOf(['srcadr']) }],
    ['InvalidParameter', { DeliverLogsPermissionArn: undefined }],
    ['InvalidParameter', { LogGroupName: undefined }],
    ['InvalidParameter', { LogDestinationType: 's3', LogDestination: 'arn:aws:s3:::bucket' }],
    ['InvalidParameter', { LogDestinationType: 's3', LogGroupName: undefined, LogDestination: 'bucket' }],
    [
      'InvalidParameter',
      { LogDestinationType: 's3', LogGroupName: undefined, LogDestination: 'arn:aws:s3:::bucket/AWSLogs/' },
    ],
    ['InvalidParameterValue', { TagSpecifications: [{ ResourceType: 'vpc', Tags: [{ Key: 'a', Value: 'b' }] }] }],
    ['DryRunOperation', { DryRun: true }],
  ])('answers %s', (code, over) =>
    inWorld({}, async ({ ec2, state }) => {
      expect(await outcome(create(ec2, over))).toBe(code);
      expect(state.FlowLogs).toEqual([]);
    }),
  );
});

function live<T>(body: (world: EmbeddedWorld, ec2: EC2Client) => Promise<T>, over: object = {}): Promise<T> {
  const file = parseQuietWorld({ ...theWorld, ...over });
  return runInVirtualTime(file.Now, async (clock) => {
    const world = createEmbeddedWorld(file, clock);
    const { EC2Client: Client } = await import('@aws-sdk/client-ec2');
    return body(world, world.attach(new Client({ region: 'eu-central-1' })));
  });
}

const search = async (world: EmbeddedWorld, logGroupName = 'flowcut/case-1', over: object = {}) => {
  const logs = world.attach(new CloudWatchLogsClient({ region: 'eu-central-1' }));
  return (await logs.send(new FilterLogEventsCommand({ logGroupName, ...over }))).events ?? [];
};

describe('a flow log that was created', () => {
  it('records from its start on, in one stream per interface, whatever its format', () =>
    live(async (world, ec2) => {
      const fields = ['action', 'pkt-dstaddr', 'flow-direction'];
      await create(ec2, { ResourceIds: [ENI], LogFormat: formatOf(fields) });
      await world.clock.sleep(1000);

      const events = await search(world, 'flowcut/case-1', { logStreamNamePrefix: `${ENI}-` });

      expect(events[0]).toMatchObject({
        logStreamName: `${ENI}-all`,
        message: 'ACCEPT 198.51.100.7 egress',
        timestamp: Date.parse('2026-01-15T10:06:00Z'),
      });
      expect(await search(world, 'flowcut/case-1', { logStreamNamePrefix: 'eni-0000000000000dead' })).toEqual([]);
    }));

  it('keeps what it recorded when it is deleted, and records no more', () =>
    live(async (world, ec2) => {
      const { FlowLogIds } = await create(ec2, { ResourceIds: [ENI], LogFormat: formatOf(['start']) });
      await world.clock.sleep(1000);
      await ec2.send(new DeleteFlowLogsCommand({ FlowLogIds }));
      await world.clock.sleep(1000);

      const starts = (await search(world)).map(
        ({ message }) => Number(message) - Date.parse('2026-01-15T10:00:00Z') / 1000,
      );

      expect(Math.max(...starts)).toBe(900);
      expect(await outcome(ec2.send(new DeleteFlowLogsCommand({ FlowLogIds })))).toBe('InvalidFlowLogId.NotFound');
    }));

  it('is read from its bucket: a gzipped file with a header for every five minutes, under the key that AWS gives it', () =>
    live(async (world, ec2) => {
      const { FlowLogIds } = await ec2.send(
        new CreateFlowLogsCommand({ ...toBucket, ResourceIds: [ENI], LogFormat: formatOf(['end', 'dstaddr']) }),
      );
      const s3 = world.attach(new S3Client({ region: 'eu-central-1' }));
      const bucket = { Bucket: 'evidence-bucket' };
      const atFirst = await s3.send(new ListObjectsV2Command({ ...bucket }));
      await world.clock.sleep(1300);

      const { Contents = [] } = await s3.send(new ListObjectsV2Command({ ...bucket, Prefix: 'cases/' }));
      const [first] = Contents;
      const { Body } = await s3.send(new GetObjectCommand({ ...bucket, Key: first?.Key }));

      expect(atFirst).toMatchObject({ KeyCount: 0, IsTruncated: false });
      expect(Contents).toHaveLength(2);
      expect(first?.Key).toMatch(
        new RegExp(
          `^cases/AWSLogs/111122223333/vpcflowlogs/eu-central-1/2026/01/15/111122223333_vpcflowlogs_eu-central-1_${FlowLogIds?.[0]}_20260115T1005Z_[0-9a-f]{8}\\.log\\.gz$`,
        ),
      );
      expect(first?.LastModified).toEqual(new Date('2026-01-15T10:15:00Z'));
      const lines = gunzipSync((await Body?.transformToByteArray()) ?? new Uint8Array())
        .toString()
        .trim()
        .split('\n');
      expect(lines[0]).toBe('end dstaddr');
      expect(lines[1]).toBe(`${Date.parse('2026-01-15T10:07:00Z') / 1000} 198.51.100.7`);
      expect(lines.at(-1)).toMatch(new RegExp(`^${Date.parse('2026-01-15T10:10:00Z') / 1000} `));
    }));

  it('pages and folds the objects of a bucket', () =>
    live(async (world, ec2) => {
      await ec2.send(new CreateFlowLogsCommand({ ...toBucket, ResourceIds: [ENI] }));
      const s3 = world.attach(new S3Client({ region: 'eu-central-1' }));
      await world.clock.sleep(4000);
      const list = (over: object) => s3.send(new ListObjectsV2Command({ Bucket: 'evidence-bucket', ...over }));

      const page = await list({ MaxKeys: 3 });
      const rest = await list({ ContinuationToken: page.NextContinuationToken });
      const folded = await list({ Delimiter: '/', Prefix: 'cases/' });

      expect(page).toMatchObject({ IsTruncated: true, KeyCount: 3 });
      expect(rest.Contents?.[0]?.Key).not.toBe(page.Contents?.[2]?.Key);
      expect(folded).toMatchObject({ CommonPrefixes: [{ Prefix: 'cases/AWSLogs/' }] });
      expect(await outcome(s3.send(new GetObjectCommand({ Bucket: 'evidence-bucket', Key: 'cases/none' })))).toBe(
        'NoSuchKey',
      );
    }));
});

describe('a flow log that nobody may search', () => {
  it.each([
    ['AccessDeniedException', { Readable: false }],
    ['InvalidOperationException', { LogGroupClass: 'INFREQUENT_ACCESS' }],
    ['ok', {}],
  ])('answers %s', (code, over) =>
    live(
      (world) =>
        search(world, 'all').then(
          () => 'ok',
          (error: Error) => error.name,
        ),
      {
        FlowLogs: [{ ResourceId: 'vpc-00000000000000001', LogGroupName: 'all', ...over }],
      },
    ).then((answer) => expect(answer).toBe(code)),
  );

  it('denies its bucket too', () =>
    live(
      async (world) => {
        const s3 = world.attach(new S3Client({ region: 'eu-central-1' }));

        expect(await outcome(s3.send(new ListObjectsV2Command({ Bucket: 'their-bucket' })))).toBe('AccessDenied');
      },
      {
        FlowLogs: [
          {
            ResourceId: 'vpc-00000000000000001',
            LogDestinationType: 's3',
            LogDestination: 'arn:aws:s3:::their-bucket',
            Readable: false,
          },
        ],
      },
    ));
});

describe('the bucket of a flow log', () => {
  const bucket = { Bucket: 'evidence-bucket' };
  const quiet = (hours: number) =>
    live(
      async (world, ec2) => {
        await ec2.send(
          new CreateFlowLogsCommand({
            ...toBucket,
            LogDestination: 'arn:aws:s3:::evidence-bucket',
            ResourceIds: [ENI],
          }),
        );
        await world.clock.sleep(hours * 3600);
        const s3 = world.attach(new S3Client({ region: 'eu-central-1' }));
        const { Contents = [] } = await s3.send(new ListObjectsV2Command(bucket));
        const read = async (Key: string | undefined) => {
          const { Body } = await s3.send(new GetObjectCommand({ ...bucket, Key }));
          return gunzipSync((await Body?.transformToByteArray()) ?? new Uint8Array())
            .toString()
            .trim()
            .split('\n');
        };
        const all = (await Promise.all(Contents.map(({ Key }) => read(Key)))).flatMap(([, ...lines]) => lines);
        return { Contents, read, lines: all.map((line) => line.split(' ').map(Number)) };
      },
      { Flows: [] },
    );

  it('has a file for every five minutes, and one for an hour of silence that is over for long', async () => {
    const { Contents } = await quiet(6);
    const stamps = Contents.map(({ Key }) => /T(\d{4})Z/.exec(Key ?? '')?.[1]);
    expect(stamps.slice(0, 3)).toEqual(['1005', '1010', '1015']);
    expect(stamps).toContain('1155');
    expect(stamps).not.toContain('1150');
    expect(stamps.slice(-2)).toEqual(['1545', '1550']);
  });

  it('tells of silence without a hole, whoever reads it', async () => {
    const { lines } = await quiet(6);
    const spans = lines.map((values) => [values[10] ?? 0, values[11] ?? 0] as const).sort(([a], [b]) => a - b);
    expect(spans.length).toBeGreaterThan(20);
    expect(spans.slice(1).map(([start]) => start)).toEqual(spans.slice(0, -1).map(([, end]) => end));
    for (const [start, end] of spans) expect(Math.floor(start / 300)).toBe(Math.floor((end - 1) / 300));
  });

  it('answers for a file that has become part of an hour', () =>
    live(
      async (world, ec2) => {
        await ec2.send(new CreateFlowLogsCommand({ ...toBucket, ResourceIds: [ENI] }));
        const s3 = world.attach(new S3Client({ region: 'eu-central-1' }));
        const keys = async () => {
          const { Contents = [] } = await s3.send(new ListObjectsV2Command(bucket));
          return Contents.map(({ Key }) => Key);
        };
        await world.clock.sleep(3600 + 1800);
        const before = await keys();
        await world.clock.sleep(3 * 3600);
        const after = await keys();
        const parts = before.filter((key) => !after.includes(key));
        expect(parts.length).toBeGreaterThan(2);
        for (const Key of parts) expect(await outcome(s3.send(new GetObjectCommand({ ...bucket, Key })))).toBe('ok');
      },
      { Flows: [] },
    ));

  it.each([
    ['PutObject', (s3: S3Client) => s3.send(new PutObjectCommand({ ...bucket, Key: 'AWSLogs/forged', Body: 'x' }))],
    ['DeleteObject', (s3: S3Client) => s3.send(new DeleteObjectCommand({ ...bucket, Key: 'AWSLogs/any' }))],
    [
      'DeleteObjects',
      (s3: S3Client) => s3.send(new DeleteObjectsCommand({ ...bucket, Delete: { Objects: [{ Key: 'a' }] } })),
    ],
  ])('denies %s to everybody', (_, call) =>
    live(async (world) => {
      const s3 = world.attach(new S3Client({ region: 'eu-central-1' }));
      expect(await outcome(call(s3))).toBe('AccessDenied');
    }),
  );

  it('is away where S3 is', () =>
    live(
      async (world) => {
        const s3 = world.attach(new S3Client({ region: 'eu-central-1', maxAttempts: 1 }));
        expect(await outcome(s3.send(new ListObjectsV2Command(bucket)))).toBe('SlowDown');
        await world.clock.sleep(120);
        expect(await outcome(s3.send(new ListObjectsV2Command(bucket)))).toBe('ok');
      },
      { Faults: [{ Service: 's3', FromSeconds: 0, ToSeconds: 60, Error: 'SlowDown' }] },
    ));
});
