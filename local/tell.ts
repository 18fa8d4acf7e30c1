import { causeLines } from '../functions/core/report/cause-lines.ts';
import { type ResultFlow, resultFlows } from './result.ts';
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
    `  - ${flow.name}: ${flow.protocol} ${flow.remoteAddress}${port(flow.remotePort)}`,
    `${indent}${wrap(`${flow.tracking}: ${flow.because}`, indent)}`,
    `${indent}evidence: ${flow.evidence}; in truth ${truthText(flow.truth)}`,
  ];
}

export function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines];
}

const bullet = (text: string): string => `  - ${wrap(text, '    ')}`;

export function denyText(deny: Simulation['report']['held'][number]): string {
  return `${deny.NetworkAclId} rule ${deny.RuleNumber} ${deny.Egress ? 'outbound' : 'inbound '} deny ${deny.Cidr}`;
}

function restoreLines({ restore, restored }: Simulation): string[] {
  if (restore === null) return [];
  if (restore.kind === 'refused') return [bullet(`refused: ${restore.reason}`)];
  return restored.map(({ item, outcome, detail }) => bullet(`${outcome}: ${item}${detail ? ` (${detail})` : ''}`));
}

/** Any run, for a person. */
export function tellSimulation(simulation: Simulation): string {
  const { report, restore, calls } = simulation;
  const first = calls.beforeFirstCut;
  return [
    `${report.instanceId ?? 'no instance'}: ${report.verdict.toUpperCase()}`,
    wrap(report.reason, ''),
    ...(report.basis.length > 0 ? [`on the word of: ${report.basis.join(', ')}`] : []),
    ...(first === null
      ? []
      : [
          `first cut after ${duration(first.seconds)}, ${first.sequential} EC2 round trips and ${first.functions} functions; verdict after ${duration(simulation.reportedAt)}`,
        ]),
    ...section('GuardDuty found', causeLines(report).map(bullet)),
    ...section('Flows', resultFlows(simulation).flatMap(flowLines)),
    ...section(
      'What would be done, in this order',
      report.plan.flatMap((step, index) => [
        `  ${index + 1}. ${wrap(step.change, '     ')}`,
        `     why: ${wrap(step.why, '          ')}`,
        `     cuts: ${wrap(step.cuts, '           ')}`,
        `     also hits: ${wrap(step.alsoHits, '                ')}`,
        `     undo: ${wrap(step.undo, '           ')}`,
      ]),
    ),
    ...section(
      'Denies that stand',
      report.held.map((deny) => bullet(denyText(deny))),
    ),
    ...section('On the host, by its own word', report.onHost.map(bullet)),
    ...section('Preserved', report.preserved.map(bullet)),
    ...section(
      'Could not be done',
      report.skipped.map((entry) => bullet(`${entry.id}: ${entry.reason}`)),
    ),
    ...section('Still open', report.leftOpen.map(bullet)),
    ...section('Last resorts, least harmful first', report.lastResort.map(bullet)),
    ...section('Left out', report.more.map(bullet)),
    ...section('Restore', restoreLines(simulation)),
    ...(restore === null && report.undo !== null ? section('To undo', [bullet(report.undo)]) : []),
  ].join('\n');
}
