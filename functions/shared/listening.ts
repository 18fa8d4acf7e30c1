import { keepHeard, readHeard } from '../aws/case-table/heard.ts';
import { errorText } from '../aws/errors.ts';
import { isPassing, readStream, searchRefusal } from '../aws/flow-logs.ts';
import type { CaseDocument } from '../core/case/case.ts';
import { SETTLE_SECONDS } from '../core/case/expiry.ts';
import type { FlowLogFacts } from '../core/case/facts.ts';
import type { NetworkInterfaceFacts } from '../core/model.ts';
import { earFor, findingsOf, type Hearing, longestPause } from '../core/verdict/flow-log.ts';
import { readLogFormat } from '../core/verdict/log-format.ts';
import { logObjection, streamObjection } from '../core/verdict/log-objection.ts';
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

/** An ENI and the flow log that is asked about it: of several the oldest, which has seen most. */
interface Watch {
  readonly eni: NetworkInterfaceFacts;
  /** null = none that could be asked. */
  readonly log: (FlowLogFacts & { readonly logGroupName: string }) | null;
  /** Formats of all that write into the same log stream. */
  readonly formats: readonly (string | null)[];
  /** Why the others are not asked, in words. */
  readonly objections: readonly string[];
}

const isInLogGroup = (log: FlowLogFacts): log is FlowLogFacts & { readonly logGroupName: string } =>
  log.logGroupName !== null;

function watchesOf(tools: Tools<never>, { interfaces, flowLogs }: Seen): Watch[] {
  return interfaces.map((eni) => {
    const logs = logsOn(eni, flowLogs);
    const objectionTo = (one: FlowLogFacts) => logObjection(one, tools.config.accountId) ?? streamObjection(one, logs);
    const objections = logs.flatMap((one) => objectionTo(one) ?? []);
    const speaking = logs
      .filter(isInLogGroup)
      .filter((one) => objectionTo(one) === null)
      .sort((a, b) => (a.createdAt ?? 0) - (b.createdAt ?? 0));
    const [log = null] = speaking;
    const formats = speaking
      .filter(({ logGroupName }) => logGroupName === log?.logGroupName)
      .map(({ format }) => format);
    return { eni, log, formats: [...new Set(formats)], objections };
  });
}

/** A flow log that can be asked, as far as EC2 tells, covers an ENI of the instance. */
export const isWatched = (tools: Tools<never>, standing: Seen): boolean =>
  watchesOf(tools, standing).some(({ log }) => log !== null);

/** Why the flow logs of the instance cannot be asked, as far as EC2 tells, in words. */
const objectionsTo = (tools: Tools<never>, standing: Seen): readonly string[] => [
  ...new Set(watchesOf(tools, standing).flatMap(({ log, objections }) => (log === null ? objections : []))),
];

/**
 * The flow log that covers the instance but has not been asked yet, could not be, or is not there any more: it proves
 * nothing, and as long as it has not spoken nothing is called contained. null = there is none, and was none.
 */
export function unheardFlowLog(
  tools: Tools<never>,
  { watched = false }: CaseDocument,
  standing: Seen,
  refusals: readonly string[] = [],
): FlowLogWord {
  const { interfaces, flowLogs } = standing;
  const isCovered = watched || flowLogs === null || interfaces.some((eni) => logsOn(eni, flowLogs).length > 0);
  if (!isCovered) return null;
  const [unheard] = [...refusals, ...objectionsTo(tools, standing)];
  return { findings: { coveredUntil: null, records: [], ...(unheard !== undefined && { unheard }) }, since: 0 };
}

/** Searched for when it is asked whether a log can speak, in seconds before now. */
const TRIAL_SECONDS = 3600;

/**
 * Whether waiting for the flow logs is of use: every ENI has one, and each log group can be searched. `refusals` say why not;
 * one whose service had a bad moment is believed to speak.
 */
export async function canSpeak(
  tools: Tools<'logs'>,
  standing: Seen,
): Promise<{ readonly speaks: boolean; readonly refusals: readonly string[] }> {
  const watches = watchesOf(tools, standing);
  const to = tools.now().getTime() / 1000;
  const byGroup = new Map(watches.flatMap(({ eni, log }) => (log === null ? [] : [[log.logGroupName, { eni, log }]])));
  const answers = await atMost(SEARCHES_AT_ONCE, [...byGroup.values()], async ({ eni, log }) => {
    const search = { logGroupName: log.logGroupName, networkInterfaceId: eni.id, from: to - TRIAL_SECONDS, to };
    const refusal = await searchRefusal(tools.logs, search);
    return refusal === null ? [] : [`flow log ${log.id}: ${refusal}`];
  });
  const refusals = [...answers.flat(), ...objectionsTo(tools, standing)];
  const speaks = watches.length > 0 && watches.every(({ log }) => log !== null) && answers.flat().length === 0;
  return { speaks, refusals };
}

