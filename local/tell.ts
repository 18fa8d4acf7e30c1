import { causeLines } from '../functions/core/report/cause-lines.ts';
import type { Report } from '../functions/core/report/report.ts';
import type { Ended, ResultFlow, ResultParts } from './result.ts';
import { resultFlows } from './result.ts';
import type { Simulation } from './simulate.ts';

/** Seconds for a person: `3.8 s`, `6 min`, `5 days`. */
export function duration(seconds: number): string {
  if (seconds < 120) return `${Number(seconds.toFixed(1))} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** Breaks text at words, with every line after the first indented. */
export function wrap(text: string, indent: string, width = 110): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join(`\n${indent}`);
}

const STOPPED = {
  host: 'by the host cut',
  nacl: 'by the network ACL',
  'security-group': 'by the group swap',
  expiry: 'by the expiry of its tracking entry',
} as const;

/** What the world knows, in words. */
export function truthText(truth: ResultFlow['truth']): string {
  if (truth === null) return 'not a flow of this world';
  const last =
    truth.lastPacketAt === null
      ? 'no packet passed after the finding'
      : `last packet at t = ${duration(truth.lastPacketAt)}`;
  if (truth.stoppedBy === null)
    return `ALIVE: ${truth.lastPacketAt === null ? 'silent, but could speak at any time' : last}`;
  const revived = truth.revivedAt === null ? '' : `, after a revival at t = ${duration(truth.revivedAt)}`;
  return `dead: ${last}, stopped ${STOPPED[truth.stoppedBy]}${revived}`;
}

const port = (value: number | null): string => (value === null ? '' : `:${value}`);

export function flowLines(flow: ResultFlow): string[] {
  const indent = '      ';
  return [
    `  - ${flow.name}${flow.truth !== null && !flow.malicious ? ' (innocent)' : ''}: ${flow.protocol} ${flow.remoteAddress}${port(flow.remotePort)}`,
    `${indent}${wrap(`${flow.tracking}: ${flow.because}`, indent)}`,
    `${indent}evidence: ${flow.evidence}; in truth ${truthText(flow.truth)}`,
  ];
}

export function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines];
}

export const bullet = (text: string): string => `  - ${wrap(text, '    ')}`;

export function denyText(deny: Simulation['report']['held'][number]): string {
  return `${deny.NetworkAclId} rule ${deny.RuleNumber} ${deny.Egress ? 'outbound' : 'inbound '} deny ${deny.Cidr}`;
}

/** Why a restore is refused, where a command was given: the sentence is for the input of a state machine. */
export const refusalText = (reason: string): string => reason.replace('"force": true', '--force');

/** What a restore came to; nothing where there was none. */
function restoreLines({ restore, restored, restoreFailure }: Simulation): string[] {
  if (restoreFailure !== null) return [bullet(`failed: ${restoreFailure}`)];
  if (restore === null) return [];
  return restore.kind === 'refused' ? [bullet(`refused: ${refusalText(restore.reason)}`)] : restoredLines(restored);
}

export const restoredLines = (items: Simulation['restored']): string[] =>
  items.map(({ item, outcome, detail }) => bullet(`${outcome}: ${item}${detail ? ` (${detail})` : ''}`));

/** Verdicts that leave the world's flows out of it: nothing was looked at. */
const QUIET: readonly Report['verdict'][] = ['ignored', 'refused'];

/**
 * The flows that a text is about: what the responder found, and the malicious ones that it did not see. Where the case is
 * none of ours the flows of others stay out.
 */
function flowsToTell(ended: Ended, report: Report): readonly ResultFlow[] {
  const isReported = ({ because }: ResultFlow): boolean => because !== 'not seen';
  return resultFlows({ ...ended, report }).filter(
    (flow) => isReported(flow) || (flow.malicious && !QUIET.includes(report.verdict)),
  );
}

function verdictLines({ verdicts }: Pick<ResultParts, 'verdicts'>): string[] {
  // The watch looks on for a month, and says the same as long as nothing stirs.
  const changes = verdicts.filter(({ verdict, reason }, index) => {
    const before = verdicts[index - 1];
    return before?.verdict !== verdict || before.reason !== reason;
  });
  const lines = changes.map(({ at, verdict, reason }) =>
    bullet(`t = ${duration(at)}: ${verdict.toUpperCase()}, ${reason}`),
  );
  const same = verdicts.length - changes.length;
  // One alone stands at the top already.
  if (verdicts.length < 2) return [];
  return section('Verdicts, oldest first', [
    ...lines,
    ...(same === 0 ? [] : [bullet(`${same} more looks find the same`)]),
  ]);
}

/** What one event or request came to, for a person. */
export function resultLines(ended: Ended, parts: ResultParts & { readonly reportedAt: number }): string[] {
  const { report, calls, reportedAt } = parts;
  const first = calls.beforeFirstCut;
  return [
    `${report.instanceId ?? 'no instance'}: ${report.verdict.toUpperCase()}`,
    wrap(report.reason, ''),
    ...(report.basis.length > 0 ? [`on the word of: ${report.basis.join(', ')}`] : []),
    ...(first === null
      ? []
      : [
          `first cut after ${duration(first.seconds)}, ${first.ec2} EC2 round trips and ${first.functions} functions; verdict after ${duration(reportedAt)}`,
        ]),
    ...verdictLines(parts),
    ...section('GuardDuty found', causeLines(report).map(bullet)),
    ...section('Flows', flowsToTell(ended, report).flatMap(flowLines)),
    ...section('What would be done, in this order', report.plan.flatMap(planLines)),
    ...section(
      'Denies that stand',
      report.held.map((deny) => bullet(denyText(deny))),
    ),
    ...section('On the host, by its own word', report.onHost.map(bullet)),
    ...section('Sealed', report.sealed.map(bullet)),
    ...section('Preserved', report.preserved.map(bullet)),
    ...section('Cleaned up', report.cleanUp.map(bullet)),
    ...section(
      'Could not be done',
      report.skipped.map((entry) => bullet(`${entry.id}: ${entry.reason}`)),
    ),
    ...section('Still open', report.leftOpen.map(bullet)),
    ...section('Last resorts, least harmful first', report.lastResort.map(bullet)),
    ...section('Left out', report.more.map(bullet)),
  ];
}

const planLines = (step: Report['plan'][number], index: number): string[] => [
  `  ${index + 1}. ${wrap(step.change, '     ')}`,
  `     why: ${wrap(step.why, '          ')}`,
  `     cuts: ${wrap(step.cuts, '           ')}`,
  `     also hits: ${wrap(step.alsoHits, '                ')}`,
  `     undo: ${wrap(step.undo, '           ')}`,
];

/** Any run, for a person. */
export function tellSimulation(simulation: Simulation): string {
  const { report, restore } = simulation;
  return [
    ...resultLines(simulation, simulation),
    ...section('Restore', restoreLines(simulation)),
    ...(restore === null && report.undo !== null ? section('To undo', [bullet(report.undo)]) : []),
  ].join('\n');
}
