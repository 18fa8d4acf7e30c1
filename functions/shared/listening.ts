import { type Heard, keepHeard, readHeard } from '../aws/case-table/heard.ts';
import { errorText } from '../aws/errors.ts';
import { isPassing, readStream, searchRefusal } from '../aws/flow-logs.ts';
import type { CaseDocument } from '../core/case/case.ts';
import { SETTLE_SECONDS } from '../core/case/expiry.ts';
import type { FlowLogFacts } from '../core/case/facts.ts';
import type { NetworkInterfaceFacts } from '../core/model.ts';
import {
  type Ear,
  earFor,
  findingsOf,
  type Hearing,
  longestPause,
  type SeenFlow,
  seenTogether,
} from '../core/verdict/flow-log.ts';
import { FILE_SECONDS, readLogFile } from '../core/verdict/log-file.ts';
import { readLogFormat } from '../core/verdict/log-format.ts';
import { logObjection, streamObjection } from '../core/verdict/log-objection.ts';
import { folderIn } from '../core/verdict/own-log.ts';
import type { VerdictQuestion } from '../core/verdict/verdict.ts';
import { atMost } from './at-most.ts';
import type { Tools } from './toolbox.ts';

type FlowLogWord = VerdictQuestion['witness'];

/** The interfaces of the instance as they are now, and the flow logs on them, on their subnets and VPCs. */
interface Seen {
  readonly interfaces: readonly NetworkInterfaceFacts[];
  /** null = they could not be listed: there may be one. */
  readonly flowLogs: readonly FlowLogFacts[] | null;
}

/** How long a search of the flow logs may take, in seconds: well below the shortest time that a function which searches has. */
export const LISTEN_SECONDS = { verify: 180, report: 120, release: 60, restore: 60 } as const;

/** Searches under way at once: CloudWatch Logs takes few per second of an account. */
const SEARCHES_AT_ONCE = 3;

/** The flow logs that see an ENI: on itself, its subnet or its VPC. */
const logsOn = (eni: NetworkInterfaceFacts, flowLogs: Seen['flowLogs']): readonly FlowLogFacts[] =>
  flowLogs?.filter((log) => [eni.id, eni.subnetId, eni.vpcId].includes(log.resourceId)) ?? [];

/** Where the lines of a flow log are read. */
type Place =
  | { readonly kind: 'log-group'; readonly logGroupName: string }
  | { readonly kind: 'bucket'; readonly bucket: string; readonly folder: string };

/** A flow log that can be asked about an ENI. */
interface Source {
  readonly log: FlowLogFacts;
  readonly place: Place;
  /** Formats of all that write into the same log stream. */
  readonly formats: readonly (string | null)[];
}

/** An ENI and the flow logs that can be asked about it, the oldest first, which has seen most. */
interface Watch {
  readonly eni: NetworkInterfaceFacts;
  readonly sources: readonly Source[];
  /** Why the others are not asked, in words. */
  readonly objections: readonly string[];
}

function placeOf({ config }: Tools<never>, log: FlowLogFacts): Place | null {
  if (log.logGroupName !== null) return { kind: 'log-group', logGroupName: log.logGroupName };
  const arn = config.flowLogBucketArn;
  const folder = folderIn(arn, log.destination);
  return arn === null || folder === null ? null : { kind: 'bucket', bucket: arn.split(':').at(-1) ?? '', folder };
}

function watchesOf(tools: Tools<never>, { interfaces, flowLogs }: Seen): Watch[] {
  return interfaces.map((eni) => {
    const logs = logsOn(eni, flowLogs);
    const objectionTo = (one: FlowLogFacts) => logObjection(one, tools.config) ?? streamObjection(one, logs);
    const objections = logs.flatMap((one) => objectionTo(one) ?? []);
    const speaking = logs
      .filter((one) => objectionTo(one) === null)
      .sort((a, b) => (a.createdAt ?? 0) - (b.createdAt ?? 0));
    const formatsBeside = ({ id, logGroupName }: FlowLogFacts) =>
      speaking.filter((one) => one.id === id || (logGroupName !== null && one.logGroupName === logGroupName));
    const sources = speaking.flatMap((log) => {
      const place = placeOf(tools, log);
      return place === null
        ? []
        : [{ log, place, formats: [...new Set(formatsBeside(log).map(({ format }) => format))] }];
    });
    // One log stream of an interface is read once.
    const isFirst = ({ log }: Source, index: number): boolean =>
      log.logGroupName === null || sources.findIndex((one) => one.log.logGroupName === log.logGroupName) === index;
    return { eni, sources: sources.filter(isFirst), objections };
  });
}

