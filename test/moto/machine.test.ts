import { CreateStateMachineCommand, DescribeExecutionCommand, ListExecutionsCommand } from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../functions/core/report/report.ts';
import { type StartResult, startResponse } from '../../functions/start-response/step.ts';
import { readDefinition } from '../../local/definitions.ts';
import { type ExecutionResult, runMachine } from '../../local/runner.ts';
import { startMoto } from '../../scripts/moto-server.ts';
import { type Account, buildAccount } from './support/account.ts';
import { type Clients, clientsAt } from './support/clients.ts';
import { deployedDefinition } from './support/deploy.ts';
import { findingFor, PEER, withShortWaits } from './support/incident.ts';
import { type Dump, readBack } from './support/read-back.ts';
import { toolboxOf } from './support/toolbox.ts';

const moto = await startMoto();
afterAll(() => moto?.stop());

const GROUP_NAME = 'flowcut-isolation';

interface Story {
  readonly account: Account;
  readonly started: StartResult;
  readonly repeated: StartResult;
  readonly response: ExecutionResult;
  readonly restore: ExecutionResult;
  readonly secondRestore: ExecutionResult;
  /** What boto3 sees before the finding, after the response, and after the restore. */
  readonly before: Dump;
  readonly contained: Dump;
  readonly restored: Dump;
}

/** What start-response handed to Step Functions. */
async function executionInput({ sfn }: Clients, stateMachineArn: string | undefined): Promise<unknown> {
  const { executions = [] } = await sfn.send(new ListExecutionsCommand({ stateMachineArn }));
  expect(executions).toHaveLength(1);
  const { input = '' } = await sfn.send(new DescribeExecutionCommand({ executionArn: executions[0]?.executionArn }));
  return JSON.parse(input);
}

async function tell(endpoint: string): Promise<Story> {
  const clients = clientsAt(endpoint);
  const account = await buildAccount(clients);
  const { stateMachineArn } = await clients.sfn.send(
    new CreateStateMachineCommand({
      name: 'flowcut-respond',
      roleArn: 'arn:aws:iam::123456789012:role/flowcut',
      definition: deployedDefinition('respond'),
    }),
  );
  const tools = toolboxOf(clients);
  const run = (name: 'respond' | 'restore', input: unknown) =>
    runMachine(withShortWaits(readDefinition(name)), input, tools);
  const before = await readBack(endpoint);
  const started = await startResponse(tools, findingFor(account));
  const repeated = await startResponse(tools, findingFor(account));
  const response = await run('respond', await executionInput(clients, stateMachineArn));
  const contained = await readBack(endpoint);
  const request = { instanceId: account.victim.instanceId, force: true };
  const restore = await run('restore', request);
  const restored = await readBack(endpoint);
  const secondRestore = await run('restore', request);
  return { account, started, repeated, response, restore, secondRestore, before, contained, restored };
}

const reportOf = ({ output }: ExecutionResult): Report => (output as unknown as { report: Report }).report;

const interfacesOf = (dump: Dump, instanceId: string) =>
  dump.NetworkInterfaces.filter(({ Attachment }) => Attachment?.InstanceId === instanceId);

const isolationGroups = (dump: Dump) => dump.SecurityGroups.filter(({ GroupName }) => GroupName === GROUP_NAME);

const instanceOf = (dump: Dump, instanceId: string) =>
  dump.Instances.find(({ InstanceId }) => InstanceId === instanceId);

