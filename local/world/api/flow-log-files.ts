import { gzipSync } from 'node:zlib';
import { DEFAULT_FORMAT, fieldsOfFormat } from '../physics/log-format.ts';
import type { ApiContext } from './context.ts';
import { flowLogId, stampedLines, watchedInterfaces } from './flow-logs.ts';
import { madeId } from './ids.ts';
import type { ApiState, FlowLog } from './shapes.ts';

/** Records are gathered into one file every five minutes. https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html */
const FILE_SECONDS = 300;
const DELIVERY_SECONDS = 300;

/** One object in the bucket of a flow log. */
export interface LogFile {
  readonly key: string;
  readonly lastModified: Date;
  /** Packs the file; a list of many needs the content of few. */
  readonly content: () => { readonly body: Buffer; readonly etag: string };
}

/** The bucket of a flow log and the folder below it, empty or ending in `/`. */
export function bucketOf(log: FlowLog): { bucket: string; folder: string } {
  const [bucket = '', ...rest] = (log.LogDestination ?? '').replace(/^arn:[^:]*:s3:::/, '').split('/');
  const folder = rest.filter((part) => part !== '').join('/');
  return { bucket, folder: folder === '' ? '' : `${folder}/` };
}

/**
 * The files of a flow log that lie in its bucket now, oldest first: each holds the records that end in its five minutes,
 * of all interfaces that are watched, below a line with the names of the fields.
 */
export function filesOf(log: FlowLog, { state, physics, memory, now }: ApiContext): LogFile[] {
  const zero = Math.floor(Date.parse(state.Now) / 1000);
  const delay = log.DeliverySeconds ?? DELIVERY_SECONDS;
  const byFile = new Map<number, string[]>();
  for (const id of watchedInterfaces(log, state, memory)) {
    const range = { from: Number.NEGATIVE_INFINITY, to: now, now };
    for (const { line, end } of stampedLines(physics, log, id, range)) {
      const file = Math.floor(end / FILE_SECONDS) * FILE_SECONDS;
      if (file + FILE_SECONDS + delay > zero + now) continue;
      const lines = byFile.get(file);
      if (lines === undefined) byFile.set(file, [line]);
      else lines.push(line);
    }
  }
  const header = (fieldsOfFormat(log.LogFormat ?? DEFAULT_FORMAT) ?? []).join(' ');
  return [...byFile]
    .sort(([a], [b]) => a - b)
    .map(([start, lines]) => ({
      key: keyOf(log, state, start),
      lastModified: new Date((start + FILE_SECONDS + delay) * 1000),
      content: () => {
        const body = gzipSync(`${[header, ...lines].join('\n')}\n`);
        return { body, etag: `"${madeId('e', body.toString('base64')).slice(2)}"` };
      },
    }));
}

/** `AWSLogs/account/vpcflowlogs/Region/yyyy/mm/dd/account_vpcflowlogs_Region_fl-..._yyyymmddThhmmZ_hash.log.gz` */
function keyOf(log: FlowLog, { AccountId, Region }: ApiState, start: number): string {
  const time = new Date(start * 1000).toISOString();
  const [year = '', month = '', day = ''] = time.slice(0, 10).split('-');
  const hour = time.slice(11, 13);
  const { HiveCompatiblePartitions = false, PerHourPartition = false } = log.DestinationOptions ?? {};
  const parts: [string, string][] = [
    ['aws-account-id', AccountId],
    ['aws-service', 'vpcflowlogs'],
    ['aws-region', Region],
    ['year', year],
    ['month', month],
    ['day', day],
    ...(PerHourPartition ? [['hour', hour] as [string, string]] : []),
  ];
  const folders = parts.map(([name, value]) => (HiveCompatiblePartitions ? `${name}=${value}` : value)).join('/');
  const id = flowLogId(log);
  const stamp = `${year}${month}${day}T${hour}${time.slice(14, 16)}Z`;
  const hash = madeId('h', id, start).slice(2, 10);
  return `${bucketOf(log).folder}AWSLogs/${folders}/${AccountId}_vpcflowlogs_${Region}_${id}_${stamp}_${hash}.log.gz`;
}
