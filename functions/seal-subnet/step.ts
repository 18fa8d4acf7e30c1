import { readCase, recordEvent } from '../aws/case-table/cases.ts';
import { readPreserved, recordPreserved } from '../aws/case-table/preserved.ts';
import { sharedLedger } from '../aws/case-table/shared-things.ts';
import { interfacesOf } from '../aws/network-interfaces.ts';
import { isSealRecord, subnetSeal } from '../controls/subnet-seal.ts';
import { isClosing } from '../core/case/case.ts';
import { SEAL_SETTLE_SECONDS } from '../core/case/expiry.ts';
import type { Isolating, SealResult } from '../core/case/record.ts';
import { take } from '../shared/control-runner.ts';
import { once } from '../shared/once.ts';
import { takenText, tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';

const OTHERS = 'others live in the subnet, or SealSubnet is never';

type SealingTools = Tools<'ec2' | 'scaling' | 'cases'>;

/**
 * Seal the subnets of the instance, beside the swap: after the host was asked, for a sealed host answers nobody. What is
 * sealed is read back, and the verdict reads it again.
 */
export async function sealSubnet(tools: SealingTools, record: Isolating): Promise<SealResult> {
  const { caseId, instanceId } = record.case;
  const document = instanceId === null ? null : await readCase(tools.cases, caseId);
  if (instanceId === null || document === null) return { kind: 'not-sealed', reason: 'there is no case' };
  if (record.verdict !== undefined && isClosing(document))
    return { kind: 'not-sealed', reason: 'the case is being restored' };
  const subject = {
    instanceId,
    isSealOrdered: document.request.seal === true,
    interfaces: once(() => interfacesOf(tools.ec2, instanceId)),
  };
  const recorded = await readPreserved(tools.cases, caseId);
  const known = recorded.filter(({ undone }) => !undone).map(({ preserved }) => preserved);
  const whole = { ...tools, subject, ledger: sharedLedger(tools.cases, caseId) };
  const items = await take(subnetSeal, whole, {
    known: known.filter(isSealRecord),
    record: (before) => recordPreserved(tools.cases, caseId, subnetSeal.item(before), before),
  });
  await Promise.all([
    items.length === 0 ? null : recordEvent(tools.cases, caseId, { kind: 'preserved', items }),
    tell(tools, caseId, 'seal-subnet', takenText(items) || `not sealed: ${OTHERS}`),
  ]);
  const sealed = items.filter(({ outcome }) => outcome === 'done' || outcome === 'already');
  const interfaces = sealed.length === 0 ? [] : await subject.interfaces();
  if (sealed.length > 0 && sealed.length === new Set(interfaces.map(({ subnetId }) => subnetId)).size)
    return { kind: 'sealed', settleSeconds: SEAL_SETTLE_SECONDS };
  const [first] = items.filter((item) => !sealed.includes(item));
  return { kind: 'not-sealed', reason: first?.reason ?? OTHERS };
}
