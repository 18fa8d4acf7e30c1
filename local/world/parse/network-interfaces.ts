import { InputError } from '../../../functions/core/errors.ts';

import { holds } from '../physics/addresses.ts';
import { networkInterface } from './shapes.ts';
import type { ParsedWorld } from './world-schema.ts';

type ParsedInstance = ParsedWorld['Reservations'][number]['Instances'][number];
type ParsedEni = ParsedWorld['NetworkInterfaces'][number];

/**
 * Takes the network interfaces from the instances when the file lists none of its own, and fills in what the instances
 * and subnets tell about an interface that does not say it itself. `given` holds the keys that the file has.
 */
export function fillNetworkInterfaces(world: ParsedWorld, given: Set<string>): void {
  const instances = world.Reservations.flatMap((one, r) =>
    one.Instances.map((instance, i) => ({ instance, path: `Reservations[${r}].Instances[${i}]` })),
  );
  if (!given.has('NetworkInterfaces')) {
    for (const { instance, path } of instances) {
      for (const [n, nested] of instance.NetworkInterfaces.entries()) {
        world.NetworkInterfaces.push(fromInstance(nested, `${path}.NetworkInterfaces[${n}]`));
      }
    }
    if (world.NetworkInterfaces.length > 0) given.add('NetworkInterfaces');
  }
  for (const [index, eni] of world.NetworkInterfaces.entries()) {
    const owner = instances.find(
      ({ instance }) =>
        instance.InstanceId === eni.Attachment?.InstanceId ||
        instance.NetworkInterfaces.some((one) => one.NetworkInterfaceId === eni.NetworkInterfaceId),
    );
    if (owner !== undefined) fillFromInstance(eni, owner.instance);
    fillAddresses(eni);
    eni.SubnetId ??= subnetByAddress(world, eni);
    eni.Groups ??= [];
    if (eni.SubnetId === undefined) throw new InputError(`NetworkInterfaces[${index}].SubnetId`, 'is missing');
  }
}

function fromInstance(nested: unknown, path: string): ParsedEni {
  const parsed = networkInterface.safeParse(nested);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new InputError(`${path}.${issue?.path.join('.') ?? ''}`, issue?.message ?? 'is malformed');
}

function fillFromInstance(eni: ParsedEni, instance: ParsedInstance): void {
  const nested = instance.NetworkInterfaces.find((one) => one.NetworkInterfaceId === eni.NetworkInterfaceId);
  const attachment = eni.Attachment ?? nested?.Attachment ?? {};
  eni.Attachment = { ...attachment, InstanceId: attachment.InstanceId ?? instance.InstanceId };
  eni.SubnetId ??= instance.SubnetId;
  eni.VpcId ??= instance.VpcId;
  eni.Groups ??= nested?.Groups ?? structuredClone(instance.SecurityGroups);
}

function fillAddresses(eni: ParsedEni): void {
  if (eni.PrivateIpAddresses.length === 0 && eni.PrivateIpAddress !== undefined) {
    eni.PrivateIpAddresses.push({ PrivateIpAddress: eni.PrivateIpAddress, Primary: true });
  }
}

function subnetByAddress(world: ParsedWorld, eni: ParsedEni): string | undefined {
  const first = eni.PrivateIpAddresses[0]?.PrivateIpAddress;
  if (first === undefined) return undefined;
  return world.Subnets.find((one) => one.CidrBlock !== undefined && holds(one.CidrBlock, first))?.SubnetId;
}

/** An id for the only VPC of a file that names none. */
const NAMELESS_VPC = 'vpc-00000000000000000';

/** Fills in `VpcId` where it is missing: what the subnet says, else the only VPC that the file speaks of. */
export function fillVpcs(world: ParsedWorld): void {
  const lists = {
    Subnets: world.Subnets,
    NetworkInterfaces: world.NetworkInterfaces,
    SecurityGroups: world.SecurityGroups,
    NetworkAcls: world.NetworkAcls,
    RouteTables: world.RouteTables,
    VpcEndpoints: world.VpcEndpoints,
  };
  const named = new Set(
    [...Object.values(lists).flat(), ...world.Vpcs, ...world.Reservations.flatMap((one) => one.Instances)].flatMap(
      (one) => one.VpcId ?? [],
    ),
  );
  const only = named.size < 2 ? ([...named][0] ?? NAMELESS_VPC) : undefined;
  const ofSubnet = (id: unknown) => world.Subnets.find((one) => one.SubnetId === id)?.VpcId;
  for (const [name, list] of Object.entries(lists)) {
    for (const [index, item] of list.entries()) {
      item.VpcId ??= only ?? ofSubnet(item['SubnetId']) ?? ofSubnet(associatedSubnet(item['Associations']));
      if (item.VpcId === undefined)
        throw new InputError(`${name}[${index}].VpcId`, 'is missing, and the file has several VPCs');
    }
  }
}

function associatedSubnet(value: unknown): unknown {
  const [first] = Array.isArray(value) ? (value as { SubnetId?: unknown }[]) : [];
  return first?.SubnetId;
}
