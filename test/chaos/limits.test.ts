import { describe, expect, it } from 'vitest';
import type { Config } from '../../functions/core/config.ts';
import { STOPPED_LIMIT } from '../../functions/core/host/host-protocol.ts';
import type { Report } from '../../functions/core/report/report.ts';
import type { Toolbox } from '../../functions/shared/toolbox.ts';
import {
  type Json,
  type MachineDefinition,
  readDefinition,
  type StateDefinition,
  statesOf,
} from '../../local/definitions.ts';
import { runMachine } from '../../local/runner.ts';
import { localConfig, localToolbox, type World } from '../../local/simulate.ts';
import { wholeReport } from '../../local/whole-report.ts';
import { runInVirtualTime } from '../../local/world/clock.ts';
import { createEmbeddedWorld } from '../../local/world/embedded-world.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { createPhysics } from '../../local/world/physics.ts';
import { readTemplate } from '../../scripts/template.ts';
import { defaultWorld, ids, readEvent, refusedBy, shellWatched } from '../support/bench.ts';
import { theVerdict } from '../support/host-report.ts';
import { hostPrints } from '../support/hostile-host.ts';
import { NO_OWN_FLOW_LOG, simulate } from '../support/own-flow-log.ts';
import { DEFAULT_WORLD, OTHER_WORLDS } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const KIB = 1024;

/** One execution, as Step Functions sees it. */
interface Execution {
  /** Every state that was entered, those of branches included, and when. */
  readonly entered: readonly { readonly state: string; readonly at: number }[];
  /** Everything that passed a boundary, in bytes: the input of states and functions, what functions answer, the output. */
  readonly sizes: readonly (readonly [string, number])[];
  readonly output: Json;
}

interface Setting {
  readonly config?: Partial<Config>;
  readonly prepare?: (world: World, tools: Toolbox) => void;
}

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

/** A response, and the restore of what it did. */
function respondAndRestore(
  file: WorldFile,
  input: unknown,
  { config, prepare }: Setting = {},
): Promise<{ readonly respond: Execution; readonly restore: Execution | null; readonly whole: Report }> {
  return runInVirtualTime(file.Now, async (clock) => {
    const world: World = createEmbeddedWorld(file, clock, createPhysics(file));
    const tools = localToolbox(world, { ...localConfig(file), ...NO_OWN_FLOW_LOG, ...config });
    prepare?.(world, tools);
    const execute = async (name: 'respond' | 'restore', payload: unknown): Promise<Execution> => {
      const entered: { state: string; at: number }[] = [];
      const sizes: (readonly [string, number])[] = [];
      const { output } = await runMachine(readDefinition(name), payload, tools, {
        around: async (state, _name, run) => {
          const answer = await run();
          sizes.push([`answer of ${state}`, bytesOf(answer)]);
          return answer;
        },
        onVisit: ({ state, input: given }) => sizes.push([`function of ${state}`, bytesOf(given)]),
        onEnter: ({ state, input: given }) => sizes.push([state, bytesOf(given)]),
        onTransition: (state) => entered.push({ state, at: clock.now() }),
      });
      return { entered, sizes: [...sizes, ['output', bytesOf(output)]], output };
    };
    const respond = await execute('respond', input);
    const report = reportIn(respond);
    const whole = await wholeReport(tools.cases, report);
    const canRestore = report.undo !== null;
    const restore = canRestore ? await execute('restore', { caseId: report.caseId, force: true }) : null;
    return { respond, restore, whole };
  });
}

const reportIn = ({ output }: Execution): Report => (output as unknown as { report: Report }).report;
const statesIn = ({ entered }: Execution): readonly string[] => entered.map(({ state }) => state);
const timesIn = (execution: Execution, state: string): number =>
  statesIn(execution).filter((one) => one === state).length;
const tooLarge = ({ sizes }: Execution) => sizes.filter(([, size]) => size >= 64 * KIB);