/** A flow log that can be asked, as far as EC2 tells, covers an ENI of the instance. */
export const isWatched = (tools: Tools<never>, standing: Seen): boolean =>
  watchesOf(tools, standing).some(({ sources }) => sources.length > 0);

/** Files of the bucket may have to be read. */
export const readsBucket = (tools: Tools<never>, standing: Seen): boolean =>
  watchesOf(tools, standing).some(({ sources }) => sources.some(({ place }) => place.kind === 'bucket'));

/** Why the flow logs of the instance cannot be asked, as far as EC2 tells, in words. */
const objectionsTo = (watches: readonly Watch[]): readonly string[] => [
  ...new Set(watches.flatMap(({ sources, objections }) => (sources.length === 0 ? objections : []))),
];

export const LOG_LOST =
  'the flow log that watched the instance when it was isolated is gone, or is not delivered any more';

/**
 * The flow log that covers the instance but has not been asked yet, could not be, or is not there any more: it proves
 * nothing, and as long as it has not spoken nothing is called contained. null = there is none, and was none.
 */
export function unheardFlowLog(
  tools: Tools<never>,
  { watched = false, isolatedAt }: CaseDocument,
  standing: Seen,
  refusals: readonly string[] = [],
): FlowLogWord {
  const { interfaces, flowLogs } = standing;
  const isCovered = watched || flowLogs === null || interfaces.some((eni) => logsOn(eni, flowLogs).length > 0);
  if (!isCovered) return null;
  const watches = watchesOf(tools, standing);
  const isOwn =
    watches.length > 0 && watches.every(({ sources }) => sources.some(({ place }) => place.kind === 'bucket'));
  const isLost = watched && flowLogs !== null && watches.every(({ sources }) => sources.length === 0);
  const [unheard] = [...(isOwn ? [] : refusals), ...objectionsTo(watches), ...(isLost ? [LOG_LOST] : [])];
  const silent = { coveredUntil: null, records: [] };
  if (unheard !== undefined) return { findings: { ...silent, unheard }, since: 0 };
  const young = youngest(watches, isolatedAt);
  const findings = young === null ? silent : { ...silent, unheard: notBegun(young), passing: true as const };
  return { findings, since: begunBy(watches) };
}

/**
 * "After you create a flow log, it can take several minutes to begin collecting and publishing data." What is said of the time
 * of the proof counts with so many seconds.
 * https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-basics.html
 */
const BEGIN_SECONDS = 300;

/** When every interface is watched by some log, in epoch seconds; nothing passes for silence before. */
const begunBy = (watches: readonly Watch[]): number =>
  Math.max(
    0,
    ...watches.map(({ sources }) => Math.min(...sources.map(({ log }) => beginOf(log)))).filter(Number.isFinite),
  );

const beginOf = ({ createdAt }: FlowLogFacts): number => (createdAt === null ? 0 : createdAt + BEGIN_SECONDS);

/** An interface that nothing but a log of ours watches, which began to record after the isolation; null = there is none. */
function youngest(watches: readonly Watch[], isolatedAt: string | null): FlowLogFacts | null {
  const from = isolatedAt === null ? Number.POSITIVE_INFINITY : Date.parse(isolatedAt) / 1000;
  const young = watches.find(
    ({ sources }) =>
      sources.length > 0 && sources.every(({ log, place }) => place.kind === 'bucket' && beginOf(log) > from),
  );
  return young?.sources[0]?.log ?? null;
}

const notBegun = ({ id, createdAt }: FlowLogFacts): string =>
  `flow log ${id} was made at ${new Date((createdAt ?? 0) * 1000).toISOString()}, and a new one speaks some minutes later`;

