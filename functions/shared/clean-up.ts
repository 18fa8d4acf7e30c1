import { readDeletedGroups, readSuccessor } from '../aws/case-table/groups.ts';
import { readGroup } from '../aws/replaced-groups.ts';
import type { CaseDocument } from '../core/case/case.ts';
import type { DeletionResult, ReleaseResult, RestoreItem } from '../core/case/record.ts';
import type { Tools } from './toolbox.ts';

/**
 * What the case has cleaned up, as it is seen now: an earlier response may have deleted a group or released a deny, and a restore
 * may have made a group again. What is kept this time is told with its reason.
 */
export async function cleanUpLines(
  tools: Tools<'ec2' | 'cases'>,
  { caseId, released = false }: CaseDocument,
  { release, deletion }: { readonly release?: ReleaseResult; readonly deletion?: DeletionResult },
): Promise<readonly string[]> {
  const recorded = await readDeletedGroups(tools.cases, caseId);
  const seen = await Promise.all(recorded.map((group) => groupLine(tools, caseId, group)));
  const known = new Set(recorded.map(({ groupId }) => groupId));
  const kept = (deletion?.kind === 'done' ? deletion.items : []).filter(
    ({ item, outcome }) => outcome !== 'deleted' && ![...known].some((id) => item.includes(id)),
  );
  return [
    ...releaseLines(released, release),
    ...seen.flat(),
    ...kept.map(({ item, outcome }) => `${item}: ${outcome}`),
  ];
}

async function groupLine(
  { ec2, cases }: Tools<'ec2' | 'cases'>,
  caseId: string,
  { groupId, name }: { readonly groupId: string; readonly name: string },
): Promise<readonly string[]> {
  const item = `security group ${groupId} (${name})`;
  const successor = await readSuccessor(cases, caseId, groupId);
  if (successor !== null) return [`${item}: deleted, and made again as ${successor}`];
  if ((await readGroup(ec2, groupId)) === null) return [`${item}: deleted; restore makes it again under another id`];
  return [`${item}: was to be deleted, and still stands`];
}

function releaseLines(released: boolean, release: ReleaseResult | undefined): readonly string[] {
  const items = release?.kind === 'released' ? release.items : [];
  const lines = items.map(lineOf);
  if (lines.length > 0) return lines;
  return released ? ['denies of this case: released, for the host and a flow log both showed every flow dead'] : [];
}

const lineOf = ({ item, outcome, detail }: RestoreItem): string => {
  const said = outcome === 'restored' && detail === undefined ? 'released' : outcome;
  return `${item}: ${said}${detail === undefined ? '' : ` (${detail})`}`;
};