/** The largest instance that the design is for: 15 ENIs, 16 groups of 60 rules each, 500 flows. */
function largest(world: WorldFile): void {
  const [eni] = world.NetworkInterfaces;
  const [group] = world.SecurityGroups;
  const [flow] = world.Flows;
  if (!eni || !group || !flow) throw new Error('the default world has lost a part');
  const groups = Array.from({ length: 16 }, (_, number) => ({
    ...structuredClone(group),
    GroupId: `sg-0000000000000f${number.toString(16).padStart(3, '0')}`,
    GroupName: `large-${number}`,
    IpPermissions: Array.from({ length: 60 }, (__, rule) => ({
      IpProtocol: 'tcp',
      FromPort: 1000 + rule,
      ToPort: 1000 + rule,
      IpRanges: [{ CidrIp: `192.0.2.${rule}/32`, Description: `rule ${rule} of group ${number}` }],
    })),
  }));
  world.SecurityGroups.push(...groups);
  const held = groups.map(({ GroupId, GroupName }) => ({ GroupId, GroupName }));
  eni.Groups = held;
  for (let index = 1; index < 15; index += 1) {
    const address = `10.0.1.${100 + index}`;
    world.NetworkInterfaces.push({
      ...structuredClone(eni),
      NetworkInterfaceId: `eni-0000000000000f${index.toString(16).padStart(3, '0')}`,
      PrivateIpAddress: address,
      PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: address }],
      Attachment: { AttachmentId: `eni-attach-large-${index}`, InstanceId: ids.instance, DeviceIndex: index },
    });
  }
  for (let index = 0; index < 500; index += 1) {
    world.Flows.push({
      ...structuredClone(flow),
      Name: `flow ${index}`,
      LocalPort: 20_000 + index,
      RemoteAddress: `203.0.113.${index % 250}`,
      RemotePort: 8000 + index,
      Process: { Pid: 5000 + index, Name: `worker-${index}` },
    });
  }
}

/** The interfaces of the largest instance, each in a subnet of its own with an ACL of its own. */
function fifteenAcls(world: WorldFile): void {
  largest(world);
  const [subnet] = world.Subnets;
  const [acl] = world.NetworkAcls;
  if (!subnet || !acl) throw new Error('the default world has lost a part');
  for (const [index, eni] of world.NetworkInterfaces.filter(({ Groups }) => Groups.length === 16).entries()) {
    if (index === 0) continue;
    const suffix = `0000000000000f${index.toString(16).padStart(3, '0')}`;
    const [SubnetId, NetworkAclId] = [`subnet-${suffix}`, `acl-${suffix}`];
    eni.SubnetId = SubnetId;
    eni.PrivateIpAddress = `10.0.${100 + index}.5`;
    eni.PrivateIpAddresses = [{ Primary: true, PrivateIpAddress: eni.PrivateIpAddress }];
    world.Subnets.push({ ...structuredClone(subnet), SubnetId, CidrBlock: `10.0.${100 + index}.0/24` });
    const NetworkAclAssociationId = `aclassoc-${suffix}`;
    const Associations = [{ NetworkAclAssociationId, NetworkAclId, SubnetId }];
    world.NetworkAcls.push({ ...structuredClone(acl), NetworkAclId, Associations });
  }
}

/** As many addresses as an ACL has room for, of both families, and of each the longest text. */
const THIRTY_SIX_ADDRESSES = Array.from({ length: 18 }, (_, index) => [
  `203.0.113.${200 + index}`,
  `2001:db8:ffff:ffff:ffff:ffff:ffff:${(0x10_00 + index).toString(16)}`,
]).flat();

const withoutAgent = (world: WorldFile): void => {
  world.InstanceInformationList = [];
};

/** More than a thousand denies wait for their turn, and look for it every second or two: ten will do. */
const lookSeldom = (_world: World, tools: Toolbox): void => {
  const { sleep } = tools;
  Object.assign(tools, { sleep: (seconds: number) => sleep(Math.max(10, seconds)) });
};

describe('what is passed between states', () => {
  it('stays under 64 KiB for 15 ENIs, 16 groups of 60 rules and 500 flows, response and restore', async () => {
    const { respond, restore } = await respondAndRestore(defaultWorld(largest), finding);

    expect(statesIn(respond)).toEqual(expect.arrayContaining(['Verify', 'Report', 'Done']));
    expect(tooLarge(respond)).toEqual([]);
    expect(restore).not.toBeNull();
    expect(restore && tooLarge(restore)).toEqual([]);
  }, 300_000);

  it('stays under 64 KiB where each of the 15 ENIs has an ACL of its own and a person names 36 addresses', async () => {
    const request = { instanceId: ids.instance, remoteAddresses: THIRTY_SIX_ADDRESSES };

    const { respond, restore, whole } = await respondAndRestore(defaultWorld(fifteenAcls), request, {
      prepare: lookSeldom,
    });

    // EC2 has no turns for so many at once: the lists of those that wait are in the record too.
    expect(statesIn(respond)).toEqual(expect.arrayContaining(['Deny what had to wait', 'Report', 'Done']));
    expect(tooLarge(respond)).toEqual([]);
    expect(restore && statesIn(restore)).toContain('Done');
    expect(restore && tooLarge(restore)).toEqual([]);
    const left = /^and \d+ more denies that stand: in the case table, item REPORT of CASE#case-\w+$/m;
    expect(reportIn(respond).more.join('\n')).toMatch(left);
    expect(whole.more).toEqual([]);
    expect(whole.held.length).toBeGreaterThan(1000);
  }, 300_000);

  it('stays under 64 KiB where the same is only planned', async () => {
    const request = { instanceId: ids.instance, remoteAddresses: THIRTY_SIX_ADDRESSES, mode: 'observe' };

    const { respond } = await respondAndRestore(defaultWorld(fifteenAcls), request);

    expect(reportIn(respond)).toMatchObject({ verdict: 'planned' });
    expect(tooLarge(respond)).toEqual([]);
  }, 300_000);

  it('leaves nothing out of what the demo prints: the case table has the whole report', async () => {
    const { report } = await simulate(defaultWorld(largest), finding);

    // As many as fit into what Systems Manager hands over of the host's answer; the others are counted.
    expect(report.flows.length).toBeGreaterThan(50);
    expect(report.more).toEqual([]);
  }, 300_000);
});

