import { InputError, quote } from '../../../functions/core/errors.ts';
import type { ParsedWorld } from './world-schema.ts';

type Kind =
  | 'Reservations'
  | 'NetworkInterfaces'
  | 'SecurityGroups'
  | 'ManagedPrefixLists'
  | 'RouteTables'
  | 'Subnets'
  | 'Vpcs'
  | 'VpcEndpoints'
  | 'TargetGroups'
  | 'AutoScalingGroups';

interface Reference {
  readonly field: string;
  readonly kind: Kind;
  readonly id: string | undefined;
}

/**
 * A reference into a list that the file has must resolve; where the file has no such list, it is taken as it is.
 * `given` holds the keys that the file has.
 */
export function checkReferences(world: ParsedWorld, given: ReadonlySet<string>): void {
  const ids = idsByKind(world);
  refuseDuplicates(world);
  for (const { field, kind, id } of references(world)) {
    if (id !== undefined && given.has(kind) && !ids[kind].has(id)) {
      throw new InputError(field, `${quote(id, 120)} is not among ${kind}`);
    }
  }
}

function idsByKind(world: ParsedWorld): Record<Kind, Set<string>> {
  return {
    Reservations: new Set(world.Reservations.flatMap((one) => one.Instances.map((instance) => instance.InstanceId))),
    NetworkInterfaces: new Set(world.NetworkInterfaces.map((one) => one.NetworkInterfaceId)),
    SecurityGroups: new Set(world.SecurityGroups.map((one) => one.GroupId)),
    ManagedPrefixLists: new Set(world.ManagedPrefixLists.map((one) => one.PrefixListId)),
    RouteTables: new Set(world.RouteTables.map((one) => one.RouteTableId)),
    Subnets: new Set(world.Subnets.map((one) => one.SubnetId)),
    Vpcs: new Set(world.Vpcs.map((one) => one.VpcId)),
    VpcEndpoints: new Set(world.VpcEndpoints.map((one) => one.VpcEndpointId)),
    TargetGroups: new Set(world.TargetGroups.map((one) => one.TargetGroupArn)),
    AutoScalingGroups: new Set(world.AutoScalingGroups.map((one) => one.AutoScalingGroupName)),
  };
}

function refuseDuplicates(world: ParsedWorld): void {
  const lists: [string, readonly string[]][] = [
    ['NetworkInterfaces', world.NetworkInterfaces.map((one) => one.NetworkInterfaceId)],
    ['SecurityGroups', world.SecurityGroups.map((one) => one.GroupId)],
    ['NetworkAcls', world.NetworkAcls.map((one) => one.NetworkAclId)],
    ['Subnets', world.Subnets.map((one) => one.SubnetId)],
    ['Hosts', world.Hosts.map((one) => one.InstanceId)],
    ['FlowLogs', world.FlowLogs.flatMap((one) => one.FlowLogId ?? [])],
  ];
  for (const [name, ids] of lists) {
    const twin = ids.findIndex((id, index) => ids.indexOf(id) < index);
    if (twin >= 0) throw new InputError(`${name}[${twin}]`, `${quote(ids[twin])} is listed twice`);
  }
}

function* references(world: ParsedWorld): Generator<Reference> {
  yield* instanceReferences(world);
  yield* interfaceReferences(world);
  yield* groupReferences(world);
  yield* subnetReferences(world);
  yield* endpointReferences(world);
  yield* incidentReferences(world);
  yield* serviceReferences(world);
}

function* groupsOf(path: string, groups: readonly { GroupId: string }[] | undefined): Generator<Reference> {
  for (const [g, group] of (groups ?? []).entries()) {
    yield { field: `${path}[${g}].GroupId`, kind: 'SecurityGroups', id: group.GroupId };
  }
}

function* instanceReferences(world: ParsedWorld): Generator<Reference> {
  for (const [r, reservation] of world.Reservations.entries()) {
    for (const [i, instance] of reservation.Instances.entries()) {
      const path = `Reservations[${r}].Instances[${i}]`;
      yield { field: `${path}.VpcId`, kind: 'Vpcs', id: instance.VpcId };
      yield { field: `${path}.SubnetId`, kind: 'Subnets', id: instance.SubnetId };
      yield* groupsOf(`${path}.SecurityGroups`, instance.SecurityGroups);
      for (const [n, eni] of instance.NetworkInterfaces.entries()) {
        const at = `${path}.NetworkInterfaces[${n}]`;
        yield { field: `${at}.NetworkInterfaceId`, kind: 'NetworkInterfaces', id: eni.NetworkInterfaceId };
        yield* groupsOf(`${at}.Groups`, eni.Groups);
      }
    }
  }
}

function* interfaceReferences(world: ParsedWorld): Generator<Reference> {
  for (const [n, eni] of world.NetworkInterfaces.entries()) {
    const path = `NetworkInterfaces[${n}]`;
    yield* groupsOf(`${path}.Groups`, eni.Groups);
    yield { field: `${path}.SubnetId`, kind: 'Subnets', id: eni.SubnetId };
    yield { field: `${path}.VpcId`, kind: 'Vpcs', id: eni.VpcId };
    yield { field: `${path}.Attachment.InstanceId`, kind: 'Reservations', id: eni.Attachment?.InstanceId };
  }
}

