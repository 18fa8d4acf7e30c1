import { readBefore } from '../aws/cases.ts';
import type { Facts } from '../core/facts.ts';
import type { Tools } from './toolbox.ts';

/**
 * The facts with the tracking timers that were in force before the response shortened them: an entry that was made before
 * then may still have those.
 */
export async function withTimersAsFound(tools: Tools<'cases'>, caseId: string, facts: Facts): Promise<Facts> {
  const before = new Map((await readBefore(tools.cases, caseId)).map((eni) => [eni.networkInterfaceId, eni.timeouts]));
  const interfaces = facts.interfaces.map((eni) => ({ ...eni, timeouts: before.get(eni.id) ?? eni.timeouts }));
  return { ...facts, interfaces };
}
