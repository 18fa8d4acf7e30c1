import { describe, expect, it } from 'vitest';
import { type MachineDefinition, readDefinition, statesOf } from '../../local/definitions.ts';
import { simulate } from '../../local/simulate.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { defaultWorld, ids, readEvent } from '../support/bench.ts';
import { DEFAULT_WORLD, OTHER_WORLDS } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const KIB = 1024;

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

const withoutAgent = (world: WorldFile): void => {
  world.InstanceInformationList = [];
};

describe('what is passed between states', () => {
  it('stays under 64 KiB for 15 ENIs, 16 groups of 60 rules and 500 flows, response and restore', async () => {
    const { visits, report } = await simulate(defaultWorld(largest), finding, { restore: { force: true } });
    const sizes = visits.map(({ state, input }) => [state, Buffer.byteLength(JSON.stringify(input))] as const);
    expect(visits.map(({ state }) => state)).toEqual(
      expect.arrayContaining(['Verify', 'Report', 'Put back what was found']),
    );
    // As many as fit into what Systems Manager hands over of the host's answer; the others are counted.
    expect(report.flows.length).toBeGreaterThan(50);
    expect(sizes.filter(([, size]) => size >= 64 * KIB)).toEqual([]);
    // The output of the execution is the largest of all: the record with the report in it; Step Functions allows 256 KiB.
    const last = visits.findLast(({ state }) => state === 'Report');
    expect(Buffer.byteLength(JSON.stringify([last?.input, report]))).toBeLessThan(256 * KIB);
  }, 300_000);
});

/**
 * What Step Functions writes into the history, at most: for a task that is entered, scheduled, started, ends and is left,
 * with one retry; for any other state that it is entered and left; for a parallel one also that it starts and ends.
 * https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
 */
const TASK_EVENTS = 8;
const OTHER_EVENTS = 2;
const PARALLEL_EVENTS = 4;

/** States between two tasks, at most: every other state leads to a task or to the end. */
function longestWayBetweenTasks(definition: MachineDefinition): number {
  const states = new Map(statesOf(definition));
  const wayFrom = (name: string | undefined, seen: readonly string[]): number => {
    const state = name === undefined ? undefined : states.get(name);
    if (name === undefined || state === undefined || ['Task', 'Parallel'].includes(state.Type)) return 0;
    if (seen.includes(name)) throw new Error(`${name} leads to itself without a task`);
    const choices = (state['Choices'] ?? []) as readonly { readonly Next: string }[];
    const next = [state['Next'], state['Default'], ...choices.map(({ Next }) => Next)] as (string | undefined)[];
    return 1 + Math.max(...next.map((one) => wayFrom(one, [...seen, name])));
  };
  return Math.max(...[...states.keys()].map((name) => wayFrom(name, [])));
}

/** Events that the run of a machine can have caused, given the tasks that were entered. */
function mostEvents(tasks: number, definition: MachineDefinition): number {
  const parallel = [...statesOf(definition)].filter(([, { Type }]) => Type === 'Parallel').length;
  const perTask = TASK_EVENTS + OTHER_EVENTS * longestWayBetweenTasks(definition);
  return 2 + parallel * PARALLEL_EVENTS + tasks * perTask;
}

describe('the history of an execution', () => {
  const restoreStates = new Set([...statesOf(readDefinition('restore'))].map(([name]) => name));

  it.each([DEFAULT_WORLD, ...OTHER_WORLDS].map((world) => [world.name, world] as const))(
    'has fewer than 500 events, of the response and of the restore: %s',
    async (_, { file, input, config }) => {
      const { visits } = await simulate(file(), input, { config, restore: { force: true } });
      const restore = visits.filter(({ state }) => restoreStates.has(state)).length;
      expect(restore).toBeGreaterThan(0);
      expect(mostEvents(visits.length - restore, readDefinition('respond'))).toBeLessThan(500);
      expect(mostEvents(restore, readDefinition('restore'))).toBeLessThan(500);
    },
    120_000,
  );

  it('has one state for a wait of five days: no function runs in it', async () => {
    const { visits, reportedAt, timeline } = await simulate(defaultWorld(withoutAgent), finding);
    expect(reportedAt).toBeGreaterThan(5 * 86_400);
    const states = visits.map(({ state }) => state);
    const before = states.indexOf('Tell people what is cut so far');
    expect(states.slice(before)).toEqual([
      'Tell people what is cut so far',
      'Verify',
      'Release',
      'Delete replaced groups',
      'Report',
    ]);
    const inBetween = timeline.filter(({ at }) => at > 1000 && at < 5 * 86_400);
    expect(inBetween).toEqual([]);
  });
});
