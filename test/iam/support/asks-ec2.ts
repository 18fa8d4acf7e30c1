import { allInstances } from '../../../local/world/api/ec2/find.ts';
import type { Instance } from '../../../local/world/api/shapes.ts';
import type { Ask, Context } from './records.ts';
import { type Asker, arn, at, inRegion, listAt, requestTags, resourceTags, type Scene, textAt } from './scene.ts';

/** A resource of EC2 with the keys that it brings; null = the world does not hold it, so that EC2 has nothing to ask about. */
interface Thing {
  readonly arn: string;
  readonly context: Context;
}

const thing = (scene: Scene, type: string, id: string, owner: string | undefined, context: Context): Thing => ({
  arn: arn(scene, 'ec2', `${type}/${id}`, owner),
  context: { ...inRegion(scene), ...context },
});

const vpcOwner = ({ state }: Scene, id: string): string | undefined =>
  state.Vpcs.find(({ VpcId }) => VpcId === id)?.OwnerId;

const inVpc = (scene: Scene, id: string | undefined): Context =>
  id === undefined ? {} : { 'ec2:Vpc': arn(scene, 'ec2', `vpc/${id}`, vpcOwner(scene, id)) };

function acl(scene: Scene, id: string): Thing | null {
  const found = scene.state.NetworkAcls.find(({ NetworkAclId }) => NetworkAclId === id);
  if (found === undefined) return null;
  const context = { ...inVpc(scene, found.VpcId), ...resourceTags(found.Tags) };
  return thing(scene, 'network-acl', id, found.OwnerId, context);
}

function group(scene: Scene, id: string): Thing | null {
  const found = scene.state.SecurityGroups.find(({ GroupId }) => GroupId === id);
  if (found === undefined) return null;
  const context = { ...inVpc(scene, found.VpcId), ...resourceTags(found.Tags) };
  return thing(scene, 'security-group', id, found.OwnerId, context);
}

function vpc(scene: Scene, id: string): Thing | null {
  const found = scene.state.Vpcs.find(({ VpcId }) => VpcId === id);
  if (found === undefined) return null;
  return thing(scene, 'vpc', id, found.OwnerId, { 'ec2:VpcID': id, ...resourceTags(found.Tags) });
}

const instanceOf = ({ state }: Scene, id: string): Instance | undefined =>
  allInstances(state).find(({ InstanceId }) => InstanceId === id);

function instance(scene: Scene, id: string): Thing | null {
  const found = instanceOf(scene, id);
  if (found === undefined) return null;
  return thing(scene, 'instance', id, undefined, resourceTags(found.Tags));
}

const volumesOf = (scene: Scene, id: string): readonly Thing[] =>
  (instanceOf(scene, id)?.BlockDeviceMappings ?? []).flatMap(({ Ebs }) =>
    Ebs?.VolumeId === undefined ? [] : [thing(scene, 'volume', Ebs.VolumeId, undefined, {})],
  );

/** The attributes that a request names, under the names of its members: `ec2:Attribute`. */
function attributes(input: unknown, ...without: readonly string[]): Context {
  const names = Object.keys(input ?? {}).filter((name) => !without.includes(name));
  const [first] = names;
  if (first === undefined) return {};
  const values = names.flatMap((name) => {
    const value = at(input, name, 'Value');
    return value === undefined
      ? []
      : [[`ec2:Attribute/${name}`, typeof value === 'string' ? value : JSON.stringify(value)] as const];
  });
  return { 'ec2:Attribute': first, ...Object.fromEntries(values) };
}

const ask = (action: string, { arn: resource, context }: Thing, more: Context = {}): Ask => ({
  action: `ec2:${action}`,
  resource,
  context: { ...context, ...more },
});

const asks = (action: string, things: readonly (Thing | null)[], more: Context = {}): readonly Ask[] =>
  things.flatMap((found) => (found === null ? [] : [ask(action, found, more)]));

const onAcl =
  (action: string): Asker =>
  (input, scene) =>
    asks(action, [acl(scene, textAt(input, 'NetworkAclId'))]);

const onGroup =
  (action: string): Asker =>
  (input, scene) =>
    asks(action, [group(scene, textAt(input, 'GroupId'))]);

/**
 * The interface, the instance that it is attached to, and groups. AWS does not say whether it asks about the groups that
 * are put on or about those that are there, so it is both.
 */