/**
 * What Step Functions writes into the history for one state, at most. A task is entered and left; each attempt is scheduled,
 * starts and ends. A parallel state also starts and ends; any other is entered and left.
 * https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
 */
function eventsOf(state: StateDefinition): number {
  if (state.Type === 'Parallel') return 4;
  if (state.Type !== 'Task') return 2;
  // Three is what a retrier without the member gets.
  const retriers = (state['Retry'] ?? []) as readonly { readonly MaxAttempts?: number }[];
  const attempts = retriers.reduce((sum, { MaxAttempts = 3 }) => sum + MaxAttempts, 1);
  return 2 + 3 * attempts;
}

/** Where a state leads, whatever becomes of it. */
function nextOf(state: StateDefinition): readonly string[] {
  const listed = [...((state['Choices'] ?? []) as object[]), ...((state['Catch'] ?? []) as object[])];
  return [state['Next'], state['Default'], ...listed.map((one) => (one as { Next?: unknown }).Next)].filter(
    (next) => typeof next === 'string',
  );
}

/**
 * The events of the longest way through a machine, each task with all its retries. `most` says how often a state is entered
 * at most: the functions count that, and every loop has to have such a state.
 */
function mostEvents(machine: MachineDefinition, most: Readonly<Record<string, number>>): number {
  const known = new Map<string, number>();
  const from = (name: string, left: Readonly<Record<string, number>>, since: readonly string[]): number => {
    const state = machine.States[name];
    if (state === undefined) throw new Error(`${name} is no state`);
    if (since.includes(name)) throw new Error(`${name} leads to itself, and nothing says how often`);
    if (left[name] === 0) return Number.NEGATIVE_INFINITY;
    const isCounted = left[name] !== undefined;
    const rest = isCounted ? { ...left, [name]: (left[name] ?? 0) - 1 } : left;
    const key = `${name} ${JSON.stringify(rest)}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    const branches = (state.Branches ?? []).reduce((sum, branch) => sum + mostEvents(branch, most), 0);
    const ways = nextOf(state).map((next) => from(next, rest, isCounted ? [] : [...since, name]));
    const events = eventsOf(state) + branches + Math.max(...(ways.length === 0 ? [0] : ways));
    known.set(key, events);
    return events;
  };
  return from(machine.StartAt, most, []);
}

/** That an execution starts, and that it ends. */
const ENDS = 2;

/** What one execution has written, had each of its tasks used all its retries. */
function eventsIn(execution: Execution, definition: MachineDefinition): number {
  const states = new Map(statesOf(definition));
  return execution.entered.reduce((sum, { state }) => {
    const found = states.get(state);
    if (found === undefined) throw new Error(`${state} is no state`);
    return sum + eventsOf(found);
  }, ENDS);
}

const LONGEST_BUDGET = Number(readTemplate().Parameters['HostCutBudgetSeconds']?.MaxValue);

const silentHost = (world: WorldFile): void => {
  for (const host of world.Hosts) host.AgentAnswers = false;
};

/** EC2 has never a turn for a deny: each run waits for as long as it may. */
const noTurns = (world: World): void => {
  world.interceptors.push({
    before: ({ call, input }) => {
      const { Key } = input as { Key?: { pk?: { S?: string }; sk?: { S?: string } } };
      const isTurn = Key?.pk?.S?.startsWith('PACE#') === true && Key.sk?.S === 'CreateNetworkAclEntry';
      if (call === 'UpdateItem' && isTurn) throw refusedBy('ConditionalCheckFailedException')();
    },
  });
};

/** Systems Manager knows no agent any more, once there is something to undo. */
const awayFromTheUndoOn = (world: World): void => {
  world.interceptors.push({
    before: ({ call, input }) => {
      if (call === 'SendCommand' && JSON.stringify(input).includes('"undo"')) throw refusedBy('InvalidInstanceId')();
    },
  });
};

const manyStopped = (_world: World, tools: Toolbox): void => {
  const stopped = Array.from({ length: STOPPED_LIMIT }, (_, n) => 1000 + n);
  hostPrints(tools, ({ Verb, CaseId = '' }) => {
    const verb = Verb === 'undo' ? 'undo' : 'cut';
    const nothing = { ...theVerdict, listed: 0, closed: 0, verb, caseId: CaseId } as const;
    return JSON.stringify(verb === 'cut' ? { ...nothing, stopped } : nothing);
  });
};

/** Times that a response looks again in five days. */
const MOST_LOOKS = 70;

describe('the history of an execution', () => {
  it.each([DEFAULT_WORLD, ...OTHER_WORLDS].map((world) => [world.name, world] as const))(
    'has fewer than 2,500 events in the response and 500 in the restore, with every retry: %s',
    async (_, { file, input, config }) => {
      const { respond, restore } = await respondAndRestore(file(), input, { config });

      expect(eventsIn(respond, readDefinition('respond'))).toBeLessThan(2500);
      if (restore === null) throw new Error('there is nothing to restore');
      expect(eventsIn(restore, readDefinition('restore'))).toBeLessThan(500);
    },
    120_000,
  );

  it('has fewer than 7,000 events on the longest way that there is, with the longest time for the host', async () => {
    const silent = await respondAndRestore(defaultWorld(silentHost), finding, {
      config: { hostCutBudgetSeconds: LONGEST_BUDGET },
    });
    const storm = await respondAndRestore(defaultWorld(), finding, { prepare: noTurns });
    const looks = timesIn(silent.respond, 'Has the host answered?');
    const denies = timesIn(storm.respond, 'Deny what had to wait');
    expect(LONGEST_BUDGET).toBeGreaterThanOrEqual(45);
    expect(Math.min(looks, denies)).toBeGreaterThan(1);

    // A later cut waits as the first does, and there are three in a row: then a person is called.
    const most = {
      'Has the host answered?': looks,
      'Deny what had to wait': denies,
      'Cut again': 3 * denies,
      Verify: MOST_LOOKS,
      'Wait until the next look': MOST_LOOKS,
    };
    expect(ENDS + mostEvents(readDefinition('respond'), most)).toBeLessThan(7000);
  }, 120_000);

  it.each<[string, (world: WorldFile) => void, (world: World, tools: Toolbox) => void]>([
    ['never fetches it', silentHost, () => undefined],
    ['is away for good', () => undefined, awayFromTheUndoOn],
    ['has to let go on as many processes as a case keeps', () => undefined, manyStopped],
  ])(
    'has fewer than 600 events in a restore whose agent %s, with every retry',
    async (_, change, prepare) => {
      const { restore } = await respondAndRestore(defaultWorld(change), finding, { prepare });
      if (restore === null) throw new Error('there is nothing to restore');
      const undos = timesIn(restore, 'Undo on the host');
      const looks = timesIn(restore, 'Has the host undone it?');

      expect(undos).toBeGreaterThan(1);
      expect(timesIn(restore, 'Report the restore')).toBe(1);
      const most = { 'Undo on the host': undos, 'Has the host undone it?': looks };
      expect(ENDS + mostEvents(readDefinition('restore'), most)).toBeLessThan(600);
    },
    120_000,
  );

  it('looks again for five days, every six hours at last, until the flow log proves it', async () => {
    const { respond, whole } = await respondAndRestore(shellWatched(withoutAgent), finding);

    const waits = respond.entered.flatMap(({ state, at }, index) =>
      state === 'Wait until the next look' ? [(respond.entered[index + 1]?.at ?? 0) - at] : [],
    );
    expect(waits.length).toBeGreaterThan(5);
    expect(waits.length).toBeLessThan(MOST_LOOKS);
    expect(Math.round(Math.max(...waits))).toBe(21_600);
    expect(whole.verdict).toBe('contained');
    expect((respond.entered.at(-1)?.at ?? 0) - (respond.entered[0]?.at ?? 0)).toBeGreaterThan(5 * 86_400);
  });
});
