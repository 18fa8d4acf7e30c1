import { gzipSync } from 'node:zlib';
import { once } from '../../../functions/shared/once.ts';
import { memorySlot } from '../../memory-slots.ts';
import { DEFAULT_FORMAT, fieldsOfFormat } from '../physics/log-format.ts';
import type { ApiContext } from './context.ts';
import { flowLogId, type StampedLine, stampedLines, watchedInterfaces } from './flow-logs.ts';
import { madeId } from './ids.ts';
import type { ApiState, FlowLog } from './shapes.ts';

/** Records are gathered into one file every five minutes. https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html */
const FILE_SECONDS = 300;
const DELIVERY_SECONDS = 300;

/** An hour in which nothing passed is one file for those who come later than so many seconds. */
const QUIET_SECONDS = 3600;

/** One object in the bucket of a flow log. */
export interface LogFile {
  readonly key: string;
  /** Epoch seconds. */
  readonly start: number;
  readonly lastModified: Date;
  /** false: it is part of a quiet hour by now, and still answers to its name. */
  readonly isListed: boolean;
  /** Packs the file, once. */
  readonly content: () => { readonly body: Buffer; readonly etag: string };
}

/** The bucket of a flow log and the folder below it, empty or ending in `/`. */
export function bucketOf(log: FlowLog): { bucket: string; folder: string } {
  const [bucket = '', ...rest] = (log.LogDestination ?? '').replace(/^arn:[^:]*:s3:::/, '').split('/');
  const folder = rest.filter((part) => part !== '').join('/');
  return { bucket, folder: folder === '' ? '' : `${folder}/` };
}

/** The files of a log up to an hour, in epoch seconds: whatever is delivered later, none of them changes again. */
interface Settled {
  readonly until: number;
  readonly files: readonly LogFile[];
}

const NOTHING_SETTLED: Settled = { until: Number.NEGATIVE_INFINITY, files: [] };

interface WorkedOut {
  /** The log and its interfaces: as long as they stay the same, so does what is settled. */
  readonly of: string;
  readonly minute: string;
  readonly settled: Settled;
  readonly files: readonly LogFile[];
}

/** The files of each log as they were worked out last. */
const workedOut = memorySlot(() => new Map<string, WorkedOut>());

/**
 * The files of a flow log that lie in its bucket now, oldest first: each holds the records that end in its five minutes,
 * of all interfaces that are watched, below a line with the names of the fields. A quiet hour is one file after a while, as a
 * search of CloudWatch Logs tells it in one line: five days of silence are 120 files, and not 1,440.
 */
export function filesOf(log: FlowLog, context: ApiContext): readonly LogFile[] {
  const { state, memory, now } = context;
  const id = flowLogId(log);
  const due = epochOf(state) + now - delayOf(log);
  const ids = watchedInterfaces(log, state, memory);
  const of = JSON.stringify([log, ids]);
  // Nothing is delivered between two minutes of the log, nor between two of the clock.
  const minute = `${Math.floor((now - delayOf(log)) / 60)} ${Math.floor(due / 60)}`;
  const before = memory.of(workedOut).get(id);
  const isSame = before?.of === of;
  if (isSame && before.minute === minute) return before.files;
  const known = isSame ? before.settled : NOTHING_SETTLED;
  const files = [...known.files, ...workOut(log, ids, context, { after: known.until, due })];
  memory.of(workedOut).set(id, { of, minute, settled: settledOf(files, due), files });
  return files;
}

/** An hour is settled once it is known whether it is one quiet file. */
function settledOf(files: readonly LogFile[], due: number): Settled {
  const until = Math.floor((due - QUIET_SECONDS) / 3600) * 3600;
  return { until, files: files.filter(({ start }) => start < until) };
}

const epochOf = ({ Now }: ApiState): number => Math.floor(Date.parse(Now) / 1000);

const delayOf = (log: FlowLog): number => log.DeliverySeconds ?? DELIVERY_SECONDS;

