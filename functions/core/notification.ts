import type { Report } from './report.ts';

/** SNS takes 99 ASCII characters without line breaks as the subject of an e-mail. */
const SUBJECT_LIMIT = 99;

const list = (title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : ['', title, ...lines.map((line) => `- ${line}`)];

/** What people get, short enough for a phone. All of it is our own or validated text. */
export function notification(report: Report, phase: 'interim' | 'final'): { subject: string; body: string } {
  const word = phase === 'interim' ? `so far ${report.verdict}` : report.verdict;
  const subject = `flowcut: ${report.instanceId ?? 'no instance'} ${word}`.slice(0, SUBJECT_LIMIT);
  const flows = report.flows.map(
    (flow) => `${flow.protocol} ${flow.remoteAddress}:${flow.remotePort ?? '*'}: ${flow.tracking}, ${flow.evidence}`,
  );
  const held = report.held.map(
    (deny) => `${deny.NetworkAclId} rule ${deny.RuleNumber} ${deny.Egress ? 'out' : 'in'} ${deny.Cidr}`,
  );
  const body = [
    `${word.toUpperCase()}: ${report.reason}`,
    ...list('Flows', flows),
    ...list('Denies that stand', held),
    ...list(
      'Could not be done',
      report.skipped.map((entry) => `${entry.id}: ${entry.reason}`),
    ),
    ...list('Still open', report.leftOpen),
    ...list('Last resorts', report.lastResort),
    ...list(
      'Plan',
      report.plan.map((step) => step.change),
    ),
    ...list('To undo', report.undo === null ? [] : [report.undo]),
    '',
    `case ${report.caseId}`,
  ].join('\n');
  return { subject, body };
}
