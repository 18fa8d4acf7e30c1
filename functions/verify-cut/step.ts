import { needCase, recordEvent } from '../aws/case-table/cases.ts';
import { isDenied, orDenied } from '../aws/errors.ts';
import { readFacts } from '../aws/facts.ts';
import { endpointServices } from '../aws/vpc-endpoints.ts';
import { caseFlow, flowClassifier, OPENER_RANK } from '../core/case/assess.ts';
import { type CaseDocument, type CaseFlow, flowId, isClosing, laterOf, type WantedDeny } from '../core/case/case.ts';
import { isNewToFlowLog } from '../core/case/case-events.ts';
import { type LostControls, lostControls } from '../core/case/lost-controls.ts';
import { nameSome } from '../core/case/name-some.ts';
import { nextLook } from '../core/case/next-look.ts';
import type { Verifying, VerifyResult } from '../core/case/record.ts';
import { packDenies } from '../core/network/packed-denies.ts';
import { mayBeRecordOf } from '../core/verdict/flow-log.ts';
import type { VerdictQuestion } from '../core/verdict/verdict.ts';
import { disturbances, isDroppedByAcl, isPermitted, type LogRecord } from '../core/verdict/witness.ts';
import { timersAsFound } from '../shared/as-found.ts';
import { DeadlineError } from '../shared/deadline.ts';
import { listenOn } from '../shared/listen-on.ts';
import { isWatched, keepWord } from '../shared/listening.ts';
import { missingDenies } from '../shared/missing-denies.ts';
import { judgeStanding, longestTimer, readStanding, type Standing } from '../shared/standing.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';
import { keepWatch } from '../shared/watch.ts';

type VerifyTools = Tools<'ec2' | 'logs' | 'bucket' | 'cases'>;

/** What the state machine passes: the record as ever, and the ARN of its execution, so that the sweep can ask how it stands. */
export interface VerifyRequest {
  readonly record: Verifying;
  readonly execution: string;
}

export const verifyExecution = (tools: VerifyTools, { record, execution }: VerifyRequest): Promise<VerifyResult> =>
  verifyCut(tools, record, execution);

/**
 * Verify: reads back what is in force, asks the flow log where there is one, and judges. What was seen alive, or lacks a
 * deny, is cut again; what is held is looked at again until it is proven.
 */
export async function verifyCut(
  tools: VerifyTools,
  record: Verifying,
  execution: string | null = null,
): Promise<VerifyResult> {
  const { caseId } = record.case;
  const look = record.assessment.kind === 'look' ? record.assessment.as : null;
  // Noted only by the look that comes after the cut: one that dies and looks again must hear the same of the flow log.
  const stored = withCut(await needCase(tools.cases, caseId), lateCutOf(record));
  const standing = await readStanding(tools, stored);
  const dated = withIsolation(stored, standing, tools.now());
  const witness = await listenOn(tools, dated, standing);
  const joined = await joinSeenFlows(tools, dated, standing, witness);
  const document = joined === null ? dated : { ...joined, cutAgainAt: dated.cutAgainAt, isolatedAt: dated.isolatedAt };
  const current = joined === null ? standing : await readStanding(tools, document);
  const verdict = judgeStanding(tools.config, document, current, witness);
  // What a restore has put back is not cut again; what cannot be seen waits for the next look.
  const denies =
    isClosing(document) || current.isBlind ? [] : await stillToDeny(tools, document, verdict.kind === 'contained');
  const lost =
    isClosing(document) || current.isBlind
      ? NOTHING_LOST
      : lostControls(document, current, tools.config, tools.now().getTime());
  const attempt = (record.verdict?.attempt ?? 0) + 1;
  const cutsMade = record.verdict?.cuts ?? 0;
  const next = nextLook({
    document,
    verdict,
    toTake: lost.again.length,
    toDeny: denies.length,
    cutsMade,
    hasJustCut: record.verdict !== undefined && ['cut-again', 'take-again'].includes(record.verdict.next.kind),
    isBlind: current.isBlind,
    longestTimerSeconds: longestTimer(current.before),
    look,
    now: tools.now().getTime(),
  });
  const isCutting = next.kind === 'cut-again' || next.kind === 'take-again';
  await Promise.all([
    recordEvent(tools.cases, caseId, {
      kind: 'verified',
      denies: isCutting ? denies : [],
      cutAgainAt: stored.cutAgainAt,
      isolatedAt: dated.isolatedAt,
      watched: isWatched(tools, standing),
    }),
    keepWord(tools, dated, standing, witness),
    keepWatch(tools, { document, standing: current, verdict, next, look, execution }),
    tell(tools, caseId, 'verify-cut', [`${verdict.kind}: ${verdict.reason}`, ...lostText(lost)].join('; ')),
  ]);
  // After the verdict was noted: it dates the isolation that is lost now.
  if (lost.again.length > 0) {
    const at = tools.now().toISOString();
    await recordEvent(tools.cases, caseId, { kind: 'retaken', items: lost.again, at });
  }
  if (look !== null) tools.log.info('look', { caseId, verdict: verdict.kind, reason: verdict.reason });
  return {
    kind: verdict.kind,
    reason: verdict.reason,
    attempt,
    cuts: next.kind === 'cut-again' ? cutsMade + 1 : cutsMade,
    next,
    denies: packDenies(isCutting ? denies : []),
  };
}

