import type { WorldFile } from '../../local/world/parse-world.ts';
import { aclLines } from '../world/honesty/watch.ts';

/** A state as sorted lines, without what must differ from run to run: times, versions, and ids that were made on the way. */
export type Picture = readonly string[];

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const TIME = /\d{4}-\d\d-\d\dT\d\d(:\d\d:\d\d(\.\d+)?(Z|\+00:00)?)?/g;

/** A local execution is named after the moment at which it starts. */
const EXECUTION = /(?:arn:aws:states:[^ "]*:flowcut:)?local-\d+/;

/** Who gave up a command and died finds it cancelled the next time: the host said nothing either way. */
const SILENCE = /the agent did not answer within \d+ s|the command ended as Cancell(ed|ing) without an answer/;

/** Members that hold an id made by AWS, a moment or a count of writes. */
const MADE = [
  'SecurityGroupRuleId',
  'SnapshotId',
  'FlowLogId',
  'NetworkAclAssociationId',
  'StartsAtSeconds',
  'StartTime',
  'Progress',
  'version',
  'taken',
  'SecurityGroupArn',
];

/** Members that hold the cautious answer where the read behind them failed: how a flow is tracked, and a type's own timers. */
const CAUTIOUS = ['tracking', 'defaultTimeouts'];

/** What is not set, and what is set to what it is anyway. */
const isUnset = (value: Json): boolean => value === false || value === null;

/** Lists that AWS gives in no order of its own. */
const UNORDERED = ['Entries', 'Snapshots', 'Tags', 'SecurityGroups', 'TargetHealth', 'Instances', 'evidence', 'flows'];

function normal(value: Json, key: string): Json {
  if (typeof value === 'string')
    return value.replaceAll(TIME, '<time>').replace(SILENCE, '<no answer>').replace(EXECUTION, '<execution>');
  if (Array.isArray(value)) {
    const items = value.map((item) => normal(item, key));
    return UNORDERED.includes(key) ? items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(
    ([name, member]) => ![...MADE, ...CAUTIOUS].includes(name) && !isUnset(member),
  );
  return Object.fromEntries(
    members.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, member]) => [name, normal(member, name)]),
  );
}

/** Ids of groups and ACLs that were not there at first become names. */
function namesOfMade(file: WorldFile, original: WorldFile): (text: string) => string {
  const known = new Set([
    ...original.SecurityGroups.map(({ GroupId }) => GroupId),
    ...original.NetworkAcls.map(({ NetworkAclId }) => NetworkAclId),
  ]);
  const made = [
    ...file.SecurityGroups.map(({ GroupId, GroupName }) => [GroupId, GroupName ?? ''] as const),
    ...file.NetworkAcls.map(({ NetworkAclId }) => [NetworkAclId, 'ACL that was made'] as const),
  ].filter(([id]) => !known.has(id));
  return (text) => made.reduce((left, [id, name]) => left.replaceAll(id, `<${name}>`), text);
}

/** Ours, for the whole VPC: it stays when the last case is restored, as the isolation group does. */
const isSeal = ({ Tags = [] }: WorldFile['NetworkAcls'][number]): boolean =>
  Tags.some(({ Key, Value }) => Key === 'flowcut:purpose' && Value === 'seal');

/** The world in the file's shapes, one line per thing. */
export function pictureOfWorld(snapshot: Record<string, unknown>, file: WorldFile, original: WorldFile): Picture {
  const renamed = namesOfMade(file, original);
  return Object.entries(snapshot)
    .filter(([kind]) => kind !== 'Faults')
    .flatMap(([kind, content]) =>
      (Array.isArray(content) ? content : [content]).map(
        (one) =>
          `${kind} ${JSON.stringify(normal(one as Json, kind)).replace('"State":"pending"', '"State":"completed"')}`,
      ),
    )
    .map(renamed)
    .sort();
}

/** Members of items that hold JSON text. */
const TEXTS = ['document', 'before', 'preserved', 'group'];

/** What a host command printed stands under an id that SSM made, a timeline entry under a hash of words that may name a time. */
function withoutDetails(item: Record<string, unknown>): Record<string, unknown> {
  const { pk, sk, output: _output, ...rest } = item;
  // What it says is the report, which is judged by itself.
  if (sk === 'REPORT') return { pk, sk };
  if (String(sk).startsWith('HOST#')) return { ...rest, pk, sk: 'HOST#' };
  return { ...rest, pk, sk: String(sk).startsWith('TIME#') ? 'TIME#' : sk };
}

