import { flowLogsOn } from '../aws/flow-logs.ts';
import { createOwnFlowLog, deleteFlowLogs, type OwnFlowLog } from '../aws/own-flow-logs.ts';
import { CASE_TAG } from '../core/case/evidence.ts';
import type { FlowLogFacts } from '../core/case/facts.ts';
import { nameSome } from '../core/case/name-some.ts';
import { flowLogItem } from '../core/case/restore-items.ts';
import type { ControlPermission } from '../core/control.ts';
import { isAsOurs, LOGS_PER_RESOURCE } from '../core/verdict/own-log.ts';
import type { Listed } from './subject.ts';

type Before = OwnFlowLog & { readonly kind: 'flow-log' };

/** The log of the interface that delivers to our bucket as ours does; null = there is none. */
type State = FlowLogFacts | null;

const itemOf = ({ networkInterfaceId }: Pick<Before, 'networkInterfaceId'>): string => flowLogItem(networkInterfaceId);

/** Of several the one that the case made. */
function asOurs(logs: readonly FlowLogFacts[], { networkInterfaceId, bucketArn, caseId }: OwnFlowLog): State {
  const there = logs.filter((log) => log.resourceId === networkInterfaceId && isAsOurs(log, bucketArn));
  return there.find((log) => log.caseId === caseId) ?? there[0] ?? null;
}

const OF_CASE = `StringLike aws:RequestTag/${CASE_TAG}: case-*`;

const PERMISSIONS: readonly ControlPermission[] = [
  {
    sid: 'Look',
    for: 'find',
    actions: ['ec2:DescribeNetworkInterfaces'],
    resources: ['*'],
    why: 'the interfaces to watch',
  },
  {
    sid: 'Look',
    for: 'look',
    actions: ['ec2:DescribeFlowLogs'],
    resources: ['*'],
    why: 'the flow logs that there are',
  },
  {
    sid: 'MakeFlowLog',
    for: 'take',
    actions: ['ec2:CreateFlowLogs'],
    resources: ['arn:aws:ec2:*:*:vpc-flow-log/*'],
    condition: OF_CASE,
    why: 'only with the tag of a case',
  },
  {
    sid: 'WatchInterface',
    for: 'take',
    actions: ['ec2:CreateFlowLogs'],
    resources: ['arn:aws:ec2:*:*:network-interface/*'],
    why: 'on interfaces, and on no subnet or VPC',
  },
  {
    sid: 'TagFlowLog',
    for: 'take',
    actions: ['ec2:CreateTags'],
    resources: ['arn:aws:ec2:*:*:vpc-flow-log/*'],
    condition: 'StringEquals ec2:CreateAction: CreateFlowLogs',
    why: 'only while making it',
  },
  {
    sid: 'DeliverFlowLog',
    for: 'take',
    actions: ['logs:CreateLogDelivery'],
    resources: ['*'],
    why: 'EC2 sets the delivery up with the rights of its caller',
  },
  {
    sid: 'DeleteFlowLog',
    for: 'undo',
    actions: ['ec2:DeleteFlowLogs'],
    resources: ['arn:aws:ec2:*:*:vpc-flow-log/*'],
    condition: `StringLike aws:ResourceTag/${CASE_TAG}: case-*`,
    why: 'only logs with the tag of a case',
  },
  {
    sid: 'EndDelivery',
    for: 'undo',
    actions: ['logs:DeleteLogDelivery'],
    resources: ['*'],
    why: 'EC2 ends the delivery with the rights of its caller',
  },
];

/**
 * A flow log on every interface of the instance, kept where the instance cannot write: the network's own word, where no flow
 * log of the VPC can be asked. (docs/adr/0011-own-flow-log.md)
 */
export const flowLogWitness: Listed<Before, State> = {
  name: 'own flow log',
  kind: 'flow-log',
  rateLimit: { write: 'CreateFlowLogs' },
  // An instance may have fifteen interfaces, and each is a thing by itself.
  atOnce: 5,
  permissions: PERMISSIONS,
  targets: async ({ ec2, config, subject }) => {
    const { ownFlowLog, flowLogBucketArn: bucketArn } = config;
    if (!ownFlowLog || bucketArn === null) return [];
    const ids = (await subject.interfaces()).map(({ id }) => id);
    const logs = await flowLogsOn(ec2, ids);
    return ids.map((networkInterfaceId) => {
      const before: Before = { kind: 'flow-log', networkInterfaceId, bucketArn, caseId: subject.caseId };
      const found = asOurs(logs, before);
      const others = logs.filter(({ resourceId }) => resourceId === networkInterfaceId);
      if (found !== null || others.length < LOGS_PER_RESOURCE) return { before, found };
      const reason = `${networkInterfaceId} has ${nameSome(others.map(({ id }) => id))} already, and EC2 allows ${LOGS_PER_RESOURCE} flow logs`;
      return { item: itemOf(before), outcome: 'not-possible', reason };
    });
  },
  item: itemOf,
  planned: ({ subject }, befores) => ({
    change: `${subject.instanceId}: a flow log on ${nameSome(befores.map((before) => before.networkInterfaceId))}`,
    why: "the network's own word on what still passes, kept where the instance cannot write",
    alsoHits: 'nothing; vended logs are charged by the gigabyte',
    undo: 'restore deletes the flow log; what it has recorded stays in the bucket until it expires',
  }),
  read: async ({ ec2 }, before) => asOurs(await flowLogsOn(ec2, [before.networkInterfaceId]), before),
  isApplied: (log) => log !== null,
  isOriginal: (log) => log === null,
  isForeign: (log, { caseId }) => log !== null && log.caseId !== caseId,
  describe: (log) => (log === null ? 'no flow log to our bucket' : `${log.id} of ${log.caseId ?? 'no case'}`),
  expected: ({ caseId }) => `a flow log of ${caseId}`,
  apply: ({ ec2 }, before) => createOwnFlowLog(ec2, before),
  // By the id that is found where the record says, and tagged with the case: a tag alone is anybody's to set.
  undo: async ({ ec2 }, before) => {
    const logs = await flowLogsOn(ec2, [before.networkInterfaceId]);
    const ours = logs.filter((log) => isAsOurs(log, before.bucketArn) && log.caseId === before.caseId);
    await deleteFlowLogs(
      ec2,
      ours.map(({ id }) => id),
    );
  },
};
