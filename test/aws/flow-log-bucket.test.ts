import { gzipSync } from 'node:zlib';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { mockClient } from 'aws-sdk-client-mock';
import 'aws-sdk-client-mock-vitest/extend';
import { beforeEach, describe, expect, it } from 'vitest';
import { type FileSearch, isPassingFault, readLogFiles } from '../../functions/aws/flow-log-bucket.ts';

const s3 = mockClient(S3Client);
const client = new S3Client({ region: 'eu-central-1' });

beforeEach(() => s3.reset());

const at = (iso: string): number => Date.parse(iso) / 1000;
const search: FileSearch = {
  bucket: 'our-bucket',
  folder: '',
  accountId: '111122223333',
  region: 'eu-central-1',
  flowLogId: 'fl-1',
  from: at('2026-01-15T10:00:00Z'),
  to: at('2026-01-15T12:00:00Z'),
};
const DAY = 'AWSLogs/111122223333/vpcflowlogs/eu-central-1/2026/01/15';
const PREFIX = `${DAY}/111122223333_vpcflowlogs_eu-central-1_fl-1_`;
const SOON = () => Date.now() + 60_000;

const body = (bytes: Uint8Array) => ({ Body: { transformToByteArray: () => Promise.resolve(bytes) } as never });
const file = (text: string) => body(gzipSync(text));

async function read(over: Partial<FileSearch> = {}, deadline = SOON()): Promise<readonly string[]> {
  const texts: string[] = [];
  await readLogFiles(client, { ...search, ...over }, deadline, (text, key) => texts.push(`${key}: ${text}`));
  return texts;
}

const listed = (...keys: readonly string[]) => ({
  Contents: keys.map((Key) => ({ Key, Size: 100, LastModified: new Date('2026-01-15T11:00:00Z') })),
});

describe('the files of a flow log in a bucket', () => {
  it('are those that have its id in their name, read in the order of the list', async () => {
    s3.on(ListObjectsV2Command).resolves(listed('a', 'b'));
    s3.on(GetObjectCommand, { Key: 'a' }).resolves(file('one'));
    s3.on(GetObjectCommand, { Key: 'b' }).resolves(file('two'));
    expect(await read()).toEqual(['a: one', 'b: two']);
    expect(s3).toHaveReceivedCommandExactlyOnceWith(ListObjectsV2Command, { Bucket: 'our-bucket', Prefix: PREFIX });
  });

  it('are looked for day by day, a little before and after, and below the folder of the log', async () => {
    s3.on(ListObjectsV2Command).resolves({});
    await read({ folder: 'cases/', from: at('2026-01-15T00:03:00Z'), to: at('2026-01-16T23:58:00Z') });
    const prefixes = s3.commandCalls(ListObjectsV2Command).map(({ args }) => args[0].input.Prefix);
    expect(prefixes.map((prefix) => /(\d{4}\/\d\d\/\d\d)\//.exec(prefix ?? '')?.[1])).toEqual([
      '2026/01/14',
      '2026/01/15',
      '2026/01/16',
      '2026/01/17',
    ]);
    expect(prefixes[0]).toMatch(/^cases\/AWSLogs\//);
  });

  it('are read on to the last page; what was written before is left', async () => {
    const old = { Key: 'old', Size: 1, LastModified: new Date('2026-01-15T09:59:00Z') };
    s3.on(ListObjectsV2Command)
      .resolvesOnce({ Contents: [old], IsTruncated: true, NextContinuationToken: 'more' })
      .resolves(listed('new'));
    s3.on(GetObjectCommand).resolves(file('one'));
    expect(await read()).toEqual(['new: one']);
  });

  it('are a few at once', async () => {
    let [now, most] = [0, 0];
    s3.on(ListObjectsV2Command).resolves(listed(...Array.from({ length: 50 }, (_, index) => `file-${index}`)));
    s3.on(GetObjectCommand).callsFake(async () => {
      now += 1;
      most = Math.max(most, now);
      await Promise.resolve();
      now -= 1;
      return file('one');
    });
    expect(await read()).toHaveLength(50);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(16);
  });

  it('that expired between list and read are passed over', async () => {
    s3.on(ListObjectsV2Command).resolves(listed('gone', 'there'));
    s3.on(GetObjectCommand, { Key: 'gone' }).rejects(Object.assign(new Error('gone'), { name: 'NoSuchKey' }));
    s3.on(GetObjectCommand, { Key: 'there' }).resolves(file('one'));
    expect(await read()).toEqual(['there: one']);
  });

  it.each<[string, () => void, string]>([
    ['too large', () => s3.on(ListObjectsV2Command).resolves({ Contents: [{ Key: 'a', Size: 9e6 }] }), 'more than can'],
    [
      'too many',
      () =>
        s3.on(ListObjectsV2Command).callsFake(() => ({
          ...listed(...Array.from({ length: 1000 }, (_, index) => String(index))),
          IsTruncated: true,
          NextContinuationToken: String(Math.random()),
        })),
      'more files than can',
    ],
    [
      'no gzip',
      () => {
        s3.on(ListObjectsV2Command).resolves(listed('a'));
        s3.on(GetObjectCommand).resolves(body(Buffer.from('plain')));
      },
      'incorrect header',
    ],
    [
      'larger than they say',
      () => {
        s3.on(ListObjectsV2Command).resolves(listed('a'));
        s3.on(GetObjectCommand).resolves(file('x'.repeat(65_000_000)));
      },
      'Cannot create a Buffer larger',
    ],
  ])('that are %s are an error', async (_, prepare, message) => {
    prepare();
    await expect(read()).rejects.toThrow(message);
  });

  it('are waited for until the deadline, and no longer', async () => {
    s3.on(ListObjectsV2Command).resolves(listed('a'));
    s3.on(GetObjectCommand).callsFake(() => new Promise(() => undefined));
    await expect(read({}, Date.now() + 50)).rejects.toThrow('in time');
  });

  it.each([
    ['AccessDenied', false],
    ['NoSuchBucket', false],
    ['SlowDown', true],
    ['InternalError', true],
    ['TimeoutError', true],
  ])('that answer %s are read by another look: %s', (name, passing) => {
    expect(isPassingFault(Object.assign(new Error(name), { name }))).toBe(passing);
  });
});
