import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleOptions } from '../../scripts/bundle-options.mjs';

const ENTRY = `
import { S3Client } from '@aws-sdk/client-s3';
import { readLogFiles } from './functions/aws/flow-log-bucket.ts';
export const read = (requestHandler, search, take) =>
  readLogFiles(new S3Client({ requestHandler, maxAttempts: 1 }), search, Date.now() + 30000, take);`;

interface Bundled {
  read(handler: object, search: object, take: (text: string) => void): Promise<void>;
}

interface Sent {
  readonly hostname: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
}

let folder = '';
let bundled: Bundled;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flowcut-bucket-'));
  const outfile = join(folder, 'index.mjs');
  await build({
    ...bundleOptions(),
    stdin: { contents: ENTRY, resolveDir: process.cwd(), loader: 'js' },
    outfile,
    logLevel: 'silent',
  });
  bundled = (await import(pathToFileURL(outfile).href)) as Bundled;
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const search = {
  bucket: 'flowcut-flowlogbucket-abc123',
  folder: '',
  accountId: '111122223333',
  region: 'eu-central-1',
  flowLogId: 'fl-1',
  from: Date.parse('2026-01-15T10:00:00Z') / 1000,
  to: Date.parse('2026-01-15T11:00:00Z') / 1000,
};
const LIST = `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>false</IsTruncated>
  <Contents><Key>AWSLogs/one.log.gz</Key><LastModified>2026-01-15T10:30:00.000Z</LastModified><Size>40</Size></Contents></ListBucketResult>`;

/** Answers as S3 does, and keeps what was sent. */
function s3(sent: Sent[]) {
  return {
    handle(request: Sent) {
      sent.push(request);
      const body = request.query['list-type'] === '2' ? Buffer.from(LIST) : gzipSync('one line');
      return Promise.resolve({ response: { statusCode: 200, headers: {}, body: Readable.from([body]) } });
    },
  };
}

describe('the client of the bucket, as it is bundled', () => {
  it('lists and reads at the host of the bucket, signed for S3 in the Region', async () => {
    Object.assign(process.env, {
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'AKID',
      AWS_SECRET_ACCESS_KEY: 'none',
    });
    const sent: Sent[] = [];
    const texts: string[] = [];
    await bundled.read(s3(sent), search, (text) => texts.push(text));
    expect(texts).toEqual(['one line']);
    expect(new Set(sent.map(({ hostname }) => hostname))).toEqual(
      new Set(['flowcut-flowlogbucket-abc123.s3.eu-central-1.amazonaws.com']),
    );
    expect(sent.map(({ path }) => path)).toEqual(['/', '/AWSLogs/one.log.gz']);
    for (const { headers } of sent) expect(headers['authorization']).toContain('/eu-central-1/s3/aws4_request');
  });

  it('refuses a bucket whose name is none of CloudFormation’s', async () => {
    const sent: Sent[] = [];
    await expect(bundled.read(s3(sent), { ...search, bucket: 'Their.Bucket' }, () => undefined)).rejects.toThrow(
      'bucket',
    );
    expect(sent).toEqual([]);
  });
});
