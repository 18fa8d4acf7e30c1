import { keepSealAcl, noteUnsealed, readSealAcl, readUnsealed } from '../aws/case-table/seals.ts';
import { errorCode } from '../aws/errors.ts';
import { aclsById, associationOf, createSealAcl, replaceAssociation } from '../aws/network-acls.ts';
import { interfacesInSubnet } from '../aws/network-interfaces.ts';
import { groupsLaunchingInto, membershipOf } from '../aws/scaling.ts';
import { isInBounds } from '../core/case/assess.ts';
import { nameSome } from '../core/case/name-some.ts';
import { sealItem } from '../core/case/restore-items.ts';
import type { ControlPermission, Recorded, Target } from '../core/control.ts';
import type { AclFacts } from '../core/model.ts';
import { letsNothingPass } from '../core/network/seal.ts';
import type { RunnerTools } from '../shared/control-runner.ts';
import type { Tools } from '../shared/toolbox.ts';
import type { OfList, Subject } from './subject.ts';

interface Before {
  readonly kind: 'subnet-seal';
  readonly vpcId: string;
  readonly subnetId: string;
  /** The ACL that the subnet was found with. */
  readonly aclId: string;
  /** Instances and interfaces of others there, where a person orders to seal it all the same. */
  readonly neighbours?: readonly string[];
}

/** What it needs: less than the other controls of the list, for a function of its own takes it. */
type SealTools = Tools<'ec2' | 'scaling' | 'cases'> &
  RunnerTools & {
    readonly subject: Pick<Subject, 'instanceId' | 'interfaces' | 'isSealOrdered'>;
  };

/** The ACL of a subnet, and the one of ours that seals subnets of its VPC. */
interface State {
  readonly acl: AclFacts | null;
  readonly sealAclId: string | null;
}

/** Whether a record of the case table is of a seal. */
export const isSealRecord = (recorded: Recorded): recorded is Before => recorded.kind === 'subnet-seal';

const ACLS = 'arn:aws:ec2:*:*:network-acl/*';

const permission = (
  way: ControlPermission['for'],
  sid: string,
  actions: readonly string[],
  why: string,
  resources: readonly string[] = ['*'],
  condition?: string,
): ControlPermission => ({ sid, for: way, actions, resources, why, ...(condition !== undefined && { condition }) });

/** ACLs that are made in place of one that somebody has deleted or given a rule. */
const MOST_GENERATIONS = 3;
/** A new ACL is looked for so often, once a second: reads may lag behind. */
const LOOKS = 15;
/** An association has another id after each replacement, and reads may lag behind that. */
const TRIES = 15;

/**
 * Closes a subnet as a whole: associated with an ACL without a rule, it lets no packet pass, of no flow, known or not. The
 * one cut that needs no witness. By itself only where every interface of the subnet is the instance's own; where others
 * live, a person orders it.
 */