/** What stands in five minutes. */
interface Minutes {
  readonly lines: string[];
  isQuiet: boolean;
}

/** Twice the longest silence that a record tells of, so that the range stays one in which silence is told by the hour. */
const OVERLAP_SECONDS = 7200;

/** The files that start from a second on, as far as they are due. Epoch seconds. */
function workOut(
  log: FlowLog,
  ids: readonly string[],
  context: ApiContext,
  { after, due }: { after: number; due: number },
): LogFile[] {
  const { state, physics, now } = context;
  const from = after - epochOf(state) - OVERLAP_SECONDS;
  const fields = fieldsOfFormat(log.LogFormat ?? DEFAULT_FORMAT) ?? [];
  const byStart = new Map<number, Minutes>();
  const add = (start: number, line: string, isQuiet: boolean): void => {
    if (start < after || start + FILE_SECONDS > due) return;
    const minutes = byStart.get(start) ?? { lines: [], isQuiet: true };
    byStart.set(start, minutes);
    minutes.lines.push(line);
    minutes.isQuiet &&= isQuiet;
  };
  for (const id of ids) {
    for (const record of stampedLines(physics, log, id, { from, to: now, now })) {
      if (isSilence(record, fields))
        for (const piece of piecesOf(record, fields)) add(fileOf(piece.start), piece.line, true);
      else add(fileOf(record.end - 1), record.line, false);
    }
  }
  const header = fields.join(' ');
  const fileAt = (start: number, lines: readonly string[], isListed: boolean): LogFile => ({
    key: keyOf(log, state, start),
    start,
    lastModified: new Date((start + FILE_SECONDS + delayOf(log)) * 1000),
    isListed,
    content: once(() => {
      const body = gzipSync(`${[header, ...lines].join('\n')}\n`);
      return { body, etag: `"${madeId('e', body.toString('base64')).slice(2)}"` };
    }),
  });
  return [...byStart]
    .sort(([a], [b]) => a - b)
    .map(([start, { lines }]) => {
      const hour = quietHourOf(start, byStart, due);
      if (hour === null) return fileAt(start, lines, true);
      const isLast = hour.at(-1)?.[0] === start;
      return fileAt(start, isLast ? hour.flatMap(([, minutes]) => minutes.lines) : lines, isLast);
    });
}

const fileOf = (second: number): number => Math.floor(second / FILE_SECONDS) * FILE_SECONDS;

/** The files of the hour around a file, where nothing passed in all of it and it is over for long; null otherwise. */
function quietHourOf(
  start: number,
  byStart: ReadonlyMap<number, Minutes>,
  due: number,
): readonly (readonly [number, Minutes])[] | null {
  const hour = Math.floor(start / 3600) * 3600;
  if (hour + 3600 + QUIET_SECONDS > due) return null;
  const files = Array.from({ length: 3600 / FILE_SECONDS }, (_, index) => hour + index * FILE_SECONDS).flatMap((at) => {
    const minutes = byStart.get(at);
    return minutes?.isQuiet === true ? [[at, minutes] as const] : [];
  });
  return files.length === 3600 / FILE_SECONDS ? files : null;
}

/** A record without data: by its status, or, where the format has none, by a length that no other has. */
function isSilence({ line, start, end }: StampedLine, fields: readonly string[]): boolean {
  const status = fields.indexOf('log-status');
  return status === -1 ? end - start > 600 : line.split(' ')[status] === 'NODATA';
}

/** Silence is told file by file, as everything is. */
function piecesOf({ line, start, end }: StampedLine, fields: readonly string[]): readonly StampedLine[] {
  const pieces: StampedLine[] = [];
  for (let from = start; from < end; from = fileOf(from) + FILE_SECONDS) {
    const to = Math.min(end, fileOf(from) + FILE_SECONDS);
    const values = line.split(' ').map((value, place) => {
      if (fields[place] === 'start') return String(from);
      return fields[place] === 'end' ? String(to) : value;
    });
    pieces.push({ line: values.join(' '), start: from, end: to });
  }
  return pieces;
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