/** Searched for when it is asked whether a log can speak, in seconds before now. */
const TRIAL_SECONDS = 3600;

/**
 * Whether waiting for the flow logs is of use: every ENI has one, and each log group can be searched. `refusals` say why not;
 * one whose service had a bad moment is believed to speak, and so is one in our bucket: a new one has no file yet.
 */
export async function canSpeak(
  tools: Tools<'logs'>,
  standing: Seen,
): Promise<{ readonly speaks: boolean; readonly refusals: readonly string[] }> {
  const watches = watchesOf(tools, standing);
  const to = tools.now().getTime() / 1000;
  const byGroup = new Map(
    watches.flatMap(({ eni, sources }) =>
      sources.flatMap(({ log, place }) =>
        place.kind === 'bucket' ? [] : [[place.logGroupName, { eni, log }] as const],
      ),
    ),
  );
  const answers = await atMost(SEARCHES_AT_ONCE, [...byGroup], async ([logGroupName, { eni, log }]) => {
    const search = { logGroupName, networkInterfaceId: eni.id, from: to - TRIAL_SECONDS, to };
    const refusal = await searchRefusal(tools.logs, search);
    return refusal === null ? [] : [[logGroupName, `flow log ${log.id}: ${refusal}`] as const];
  });
  const refused = new Map(answers.flat());
  const isMute = ({ place }: Source): boolean => place.kind === 'log-group' && refused.has(place.logGroupName);
  const mute = watches.filter(({ sources }) => sources.every(isMute));
  const ofMute = mute.flatMap(({ sources }) =>
    sources.flatMap(({ place }) => (place.kind === 'bucket' ? [] : (refused.get(place.logGroupName) ?? []))),
  );
  return {
    speaks: watches.length > 0 && mute.length === 0,
    refusals: [...new Set(ofMute), ...objectionsTo(watches)],
  };
}

/** The last change after which the log must be silent, plus the margin for it to take effect, in epoch seconds. */
function watchedSince({ isolatedAt, cutAgainAt }: CaseDocument): number {
  const times = [isolatedAt, cutAgainAt].filter((time) => time !== null).map((time) => Date.parse(time));
  return Math.max(...times) / 1000 + SETTLE_SECONDS;
}

/**
 * Asks the flow logs what passed since the isolation, for `seconds` at most; null where none covers any ENI. One that cannot
 * be read proves nothing, says why, and is not forgotten. `earlier`: what a look before this one has heard of files in our
 * bucket is not read again.
 */
export async function listen(
  tools: Tools<'logs' | 'bucket'>,
  document: CaseDocument,
  standing: Seen,
  seconds: number,
  earlier: Heard | null = null,
): Promise<FlowLogWord> {
  const watches = watchesOf(tools, standing);
  const asked = watches.filter(({ sources }) => sources.length > 0);
  if (asked.length === 0 || document.isolatedAt === null) return unheardFlowLog(tools, document, standing);
  const started = tools.now().getTime();
  const since = watchedSince(document);
  const window = {
    since,
    until: started / 1000,
    deadline: started + seconds * 1000,
    covered: coveredBy(earlier, document, standing),
  };
  const peers = new Set(document.flows.map((flow) => flow.remoteAddress));
  // What no waiting mends is said first.
  const inOrder = [...watches].sort((a, b) => Number(a.sources.length > 0) - Number(b.sources.length > 0));
  const hearings = await atMost(SEARCHES_AT_ONCE, inOrder, (watch) => hearAny(tools, watch, peers, window));
  const interfaceIds = standing.interfaces.map((eni) => eni.id);
  const findings = findingsOf(hearings, interfaceIds);
  return { findings, since: findings.from ?? Math.max(since, begunBy(asked)) };
}

/** A log that is younger may still begin to speak. */
const START_SECONDS = 900;
/** One of ours that has said nothing for so long says nothing. */
const OWN_START_SECONDS = 3600;

interface Window {
  readonly since: number;
  readonly until: number;
  readonly deadline: number;
  /** What an earlier look has heard without a hole, of every interface. */
  readonly covered: Covered | null;
}