function* groupReferences(world: ParsedWorld): Generator<Reference> {
  for (const [g, group] of world.SecurityGroups.entries()) {
    yield { field: `SecurityGroups[${g}].VpcId`, kind: 'Vpcs', id: group.VpcId };
    for (const list of ['IpPermissions', 'IpPermissionsEgress'] as const) {
      for (const [p, permission] of group[list].entries()) {
        const path = `SecurityGroups[${g}].${list}[${p}]`;
        for (const [i, one] of permission.PrefixListIds.entries()) {
          yield { field: `${path}.PrefixListIds[${i}].PrefixListId`, kind: 'ManagedPrefixLists', id: one.PrefixListId };
        }
        for (const [i, pair] of permission.UserIdGroupPairs.entries()) {
          // Groups of peered VPCs and of other accounts are not in this account's list.
          const foreign =
            pair.VpcPeeringConnectionId !== undefined || (pair.UserId ?? world.AccountId) !== world.AccountId;
          if (!foreign)
            yield { field: `${path}.UserIdGroupPairs[${i}].GroupId`, kind: 'SecurityGroups', id: pair.GroupId };
        }
      }
    }
  }
}

function* subnetReferences(world: ParsedWorld): Generator<Reference> {
  for (const [s, subnet] of world.Subnets.entries())
    yield { field: `Subnets[${s}].VpcId`, kind: 'Vpcs', id: subnet.VpcId };
  for (const name of ['NetworkAcls', 'RouteTables'] as const) {
    for (const [n, item] of world[name].entries()) {
      yield { field: `${name}[${n}].VpcId`, kind: 'Vpcs', id: item.VpcId };
      for (const [a, one] of item.Associations.entries()) {
        yield { field: `${name}[${n}].Associations[${a}].SubnetId`, kind: 'Subnets', id: one.SubnetId };
      }
    }
  }
  for (const [t, table] of world.RouteTables.entries()) {
    for (const [r, route] of table.Routes.entries()) {
      const path = `RouteTables[${t}].Routes[${r}]`;
      const endpoint = route.GatewayId?.startsWith('vpce-') ? route.GatewayId : undefined;
      yield { field: `${path}.GatewayId`, kind: 'VpcEndpoints', id: endpoint };
      yield { field: `${path}.NetworkInterfaceId`, kind: 'NetworkInterfaces', id: route.NetworkInterfaceId };
      yield { field: `${path}.DestinationPrefixListId`, kind: 'ManagedPrefixLists', id: route.DestinationPrefixListId };
    }
  }
}

function* endpointReferences(world: ParsedWorld): Generator<Reference> {
  for (const [e, endpoint] of world.VpcEndpoints.entries()) {
    const path = `VpcEndpoints[${e}]`;
    yield { field: `${path}.VpcId`, kind: 'Vpcs', id: endpoint.VpcId };
    yield* groupsOf(`${path}.Groups`, endpoint.Groups);
    for (const [i, id] of endpoint.SubnetIds.entries()) yield { field: `${path}.SubnetIds[${i}]`, kind: 'Subnets', id };
    for (const [i, id] of endpoint.RouteTableIds.entries()) {
      yield { field: `${path}.RouteTableIds[${i}]`, kind: 'RouteTables', id };
    }
    for (const [i, id] of endpoint.NetworkInterfaceIds.entries()) {
      yield { field: `${path}.NetworkInterfaceIds[${i}]`, kind: 'NetworkInterfaces', id };
    }
  }
}

const FLOW_LOG_KINDS = { eni: 'NetworkInterfaces', subnet: 'Subnets', vpc: 'Vpcs' } as const;

function* incidentReferences(world: ParsedWorld): Generator<Reference> {
  for (const [f, flow] of world.Flows.entries()) {
    // Secondary interfaces stand with their instances, and are looked for there.
    const id = flow.NetworkInterfaceId?.startsWith('eni-') ? flow.NetworkInterfaceId : undefined;
    yield { field: `Flows[${f}].NetworkInterfaceId`, kind: 'NetworkInterfaces', id };
  }
  for (const [h, host] of world.Hosts.entries()) {
    yield { field: `Hosts[${h}].InstanceId`, kind: 'Reservations', id: host.InstanceId };
  }
  for (const [l, log] of world.FlowLogs.entries()) {
    const kind = FLOW_LOG_KINDS[log.ResourceId.split('-')[0] as keyof typeof FLOW_LOG_KINDS];
    yield { field: `FlowLogs[${l}].ResourceId`, kind, id: log.ResourceId };
  }
}

function* serviceReferences(world: ParsedWorld): Generator<Reference> {
  for (const [i, one] of world.InstanceInformationList.entries()) {
    const id = one.InstanceId.startsWith('mi-') ? undefined : one.InstanceId;
    yield { field: `InstanceInformationList[${i}].InstanceId`, kind: 'Reservations', id };
  }
  for (const [i, one] of world.AutoScalingInstances.entries()) {
    const path = `AutoScalingInstances[${i}]`;
    yield { field: `${path}.InstanceId`, kind: 'Reservations', id: one.InstanceId };
    yield { field: `${path}.AutoScalingGroupName`, kind: 'AutoScalingGroups', id: one.AutoScalingGroupName };
  }
  for (const [g, group] of world.AutoScalingGroups.entries()) {
    for (const [i, one] of group.Instances.entries()) {
      yield { field: `AutoScalingGroups[${g}].Instances[${i}].InstanceId`, kind: 'Reservations', id: one.InstanceId };
    }
  }
  for (const [i, one] of world.TargetHealth.entries()) {
    const path = `TargetHealth[${i}]`;
    yield { field: `${path}.TargetGroupArn`, kind: 'TargetGroups', id: one.TargetGroupArn };
    yield {
      field: `${path}.Target.Id`,
      kind: 'Reservations',
      id: one.Target.Id.startsWith('i-') ? one.Target.Id : undefined,
    };
  }
}
