import { createCase, needCase, readCase, recordEvent } from '../aws/case-table/cases.ts';
import { readClaim, writeClaim } from '../aws/case-table/claims.ts';
import { type CaseDocument, caseIdOf, flowId } from '../core/case/case.ts';
import type { CaseRequest, FindingClass } from '../core/intake/intake-types.ts';
import type { Tools } from './toolbox.ts';

/** What is opened: a request with the decision that the routing table made for it. */
export interface CaseOpening {
  readonly decision: CaseDocument['decision'];
  readonly class: FindingClass | 'MANUAL';
  readonly classReason: string;
  readonly request: CaseRequest;
}

/** Attempts to win or join a claim that others write at the same time. */
const CLAIM_ATTEMPTS = 30;

/** The case of a request. `isTakenUp`: it was being restored, and what the request brings makes it go on. */
export interface Opening {
  readonly document: CaseDocument;
  readonly isTakenUp: boolean;
}

/** As {@link openOrTakeUp}, for whoever runs the response itself: a person, whose word is always news. */
export async function openCase(tools: Tools<'cases'>, opening: CaseOpening): Promise<CaseDocument> {
  return (await openOrTakeUp(tools, opening, () => true)).document;
}

/**
 * Opens a case for the instance, or joins the one that is open: the instance has one current case, and every new peer
 * joins it. After a restore the next request that is news to the restored case opens the next generation, so that its
 * before-state is its own; one that is not gets the restored case.
 */
export async function openOrTakeUp(
  tools: Tools<'cases'>,
  opening: CaseOpening,
  isNews: (request: CaseRequest, restored: CaseDocument) => boolean = isNewsTo,
): Promise<Opening> {
  const { accountId, region } = tools.config;
  const key = { accountId, region, instanceId: opening.request.instanceId };
  for (let attempt = 1; attempt <= CLAIM_ATTEMPTS; attempt += 1) {
    const claim = await readClaim(tools.cases, key);
    if (claim !== null) {
      const current = await readCase(tools.cases, claim.caseId);
      if (current === null) {
        // The claim was written and the process died before the document was: write it now.
        const document = newDocument(tools, opening, claim.generation);
        if (await createCase(tools.cases, document)) return { document, isTakenUp: false };
        continue;
      }
      const joined = await joinCase(tools, current, opening);
      if (joined !== null) return joined;
      const restored = await needCase(tools.cases, claim.caseId);
      if (!isNews(opening.request, restored)) return { document: restored, isTakenUp: false };
    }
    const generation = (claim?.generation ?? 0) + 1;
    const document = newDocument(tools, opening, generation);
    const won = await writeClaim(tools.cases, key, { caseId: document.caseId, generation }, generation - 1);
    if (won && (await createCase(tools.cases, document))) return { document, isTakenUp: false };
    await tools.sleep(attempt / 50);
  }
  throw new Error(`the claim on ${key.instanceId} is being written by too many at once`);
}

/** A finding that is delivered again, or late, after its case was restored, says nothing that the case did not know. */
function isNewsTo({ finding, flows }: CaseRequest, { request }: CaseDocument): boolean {
  if (finding === null || request.finding?.id !== finding.id || finding.updatedAt > request.finding.updatedAt)
    return true;
  const known = new Set(request.flows.map(flowId));
  return !flows.every((flow) => known.has(flowId(flow)));
}

function newDocument(tools: Tools<'cases'>, opening: CaseOpening, generation: number): CaseDocument {
  const { accountId, region } = tools.config;
  const { instanceId } = opening.request;
  return {
    ...opening,
    caseId: caseIdOf({ accountId, region, instanceId, generation }),
    generation,
    accountId,
    region,
    instanceId,
    openedAt: tools.now().toISOString(),
    status: 'open',
    flows: [],
    aclIds: [],
    denyRefusals: [],
    host: null,
    evidence: [],
    isolatedAt: null,
    cutAgainAt: null,
    verdict: null,
  };
}

/** null = the case is restored, perhaps only just now: the request opens the next generation. */
async function joinCase(tools: Tools<'cases'>, current: CaseDocument, opening: CaseOpening): Promise<Opening | null> {
  if (current.status === 'restored') return null;
  const { request, decision } = opening;
  const { before, after } = await recordEvent(tools.cases, current.caseId, { kind: 'joined', request, decision });
  // News while a restore runs. The restore goes on until a response is about to cut, and closes the case where none does.
  const isTakenUp = before !== after && before.status === 'restoring' && decision === 'act';
  return after.status === 'restored' ? null : { document: after, isTakenUp };
}