interface Covered {
  readonly from: number;
  readonly until: number;
  readonly records: readonly SeenFlow[];
}

/** A file may come so much later than the next one, in seconds. What comes later still is read before a case is contained. */
const LATE_FILE_SECONDS = 3600;

/** Good for the same isolation, cuts and interfaces. */
function coveredBy(earlier: Heard | null, document: CaseDocument, { interfaces }: Seen): Covered | null {
  if (earlier === null || earlier.about !== about(document)) return null;
  const { coveredUntil, from = earlier.since, records } = earlier.findings;
  const isSame = interfaces.every(({ id }) => earlier.interfaceIds?.includes(id) === true);
  return coveredUntil === null || !isSame ? null : { from, until: coveredUntil, records };
}

/**
 * Asks one log after another until one covers the interface. What the others have shown counts as well: packets that passed
 * have passed, whoever else saw them.
 */
async function hearAny(
  tools: Tools<'logs' | 'bucket'>,
  { eni, sources, objections }: Watch,
  peers: ReadonlySet<string>,
  window: Window,
): Promise<Hearing> {
  const heard: Hearing[] = [];
  for (const [index, source] of sources.entries()) {
    // The one that hangs leaves the next its share of the time.
    const now = tools.now().getTime();
    const deadline = now + (window.deadline - now) / (sources.length - index);
    heard.push(await hear(tools, eni, source, peers, { ...window, deadline }));
    if (heard.at(-1)?.coveredUntil !== null) break;
  }
  const last = heard.at(-1);
  const best =
    (last?.coveredUntil === null ? undefined : last) ??
    heard.find(({ unheard }) => unheard === null) ??
    heard.find(({ passing }) => passing === true) ??
    heard[0];
  if (best === undefined) return nothingHeard(eni, window.since, objections[0] ?? `no flow log covers ${eni.id}`);
  return heard.length === 1 ? best : { ...best, records: seenTogether(heard.flatMap(({ records }) => records)) };
}

const nothingHeard = (eni: NetworkInterfaceFacts, since: number, why: string): Hearing => ({
  networkInterfaceId: eni.id,
  coveredFrom: since,
  coveredUntil: null,
  unheard: why,
  records: [],
});

async function hear(
  tools: Tools<'logs' | 'bucket'>,
  eni: NetworkInterfaceFacts,
  source: Source,
  peers: ReadonlySet<string>,
  window: Window,
): Promise<Hearing> {
  const { log, formats, place } = source;
  const { until, covered } = window;
  const first = Math.max(window.since, log.createdAt ?? 0);
  const goesOnAt = covered === null ? first : covered.until - LATE_FILE_SECONDS;
  const goesOn = place.kind === 'bucket' && goesOnAt > first;
  const since = goesOn ? goesOnAt : first;
  const ear = earFor({
    networkInterfaceId: eni.id,
    localAddresses: [...eni.privateAddresses, ...eni.ipv6Addresses],
    formats: formats.map(readLogFormat),
    intervalSeconds: log.intervalSeconds,
    peers,
    since,
    isYoung: !goesOn && (log.createdAt ?? 0) > since - START_SECONDS,
    until,
  });
  try {
    await readInto(ear, tools, eni, source, { ...window, since });
    const heard = place.kind === 'bucket' ? asOfBucket(ear.heard(), log, until) : ear.heard();
    return goesOn && covered !== null ? after(covered, heard) : heard;
  } catch (error) {
    const text = errorText(error);
    tools.log.warn('the flow log cannot be read', { networkInterfaceId: eni.id, error: text });
    // What was heard before the error still tells of flows that live.
    const why = `flow log ${log.id} of ${eni.id} was not read: ${text}`;
    return { ...ear.heard(), coveredUntil: null, unheard: why, passing: await isPassingFor(tools, source, error) };
  }
}

/** What was heard first, and what has come since. */
function after({ from, records }: Covered, hearing: Hearing): Hearing {
  const ofInterface = records.filter(({ networkInterfaceId }) => networkInterfaceId === hearing.networkInterfaceId);
  return { ...hearing, coveredFrom: from, records: seenTogether([...ofInterface, ...hearing.records]) };
}

