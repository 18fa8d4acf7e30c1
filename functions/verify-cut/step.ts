import { needCase, updateCase } from '../aws/case-table/cases.ts';
import { readFacts } from '../aws/facts.ts';
import { caseFlow, flowClassifier, OPENER_RANK } from '../core/case/assess.ts';
import { type CaseDocument, type CaseFlow, flowId, isClosing, type WantedDeny, withAcls } from '../core/case/case.ts';
import { FLOW_LOG_DELAY_SECONDS, SETTLE_SECONDS } from '../core/case/expiry.ts';
import type { Verifying, VerifyResult } from '../core/case/record.ts';
import { packDenies } from '../core/network/packed-denies.ts';
import { mayBeRecordOf } from '../core/verdict/flow-log.ts';
import type { VerdictQuestion } from '../core/verdict/verdict.ts';
import { timersAsFound } from '../shared/as-found.ts';
import { keepWord, LISTEN_SECONDS, listen } from '../shared/listening.ts';
import { missingDenies } from '../shared/missing-denies.ts';
import { judgeStanding, readStanding } from '../shared/standing.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';

/** Cuts in all, the first one included; after that a person is called. */
const CUT_ATTEMPTS = 2;

/**
 * Verify: reads back what is in force, asks the flow log where there is one, and judges. A leak is cut again while
 * there is something left to cut.
 */
export async function verifyCut(tools: Tools<'ec2' | 'logs' | 'cases'>, record: Verifying): Promise<VerifyResult> {
  const { caseId } = record.case;
  // Noted only by the look that comes after the cut: one that dies and looks again must hear the same of the flow log.
  const stored = withCut(await needCase(tools.cases, caseId), lateCutOf(record));
  const standing = await readStanding(tools, stored);
  const flowLog = await listen(tools, stored, standing, LISTEN_SECONDS.verify);
  const joined = await joinSeenFlows(tools, stored, flowLog);
  const document = joined === stored ? stored : withCut(joined, stored.cutAgainAt);
  const current = joined === stored ? standing : await readStanding(tools, document);
  const verdict = judgeStanding(tools.config, document, current, flowLog);
  const attempt = (record.verdict?.attempt ?? 0) + 1;
  // What a restore has put back is not cut again.
  const isCutAgain = verdict.kind === 'leaking' && attempt < CUT_ATTEMPTS && !isClosing(document);
  const denies = isCutAgain ? await stillToDeny(tools, document) : [];
  const again = denies.length > 0;
  await Promise.all([
    updateCase(tools.cases, caseId, (latest) => ({
      ...withAcls(latest, denies),
      // A restore that has begun meanwhile closes the case itself.
      status: isClosing(latest) ? latest.status : 'reported',
      verdict: verdict.kind,
      cutAgainAt: stored.cutAgainAt ?? latest.cutAgainAt,
    })),
    keepWord(tools, stored, flowLog),
    tell(tools, caseId, 'verify-cut', `${verdict.kind}: ${verdict.reason}`),
  ]);
  return {
    kind: verdict.kind,
    reason: verdict.reason,
    attempt,
    next: again ? 'cut-again' : 'report',
    denies: packDenies(denies),
    waitSeconds: hasSpoken(flowLog) ? SETTLE_SECONDS + FLOW_LOG_DELAY_SECONDS : SETTLE_SECONDS,
  };
}

/** One that has said nothing is not waited for. */
const hasSpoken = (flowLog: VerdictQuestion['flowLog']): boolean =>
  flowLog !== null && (flowLog.findings.coveredUntil !== null || flowLog.findings.records.length > 0);

/** When denies were made after the isolation, last of all; null = there were none. */
function lateCutOf({ isolation, cutAgain }: Verifying): string | null {
  const times = [isolation?.lateDenies, cutAgain].flatMap((result) =>
    result === undefined || result.kind === 'failed' || result.at === undefined ? [] : [result.at],
  );
  return times.sort().at(-1) ?? null;
}

const withCut = (document: CaseDocument, cutAgainAt: string | null): CaseDocument =>
  cutAgainAt === null ? document : { ...document, cutAgainAt };

/**
 * Flows that a case takes from the flow log at most: an item of the case table holds some 600. A busy server's others stay in the
 * log, and as strangers they keep the verdict from being good.
 */
const MOST_FLOWS = 500;

/** Flows that only the flow log has seen alive join the case. */
async function joinSeenFlows(
  tools: Tools<'ec2' | 'logs' | 'cases'>,
  document: CaseDocument,
  flowLog: VerdictQuestion['flowLog'],
): Promise<CaseDocument> {
  const accepted = flowLog?.findings.records.filter((record) => record.action === 'ACCEPT') ?? [];
  const strangers = accepted.filter((record) => !document.flows.some((flow) => mayBeRecordOf(record, flow)));
  if (strangers.length === 0) return document;
  const [facts, asFound] = await Promise.all([
    readFacts(tools.ec2, document.instanceId, { ...document.request, flows: document.flows }),
    timersAsFound(tools, document.caseId),
  ]);
  if (facts === null) return document;
  const classify = flowClassifier(asFound(facts));
  const fresh = new Map<string, CaseFlow>();
  for (const { action: _action, direction: _direction, at: _at, until: _until, ...flow } of strangers) {
    fresh.set(flowId(flow), caseFlow(flow, classify, { named: false, process: null, host: null }));
  }
  const inOrder = [...fresh.values()].sort((a, b) => OPENER_RANK[a.openedBy] - OPENER_RANK[b.openedBy]);
  return updateCase(tools.cases, document.caseId, (stored) => {
    const known = new Set(stored.flows.map((flow) => flow.id));
    const room = Math.max(0, MOST_FLOWS - stored.flows.length);
    return { ...stored, flows: [...stored.flows, ...inOrder.filter((flow) => !known.has(flow.id)).slice(0, room)] };
  });
}

async function stillToDeny(
  tools: Tools<'ec2' | 'logs' | 'cases'>,
  document: CaseDocument,
): Promise<readonly WantedDeny[]> {
  const facts = await readFacts(tools.ec2, document.instanceId, { ...document.request, flows: document.flows });
  return facts === null ? [] : missingDenies(tools, document, facts);
}
