import { gunzipSync } from 'node:zlib';
import { GetObjectCommand, paginateListObjectsV2, type S3Client } from '@aws-sdk/client-s3';
import { FILE_SECONDS } from '../core/verdict/log-file.ts';
import { errorCode } from './errors.ts';

/** Whose files are looked for, and when they were written; times in epoch seconds. */
export interface FileSearch {
  readonly bucket: string;
  /** Before `AWSLogs/`: empty, or ending in `/`. */
  readonly folder: string;
  readonly accountId: string;
  readonly region: string;
  readonly flowLogId: string;
  readonly from: number;
  readonly to: number;
}

/** Files read at once: each is a call of its own, and small. */
const FILES_AT_ONCE = 16;
/** Files of one log that are read in one look: a month of them, and a margin. A log of more proves nothing in time. */
const MOST_FILES = 10_000;
/** Of one file, packed and unpacked: beyond that it is a flood, in which nothing would be found. */
const MOST_PACKED_BYTES = 8_000_000;
const MOST_BYTES = 64_000_000;

const DAY_SECONDS = 24 * 3600;

/**
 * Reads the files of a flow log, oldest first, until the deadline (a moment in ms): beyond it nobody waits for the service any
 * more, and an error is thrown. Nothing but files of this log is asked for: its id stands in their names.
 * https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html
 */
export async function readLogFiles(
  s3: S3Client,
  search: FileSearch,
  deadline: number,
  take: (text: string, key: string) => void,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    const late = new Error(`the files of ${search.flowLogId} were not read to their end in time`);
    timer = setTimeout(() => reject(late), Math.max(0, deadline - Date.now()));
  });
  try {
    await Promise.race([readAll(s3, search, () => Date.now() < deadline, take), over]);
  } finally {
    clearTimeout(timer);
  }
}

async function readAll(
  s3: S3Client,
  search: FileSearch,
  isInTime: () => boolean,
  take: (text: string, key: string) => void,
): Promise<void> {
  const keys = await keysOf(s3, search, isInTime);
  for (let at = 0; at < keys.length && isInTime(); at += FILES_AT_ONCE) {
    const batch = keys.slice(at, at + FILES_AT_ONCE);
    const packed = await Promise.all(batch.map((key) => contentOf(s3, search.bucket, key)));
    // One after another: unpacked, one is in memory at a time.
    for (const [index, bytes] of packed.entries()) {
      if (bytes !== null && isInTime()) take(unpacked(bytes), batch[index] ?? '');
    }
  }
}

/** A file whose last change lies before `from` holds nothing that was recorded since. */
async function keysOf(s3: S3Client, search: FileSearch, isInTime: () => boolean): Promise<readonly string[]> {
  const keys: string[] = [];
  for (const prefix of prefixesOf(search)) {
    const input = { Bucket: search.bucket, Prefix: prefix };
    for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, input)) {
      for (const { Key, LastModified, Size = 0 } of Contents) {
        if (Key === undefined || (LastModified !== undefined && LastModified.getTime() / 1000 < search.from)) continue;
        if (Size > MOST_PACKED_BYTES) throw new Error(`the file ${Key} holds more than can be read`);
        keys.push(Key);
      }
      if (keys.length > MOST_FILES) throw new Error(`${search.flowLogId} has more files than can be read`);
      if (!isInTime()) return keys;
    }
  }
  return keys;
}

/** The day in a name is that of the file, which may be later than what it holds, or begin before. */
function prefixesOf({ folder, accountId, region, flowLogId, from, to }: FileSearch): readonly string[] {
  const first = Math.floor((from - FILE_SECONDS) / DAY_SECONDS);
  const last = Math.floor((to + FILE_SECONDS) / DAY_SECONDS);
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const day = new Date((first + index) * DAY_SECONDS * 1000).toISOString().slice(0, 10).replaceAll('-', '/');
    const path = `${folder}AWSLogs/${accountId}/vpcflowlogs/${region}/${day}`;
    return `${path}/${accountId}_vpcflowlogs_${region}_${flowLogId}_`;
  });
}

/** null = it is there no more: the bucket lets old files go. */
async function contentOf(s3: S3Client, bucket: string, key: string): Promise<Uint8Array | null> {
  try {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return (await Body?.transformToByteArray()) ?? null;
  } catch (error) {
    if (errorCode(error) === 'NoSuchKey') return null;
    throw error;
  }
}

const unpacked = (bytes: Uint8Array): string => gunzipSync(bytes, { maxOutputLength: MOST_BYTES }).toString('utf8');

/** What S3 says for good: asked again, it says the same. */
const REFUSALS = ['AccessDenied', 'AllAccessDisabled', 'InvalidBucketName', 'NoSuchBucket', 'PermanentRedirect'];

/** Another look may be answered. */
export const isPassingFault = (error: unknown): boolean => !REFUSALS.includes(errorCode(error));
