import { causeLines } from './cause-lines.ts';
import type { ConsoleLinks } from './console-links.ts';
import type { Report, ReportedFlow } from './report.ts';

/** SNS takes 99 ASCII characters without line breaks as the subject of an e-mail. */
export const SUBJECT_LIMIT = 99;
/** What a phone shows without much scrolling. */
const LINES_PER_SECTION = 10;
const LINE_LIMIT = 300;

/**
 * One line of plain text. Ours already is; what an API's error says may not be, and chats take <...>, * and ` for markup.
 */
export const plain = (line: string): string =>
  line
    .replaceAll(/[^\P{C}]+/gu, ' ')
    .replaceAll(/[<>`*|]/g, '')
    .slice(0, LINE_LIMIT);

export const sections =
  (where: string) =>
  (title: string, lines: readonly string[]): readonly string[] => {
    if (lines.length === 0) return [];
    const more = lines.length - LINES_PER_SECTION;
    return [
      '',
      title,
      ...lines.slice(0, LINES_PER_SECTION).map((line) => `- ${plain(line)}`),
      ...(more > 0 ? [`- and ${more} more: see ${where}`] : []),
    ];
  };

/** What the evidence says of a flow, and whether it may go on for all that is known. */
const EVIDENCE: Readonly<Record<ReportedFlow['evidence'], { readonly cut: boolean; readonly says: string }>> = {
  observed: { cut: true, says: "dead on the network's record" },
  'in-force': { cut: true, says: 'blocked, not proven dead' },
  gone: { cut: true, says: "gone from the host's lists, which is its own word" },
  requested: { cut: false, says: 'asked for, not seen in force' },
  unproven: { cut: false, says: 'nothing shows that it ended' },
};

const flowLine = ({ protocol, remoteAddress, remotePort, tracking, evidence }: ReportedFlow): string =>
  `${protocol} ${remoteAddress} port ${remotePort ?? 'any'}: ${EVIDENCE[evidence].says} (${tracking})`;

const toAct = ({ verdict, instanceId }: Report): readonly string[] =>
  verdict === 'planned' && instanceId !== null
    ? [`start the respond state machine with {"instanceId": "${instanceId}", "mode": "contain"}`]
    : [];

/**
 * What people get, short enough for a phone: the verdict, what to do, what is cut and what is not, where to look. `report`
 * is the whole one, for what is left out here is counted; `where` says where all of it is.
 */
export function notification(
  report: Report,
  phase: 'interim' | 'final',
  links: ConsoleLinks,
  where = "the execution's output",
): { subject: string; body: string } {
  const section = sections(where);
  const word = phase === 'interim' ? `so far ${report.verdict}` : report.verdict;
  const subject = `flowcut: ${report.instanceId ?? 'no instance'} ${word}`.slice(0, SUBJECT_LIMIT);
  const body = [
    `${word.toUpperCase()}: ${plain(report.reason)}`,
    ...(report.basis.length === 0 ? [] : [`on the word of: ${report.basis.join(', ')}`]),
    ...section('Last resorts', report.lastResort),
    ...section('GuardDuty found', causeLines(report)),
    ...section('Cut', report.flows.filter(({ evidence }) => EVIDENCE[evidence].cut).map(flowLine)),
    ...section('Not proven', report.flows.filter(({ evidence }) => !EVIDENCE[evidence].cut).map(flowLine)),
    ...section(
      'Could not be done',
      report.skipped.map((entry) => `${entry.id}: ${entry.reason}`),
    ),
    ...section('Still open', report.leftOpen),
    ...section('Sealed', report.sealed),
    ...section(
      'Denies that stand',
      report.held.map(
        (deny) => `${deny.NetworkAclId} rule ${deny.RuleNumber} ${deny.Egress ? 'out' : 'in'} ${deny.Cidr}`,
      ),
    ),
    ...section('Cleaned up', report.cleanUp),
    ...section(
      'Plan',
      report.plan.map((step) => step.change),
    ),
    ...section('To act', toAct(report)),
    ...section('To undo', report.undo === null ? [] : [report.undo]),
    '',
    ...(links.place === null ? [] : [links.place]),
    ...(links.execution === null ? [] : [`execution: ${links.execution}`]),
    `case ${report.caseId}${links.case === null ? '' : `: ${links.case}`}`,
  ].join('\n');
  return { subject, body };
}