/** The last change after which the log must be silent, plus the margin for it to take effect, in epoch seconds. */
function watchedSince({ isolatedAt, cutAgainAt }: CaseDocument): number {
  const times = [isolatedAt, cutAgainAt].filter((time) => time !== null).map((time) => Date.parse(time));
  return Math.max(...times) / 1000 + SETTLE_SECONDS;
}

/**
 * Asks the flow logs what passed since the isolation, for `seconds` at most; null where none covers any ENI. One that cannot
 * be read proves nothing, says why, and is not forgotten.
 */
export async function listen(
  tools: Tools<'logs'>,
  document: CaseDocument,
  standing: Seen,
  seconds: number,
): Promise<FlowLogWord> {
  const watches = watchesOf(tools, standing);
  const asked = watches.filter(({ log }) => log !== null);
  if (asked.length === 0 || document.isolatedAt === null) return unheardFlowLog(tools, document, standing);
  const started = tools.now().getTime();
  const since = Math.max(watchedSince(document), ...asked.map(({ log }) => log?.createdAt ?? 0));
  const window = { since, until: started / 1000, deadline: started + seconds * 1000 };
  const peers = new Set(document.flows.map((flow) => flow.remoteAddress));
  // What no waiting mends is said first.
  const inOrder = [...watches].sort((a, b) => Number(a.log !== null) - Number(b.log !== null));
  const hearings = await atMost(SEARCHES_AT_ONCE, inOrder, (watch) => hear(tools, watch, peers, window));
  const interfaceIds = standing.interfaces.map((eni) => eni.id);
  const findings = findingsOf(hearings, interfaceIds);
  return { findings, since: findings.from ?? since };
}

/**
 * "After you create a flow log, it can take several minutes to begin collecting and publishing data."
 * https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-basics.html
 */
const START_SECONDS = 900;

interface Window {
  readonly since: number;
  readonly until: number;
  readonly deadline: number;
}

async function hear(
  tools: Tools<'logs'>,
  { eni, log, formats, objections }: Watch,
  peers: ReadonlySet<string>,
  { since, until, deadline }: Window,
): Promise<Hearing> {
  const unheard = (why: string): Hearing => ({
    networkInterfaceId: eni.id,
    coveredFrom: since,
    coveredUntil: null,
    unheard: why,
    records: [],
  });
  if (log === null) return unheard(objections[0] ?? `no flow log covers ${eni.id}`);
  const { intervalSeconds, logGroupName } = log;
  const ear = earFor({
    networkInterfaceId: eni.id,
    localAddresses: [...eni.privateAddresses, ...eni.ipv6Addresses],
    formats: formats.map(readLogFormat),
    intervalSeconds,
    peers,
    since,
    isYoung: (log.createdAt ?? 0) > since - START_SECONDS,
    until,
  });
  // A line stands at its start: the one that spans the beginning stands before it.
  const search = { logGroupName, networkInterfaceId: eni.id, from: since - longestPause(intervalSeconds), to: until };
  try {
    await readStream(tools.logs, search, deadline, (line) => ear.take(line));
    return ear.heard();
  } catch (error) {
    const text = errorText(error);
    tools.log.warn('the flow log cannot be read', { networkInterfaceId: eni.id, error: text });
    // What was heard before the error still tells of flows that live.
    const why = `flow log ${log.id} of ${eni.id} was not read: ${text}`;
    return { ...ear.heard(), coveredUntil: null, unheard: why, passing: isPassing(error) };
  }
}

/** What was heard is good for the same isolation and the same cuts. */
const about = ({ isolatedAt, cutAgainAt }: CaseDocument): string => `${isolatedAt} ${cutAgainAt}`;

/** Keeps what was heard for those that come after; where the table does not take it, they listen for themselves. */
export async function keepWord(tools: Tools<'cases'>, document: CaseDocument, word: FlowLogWord): Promise<void> {
  if (word === null || document.isolatedAt === null) return;
  try {
    await keepHeard(tools.cases, document.caseId, { about: about(document), ...word }, tools.now().toISOString());
  } catch (error) {
    tools.log.warn('what the flow log said cannot be kept', { error: errorText(error) });
  }
}

/** What the verification before has heard, or what is heard now. */
export async function recallOrListen(
  tools: Tools<'logs' | 'cases'>,
  document: CaseDocument,
  standing: Seen,
  seconds: number,
): Promise<FlowLogWord> {
  if (unheardFlowLog(tools, document, standing) === null) return null;
  const heard = await readHeard(tools.cases, document.caseId).catch(() => null);
  if (heard === null || heard.about !== about(document)) return listen(tools, document, standing, seconds);
  return { findings: heard.findings, since: heard.since };
}
