import { Readable } from 'node:stream';
import type { GetObjectCommandInput, ListObjectsV2CommandInput } from '@aws-sdk/client-s3';
import type { ApiContext, Handlers } from './context.ts';
import { AwsError } from './errors.ts';
import { bucketOf, filesOf, type LogFile } from './flow-log-files.ts';
import { deliversToS3, flowLogsEver } from './flow-logs.ts';
import { page } from './paging.ts';

/** Buckets hold what flow logs delivered there; one to which none delivers is empty. The files of each log, in the order of their keys. */
function logsIn(context: ApiContext, bucket: string | undefined, api: string): (readonly LogFile[])[] {
  const { state, memory } = context;
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket ?? '')) {
    throw new AwsError('InvalidBucketName', 'The specified bucket is not valid.');
  }
  const logs = flowLogsEver(state, memory).filter((log) => deliversToS3(log) && bucketOf(log).bucket === bucket);
  if (logs.some((log) => log.Readable === false)) {
    throw new AwsError('AccessDenied', `not authorized to perform: s3:${api} on resource: "arn:aws:s3:::${bucket}"`);
  }
  return logs.map((log) => filesOf(log, context));
}

/** The place of the first file whose key is not below this one: of a month of files not each is looked at. */
function placeOf(files: readonly LogFile[], key: string): number {
  let [low, high] = [0, files.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((files[middle]?.key ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
function listObjects(context: ApiContext, input: ListObjectsV2CommandInput): object {
  const { Bucket, Prefix = '', StartAfter = '', Delimiter, MaxKeys = 1000, ContinuationToken } = input;
  const all = logsIn(context, Bucket, 'ListBucket')
    .flatMap((files) => files.slice(placeOf(files, StartAfter)))
    .filter(({ key, isListed }) => isListed && key.startsWith(Prefix) && key > StartAfter)
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  const folder = (key: string): string | null => {
    const at = Delimiter === undefined || Delimiter === '' ? -1 : key.indexOf(Delimiter, Prefix.length);
    return at < 0 ? null : key.slice(0, at + (Delimiter?.length ?? 0));
  };
  const entries = [...new Map(all.map((file) => [folder(file.key) ?? file.key, file]))];
  const { items, nextToken } = page(
    entries,
    Math.min(MaxKeys, 1000),
    ContinuationToken,
    () => new AwsError('InvalidArgument', 'The continuation token provided is incorrect'),
  );
  const isFolder = ([name, file]: (typeof entries)[number]): boolean => name !== file.key;
  return {
    Name: Bucket,
    Prefix,
    MaxKeys,
    KeyCount: items.length,
    IsTruncated: nextToken !== undefined,
    NextContinuationToken: nextToken,
    Contents: items
      .filter((item) => !isFolder(item))
      .map(([Key, { lastModified, content }]) => {
        const { body, etag } = content();
        return { Key, LastModified: lastModified, ETag: etag, Size: body.length, StorageClass: 'STANDARD' };
      }),
    ...(Delimiter !== undefined && { CommonPrefixes: items.filter(isFolder).map(([Prefix]) => ({ Prefix })) }),
  };
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html */
function getObject(context: ApiContext, input: GetObjectCommandInput): object {
  const key = input.Key ?? '';
  const file = logsIn(context, input.Bucket, 'GetObject')
    .map((files) => files[placeOf(files, key)])
    .find((one) => one?.key === key);
  if (file === undefined) {
    throw new AwsError('NoSuchKey', 'The specified key does not exist.', { members: { Key: input.Key } });
  }
  const { body, etag } = file.content();
  return {
    Body: bodyOf(body),
    ContentLength: body.length,
    ContentType: 'application/octet-stream',
    ETag: etag,
    LastModified: file.lastModified,
  };
}

/** A stream with what the SDK adds to the bodies that it gives. */
function bodyOf(bytes: Buffer): object {
  return Object.assign(Readable.from([bytes]), {
    transformToByteArray: () => Promise.resolve(new Uint8Array(bytes)),
    transformToString: (encoding: BufferEncoding = 'utf8') => Promise.resolve(bytes.toString(encoding)),
    transformToWebStream: () => Readable.toWeb(Readable.from([bytes])),
  });
}

/**
 * Nobody but the log delivery writes, changes or deletes an object: so says the policy of the bucket of the stack, and another
 * bucket is not in the world.
 */
const denied =
  (api: string) =>
  (_: ApiContext, { Bucket, Key = '*' }: { readonly Bucket?: string; readonly Key?: string }): never => {
    throw new AwsError(
      'AccessDenied',
      `not authorized to perform: s3:${api} on resource: "arn:aws:s3:::${Bucket}/${Key}" with an explicit deny in a resource-based policy`,
    );
  };

export const s3Handlers: Handlers = {
  ListObjectsV2: listObjects,
  GetObject: getObject,
  PutObject: denied('PutObject'),
  CopyObject: denied('PutObject'),
  DeleteObject: denied('DeleteObject'),
  DeleteObjects: denied('DeleteObject'),
  PutObjectAcl: denied('PutObjectAcl'),
  PutObjectTagging: denied('PutObjectTagging'),
};
