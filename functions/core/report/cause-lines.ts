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

/**
 * Names that an attacker may have chosen stand in a message only where they are no sentence, no markup and no link: whoever names
 * a process writes to the people who respond. The report keeps every name as it is.
 */
const PLAIN_NAME = /^[\w.+@/\\:-]{1,255}$/;
const named = (text: string): string | null => (PLAIN_NAME.test(text) && !text.includes('://') ? text : null);
const NOT_SHOWN = 'a name that is no plain word: see the report';

/** What GuardDuty found, in lines for people; none where a person asked without a finding and named no process. */
export function causeLines({
  finding,
  domains,
  processes,
}: Pick<Report, 'finding' | 'domains' | 'processes'>): string[] {
  return [
    ...(finding === null ? [] : [findingText(finding)]),
    ...domains.map((domain) => `domain ${named(domain) ?? NOT_SHOWN}`),
    ...processes.map(processText),
    ...(finding === null ? [] : [`finding ${finding.id}`]),
    ...(finding === null || finding.link === null ? [] : [finding.link]),
  ];
}

function findingText({ type, severity, updatedAt, count }: ReportedFinding): string {
  const when = updatedAt === '' ? '' : `, ${updatedAt}`;
  return `${type}, ${severityText(severity)}${when}${count > 1 ? `, seen ${count} times` : ''}`;
}

function processText({ pid, name, executablePath }: Report['processes'][number]): string {
  const known = [name, executablePath].filter((part) => part !== null);
  if (known.length === 0) return `process ${pid}`;
  const shown = known.map(named).filter((part) => part !== null);
  return `process ${pid} (${shown.length === 0 ? NOT_SHOWN : shown.join(', ')})`;
}