export const subnetSeal: OfList<SealTools, Before, State> = {
  name: 'subnet seal',
  kind: 'subnet-seal',
  outlivesInstance: true,
  permissions: [
    permission('look', 'Look', ['ec2:DescribeNetworkAcls'], 'the ACL of a subnet, and whether ours has a rule'),
    permission('find', 'Look', ['ec2:DescribeNetworkInterfaces'], 'who else has an interface in the subnet'),
    permission(
      'find',
      'LookAtScalingGroups',
      ['autoscaling:DescribeAutoScalingGroups', 'autoscaling:DescribeAutoScalingInstances'],
      'an Auto Scaling group may launch instances into the subnet later',
    ),
    permission(
      'take',
      'MakeSealAcl',
      ['ec2:CreateNetworkAcl'],
      'one ACL without a rule for each VPC',
      [ACLS],
      'StringEquals aws:RequestTag/flowcut:purpose: seal',
    ),
    permission('take', 'MakeSealAclInVpc', ['ec2:CreateNetworkAcl'], 'the VPC it is made in', [
      'arn:aws:ec2:*:*:vpc/*',
    ]),
    permission(
      'take',
      'TagSealAcl',
      ['ec2:CreateTags'],
      'a name and a purpose, for people; set as it is made',
      [ACLS],
      'StringEquals ec2:CreateAction: CreateNetworkAcl',
    ),
    ...(['take', 'undo'] as const).map((way) =>
      permission(way, 'ReplaceAcl', ['ec2:ReplaceNetworkAclAssociation'], 'puts the ACL in front of the subnet', [
        ACLS,
        'arn:aws:ec2:*:*:subnet/*',
      ]),
    ),
  ],
  shared: ({ subnetId }) => ({ kind: 'sealed subnet', id: subnetId }),
  targets: async (tools) => {
    const { config, subject } = tools;
    if (config.sealSubnet === 'never' && !subject.isSealOrdered) return [];
    const own = (await subject.interfaces()).filter((eni) => isInBounds(eni, config.vpcIds));
    const subnets = new Map(own.map(({ subnetId, vpcId }) => [subnetId, vpcId]));
    return (await Promise.all([...subnets].map(([subnetId, vpcId]) => targetOf(tools, subnetId, vpcId)))).flat();
  },
  item: ({ subnetId }) => sealItem(subnetId),
  planned: ({ subject }, befores) => {
    const subnets = befores.map(({ subnetId }) => subnetId).join(', ');
    return {
      change: `${subnets}: a network ACL without a rule in place of ${nameSome([...new Set(befores.map(({ aclId }) => aclId))])}`,
      why: 'stops every packet of every flow, known or not, whatever the host does',
      cuts: 'every flow that crosses the boundary of the subnet',
      alsoHits: subject.isSealOrdered
        ? `everything else in ${subnets}: ${nameSome(
            befores.flatMap(({ neighbours = [] }) => neighbours),
            'nobody',
          )}`
        : "nobody: every interface of the subnet is the instance's own",
      undo: 'restore puts the network ACL back that the subnet had',
    };
  },
  read,
  isApplied: ({ acl, sealAclId }) => acl !== null && acl.id === sealAclId && letsNothingPass(acl),
  isOriginal: ({ acl }, { aclId }) => acl?.id === aclId,
  // One that somebody has given a rule seals no more, and is taken away all the same.
  isOurs: ({ acl, sealAclId }) => acl !== null && acl.id === sealAclId,
  isGone: ({ acl }) => acl === null,
  describe: ({ acl, sealAclId }) =>
    acl === null ? 'no network ACL' : `${acl.id}${acl.id === sealAclId && !letsNothingPass(acl) ? ' with a rule' : ''}`,
  expected: () => 'the network ACL without a rule',
  apply: async (tools, { vpcId, subnetId, aclId }) => {
    const [sealAclId] = await Promise.all([
      ensureSealAcl(tools, vpcId),
      noteUnsealed(tools.cases, vpcId, subnetId, aclId),
    ]);
    await associate(tools, subnetId, sealAclId);
  },
  undo: (tools, { subnetId, aclId }) => associate(tools, subnetId, aclId),
};

async function read({ ec2, cases }: SealTools, { subnetId, vpcId }: Pick<Before, 'subnetId' | 'vpcId'>) {
  const [found, seal] = await Promise.all([associationOf(ec2, subnetId), readSealAcl(cases, vpcId)]);
  return { acl: found?.acl ?? null, sealAclId: seal?.aclId ?? null };
}

async function targetOf(tools: SealTools, subnetId: string, vpcId: string): Promise<readonly Target<Before, State>[]> {
  const item = sealItem(subnetId);
  const left = (reason: string) => [{ item, outcome: 'not-possible' as const, reason }];
  const found = await read(tools, { subnetId, vpcId });
  if (found.acl === null) return left('no network ACL could be read for the subnet');
  const { id, ownerId } = found.acl;
  if (ownerId !== null && ownerId !== tools.config.accountId)
    return left(`its network ACL belongs to account ${ownerId}, and only that account can replace it`);
  const isSealed = id === found.sealAclId;
  const aclId = isSealed ? await readUnsealed(tools.cases, vpcId, subnetId) : id;
  if (aclId === null) return left('it is sealed, and which network ACL it had before is not known');
  const before = { kind: 'subnet-seal' as const, vpcId, subnetId, aclId };
  if (isSealed) return [{ before, found }];
  const neighbours = await neighboursIn(tools, subnetId);
  if (tools.subject.isSealOrdered) return [{ before: { ...before, neighbours }, found }];
  if (neighbours.length > 0) return [];
  const objection = await objectionTo(tools, subnetId);
  return objection === null ? [{ before, found }] : left(objection);
}

