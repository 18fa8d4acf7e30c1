import { readSwitch, takePlace } from '../aws/case-table/brakes.ts';
import type { CaseDocument } from '../core/case/case.ts';
import { HIGH_SEVERITY } from '../core/intake/intake-types.ts';
import type { Tools } from '../shared/toolbox.ts';

/**
 * Read right before the first change: the switch that stops everything, and the cap on new isolations. Why a person has
 * to decide; null = nothing holds us back.
 */
export async function brakes(
  tools: Tools<'cases'>,
  document: CaseDocument,
  vpcIds: readonly string[],
): Promise<string | null> {
  const { isolationsPerHour: places } = tools.config;
  const hour = tools.now().toISOString().slice(0, 13);
  // The cap is a brake against a flood of findings; what a person asks for is not counted.
  const isCounted = document.isolatedAt === null && document.request.origin === 'finding';
  if ((await readSwitch(tools.cases)) === 'observe') {
    return 'the switch in the case table says observe: nothing was changed';
  }
  if (!isCounted) return null;
  const isHigh = (document.request.severity ?? 0) >= HIGH_SEVERITY;
  const taken = await Promise.all(
    vpcIds.map(async (vpcId) => ({
      vpcId,
      got: await takePlace(tools.cases, { vpcId, hour, isHigh, caseId: document.caseId, places }),
    })),
  );
  const full = taken.find(({ got }) => !got);
  if (full === undefined) return null;
  const which = isHigh ? ` for severity ${HIGH_SEVERITY} and above` : '';
  return `cap reached: ${places} new isolations in ${full.vpcId}${which} within this hour; a person decides`;
}
