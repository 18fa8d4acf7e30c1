import type { RestoreItem } from '../case/record.ts';
import type { ConsoleLinks } from './console-links.ts';
import { plain, SUBJECT_LIMIT, sections } from './notification.ts';
import { undoText } from './report.ts';
import type { RestoreReport, StartedBy } from './restore-report.ts';

const WORDS = {
  restored: 'restored',
  'partly-restored': 'partly restored',
  refused: 'restore refused',
  failed: 'restore failed',
} as const satisfies Record<RestoreReport['kind'], string>;

const itemText = ({ item, outcome, detail }: RestoreItem): string =>
  `${item}: ${outcome}${detail === undefined ? '' : ` (${detail})`}`;

/** That it was put back is in the title: of a deny or a protection, "restored" reads as if it stood again. */
const doneText = ({ item, detail }: RestoreItem): string => (detail === undefined ? item : `${item} (${detail})`);

/** Who started it, in words that claim no more than is known. */
export function startedByLines({ by, execution }: StartedBy): readonly string[] {
  const name = execution?.split(':').at(-1);
  return [
    ...(by === null ? [] : [`started by ${by}, as its input says`]),
    name === undefined
      ? 'started by hand, with no execution'
      : `started by execution ${name}; its StartExecution in CloudTrail says who called`,
  ];
}

const again = ({ kind, caseId }: RestoreReport): readonly string[] =>
  caseId === null || kind === 'restored' || kind === 'refused'
    ? []
    : [`${undoText(caseId)}; what is put back is left alone`];

/** What people get of a restore: what failed, what was left, what was put back, who started it, where to look. */
export function restoreNotification(
  report: RestoreReport,
  links: ConsoleLinks,
  where = "the execution's output, and the timeline of the case",
): { subject: string; body: string } {
  const section = sections(where);
  const { kind, instanceId, caseId, forced } = report;
  const subject = `flowcut: ${instanceId ?? 'no instance'} ${WORDS[kind]}`.slice(0, SUBJECT_LIMIT);
  const body = [
    `${WORDS[kind].toUpperCase()}: ${plain(report.reason)}`,
    ...startedByLines(report.startedBy).map(plain),
    ...(forced ? ['forced: it did not ask whether a flow may revive'] : []),
    ...section('Could not be put back', report.failed.map(itemText)),
    ...section('Left as it is', report.left.map(itemText)),
    ...section('As it was before the case', report.putBack.map(doneText)),
    ...section('To go on', again(report)),
    '',
    ...(links.place === null ? [] : [links.place]),
    ...(links.execution === null ? [] : [`execution: ${links.execution}`]),
    ...(caseId === null ? [] : [`case ${caseId}${links.case === null ? '' : `: ${links.case}`}`]),
  ].join('\n');
  return { subject, body };
}
