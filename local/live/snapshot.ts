import { paginateDescribeAutoScalingGroups, paginateDescribeAutoScalingInstances } from '@aws-sdk/client-auto-scaling';
import {
  DescribeInstanceAttributeCommand,
  DescribeInstancesCommand,
  paginateDescribeFlowLogs,
  paginateDescribeInstances,
  paginateDescribeManagedPrefixLists,
  paginateDescribeNetworkAcls,
  paginateDescribeNetworkInterfaces,
  paginateDescribeRouteTables,
  paginateDescribeSecurityGroups,
  paginateDescribeSubnets,
  paginateDescribeVpcEndpoints,
  paginateDescribeVpcs,
  paginateGetManagedPrefixListEntries,
  type Reservation,
  type RouteTable,
  type SecurityGroup,
} from '@aws-sdk/client-ec2';
import { paginateDescribeLoadBalancers as paginateClassicBalancers } from '@aws-sdk/client-elastic-load-balancing';
import {
  DescribeTargetHealthCommand,
  paginateDescribeLoadBalancers,
  paginateDescribeTargetGroups,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { paginateDescribeInstanceInformation } from '@aws-sdk/client-ssm';
import { errorText, unless } from '../../functions/aws/errors.ts';
import { InputError } from '../../functions/core/errors.ts';
import { type Clients, regionOf } from './clients.ts';

type Ec2 = Clients['ec2'];

/** A world file as it is written, and what could not be read of it, in words. */
export interface WorldSnapshot {
  readonly world: Readonly<Record<string, unknown>>;
  readonly unread: readonly string[];
}

/** Ids that one call takes: SSM and Auto Scaling take 50, a filter of EC2 takes 200. */
const BATCH = 50;

function batches<T>(items: readonly T[]): T[][] {
  const found: T[][] = [];
  for (let start = 0; start < items.length; start += BATCH) found.push(items.slice(start, start + BATCH));
  return found;
}

async function every<P, T>(pages: AsyncIterable<P>, itemsOf: (page: P) => readonly T[] | undefined): Promise<T[]> {
  const found: T[] = [];
  for await (const page of pages) found.push(...(itemsOf(page) ?? []));
  return found;
}

async function inBatches<T>(ids: readonly string[], read: (batch: string[]) => Promise<T[]>): Promise<T[]> {
  const found: T[] = [];
  for (const batch of batches(ids)) found.push(...(await read(batch)));
  return found;
}

const present = <T>(values: readonly (T | undefined)[]): T[] => [
  ...new Set(values.filter((value): value is T => value !== undefined)),
];

/**
 * Reads the VPCs of an instance, whole, into a world: everything in them that a response reads or hits. Hosts and flows are
 * in no API: the instance's host is the default one and there are no flows, until somebody writes them in.
 *
 * Only the instance and EC2's own lists must be readable; what else cannot be read is named in `unread` and left out.
 */
export async function takeSnapshot(clients: Clients, instanceId: string, now: Date): Promise<WorldSnapshot> {
  const { ec2 } = clients;
  const region = await regionOf(clients);
  const own = await reservationOf(ec2, instanceId);
  if (own === null) throw new InputError('--instance-id', `there is no instance ${instanceId} in ${region}`);
  const enis = own.Instances?.flatMap((instance) => instance.NetworkInterfaces ?? []) ?? [];
  const vpcIds = present([...enis.map((eni) => eni.VpcId), ...(own.Instances ?? []).map((one) => one.VpcId)]);
  const network = await readNetwork(ec2, vpcIds);
  const reservations = network.Reservations;
  const instanceIds = present(reservations.flatMap(({ Instances }) => (Instances ?? []).map((one) => one.InstanceId)));
  const unread: string[] = [];
  const attempt = async <T>(what: string, read: Promise<T[]>): Promise<T[]> => {
    try {
      return await read;
    } catch (error) {
      unread.push(`${what}: ${errorText(error)}`);
      return [];
    }
  };
  const watched = present([
    ...vpcIds,
    ...network.Subnets.map((one) => one.SubnetId),
    ...enis.map((one) => one.NetworkInterfaceId),
  ]);
  const services = {
    InstanceAttributes: Object.fromEntries(
      await attempt(
        'attributes of the instance',
        attributesOf(ec2, instanceId).then((found) => [[instanceId, found]]),
      ),
    ) as object,
    ManagedPrefixLists: await attempt('managed prefix lists', prefixListsOf(ec2, network)),
    FlowLogs: await attempt('flow logs', flowLogsOn(ec2, watched)),
    InstanceInformationList: await attempt('SSM agents', agentsOf(clients, instanceIds)),
    ...(await scalingOf(clients, instanceIds, attempt)),
    ...(await balancersOf(clients, vpcIds, instanceIds, attempt)),
  };
  const world = { AccountId: own.OwnerId, Region: region, Now: now.toISOString(), ...network, ...services };
  // Dates become text here, and what the SDK gives as undefined is gone.
  return { world: JSON.parse(JSON.stringify(world)) as WorldSnapshot['world'], unread };
}

async function reservationOf(ec2: Ec2, instanceId: string): Promise<Reservation | null> {
  const answer = await unless(
    ['InvalidInstanceID.NotFound', 'InvalidInstanceID.Malformed'],
    () => ec2.send(new DescribeInstancesCommand({ InstanceIds: [instanceId] })),
    () => null,
  );
  return answer?.Reservations?.[0] ?? null;
}

/** What EC2 has in the VPCs. */
async function readNetwork(ec2: Ec2, vpcIds: string[]) {
  const here = { Filters: [{ Name: 'vpc-id', Values: vpcIds }] };
  const paging = { client: ec2, pageSize: 100 };
  const [Reservations, NetworkInterfaces, groups, acls, tables, Subnets, Vpcs, endpoints] = await Promise.all([
    every(paginateDescribeInstances(paging, here), (page) => page.Reservations),
    every(paginateDescribeNetworkInterfaces(paging, here), (page) => page.NetworkInterfaces),
    every(paginateDescribeSecurityGroups(paging, here), (page) => page.SecurityGroups),
    every(paginateDescribeNetworkAcls(paging, here), (page) => page.NetworkAcls),
    every(paginateDescribeRouteTables(paging, here), (page) => page.RouteTables),
    every(paginateDescribeSubnets(paging, here), (page) => page.Subnets),
    every(paginateDescribeVpcs(paging, here), (page) => page.Vpcs),
    every(paginateDescribeVpcEndpoints(paging, here), (page) => page.VpcEndpoints),
  ]);
  const subnetIds = present(Subnets.map((one) => one.SubnetId));
  // In a shared VPC an account sees its own subnets, and of the owner's things what concerns them.
  const ofOurs = <A extends { SubnetId?: string | undefined }>(list: readonly A[] | undefined): A[] =>
    (list ?? []).filter(({ SubnetId }) => SubnetId === undefined || subnetIds.includes(SubnetId));
  return {
    Reservations,
    NetworkInterfaces,
    SecurityGroups: [...groups, ...(await groupsBeyond(ec2, groups))],
    NetworkAcls: acls.map((acl) => ({ ...acl, Associations: ofOurs(acl.Associations) })),
    RouteTables: tables.map((table) => ({ ...table, Associations: ofOurs(table.Associations) })),
    Subnets,
    Vpcs,
    VpcEndpoints: endpoints.map((endpoint) => ({
      ...endpoint,
      SubnetIds: (endpoint.SubnetIds ?? []).filter((id) => subnetIds.includes(id)),
    })),
  };
}

/** Groups of our account that rules name and that are in none of the VPCs. */
function groupsBeyond(ec2: Ec2, groups: readonly SecurityGroup[]): Promise<SecurityGroup[]> {
  const known = present(groups.map((group) => group.GroupId));
  const named = groups
    .flatMap((group) => [...(group.IpPermissions ?? []), ...(group.IpPermissionsEgress ?? [])])
    .flatMap((permission) => permission.UserIdGroupPairs ?? [])
    .map((pair) => pair.GroupId);
  return inBatches(
    present(named).filter((id) => !known.includes(id)),
    (ids) =>
      every(
        paginateDescribeSecurityGroups(
          { client: ec2, pageSize: 100 },
          { Filters: [{ Name: 'group-id', Values: ids }] },
        ),
        (page) => page.SecurityGroups,
      ),
  );
}

async function attributesOf(ec2: Ec2, InstanceId: string): Promise<object> {
  const ask = (Attribute: 'disableApiTermination' | 'disableApiStop' | 'instanceInitiatedShutdownBehavior') =>
    ec2.send(new DescribeInstanceAttributeCommand({ InstanceId, Attribute }));
  const [termination, stop, shutdown] = await Promise.all([
    ask('disableApiTermination'),
    ask('disableApiStop'),
    ask('instanceInitiatedShutdownBehavior'),
  ]);
  return {
    DisableApiTermination: termination.DisableApiTermination?.Value ?? false,
    DisableApiStop: stop.DisableApiStop?.Value ?? false,
    InstanceInitiatedShutdownBehavior: shutdown.InstanceInitiatedShutdownBehavior?.Value ?? 'stop',
  };
}

/** The lists that rules and routes name, with their entries; AWS's own among them. */
async function prefixListsOf(
  ec2: Ec2,
  { SecurityGroups, RouteTables }: { SecurityGroups: readonly SecurityGroup[]; RouteTables: readonly RouteTable[] },
): Promise<object[]> {
  const inRules = SecurityGroups.flatMap((group) => [
    ...(group.IpPermissions ?? []),
    ...(group.IpPermissionsEgress ?? []),
  ]).flatMap((permission) => (permission.PrefixListIds ?? []).map((one) => one.PrefixListId));
  const inRoutes = RouteTables.flatMap((table) => (table.Routes ?? []).map((route) => route.DestinationPrefixListId));
  const wanted = present([...inRules, ...inRoutes]);
  const lists = await inBatches(wanted, (ids) =>
    every(
      paginateDescribeManagedPrefixLists(
        { client: ec2, pageSize: 100 },
        { Filters: [{ Name: 'prefix-list-id', Values: ids }] },
      ),
      (page) => page.PrefixLists,
    ),
  );
  const found: object[] = [];
  for (const list of lists) {
    const Entries = await every(
      paginateGetManagedPrefixListEntries({ client: ec2, pageSize: 100 }, { PrefixListId: list.PrefixListId }),
      (page) => page.Entries,
    );
    found.push({ ...list, Entries });
  }
  return found;
}

/** Active flow logs that can be asked: those in CloudWatch Logs. */
async function flowLogsOn(ec2: Ec2, resourceIds: readonly string[]): Promise<object[]> {
  const logs = await inBatches(resourceIds, (ids) =>
    every(
      paginateDescribeFlowLogs({ client: ec2, pageSize: 100 }, { Filter: [{ Name: 'resource-id', Values: ids }] }),
      (page) => page.FlowLogs,
    ),
  );
  return logs
    .filter((log) => log.FlowLogStatus === 'ACTIVE' && log.LogGroupName !== undefined)
    .map(({ ResourceId, TrafficType, LogGroupName }) => ({ ResourceId, TrafficType, LogGroupName }));
}

function agentsOf({ ssm }: Clients, instanceIds: readonly string[]): Promise<object[]> {
  return inBatches(instanceIds, (ids) =>
    every(
      paginateDescribeInstanceInformation({ client: ssm }, { Filters: [{ Key: 'InstanceIds', Values: ids }] }),
      (page) => page.InstanceInformationList,
    ),
  );
}

type Attempt = <T>(what: string, read: Promise<T[]>) => Promise<T[]>;

async function scalingOf({ scaling }: Clients, instanceIds: readonly string[], attempt: Attempt) {
  const client = scaling;
  const AutoScalingInstances = await attempt(
    'members of Auto Scaling groups',
    inBatches(instanceIds, (InstanceIds) =>
      every(paginateDescribeAutoScalingInstances({ client }, { InstanceIds }), (page) => page.AutoScalingInstances),
    ),
  );
  const groups = await attempt(
    'Auto Scaling groups',
    inBatches(present(AutoScalingInstances.map((one) => one.AutoScalingGroupName)), (AutoScalingGroupNames) =>
      every(paginateDescribeAutoScalingGroups({ client }, { AutoScalingGroupNames }), (page) => page.AutoScalingGroups),
    ),
  );
  // A member that has just ended is in the group's list for a while, and no instance any more.
  const AutoScalingGroups = groups.map((group) => ({
    ...group,
    Instances: (group.Instances ?? []).filter((one) => instanceIds.includes(one.InstanceId ?? '')),
  }));
  return { AutoScalingInstances, AutoScalingGroups };
}

async function balancersOf(
  { elb, classicElb }: Clients,
  vpcIds: readonly string[],
  instanceIds: readonly string[],
  attempt: Attempt,
) {
  const isHere = (vpcId: string | undefined): boolean => vpcId !== undefined && vpcIds.includes(vpcId);
  const [groups, balancers, classic] = await Promise.all([
    attempt(
      'target groups',
      every(paginateDescribeTargetGroups({ client: elb }, {}), (page) => page.TargetGroups),
    ),
    attempt(
      'load balancers',
      every(paginateDescribeLoadBalancers({ client: elb }, {}), (page) => page.LoadBalancers),
    ),
    attempt(
      'classic load balancers',
      every(paginateClassicBalancers({ client: classicElb }, {}), (page) => page.LoadBalancerDescriptions),
    ),
  ]);
  const TargetGroups = groups.filter((group) => isHere(group.VpcId));
  const TargetHealth: object[] = [];
  for (const { TargetGroupArn } of TargetGroups) {
    const healths = await attempt(
      `targets of ${TargetGroupArn}`,
      elb
        .send(new DescribeTargetHealthCommand({ TargetGroupArn }))
        .then((answer) => answer.TargetHealthDescriptions ?? []),
    );
    const resolved = healths.filter(({ Target }) => !Target?.Id?.startsWith('i-') || instanceIds.includes(Target.Id));
    TargetHealth.push(...resolved.map((health) => ({ TargetGroupArn, ...health })));
  }
  return {
    TargetGroups,
    TargetHealth,
    LoadBalancers: balancers.filter((balancer) => isHere(balancer.VpcId)),
    ClassicLoadBalancers: classic.filter((balancer) => isHere(balancer.VPCId)),
  };
}
