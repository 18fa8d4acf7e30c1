import { readDeletedGroups, recordDeletedGroup } from '../../functions/aws/case-table/groups.ts';
import { notePutBack, readPreserved, recordPreserved } from '../../functions/aws/case-table/preserved.ts';
import { sharedLedger } from '../../functions/aws/case-table/shared-things.ts';
import { interfacesById, interfacesOf } from '../../functions/aws/network-interfaces.ts';
import type { RecordedGroup } from '../../functions/aws/replaced-groups.ts';
import { isOf } from '../../functions/controls/evidence-controls.ts';
import { interfaceGroups } from '../../functions/controls/interface-groups.ts';
import { interfaceTimers } from '../../functions/controls/interface-timers.ts';
import { groupTools, replacedGroups } from '../../functions/controls/replaced-groups.ts';
import { type AnyControl, type ControlTools, subjectOf } from '../../functions/controls/subject.ts';
import type { Control, Recorded } from '../../functions/core/control.ts';
import type { RunnerTools } from '../../functions/shared/control-runner.ts';
import type { Toolbox } from '../../functions/shared/toolbox.ts';
import { type Ground, Wire } from './ground.ts';

/** An account: its clients, and the instance that a case is about. */
export interface Account {
  readonly tools: Toolbox;
  readonly caseId: string;
  readonly instanceId: string;
  /** A group that isolates, in the VPC of the instance. */
  readonly isolationGroup: string;
}

const clientsOf = ({ tools }: Account) => [tools.ec2, tools.scaling, tools.elb, tools.classicElb, tools.cases.client];

const seenAs = <T extends RunnerTools, B, S>(control: Control<T, B, S>): Ground['control'] =>
  control as unknown as Ground['control'];

/** A control of the list, with its records in the case table. */
export function listedGround(
  control: AnyControl,
  account: Account,
  strange?: (tools: ControlTools, before: Recorded) => Promise<unknown>,
): Ground {
  const { caseId, instanceId } = account;
  const { cases } = account.tools;
  const recorded = async () => (await readPreserved(cases, caseId)).filter(({ preserved }) => isOf(control)(preserved));
  const toolsNow = async (): Promise<ControlTools> => {
    const taken = (await readPreserved(cases, caseId)).map(({ preserved }) => preserved);
    const ledger = sharedLedger(cases, caseId);
    // The account has neighbours in the subnet: a person orders to seal it.
    return {
      ...account.tools,
      ledger,
      subject: subjectOf(account.tools, { caseId, instanceId, taken, isSealOrdered: true }),
    };
  };
  return {
    control: seenAs(control),
    tools: toolsNow,
    records: async () => ({
      known: (await recorded()).filter(({ undone }) => !undone).map(({ preserved }) => preserved),
      record: (before) => recordPreserved(cases, caseId, control.item(before), before),
    }),
    note: async (before) => {
      const record = (await recorded()).find(({ item }) => item === control.item(before));
      return record !== undefined && notePutBack(cases, caseId, record);
    },
    ...(strange && { strange: async (before: Recorded) => void (await strange(await toolsNow(), before)) }),
    wire: new Wire(clientsOf(account)),
  };
}

/** Groups and timers are recorded before the first cut, whatever comes of them: here in memory, and once. */
export function interfaceGround(
  which: 'groups' | 'timers',
  account: Account,
  strange: (tools: Toolbox, before: { readonly networkInterfaceId: string }) => Promise<unknown>,
): Ground {
  const { tools, instanceId, isolationGroup } = account;
  const known: Recorded[] = [];
  const control = which === 'groups' ? seenAs(interfaceGroups) : seenAs(interfaceTimers);
  return {
    control,
    tools: () =>
      Promise.resolve({
        ...tools,
        interfaceById: async (id: string) => (await interfacesById(tools.ec2, [id]))[0],
        interfaces: () => interfacesOf(tools.ec2, instanceId),
        isolationGroup: () => Promise.resolve(isolationGroup),
        instanceType: 'm6i.large',
      }),
    records: () =>
      Promise.resolve({
        known,
        record: (before) => {
          const isKnown = known.some((one) => control.item(one) === control.item(before));
          if (!isKnown) known.push(before);
          return Promise.resolve();
        },
      }),
    note: () => Promise.resolve(true),
    strange: async (before) => void (await strange(tools, before as unknown as { networkInterfaceId: string })),
    wire: new Wire(clientsOf(account)),
  };
}

/** Groups that nobody uses any more. */
export function replacedGround(account: Account, groupIds: readonly string[]): Ground {
  const { tools, caseId } = account;
  const recordedNow = () => readDeletedGroups(tools.cases, caseId);
  return {
    control: seenAs(replacedGroups),
    tools: async () => groupTools(tools, { caseId, groupIds, recorded: await recordedNow() }),
    records: async () => {
      const recorded = await recordedNow();
      return {
        known: recorded as unknown as readonly Recorded[],
        record: (before) => {
          const group = before as unknown as RecordedGroup;
          return recordDeletedGroup(
            tools.cases,
            caseId,
            group,
            recorded.find(({ groupId }) => groupId === group.groupId),
          );
        },
      };
    },
    note: () => Promise.resolve(true),
    wire: new Wire(clientsOf(account)),
  };
}
