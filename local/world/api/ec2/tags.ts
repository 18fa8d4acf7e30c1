import type { CreateTagsCommandInput, DeleteTagsCommandInput, DescribeTagsCommandInput } from '@aws-sdk/client-ec2';
import type { ApiContext, Handlers } from '../context.ts';
import { AwsError } from '../errors.ts';
import { flowLogId } from '../flow-logs.ts';
import { found, ID_KINDS, type IdKindName } from '../ids.ts';
import type { ApiState, Tag } from '../shapes.ts';
import { allInstances, visibleGroups } from './find.ts';
import { type Listing, list } from './listing.ts';
import { required, requireOwner } from './require.ts';
import { takenSnapshots } from './snapshots.ts';
import { putTags } from './tag-specifications.ts';

/** Something that carries tags. */
interface Taggable {
  readonly id: string;
  readonly kind: IdKindName;
  readonly type: string;
  readonly ownerId: string | undefined;
  readonly tags: readonly Tag[];
  set(tags: Tag[]): void;
}

type Holder = { Tags?: Tag[]; OwnerId?: string };

/** Things of one kind, each with its `Tags`. */
function holders<T extends Holder>(
  kind: IdKindName,
  type: string,
  items: readonly T[],
  idOf: (item: T) => string,
): Taggable[] {
  return items.map((item) => ({
    id: idOf(item),
    kind,
    type,
    ownerId: item.OwnerId,
    tags: item.Tags ?? [],
    set: (tags) => {
      item.Tags = tags;
    },
  }));
}

/** Of interfaces the tags are called otherwise. */
function taggableInterfaces({ NetworkInterfaces }: ApiState): Taggable[] {
  return NetworkInterfaces.map((eni) => ({
    id: eni.NetworkInterfaceId,
    kind: 'networkInterface',
    type: 'network-interface',
    ownerId: eni.OwnerId,
    tags: eni.TagSet ?? [],
    set: (tags) => {
      eni.TagSet = tags;
    },
  }));
}

function taggables(context: ApiContext): Taggable[] {
  const { state, memory } = context;
  return [
    ...holders('instance', 'instance', allInstances(state), (item) => item.InstanceId),
    ...taggableInterfaces(state),
    ...holders('group', 'security-group', visibleGroups(context), (item) => item.GroupId),
    ...holders('acl', 'network-acl', state.NetworkAcls, (item) => item.NetworkAclId),
    ...holders('subnet', 'subnet', state.Subnets, (item) => item.SubnetId),
    ...holders('vpc', 'vpc', state.Vpcs, (item) => item.VpcId),
    ...holders('routeTable', 'route-table', state.RouteTables, (item) => item.RouteTableId),
    ...holders('flowLog', 'vpc-flow-log', state.FlowLogs, flowLogId),
    ...holders('snapshot', 'snapshot', memory.of(takenSnapshots), (item) => item.SnapshotId),
  ];
}

function findTaggable(context: ApiContext, id: string): Taggable {
  const all = taggables(context);
  const kind = Object.entries(ID_KINDS).find(([, { prefix }]) => id.startsWith(`${prefix}-`))?.[0] as
    | IdKindName
    | undefined;
  if (kind === undefined) throw new AwsError('InvalidID', `The ID '${id}' is not valid`);
  const resource = found(kind, id, all, (candidate) => candidate.id);
  requireOwner(context.state.AccountId, resource.ownerId, 'Tagging');
  return resource;
}

function createTags(context: ApiContext, input: CreateTagsCommandInput): object {
  const resources = required(input.Resources, 'resourceIdSet').map((id) => findTaggable(context, id));
  const added = required(input.Tags, 'tagSet');
  const changes = resources.map((resource) => {
    const tags = structuredClone([...resource.tags]);
    putTags(tags, added);
    return () => resource.set(tags);
  });
  for (const change of changes) change();
  return {};
}

/** A tag named with a value goes only if it has that value; without, whatever it has. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteTags.html */
function deleteTags(context: ApiContext, input: DeleteTagsCommandInput): object {
  const resources = required(input.Resources, 'resourceIdSet').map((id) => findTaggable(context, id));
  const named = input.Tags;
  for (const resource of resources) {
    const goes = (tag: Tag) =>
      named === undefined
        ? !tag.Key.startsWith('aws:')
        : named.some(({ Key, Value }) => Key === tag.Key && (Value === undefined || Value === tag.Value));
    resource.set(resource.tags.filter((tag) => !goes(tag)));
  }
  return {};
}

interface TagDescription extends Tag {
  ResourceId: string;
  ResourceType: string;
}

const listing: Listing<TagDescription> = {
  kind: 'instance',
  idOf: (tag) => tag.ResourceId,
  tagsOf: (tag) => [tag],
  pageSize: { min: 5, max: 1000 },
  filters: {
    key: (tag) => tag.Key,
    value: (tag) => tag.Value,
    'resource-id': (tag) => tag.ResourceId,
    'resource-type': (tag) => tag.ResourceType,
  },
};

function describeTags(context: ApiContext, input: DescribeTagsCommandInput): object {
  const tags = taggables(context).flatMap(({ id, type, tags }) =>
    tags.map((tag) => ({ Key: tag.Key, ResourceId: id, ResourceType: type, Value: tag.Value })),
  );
  const { items, nextToken } = list(tags, listing, undefined, input);
  return { Tags: items, NextToken: nextToken };
}

export const tagHandlers: Handlers = { CreateTags: createTags, DeleteTags: deleteTags, DescribeTags: describeTags };