/** A start that Lambda repeats when the response has ended already only looks again. */
const LOOKED_AGAIN = 'the case is isolated and knows every peer: it is verified again';

/**
 * Items that are a matter of time alone: when a step said something last, what the flow log and the interim report said until
 * then, whether a repeated start came before or after the end, and how full EC2's token buckets are.
 */
const isOfTheMoment = ({ pk, sk, what }: Record<string, unknown>): boolean =>
  String(sk).startsWith('SAID#') ||
  sk === 'HEARD' ||
  what === LOOKED_AGAIN ||
  String(what).startsWith('interim report') ||
  String(pk).startsWith('PACE#');

/** The case table, one line per item; the timeline without its times. */
export function pictureOfTable(
  items: readonly Record<string, unknown>[],
  file: WorldFile,
  original: WorldFile,
): Picture {
  const renamed = namesOfMade(file, original);
  return items
    .filter((item) => !isOfTheMoment(item))
    .map((item) => {
      const { cases, ...rest } = withoutDetails(item);
      const opened = Object.entries(rest).map(([name, value]) => [
        name,
        TEXTS.includes(name) ? (JSON.parse(String(value)) as Json) : (value as Json),
      ]);
      const plain = {
        ...Object.fromEntries(opened),
        ...(cases instanceof Set && { cases: [...cases].map(String).sort() }),
      } as Json;
      return renamed(JSON.stringify(normal(plain, '')));
    })
    .sort();
}

/** What a restore promises to give back, in lines: groups in their order, ACL entries, protection, balancers, scaling. */
export function essence(file: WorldFile): readonly string[] {
  const nameOf = (id: string) => file.SecurityGroups.find(({ GroupId }) => GroupId === id)?.GroupName ?? id;
  return [
    ...file.NetworkInterfaces.map(
      (eni) => `${eni.NetworkInterfaceId}: ${eni.Groups.map((g) => nameOf(g.GroupId)).join()}`,
    ),
    ...[...aclLines({ ...file, NetworkAcls: file.NetworkAcls.filter((acl) => !isSeal(acl)) })].map(
      ([id, lines]) => `${id}: ${lines.join('; ')}`,
    ),
    ...file.NetworkAcls.flatMap(({ NetworkAclId, Associations }) =>
      Associations.map(({ SubnetId }) => `${SubnetId}: ${NetworkAclId}`),
    ),
    ...file.Reservations.flatMap(({ Instances }) => Instances.map(({ InstanceId }) => attributesOf(file, InstanceId))),
    ...file.TargetHealth.map(
      ({ TargetGroupArn, Target }) => `${TargetGroupArn} ${Target.Id}:${Target.Port ?? ''}`,
    ).sort(),
    ...file.AutoScalingGroups.flatMap(({ AutoScalingGroupName, Instances = [] }) =>
      Instances.map((one) => `${AutoScalingGroupName} ${one.InstanceId} ${one.LifecycleState}`),
    ).sort(),
    ...(file.ClassicLoadBalancers ?? []).map((one) => JSON.stringify(normal(one as unknown as Json, ''))),
    ...file.Reservations.flatMap(({ Instances }) =>
      Instances.map(
        (one) =>
          `${one.InstanceId} ${JSON.stringify(normal([one.Tags ?? [], one.BlockDeviceMappings ?? []] as Json, ''))}`,
      ),
    ),
  ];
}

/** What is not set is what EC2 has where nobody chose. */
function attributesOf(file: WorldFile, instanceId: string): string {
  const given = file.InstanceAttributes[instanceId] ?? {};
  const isOn = (name: 'DisableApiTermination' | 'DisableApiStop') => given[name] === true;
  const shutdown = given['InstanceInitiatedShutdownBehavior'] === 'terminate' ? 'terminate' : 'stop';
  return `${instanceId} ${isOn('DisableApiTermination')} ${isOn('DisableApiStop')} ${shutdown}`;
}

/** Lines of one picture that the other lacks, in both directions; how often a line stands counts. */
export function difference(expected: Picture, found: Picture): readonly string[] {
  const left = [...found];
  const missing = expected.filter((line) => {
    const place = left.indexOf(line);
    if (place >= 0) left.splice(place, 1);
    return place < 0;
  });
  return [...missing.map((line) => `- ${line}`), ...left.map((line) => `+ ${line}`)];
}
