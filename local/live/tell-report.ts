import type { Mode } from '../../functions/core/model.ts';
import { causeLines } from '../../functions/core/report/cause-lines.ts';
import type { Report, ReportedFlow } from '../../functions/core/report/report.ts';
import { restoredItems } from '../../functions/core/report/restore-report.ts';
import type { RestoreOutput } from '../restore-output.ts';
import { refusalText, section } from '../tell.ts';
import { bullet, wrapped } from './lines.ts';

function flowText({ protocol, remoteAddress, remotePort, tracking, because, evidence }: ReportedFlow): string {
  const port = remotePort === null ? '' : `:${remotePort}`;
  return `${protocol} ${remoteAddress}${port}: ${tracking}, evidence ${evidence}; ${because}`;
}

/** How to go on with a case, or back, from the machine that holds its store. */
export function nextSteps(caseId: string, mode: Mode | undefined): readonly string[] {
  return [
    `to go on: npm run -s respond -- --case ${caseId}${mode === undefined ? '' : ` --mode ${mode}`}`,
    `to undo:  npm run -s respond -- --restore --case ${caseId}`,
  ];
}

/** The same after a report: what has changed nothing is contained or left, and there is nothing to undo. */
function stepsAfter({ caseId, verdict, undo }: Report, mode: Mode | undefined): readonly string[] {
  if (undo !== null) return nextSteps(caseId, mode);
  return verdict === 'planned' ? [`to contain: npm run -s respond -- --case ${caseId} --mode contain`] : [];
}

/** A report for a person. */
export function tellReport(report: Report, mode: Mode | undefined): string {
  const isCase = report.caseId.startsWith('case-');
  const steps = stepsAfter(report, mode);
  return [
    `${report.instanceId ?? 'no instance'}: ${report.verdict.toUpperCase()}`,
    wrapped('', report.reason),
    ...(report.basis.length > 0 ? [`on the word of: ${report.basis.join(', ')}`] : []),
    ...section('GuardDuty found', causeLines(report).map(bullet)),
    ...section('Flows', report.flows.map(flowText).map(bullet)),
    ...section(
      'What would be done, in this order',
      report.plan.flatMap((step, index) => [
        wrapped(`  ${index + 1}. `, step.change),
        wrapped('     cuts: ', step.cuts),
        wrapped('     also hits: ', step.alsoHits),
        wrapped('     undo: ', step.undo),
      ]),
    ),
    ...section(
      'Denies that stand',
      report.held.map((deny) =>
        bullet(
          `${deny.NetworkAclId} rule ${deny.RuleNumber} ${deny.Egress ? 'outbound' : 'inbound'} deny ${deny.Cidr}`,
        ),
      ),
    ),
    ...section('On the host, by its own word', report.onHost.map(bullet)),
    ...section('Sealed', report.sealed.map(bullet)),
    ...section('Preserved', report.preserved.map(bullet)),
    ...section('Cleaned up', report.cleanUp.map(bullet)),
    ...section(
      'Could not be done',
      report.skipped.map(({ id, reason }) => bullet(`${id}: ${reason}`)),
    ),
    ...section('Still open', report.leftOpen.map(bullet)),
    ...section('Last resorts, least harmful first', report.lastResort.map(bullet)),
    ...section('Left out', report.more.map(bullet)),
    ...(isCase && steps.length > 0 ? ['', ...steps] : []),
  ].join('\n');
}

/** What a restore did, for a person. */
export function tellRestore(restored: RestoreOutput): string {
  const { restore, report } = restored;
  if (restore.kind === 'refused') return wrapped('refused: ', refusalText(restore.reason));
  return [
    wrapped('', `${restore.instanceId}: ${report.kind}, ${report.reason}`),
    ...restoredItems(restored).map(({ item, outcome, detail }) =>
      bullet(`${outcome}: ${item}${detail ? ` (${detail})` : ''}`),
    ),
  ].join('\n');
}