async function readInto(
  ear: Ear,
  tools: Tools<'logs' | 'bucket'>,
  eni: NetworkInterfaceFacts,
  { log, place }: Source,
  { since, until, deadline }: Window,
): Promise<void> {
  // A line stands at its start: the one that spans the beginning stands before it.
  const from = since - longestPause(log.intervalSeconds);
  if (place.kind === 'log-group') {
    const search = { logGroupName: place.logGroupName, networkInterfaceId: eni.id, from, to: until };
    return readStream(tools.logs, search, deadline, (line) => ear.take(line));
  }
  const { accountId, region } = tools.config;
  const { bucket, folder } = place;
  const search = { bucket, folder, accountId, region, flowLogId: log.id, from, to: until };
  const format = readLogFormat(log.format);
  const reader = await tools.bucket();
  await reader.read(search, deadline, (text, key) => {
    const problem = readLogFile(text, format, (line) => ear.take(line));
    if (problem !== null) throw new Error(`the file ${key} cannot be read: ${problem}`);
  });
}

const isPassingFor = async (tools: Tools<'bucket'>, { place }: Source, error: unknown): Promise<boolean> =>
  place.kind === 'log-group' ? isPassing(error) : (await tools.bucket()).isPassing(error);

/**
 * Files of the same minutes may come one after another: what the newest one covers counts when the next one may be there. A log
 * of ours that has not spoken yet says so, and may speak later.
 */
function asOfBucket(hearing: Hearing, log: FlowLogFacts, until: number): Hearing {
  const { coveredFrom, coveredUntil } = hearing;
  const whole = coveredUntil === null ? null : coveredUntil - FILE_SECONDS;
  if (whole !== null && whole > coveredFrom) return { ...hearing, coveredUntil: whole };
  const isYoung = until - (log.createdAt ?? 0) < OWN_START_SECONDS;
  const unheard = hearing.unheard ?? (isYoung ? notBegun(log) : null);
  const mayStillSpeak = isYoung && (hearing.unheard === null || hearing.isMute === true);
  // A file may come after the one that follows it.
  const mayBeFilled = hearing.brokenAt !== undefined && until - hearing.brokenAt < LATE_FILE_SECONDS;
  return { ...hearing, coveredUntil: null, unheard, ...((mayStillSpeak || mayBeFilled) && { passing: true }) };
}

/** What was heard is good for the same isolation and the same cuts. */
const about = ({ isolatedAt, cutAgainAt }: CaseDocument): string => `${isolatedAt} ${cutAgainAt}`;

/** Keeps what was heard for those that come after; where the table does not take it, they listen for themselves. */
export async function keepWord(
  tools: Tools<'cases'>,
  document: CaseDocument,
  { interfaces }: Pick<Seen, 'interfaces'>,
  word: FlowLogWord,
): Promise<void> {
  if (word === null || document.isolatedAt === null) return;
  try {
    const heard = { about: about(document), interfaceIds: interfaces.map(({ id }) => id), ...word };
    await keepHeard(tools.cases, document.caseId, heard, tools.now().toISOString());
  } catch (error) {
    tools.log.warn('what the flow log said cannot be kept', { error: errorText(error) });
  }
}

/** What the look before has heard; null = nothing is kept, or it cannot be read. */
export const heardBefore = ({ cases }: Tools<'cases'>, { caseId }: CaseDocument): Promise<Heard | null> =>
  readHeard(cases, caseId).catch(() => null);

/** What the verification before has heard, or what is heard now. */
export async function recallOrListen(
  tools: Tools<'logs' | 'bucket' | 'cases'>,
  document: CaseDocument,
  standing: Seen,
  seconds: number,
): Promise<FlowLogWord> {
  if (unheardFlowLog(tools, document, standing) === null) return null;
  const heard = await heardBefore(tools, document);
  if (heard === null || heard.about !== about(document)) return listen(tools, document, standing, seconds);
  return { findings: heard.findings, since: heard.since };
}