describe.skipIf(moto === null)('a finding about an instance of an account in moto', () => {
  let story: Story;
  beforeAll(async () => {
    story = await tell(moto?.endpoint ?? '');
  });

  test('opens one case and starts one execution, however often it is delivered', () => {
    expect(story.started).toEqual({ kind: 'started', caseIds: [reportOf(story.response).caseId] });
    // The same name and input while it runs is the same execution; there is one in the list, or nothing was told here.
    expect(story.repeated).toEqual(story.started);
  });

  test('ends as held, for the agent in moto prints nothing and no flow log is kept', () => {
    expect(story.response.error).toBeNull();
    expect(reportOf(story.response)).toMatchObject({ verdict: 'held', basis: [] });
  });

  test('puts every interface on one group, which boto3 sees without a rule in either family', () => {
    const { account, contained } = story;
    const [group, ...others] = isolationGroups(contained);
    expect(others).toEqual([]);
    expect(group).toMatchObject({ IpPermissions: [], IpPermissionsEgress: [] });
    expect(contained.SecurityGroupRules.filter(({ GroupId }) => GroupId === group?.GroupId)).toEqual([]);
    const interfaces = interfacesOf(contained, account.victim.instanceId);
    expect(interfaces.map(({ NetworkInterfaceId }) => NetworkInterfaceId).toSorted()).toEqual(
      [account.victim.networkInterfaceId, account.victim.secondInterfaceId].toSorted(),
    );
    for (const { Groups } of interfaces) expect(Groups).toEqual([{ GroupId: group?.GroupId, GroupName: GROUP_NAME }]);
  });

  test('denies the peer both ways before every rule that permits it, and only there', () => {
    const { account, before, contained } = story;
    const entriesOf = (dump: Dump, aclId: string) =>
      dump.NetworkAcls.find(({ NetworkAclId }) => NetworkAclId === aclId)?.Entries ?? [];
    const aclId = account.publicSubnet.aclId;
    const added = entriesOf(contained, aclId).filter(
      (entry) => !entriesOf(before, aclId).some((known) => JSON.stringify(known) === JSON.stringify(entry)),
    );
    const deny = { RuleAction: 'deny', Protocol: '-1', CidrBlock: `${PEER}/32` };
    expect(added).toHaveLength(2);
    expect(added).toEqual(
      expect.arrayContaining([true, false].map((Egress) => expect.objectContaining({ ...deny, Egress }))),
    );
    for (const { RuleNumber } of added) expect(RuleNumber).toBeLessThan(100);
    const untouched = (dump: Dump) => dump.NetworkAcls.filter(({ NetworkAclId }) => NetworkAclId !== aclId);
    expect(untouched(contained)).toEqual(untouched(before));
  });

  test('keeps the instance as evidence: tag, protection, Standby, out of its balancers, snapshots', () => {
    const { account, contained } = story;
    const { instanceId } = account.victim;
    const { caseId } = reportOf(story.response);
    const instance = instanceOf(contained, instanceId);
    expect(instance?.Tags).toContainEqual({ Key: 'flowcut:case', Value: caseId });
    expect(instance?.BlockDeviceMappings.map(({ Ebs }) => Ebs.DeleteOnTermination)).toEqual([false]);
    expect(contained.InstanceAttributes[instanceId]).toMatchObject({
      disableApiTermination: true,
      disableApiStop: true,
    });
    expect(contained.AutoScalingInstances).toContainEqual(
      expect.objectContaining({ InstanceId: instanceId, LifecycleState: 'Standby' }),
    );
    expect(contained.TargetHealth).toEqual({ shop: [] });
    expect(contained.ClassicLoadBalancers.map(({ Instances }) => Instances)).toEqual([[]]);
    expect(contained.Snapshots.map(({ Tags }) => Tags)).toEqual([[{ Key: 'flowcut:case', Value: caseId }]]);
  });

  test('leaves the neighbour as it was', () => {
    const { account, before, contained } = story;
    const { instanceId } = account.neighbour;
    expect(instanceOf(contained, instanceId)).toEqual(instanceOf(before, instanceId));
    expect(interfacesOf(contained, instanceId)).toEqual(interfacesOf(before, instanceId));
  });

  test('is undone by the restore: boto3 describes the account as before, but for what stays on purpose', () => {
    const { before, restored } = story;
    const isNew = (known: readonly { InstanceId: string }[], id: string): boolean =>
      known.every(({ InstanceId }) => InstanceId !== id);
    const replacements = restored.Instances.filter(({ InstanceId }) => isNew(before.Instances, InstanceId));
    // The Auto Scaling group launched one when the instance went to Standby, and keeps both.
    expect(replacements).toHaveLength(1);
    const replacement = replacements[0]?.InstanceId ?? '';
    const replacementSubnets = new Set(
      interfacesOf(restored, replacement).map((eni) => (eni as { SubnetId?: string }).SubnetId),
    );
    expect(isolationGroups(restored)).toHaveLength(1);
    expect(restored.Snapshots).toHaveLength(1);
    expect(restored.AutoScalingGroups.map(({ DesiredCapacity }) => DesiredCapacity)).toEqual(
      before.AutoScalingGroups.map(({ DesiredCapacity }) => DesiredCapacity + 1),
    );
    const { [replacement]: _attributes, ...attributes } = restored.InstanceAttributes;
    const without = <T extends { readonly InstanceId: string }>(list: readonly T[]) =>
      list.filter(({ InstanceId }) => InstanceId !== replacement);
    const comparable: Dump = {
      ...restored,
      InstanceAttributes: attributes,
      Instances: without(restored.Instances),
      NetworkInterfaces: restored.NetworkInterfaces.filter(({ Attachment }) => Attachment?.InstanceId !== replacement),
      Volumes: restored.Volumes.filter(({ Attachments }) => Attachments[0]?.InstanceId !== replacement),
      AutoScalingInstances: without(restored.AutoScalingInstances),
      AutoScalingGroups: restored.AutoScalingGroups.map((group) => ({
        ...group,
        DesiredCapacity: group.DesiredCapacity - 1,
        Instances: without(group.Instances),
      })),
      Subnets: restored.Subnets.map((subnet) => ({
        ...subnet,
        AvailableIpAddressCount: subnet.AvailableIpAddressCount + (replacementSubnets.has(subnet.SubnetId) ? 1 : 0),
      })),
      SecurityGroups: restored.SecurityGroups.filter(({ GroupName }) => GroupName !== GROUP_NAME),
      Snapshots: [],
    };
    expect(comparable).toEqual(before);
  });

  test('is undone once: a second restore finds nothing left to do', () => {
    const outcomes = ({ output, error }: ExecutionResult) => {
      expect(error).toBeNull();
      const { restore, evidence } = output as unknown as Record<string, { items: { outcome: string }[] }>;
      return [...(restore?.items ?? []), ...(evidence?.items ?? [])].map(({ outcome }) => outcome);
    };
    expect(outcomes(story.restore).filter((outcome) => outcome === 'restored').length).toBeGreaterThanOrEqual(10);
    expect(new Set(outcomes(story.restore))).toEqual(new Set(['restored', 'already']));
    expect(new Set(outcomes(story.secondRestore))).toEqual(new Set(['already']));
  });
});