const modifyInterface: Asker = (input, scene) => {
  const id = textAt(input, 'NetworkInterfaceId');
  const eni = scene.state.NetworkInterfaces.find(({ NetworkInterfaceId }) => NetworkInterfaceId === id);
  if (eni === undefined) return [];
  const action = 'ModifyNetworkInterfaceAttribute';
  const subnet = arn(scene, 'ec2', `subnet/${eni.SubnetId}`);
  const context = { ...inVpc(scene, eni.VpcId), 'ec2:Subnet': subnet, ...resourceTags(eni.TagSet) };
  const given = listAt(input, 'Groups').map(String);
  const groupIds = given.length === 0 ? [] : [...new Set([...given, ...eni.Groups.map(({ GroupId }) => GroupId)])];
  const attachedTo = eni.Attachment?.InstanceId;
  return [
    ...asks(
      action,
      [thing(scene, 'network-interface', id, eni.OwnerId, context)],
      attributes(input, 'NetworkInterfaceId', 'DryRun'),
    ),
    ...asks(action, attachedTo === undefined ? [] : [instance(scene, attachedTo)]),
    ...asks(
      action,
      groupIds.map((groupId) => group(scene, groupId)),
    ),
  ];
};

const modifyInstance: Asker = (input, scene) => {
  const id = textAt(input, 'InstanceId');
  const names = listAt(input, 'BlockDeviceMappings').map((mapping) => textAt(mapping, 'DeviceName'));
  const volumes = (instanceOf(scene, id)?.BlockDeviceMappings ?? []).flatMap(({ DeviceName, Ebs }) =>
    Ebs?.VolumeId !== undefined && names.includes(DeviceName ?? '')
      ? [thing(scene, 'volume', Ebs.VolumeId, undefined, {})]
      : [],
  );
  const action = 'ModifyInstanceAttribute';
  return [
    ...asks(action, [instance(scene, id)], attributes(input, 'InstanceId', 'DryRun')),
    ...asks(action, volumes),
    ...asks(
      action,
      listAt(input, 'Groups').map((groupId) => group(scene, String(groupId))),
    ),
  ];
};

/** The tags that a call gives to what it makes. Whoever tags in creating is asked about CreateTags too. */
function tagsFor(input: unknown, type: string): readonly unknown[] {
  const specifications = listAt(input, 'TagSpecifications');
  return specifications.flatMap((one) => (at(one, 'ResourceType') === type ? listAt(one, 'Tags') : []));
}

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html */
function made(action: string, found: Thing, tags: readonly unknown[]): readonly Ask[] {
  const context = requestTags(tags);
  const tagging = ask('CreateTags', found, { ...context, 'ec2:CreateAction': action });
  return [ask(action, found, context), ...(tags.length > 0 ? [tagging] : [])];
}

/** A thing that is made in a VPC, by an id that no other has. */
const makeInVpc =
  (action: string, type: string, id: string): Asker =>
  (input, scene) => {
    const vpcId = textAt(input, 'VpcId');
    const fresh = thing(scene, type, id, undefined, inVpc(scene, vpcId));
    return [...made(action, fresh, tagsFor(input, type)), ...asks(action, [vpc(scene, vpcId)])];
  };

const createGroup = makeInVpc('CreateSecurityGroup', 'security-group', 'sg-0');
const createAcl = makeInVpc('CreateNetworkAcl', 'network-acl', 'acl-0');

/** The ACL that is put in front, the one that is there, and the subnet: AWS does not say which ACL it asks about. */
const replaceAssociation: Asker = (input, scene) => {
  const id = textAt(input, 'AssociationId');
  const held = scene.state.NetworkAcls.flatMap(({ NetworkAclId, VpcId, Associations }) =>
    Associations.filter((one) => one.NetworkAclAssociationId === id).map(({ SubnetId = '' }) => ({
      aclId: NetworkAclId ?? '',
      subnet: thing(scene, 'subnet', SubnetId, undefined, inVpc(scene, VpcId ?? '')),
    })),
  );
  const aclIds = [textAt(input, 'NetworkAclId'), ...held.map(({ aclId }) => aclId)];
  const action = 'ReplaceNetworkAclAssociation';
  return [
    ...asks(
      action,
      aclIds.map((aclId) => acl(scene, aclId)),
    ),
    ...asks(
      action,
      held.map(({ subnet }) => subnet),
    ),
  ];
};

