import type { Report, ReportedFinding } from './report.ts';

/** https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings-severity.html */
function severityText(severity: number): string {
  const bands = [
    [9, 'critical'],
    [7, 'high'],
    [4, 'medium'],
  ] as const;
  const [, word] = bands.find(([from]) => severity >= from) ?? [0, 'low'];
  return `severity ${severity} (${word})`;
}

/** What GuardDuty found, in lines for people; none where a person asked without a finding and named no process. */
export function causeLines({
  finding,
  domains,
  processes,
}: Pick<Report, 'finding' | 'domains' | 'processes'>): string[] {
  return [
    ...(finding === null ? [] : [findingText(finding)]),
    ...domains.map((domain) => `domain ${domain}`),
    ...processes.map(processText),
    ...(finding === null ? [] : [`finding ${finding.id}${finding.link === null ? '' : `: ${finding.link}`}`]),
  ];
}

function findingText({ type, severity, updatedAt, count }: ReportedFinding): string {
  const when = updatedAt === '' ? '' : `, ${updatedAt}`;
  return `${type}, ${severityText(severity)}${when}${count > 1 ? `, seen ${count} times` : ''}`;
}

function processText({ pid, name, executablePath }: Report['processes'][number]): string {
  const known = [name, executablePath].filter((part) => part !== null);
  return `process ${pid}${known.length === 0 ? '' : ` (${known.join(', ')})`}`;
}
