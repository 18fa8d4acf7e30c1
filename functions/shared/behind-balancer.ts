import { errorText } from '../aws/errors.ts';
import { targetsOf } from '../aws/load-balancers.ts';
import { flowClassifier } from '../core/case/assess.ts';
import type { Facts } from '../core/case/facts.ts';
import type { KnownFlow } from '../core/model.ts';
import type { Tools } from './toolbox.ts';

/** How long the answer is waited for, in seconds; after that the cautious one is taken. */
const PATIENCE_SECONDS = 2;

/**
 * Flows through a Network Load Balancer are automatically tracked, and where it keeps the client's address nothing in the
 * packet shows it. Asked only where the answer matters: an inbound flow that would otherwise be called untracked. A read
 * that fails counts as "behind one": the cautious answer.
 */
export async function withBalancer(tools: Tools<'elb'>, facts: Facts, flows: readonly KnownFlow[]): Promise<Facts> {
  if (facts.interfaces.length === 0) return facts;
  const classify = flowClassifier(facts);
  const matters = flows.some((flow) => flow.openedBy !== 'instance' && classify(flow).tracking.kind === 'untracked');
  if (!matters) return facts;
  const addresses = facts.interfaces.flatMap((eni) => [...eni.privateAddresses, ...eni.ipv6Addresses]);
  const vpcIds = [...new Set(facts.interfaces.map((eni) => eni.vpcId))];
  const asked = targetsOf(tools.elb, { vpcIds, layer: 'network' }, [facts.instance.id, ...addresses]).then(
    (targets) => targets.length > 0,
    (error: unknown) => {
      tools.log.warn('target groups cannot be read', { error: errorText(error) });
      return true;
    },
  );
  // No isolation waits for a balancer that does not answer.
  const tooLate = tools.sleep(PATIENCE_SECONDS).then(() => true);
  return { ...facts, behindNetworkLoadBalancer: await Promise.race([asked, tooLate]) };
}
