import type { EC2Client } from '@aws-sdk/client-ec2';
import { carriers } from '../core/case/assess.ts';
import { type Facts, vpcIdsOf } from '../core/case/facts.ts';
import { isInstanceType } from '../core/intake/instance-type.ts';
import type { Hints } from '../core/intake/intake-types.ts';
import type { DefaultTimeouts, KnownFlow } from '../core/model.ts';
import { errorText } from './errors.ts';
import { defaultTimeoutsOf } from './instance-types.ts';
import { getInstance } from './instances.ts';
import { aclsOfSubnets } from './network-acls.ts';
import { type Holder, holdersOf, interfacesOf } from './network-interfaces.ts';
import { prefixListEntries, routeTablesOf, subnetsById } from './routes.ts';
import { rulesOf } from './security-groups.ts';
import type { EndpointService } from './vpc-endpoints.ts';

const missing = (wanted: readonly string[], known: readonly string[]): readonly string[] =>
  wanted.filter((id) => !known.includes(id));

interface FactsQuestion {
  readonly hints: Hints;
  /** A promise where they are still being read: the first round of reads does not wait for it. */
  readonly flows: readonly KnownFlow[] | Promise<readonly KnownFlow[]>;
  /**
   * `carriers`: subnets, ACLs and rules of the ENIs that may carry one of these flows. Enough where no other flow is
   * decided on, and then no cut waits for what surrounds the other ENIs.
   */
  readonly scope?: 'every-interface' | 'carriers';
  /**
   * Reads what service answers at a peer that is an interface endpoint: it may be the agent's. Given only where flows are
   * classified that nobody names, and so never on the way to the first cut.
   */
  readonly servicesOf?: (ec2: EC2Client, vpcIds: readonly string[]) => Promise<readonly EndpointService[]>;
}

/**
 * Reads all that a decision needs, in one parallel round where the finding's hints are right and in two where they are
 * wrong or there are none (one more where routes name prefix lists): the second round asks only for what the first could not know to ask.
 * The default timeouts of the instance type are read beside these, and cost no round of their own.
 *
 * null = there is no such instance here. A read that fails is named in `unread`; only the instance and its interfaces
 * must be readable, without them there is nothing to act on.
 */
export async function readFacts(
  ec2: EC2Client,
  instanceId: string,
  { hints, flows, scope = 'every-interface', servicesOf = async () => [] }: FactsQuestion,
): Promise<Facts | null> {
  const unread: string[] = [];
  const attempt = async <T>(what: string, read: Promise<readonly T[]>): Promise<readonly T[] | null> => {
    try {
      return await read;
    } catch (error) {
      unread.push(`${what}: ${errorText(error)}`);
      return null;
    }
  };
  const reads = (ids: Hints) =>
    Promise.all([
      attempt('subnets', subnetsById(ec2, ids.subnetIds)),
      attempt('network ACLs', aclsOfSubnets(ec2, ids.subnetIds)),
      attempt('route tables', routeTablesOf(ec2, ids.vpcIds)),
      attempt('security group rules', rulesOf(ec2, ids.groupIds)),
    ]);

  const timeoutsOf = async (instanceType: string | undefined): Promise<DefaultTimeouts | null> => {
    if (!isInstanceType(instanceType)) return null;
    const asked = defaultTimeoutsOf(ec2, instanceType).then((answer) => (answer === null ? [] : [answer]));
    return (await attempt('default timeouts of the instance type', asked))?.[0] ?? null;
  };
  const hinted = hints.peers ?? [];
  const [instance, interfaces, known, hintedHolders, hintedTimeouts, first] = await Promise.all([
    getInstance(ec2, instanceId),
    interfacesOf(ec2, instanceId),
    flows,
    attempt(PEERS, holdersOf(ec2, hinted)),
    timeoutsOf(hints.instanceType),
    reads(hints),
  ]);
  if (instance === null) return null;

  const carrying =
    scope === 'carriers' && known.length > 0 ? known.flatMap((flow) => carriers(flow, interfaces)) : interfaces;
  const vpcIds = vpcIdsOf(carrying);
  const subnetIds = [...new Set(carrying.map((eni) => eni.subnetId))];
  const groupIds = [...new Set(carrying.flatMap((eni) => eni.groupIds))];
  const others = {
    vpcIds: missing(vpcIds, hints.vpcIds),
    subnetIds: missing(subnetIds, hints.subnetIds),
    groupIds: missing(groupIds, hints.groupIds),
  };
  const isRightType = instance.instanceType === hints.instanceType;
  // A round for this alone would make the first cut wait: there is the table of families.
  const isAsked = !isRightType && Object.values(others).some((ids) => ids.length > 0);
  const [askedTimeouts, otherHolders, second] = await Promise.all([
    isAsked ? timeoutsOf(instance.instanceType) : null,
    attempt(PEERS, holdersOf(ec2, missing(peersOf(known), hinted))),
    reads(others),
  ]);
  const defaultTimeouts = isRightType ? hintedTimeouts : askedTimeouts;

  const holders = merge(hintedHolders, otherHolders);
  const subnets = merge(first[0], second[0]) ?? [];
  const acls = merge(first[1], second[1]) ?? [];
  const routeTables = merge(first[2], second[2]);
  const rules = merge(first[3], second[3]);
  const listIds = (routeTables ?? []).flatMap((table) => table.routes.map((route) => route.destination));
  const wanted = [...new Set(listIds)].filter((destination) => destination.startsWith('pl-'));
  const endpoints = (holders ?? []).filter(({ holder }) => holder.interfaceType === 'vpc_endpoint');
  const endpointVpcIds = vpcIdsOf(endpoints.map(({ holder }) => holder));
  const [prefixLists, services] = await Promise.all([
    attempt('prefix lists', prefixListEntries(ec2, wanted)),
    attempt('VPC endpoints', servicesOf(ec2, endpointVpcIds)),
  ]);
  return {
    instance: { ...instance, defaultTimeouts },
    interfaces,
    subnets: uniqueById(subnets).filter((subnet) => subnetIds.includes(subnet.id)),
    acls: uniqueById(acls).filter((acl) => acl.subnetIds.some((id) => subnetIds.includes(id))),
    routeTables: routeTables && uniqueById(routeTables).filter((table) => vpcIds.includes(table.vpcId)),
    rules: rules === null ? null : [...new Map(rules.map((rule) => [rule.ruleId, rule])).values()],
    prefixLists: new Map(prefixLists ?? []),
    peers: holders && byAddress(holders, services ?? []),
    inFront: null,
    unread,
  };
}

const PEERS = 'interfaces of the peers';

const peersOf = (flows: readonly KnownFlow[]): readonly string[] => [
  ...new Set(flows.map((flow) => flow.remoteAddress)),
];

function byAddress(holders: readonly Holder[], services: readonly EndpointService[]): NonNullable<Facts['peers']> {
  const known = new Map(services.map(({ networkInterfaceId, service }) => [networkInterfaceId, service]));
  const withService = ({ networkInterfaceId, holder }: Holder) => {
    const service = known.get(networkInterfaceId);
    return service === undefined ? holder : { ...holder, service };
  };
  const grouped = Map.groupBy(holders, ({ address }) => address);
  return new Map([...grouped].map(([address, all]) => [address, all.map(withService)] as const));
}

function merge<T>(a: readonly T[] | null, b: readonly T[] | null): readonly T[] | null {
  return a === null || b === null ? null : [...a, ...b];
}

function uniqueById<T extends { readonly id: string }>(items: readonly T[]): readonly T[] {
  return [...new Map(items.map((item) => [item.id, item])).values()];
}
