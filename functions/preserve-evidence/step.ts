import { needCase, readCase, recordEvent } from '../aws/case-table/cases.ts';
import { readPreserved, recordPreserved } from '../aws/case-table/preserved.ts';
import { EVIDENCE_CONTROLS, isOf } from '../controls/evidence-controls.ts';
import { type ControlTools, subjectOf } from '../controls/subject.ts';
import { isClosing } from '../core/case/case.ts';
import type { EvidenceItem } from '../core/case/evidence.ts';
import type { EvidenceResult, Isolating } from '../core/case/record.ts';
import { take } from '../shared/control-runner.ts';
import { paced } from '../shared/paced.ts';
import { takenText, tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';

type EvidenceTools = Tools<'ec2' | 'scaling' | 'elb' | 'classicElb' | 'cases'>;

/** How long a call may wait for its turn in a storm, in seconds: nothing waits for the evidence. */
const WAIT_SECONDS = 90;

/**
 * Preserve evidence, beside the cuts and never before them: an isolated instance fails its health checks, and its Auto
 * Scaling group would destroy it. Every control is recorded before it is taken; one that fails is reported and stops
 * nothing.
 */
export async function preserveEvidence(tools: EvidenceTools, record: Isolating): Promise<EvidenceResult> {
  const { caseId, instanceId, urgency = 0 } = record.case;
  if (instanceId === null) return { kind: 'done', done: 0, failed: 0 };
  const isAgain = record.verdict !== undefined;
  if (isAgain && isClosing(await needCase(tools.cases, caseId))) return { kind: 'done', done: 0, failed: 0 };
  const until = tools.now().getTime() + WAIT_SECONDS * 1000;
  const inTurn: ControlTools['inTurn'] = (api, call, canWait) => paced(tools, { api, urgency, canWait, until }, call);
  const rated = { ...tools, inTurn };
  const subject = subjectOf(rated, { caseId, instanceId });
  const items = await takeAll(tools, { ...rated, subject });
  if ((await readCase(tools.cases, caseId)) !== null) {
    await Promise.all([
      recordEvent(tools.cases, caseId, { kind: 'preserved', items }),
      tell(tools, caseId, 'preserve-evidence', takenText(items) || 'there was nothing to preserve'),
    ]);
  }
  const failed = items.filter((item) => item.outcome === 'failed').length;
  return { kind: 'done', done: items.length - failed, failed };
}

async function takeAll({ cases }: EvidenceTools, tools: ControlTools): Promise<readonly EvidenceItem[]> {
  const { caseId } = tools.subject;
  const recorded = (await readPreserved(cases, caseId)).filter(({ undone }) => !undone);
  const taken = EVIDENCE_CONTROLS.map((control) => {
    const known = recorded.map(({ preserved }) => preserved).filter(isOf(control));
    return take(control, tools, {
      known,
      record: (before) => recordPreserved(cases, caseId, control.item(before), before),
    });
  });
  return (await Promise.all(taken)).flat();
}
