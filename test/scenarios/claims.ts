import { type ResultFlow, resultFlows } from '../../local/result.ts';
import type { Simulation } from '../../local/simulate.ts';
import type { WorldFile, WorldFlow } from '../../local/world/parse-world.ts';
import { ids, readEvent } from '../support/bench.ts';

type ListKey = 'Flows' | 'NetworkInterfaces' | 'SecurityGroups' | 'NetworkAcls' | 'RouteTables' | 'Subnets' | 'Vpcs';

/** The first of a list of the world, which every world of these tests has. */
export function firstOf<K extends ListKey>(world: WorldFile, list: K): WorldFile[K][number] {
  const [item] = world[list] as readonly WorldFile[K][number][];
  if (item === undefined) throw new Error(`the world has nothing in ${list}`);
  return item;
}

/** A rule of a group: everything, from and to everybody, in both families. */
const everything = () => ({
  IpProtocol: '-1',
  IpRanges: [{ CidrIp: '0.0.0.0/0' }],
  Ipv6Ranges: [{ CidrIpv6: '::/0' }],
  PrefixListIds: [],
  UserIdGroupPairs: [],
});

/** The group of the web servers lets everything in and out: what nothing else tracks is untracked. */
export function openBothWays(world: WorldFile): void {
  Object.assign(firstOf(world, 'SecurityGroups'), {
    IpPermissions: [everything()],
    IpPermissionsEgress: [everything()],
  });
}

/** The VPC, the subnet, the instance, its routes, its ACL and the way out of its group know IPv6 as well. */
export function withIpv6(world: WorldFile): void {
  Object.assign(firstOf(world, 'Vpcs'), { Ipv6CidrBlockAssociationSet: [{ Ipv6CidrBlock: '2001:db8:10::/56' }] });
  Object.assign(firstOf(world, 'Subnets'), { Ipv6CidrBlockAssociationSet: [{ Ipv6CidrBlock: '2001:db8:10:1::/64' }] });
  firstOf(world, 'NetworkInterfaces').Ipv6Addresses = [{ Ipv6Address: '2001:db8:10:1::10' }];
  firstOf(world, 'SecurityGroups').IpPermissionsEgress = [everything()];
  firstOf(world, 'RouteTables').Routes?.push(
    { DestinationIpv6CidrBlock: '2001:db8:10::/56', GatewayId: 'local' },
    { DestinationIpv6CidrBlock: '::/0', GatewayId: 'igw-00000000000000201' },
  );
  for (const Egress of [false, true])
    firstOf(world, 'NetworkAcls').Entries.push({
      RuleNumber: 101,
      Egress,
      Protocol: '-1',
      RuleAction: 'allow',
      Ipv6CidrBlock: '::/0',
    });
}

/** Mail from eighteen addresses is denied: with the allow and the default deny the ACL holds as many entries as it may. */
export function fullAcl(world: WorldFile): void {
  for (const Egress of [false, true])
    for (let RuleNumber = 1; RuleNumber <= 18; RuleNumber += 1)
      firstOf(world, 'NetworkAcls').Entries.push({
        RuleNumber,
        Egress,
        Protocol: '6',
        RuleAction: 'deny',
        CidrBlock: `192.0.2.${RuleNumber}/32`,
        PortRange: { From: 25, To: 25 },
      });
}

/** An interface in the subnet of the instance that somebody else holds: a service of AWS, by its type, or a neighbour. */
export function addInterface(
  world: WorldFile,
  InterfaceType: string,
  address: string,
  change: Partial<WorldFile['NetworkInterfaces'][number]> = {},
): void {
  const { Attachment: _attachment, Association: _association, ...like } = firstOf(world, 'NetworkInterfaces');
  const isIpv6 = address.includes(':');
  const PrivateIpAddress = isIpv6 ? '10.0.1.99' : address;
  world.NetworkInterfaces.push({
    ...structuredClone(like),
    NetworkInterfaceId: `eni-0000000000000f${String(world.NetworkInterfaces.length).padStart(3, '0')}`,
    InterfaceType,
    PrivateIpAddress,
    PrivateIpAddresses: [{ Primary: true, PrivateIpAddress }],
    Ipv6Addresses: isIpv6 ? [{ Ipv6Address: address }] : [],
    ...change,
  });
}

/** One more flow like the shell, changed as given. */
export function addFlow(world: WorldFile, change: Partial<WorldFlow>): void {
  world.Flows.push({ ...structuredClone(firstOf(world, 'Flows')), ...change });
}

export function noAgent(world: WorldFile): void {
  world.InstanceInformationList = [];
}

/** The shortest timers that a type has by itself. */
export function shortTimers(world: WorldFile): void {
  for (const { Instances } of world.Reservations) for (const one of Instances) one.InstanceType = 'm8i.large';
}

/** The host of the instance, where the default is not meant. */
export const hostWith = (change: Partial<WorldFile['Hosts'][number]>): WorldFile['Hosts'] => [
  { InstanceId: ids.instance, AgentConnection: false, ...change } as WorldFile['Hosts'][number],
];

/** The default finding with other words in it, given as pairs of what stands there and what is to stand there. */
export const findingWith = (...changes: readonly (readonly [string, string])[]): unknown =>
  JSON.parse(
    changes.reduce(
      (text, [from, to]) => {
        if (!text.includes(from)) throw new Error(`the finding does not say ${from}`);
        return text.replace(from, to);
      },
      JSON.stringify(readEvent('guardduty-ec2-c2activity')),
    ),
  );

/** Whether a packet of the flow passed once the last change before the verdict had taken effect. */
export function passedAfterVerdict({ reportedAt, file }: Simulation, { truth }: ResultFlow): boolean {
  const from = reportedAt + file.Assumptions.PropagationSeconds + 1;
  return Math.max(truth?.lastPacketAt ?? 0, truth?.revivedAt ?? 0) > from;
}

/** Flows of which packets passed though the verdict says that none does. */
export function falselyStopped(run: Simulation): readonly string[] {
  const { verdict } = run.report;
  const isStopped = ({ evidence, malicious }: ResultFlow): boolean =>
    (verdict === 'contained' && malicious) ||
    (['contained', 'held'].includes(verdict) && ['in-force', 'observed'].includes(evidence));
  return resultFlows(run)
    .filter((flow) => isStopped(flow) && passedAfterVerdict(run, flow))
    .map(({ name }) => name);
}

/** What the report and the world say of one flow. */
export function flowNamed(run: Simulation, name: string): ResultFlow {
  const flow = resultFlows(run).find((one) => one.name === name);
  if (flow === undefined) throw new Error(`there is no flow ${name}`);
  return flow;
}

/** Peers that are denied both ways at the end of the response. */
export const deniedPeers = ({ report: { held } }: Simulation): readonly string[] => {
  const inbound = held.filter(({ Egress }) => !Egress).map(({ Cidr }) => Cidr.replace(/\/\d+$/, ''));
  return inbound.filter((address) => held.some(({ Egress, Cidr }) => Egress && Cidr.startsWith(`${address}/`))).sort();
};