/** Neighbours that a record names at most. */
const NAMED_NEIGHBOURS = 50;

/** Whoever holds an interface in the subnet and is not the instance: one of a stopped instance, of a service or of nobody too. */
async function neighboursIn({ ec2, subject }: SealTools, subnetId: string): Promise<readonly string[]> {
  const others = (await interfacesInSubnet(ec2, subnetId)).filter(
    ({ attachedTo }) => attachedTo !== subject.instanceId,
  );
  return [...new Set(others.map(({ attachedTo, id }) => attachedTo ?? id))].slice(0, NAMED_NEIGHBOURS);
}

/** Why a subnet in which the instance is alone is not sealed unless a person orders it; null = it is. */
async function objectionTo({ config, scaling, subject }: SealTools, subnetId: string): Promise<string | null> {
  const { agentEgress, analystIngress } = config.openings;
  if (agentEgress.length + analystIngress.length > 0)
    return 'AgentEgress or AnalystIngress is set, and a sealed subnet lets neither pass; {"seal": true} in a request seals it';
  const [groups, membership] = await Promise.all([
    groupsLaunchingInto(scaling, subnetId),
    membershipOf(scaling, subject.instanceId),
  ]);
  const names = [...new Set([...groups, ...(membership === null ? [] : [membership.groupName])])];
  if (names.length === 0) return null;
  return `the Auto Scaling group ${nameSome(names)} may launch instances into it, which would be cut off; {"seal": true} in a request seals it`;
}

/**
 * The ACL without a rule of a VPC: kept or made, and read back without a rule before it is used. One that somebody has
 * deleted or given a rule is left, and another one is made.
 */
async function ensureSealAcl(tools: SealTools, vpcId: string): Promise<string> {
  const { ec2, cases } = tools;
  const kept = await readSealAcl(cases, vpcId);
  if (kept !== null && (await isEmpty(tools, kept.aclId, 2))) return kept.aclId;
  const first = (kept?.generation ?? 0) + 1;
  for (let generation = first; generation < first + MOST_GENERATIONS; generation += 1) {
    const aclId = await createSealAcl(ec2, vpcId, `flowcut-seal-${vpcId}-${generation}`);
    if (!(await isEmpty(tools, aclId, LOOKS))) continue;
    if (await keepSealAcl(cases, vpcId, { aclId, generation })) return aclId;
    // Another run was faster: its ACL counts.
    const theirs = await readSealAcl(cases, vpcId);
    if (theirs !== null && (theirs.aclId === aclId || (await isEmpty(tools, theirs.aclId, LOOKS)))) return theirs.aclId;
  }
  throw new Error(`no network ACL without a rule was seen in ${vpcId}`);
}

async function isEmpty({ ec2, sleep }: SealTools, aclId: string, looks: number): Promise<boolean> {
  for (let look = 1; ; look += 1) {
    const [acl] = await aclsById(ec2, [aclId]);
    if (acl !== undefined) return acl.entries.length === 0;
    if (look >= looks) return false;
    await sleep(1);
  }
}

/** Associates the subnet with the ACL, whatever it is associated with now. */
async function associate({ ec2, sleep }: SealTools, subnetId: string, aclId: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const found = await associationOf(ec2, subnetId);
    if (found?.acl.id === aclId) return;
    try {
      if (found === null) throw new Error(`no network ACL is shown for ${subnetId}`);
      await replaceAssociation(ec2, found.associationId, aclId);
      return;
    } catch (error) {
      if (attempt >= TRIES || (found !== null && errorCode(error) !== 'InvalidAssociationID.NotFound')) throw error;
      await sleep(1);
    }
  }
}