const createSnapshots: Asker = (input, scene) => {
  const id = textAt(input, 'InstanceSpecification', 'InstanceId');
  // Snapshots have no account in their ARN.
  const snapshot = thing(scene, 'snapshot', 'snap-0', '', {});
  return [
    ...asks('CreateSnapshots', [instance(scene, id), ...volumesOf(scene, id)]),
    ...made('CreateSnapshots', snapshot, tagsFor(input, 'snapshot')),
  ];
};

/** The log is made, and each interface is watched. */
const createFlowLogs: Asker = (input, scene) => {
  const fresh = thing(scene, 'vpc-flow-log', 'fl-0', undefined, {});
  const watched = listAt(input, 'ResourceIds').map((id) => {
    const eni = scene.state.NetworkInterfaces.find(({ NetworkInterfaceId }) => NetworkInterfaceId === id);
    if (eni === undefined) return null;
    const context = { ...inVpc(scene, eni.VpcId), ...resourceTags(eni.TagSet) };
    return thing(scene, 'network-interface', String(id), eni.OwnerId, context);
  });
  return [...made('CreateFlowLogs', fresh, tagsFor(input, 'vpc-flow-log')), ...asks('CreateFlowLogs', watched)];
};

const deleteFlowLogs: Asker = (input, scene) =>
  asks(
    'DeleteFlowLogs',
    listAt(input, 'FlowLogIds').map((id) => {
      const log = scene.state.FlowLogs.find(({ FlowLogId }) => FlowLogId === id);
      return log === undefined ? null : thing(scene, 'vpc-flow-log', String(id), undefined, resourceTags(log.Tags));
    }),
  );

const TAGGED: readonly (readonly [prefix: string, find: (scene: Scene, id: string) => Thing | null])[] = [
  ['i-', instance],
  ['sg-', group],
  ['acl-', acl],
  ['vpc-', vpc],
  ['snap-', (scene, id) => thing(scene, 'snapshot', id, '', {})],
  ['vol-', (scene, id) => thing(scene, 'volume', id, undefined, {})],
];

const tagging =
  (action: string): Asker =>
  (input, scene) =>
    listAt(input, 'Resources')
      .map(String)
      .flatMap((id) => {
        const find = TAGGED.find(([prefix]) => id.startsWith(prefix))?.[1];
        if (find === undefined)
          throw new Error(`test/iam/support/asks-ec2.ts does not say what ${id} is, which is tagged`);
        return asks(action, [find(scene, id)], requestTags(listAt(input, 'Tags')));
      });

const prefixList: Asker = (input, scene) => {
  const id = textAt(input, 'PrefixListId');
  const found = scene.state.ManagedPrefixLists.find(({ PrefixListId }) => PrefixListId === id);
  if (found === undefined) return [];
  const owner = found.OwnerId === 'AWS' ? 'aws' : found.OwnerId;
  return asks('GetManagedPrefixListEntries', [thing(scene, 'prefix-list', id, owner, resourceTags(found.Tags))]);
};

export const EC2_ASKS: Readonly<Record<string, Asker>> = {
  'ec2:AuthorizeSecurityGroupEgress': onGroup('AuthorizeSecurityGroupEgress'),
  'ec2:AuthorizeSecurityGroupIngress': onGroup('AuthorizeSecurityGroupIngress'),
  'ec2:CreateFlowLogs': createFlowLogs,
  'ec2:CreateNetworkAcl': createAcl,
  'ec2:CreateNetworkAclEntry': onAcl('CreateNetworkAclEntry'),
  'ec2:CreateSecurityGroup': createGroup,
  'ec2:CreateSnapshots': createSnapshots,
  'ec2:CreateTags': tagging('CreateTags'),
  'ec2:DeleteFlowLogs': deleteFlowLogs,
  'ec2:DeleteNetworkAclEntry': onAcl('DeleteNetworkAclEntry'),
  'ec2:DeleteSecurityGroup': onGroup('DeleteSecurityGroup'),
  'ec2:DeleteTags': tagging('DeleteTags'),
  'ec2:DescribeInstanceAttribute': (input, scene) =>
    asks('DescribeInstanceAttribute', [instance(scene, textAt(input, 'InstanceId'))]),
  'ec2:GetManagedPrefixListEntries': prefixList,
  'ec2:ModifyInstanceAttribute': modifyInstance,
  'ec2:ModifyNetworkInterfaceAttribute': modifyInterface,
  'ec2:ReplaceNetworkAclAssociation': replaceAssociation,
  'ec2:RevokeSecurityGroupEgress': onGroup('RevokeSecurityGroupEgress'),
  'ec2:RevokeSecurityGroupIngress': onGroup('RevokeSecurityGroupIngress'),
};