const NOTHING_LOST: LostControls = { again: [], left: [] };

const lostText = ({ again, left }: LostControls): readonly string[] => [
  ...(again.length === 0 ? [] : [`not in force, and taken again: ${nameSome(again)}`]),
  ...(left.length === 0 ? [] : [`lost three times within a day, and left to people: ${nameSome(left)}`]),
];

/** When denies were made after the isolation, last of all; null = there were none. */
function lateCutOf({ isolation, cutAgain, retaken }: Verifying): string | null {
  const times = [isolation?.lateDenies, cutAgain, retaken?.denies].flatMap((result) =>
    result === undefined || result.kind === 'failed' || result.at === undefined ? [] : [result.at],
  );
  return times.sort().at(-1) ?? null;
}

const withCut = (document: CaseDocument, lateCut: string | null): CaseDocument => ({
  ...document,
  cutAgainAt: laterOf(document.cutAgainAt, lateCut),
});

/** The isolation is dated when it is first seen: a read that lagged behind the swap has not lost it for good. */
function withIsolation(document: CaseDocument, { standings }: Standing, now: Date): CaseDocument {
  const isIsolated = standings.length > 0 && standings.every(({ isolation }) => isolation !== 'failed');
  const isNews = document.isolatedAt === null && isIsolated && !isClosing(document);
  return isNews ? { ...document, isolatedAt: now.toISOString() } : document;
}

/**
 * Flows that only the flow log has seen join the case: those whose packets it shows accepted, and those whose packets an ACL
 * drops, for a deny that is not this case's may be all that holds them. null = there is none.
 */
async function joinSeenFlows(
  tools: VerifyTools,
  document: CaseDocument,
  { acls }: Standing,
  witness: VerdictQuestion['witness'],
): Promise<CaseDocument | null> {
  if (witness === null) return null;
  const silence = {
    flows: document.flows,
    openings: tools.config.openings,
    acls,
    released: document.released === true,
  };
  const stirring = disturbances(witness, silence).filter((record) => !isPermitted(record, silence));
  const isKnown = (record: LogRecord): boolean => document.flows.some((flow) => mayBeRecordOf(record, flow));
  const accepted = stirring.filter(({ action }) => action === 'ACCEPT');
  const strangers = stirring.filter((record) => !isKnown(record));
  const revived = document.flows.filter(
    (flow) => isNewToFlowLog(flow) && accepted.some((record) => mayBeRecordOf(record, flow)),
  );
  // A deny that another case holds may be all that stops a flow that the host calls closed.
  const dropping = stirring.filter(
    ({ action, remoteAddress }) => action !== 'ACCEPT' && isDroppedByAcl(remoteAddress, acls),
  );
  const dropped = document.flows.filter(
    (flow) =>
      !flow.named &&
      flow.dropped !== true &&
      !revived.includes(flow) &&
      dropping.some((record) => mayBeRecordOf(record, flow)),
  );
  if (strangers.length === 0 && revived.length === 0 && dropped.length === 0) return null;
  const fresh = strangers.length === 0 ? [] : await classified(tools, document, strangers);
  const flows = [
    ...revived.map((flow) => ({ ...flow, seenAlive: true })),
    ...dropped.map((flow) => ({ ...flow, dropped: true })),
    ...fresh,
  ];
  return (await recordEvent(tools.cases, document.caseId, { kind: 'flowsSeen', flows })).after;
}

async function classified(
  tools: VerifyTools,
  document: CaseDocument,
  strangers: readonly LogRecord[],
): Promise<readonly CaseFlow[]> {
  const known = strangers.map(({ action: _action, direction: _direction, at: _at, until: _until, ...flow }) => flow);
  const [facts, asFound] = await Promise.all([
    readFacts(tools.ec2, document.instanceId, {
      ...document.request,
      flows: [...document.flows, ...known],
      servicesOf: endpointServices,
    }),
    timersAsFound(tools, document.caseId),
  ]);
  if (facts === null) return [];
  const classify = flowClassifier(asFound(facts));
  const fresh = new Map<string, CaseFlow>();
  for (const [index, flow] of known.entries()) {
    const seenAlive = strangers[index]?.action === 'ACCEPT' || fresh.get(flowId(flow))?.seenAlive === true;
    const held = seenAlive ? { seenAlive } : { dropped: true };
    fresh.set(flowId(flow), caseFlow(flow, classify, { named: false, process: null, host: null, ...held }));
  }
  return [...fresh.values()].sort(
    (a, b) =>
      Number(b.seenAlive === true) - Number(a.seenAlive === true) || OPENER_RANK[a.openedBy] - OPENER_RANK[b.openedBy],
  );
}

/** What lacks a deny, or stands on another case's alone; once all is proven nothing more is denied. */
async function stillToDeny(
  tools: VerifyTools,
  document: CaseDocument,
  isProven: boolean,
): Promise<readonly WantedDeny[]> {
  if (isProven) return [];
  try {
    const request = { ...document.request, flows: document.flows };
    const facts = await orDenied(() => readFacts(tools.ec2, document.instanceId, request));
    return facts === null || isDenied(facts) ? [] : await missingDenies(tools, document, facts);
  } catch (error) {
    // The verdict is worth more than a cut for which no time is left.
    if (error instanceof DeadlineError) return [];
    throw error;
  }
}
