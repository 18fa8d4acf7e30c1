import { errorText } from '../aws/errors.ts';
import { targetsOf } from '../aws/load-balancers.ts';
import { hasAccelerator } from '../aws/network-interfaces.ts';
import { flowClassifier } from '../core/case/assess.ts';
import { type Facts, vpcIdsOf } from '../core/case/facts.ts';
import type { KnownFlow } from '../core/model.ts';
import type { Tools } from './toolbox.ts';

/** How long the answer is waited for, in seconds; after that the cautious one is taken. */
const PATIENCE_SECONDS = 2;

/**
 * Flows through a Network Load Balancer or Global Accelerator are automatically tracked, and where the client's address is
 * kept nothing in the packet shows it. A target that is draining keeps its established flows. Asked only where the answer
 * matters: an inbound flow that would otherwise be called untracked. A read that fails counts as "behind one": the cautious
 * answer.
 */
export async function withBalancer(
  tools: Tools<'ec2' | 'elb'>,
  facts: Facts,
  flows: readonly KnownFlow[],
): Promise<Facts> {
  if (facts.interfaces.length === 0) return facts;
  const classify = flowClassifier(facts);
  const matters = flows.some((flow) => flow.openedBy !== 'instance' && classify(flow).tracking.kind === 'untracked');
  if (!matters) return facts;
  const addresses = facts.interfaces.flatMap((eni) => [...eni.privateAddresses, ...eni.ipv6Addresses]);
  const vpcIds = vpcIdsOf(facts.interfaces);
  const cautiously = (what: string, asked: Promise<boolean>): Promise<boolean> =>
    asked.catch((error: unknown) => {
      tools.log.warn(`${what} cannot be read`, { error: errorText(error) });
      return true;
    });
  const where = { vpcIds, layer: 'network', draining: true } as const;
  const targets = targetsOf(tools.elb, where, [facts.instance.id, ...addresses]);
  const asked = Promise.all([
    cautiously(
      'target groups',
      targets.then(({ length }) => length > 0),
    ),
    cautiously('interfaces of Global Accelerator', hasAccelerator(tools.ec2, vpcIds)),
  ]);
  // No isolation waits for a balancer that does not answer.
  const tooLate = tools.sleep(PATIENCE_SECONDS).then((): readonly [boolean, boolean] => [true, false]);
  const [balanced, accelerated] = await Promise.race([asked, tooLate]);
  if (balanced) return { ...facts, inFront: 'network-load-balancer' };
  return accelerated ? { ...facts, inFront: 'global-accelerator' } : facts;
}
