import { readFileSync } from 'node:fs';
import fc, { type Arbitrary } from 'fast-check';
import { parseEpisode } from '../../../local/episode.ts';
import { type Played, playEpisode } from '../../../local/play.ts';
import type { GivenVerdict } from '../../../local/session.ts';
import { parseWorld, type WorldFile } from '../../../local/world/parse-world.ts';
import { readEvent } from '../../support/bench.ts';
import { NO_OWN_FLOW_LOG } from '../../support/own-flow-log.ts';
import { aclLines, groupLines, watch } from './watch.ts';

/** One instance of several that are compromised: where it is, what it talks to, who asks for its response, and who restores it. */
interface Member {
  /** Of two subnets, which share an ACL. */
  readonly subnet: 0 | 1;
  readonly agent: boolean;
  readonly lies: 'none' | 'hides' | 'claims-success';
  readonly flows: readonly MemberFlow[];
  readonly by: 'finding' | 'person';
  /** When its response is asked for, in seconds. */
  readonly at: number;
  /** When a person restores it, in seconds; null = nobody does. */
  readonly restoreAt: number | null;
}

interface MemberFlow {
  /** A peer in the internet by number, or the instance after this one. */
  readonly peer: 1 | 2 | 'neighbour';
  /** null = it is dormant. */
  readonly every: number | null;
  readonly wakesAt: number | null;
}

export type Members = readonly Member[];

const DAY = 86_400;

const flow: Arbitrary<MemberFlow> = fc.record({
  peer: fc.constantFrom<MemberFlow['peer'][]>(1, 1, 2, 'neighbour'),
  every: fc.constantFrom(5, 45, 200, null),
  wakesAt: fc.constantFrom(null, 30, 500, 4000, 2 * DAY),
});

const member: Arbitrary<Member> = fc.record({
  subnet: fc.constantFrom<(0 | 1)[]>(0, 0, 1),
  agent: fc.boolean(),
  lies: fc.constantFrom<Member['lies'][]>('none', 'none', 'hides', 'claims-success'),
  // The first is the one that is named.
  flows: fc.array(flow, { minLength: 1, maxLength: 2 }),
  by: fc.constantFrom<Member['by'][]>('finding', 'person'),
  at: fc.constantFrom(0, 0, 1, 7, 40, 300, 4000),
  restoreAt: fc.constantFrom(null, null, 20, 400, 5000, DAY),
});

export const members: Arbitrary<Members> = fc.array(member, { minLength: 2, maxLength: 3 });

// --- the world and what happens in it ---

const id = (prefix: string, number: number): string => `${prefix}-${number.toString(16).padStart(17, '0')}`;
const instanceId = (index: number): string => id('i', 0xab_11 + index);
const interfaceId = (index: number): string => id('eni', 0xe_11 + index);
const addressOf = (all: Members, index: number): string => `10.0.${(all[index]?.subnet ?? 0) + 1}.${30 + index}`;
const flowName = (index: number, number: number): string => `flow ${number} of instance ${index}`;

function peerOf(all: Members, index: number, { peer }: MemberFlow): string {
  return peer === 'neighbour' ? addressOf(all, (index + 1) % all.length) : `198.51.100.${6 + peer}`;
}

interface Given {
  readonly Reservations: readonly { readonly Instances: readonly object[] }[];
  readonly NetworkInterfaces: readonly { readonly Attachment: object }[];
}

const GIVEN = new URL('../../../local/worlds/default.json', import.meta.url);

/** The network of the demo, with these instances in place of its own. */
function worldOfSeveral(all: Members): WorldFile {
  const json = JSON.parse(readFileSync(GIVEN, 'utf8')) as Given;
  const [instance] = json.Reservations[0]?.Instances ?? [];
  const [eni] = json.NetworkInterfaces;
  const subnetId = (one: Member): string => id('subnet', 0xb_01 + one.subnet);
  return parseWorld({
    ...json,
    Reservations: [
      {
        ...json.Reservations[0],
        Instances: all.map((one, index) => ({
          ...instance,
          InstanceId: instanceId(index),
          SubnetId: subnetId(one),
          PrivateIpAddress: addressOf(all, index),
          BlockDeviceMappings: [],
        })),
      },
    ],
    InstanceAttributes: {},
    NetworkInterfaces: all.map((one, index) => ({
      ...eni,
      NetworkInterfaceId: interfaceId(index),
      SubnetId: subnetId(one),
      PrivateIpAddress: addressOf(all, index),
      PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: addressOf(all, index) }],
      Association: { PublicIp: `203.0.113.${30 + index}`, IpOwnerId: 'amazon' },
      Attachment: { ...eni?.Attachment, AttachmentId: `eni-attach-${index}`, InstanceId: instanceId(index) },
    })),
    InstanceInformationList: all.flatMap(({ agent }, index) =>
      agent
        ? [{ InstanceId: instanceId(index), PingStatus: 'Online', PlatformType: 'Linux', AgentVersion: '3.3.2958.0' }]
        : [],
    ),
    Hosts: all.map(({ lies }, index) => ({
      InstanceId: instanceId(index),
      RootAttacker: lies !== 'none',
      AgentLies: lies,
      AgentConnection: false,
    })),
    Flows: all.flatMap((one, index) =>
      one.flows.map((each, number) => ({
        Name: flowName(index, number),
        Malicious: true,
        Protocol: 'tcp',
        OpenedBy: 'instance',
        NetworkInterfaceId: interfaceId(index),
        LocalAddress: addressOf(all, index),
        LocalPort: 50_000 + 10 * index + number,
        RemoteAddress: peerOf(all, index, each),
        RemotePort: 4444,
        PacketEverySeconds: each.every,
        WakesAtSeconds: each.every === null ? each.wakesAt : null,
        Process: { Pid: 4000 + 10 * index + number, Name: 'sh' },
      })),
    ),
    FlowLogs: [],
  });
}

/** The finding of the examples, about this instance and its first flow. */
function findingOf(all: Members, index: number): unknown {
  const [named] = all[index]?.flows ?? [];
  const remote = named === undefined ? '' : peerOf(all, index, named);
  const text = JSON.stringify(readEvent('guardduty-ec2-c2activity'))
    .replaceAll('i-0000000000000ab01', instanceId(index))
    .replaceAll('eni-00000000000000e01', interfaceId(index))
    .replaceAll('10.0.1.10', addressOf(all, index))
    .replaceAll('198.51.100.7', remote)
    .replaceAll('00c2a17e5f2b4d0c9a4be1d3f6a70801', `00c2a17e5f2b4d0c9a4be1d3f6a708${10 + index}`);
  const event = JSON.parse(text) as { detail: { service: { action: Record<string, Record<string, unknown>> } } };
  const connection = event.detail.service.action['networkConnectionAction'];
  // The port of the example is that of another flow.
  if (connection !== undefined) delete connection['localPortDetails'];
  return event;
}

const requestOf = (all: Members, index: number): unknown => ({
  instanceId: instanceId(index),
  mode: 'contain',
  remoteAddresses: all[index]?.flows.slice(0, 1).map((each) => peerOf(all, index, each)),
});

/** Everything that happens, in order; a restore names the step that opened its case. */
function stepsOf(all: Members): readonly unknown[] {
  const asked = all
    .map((one, index) => ({ one, index }))
    .sort((a, b) => a.one.at - b.one.at)
    .map(({ one, index }, place) => ({ ...one, index, reference: `$${place + 1}` }));
  const responses = asked.map(({ by, at, index }) =>
    by === 'finding' ? { at, event: findingOf(all, index) } : { at, request: requestOf(all, index) },
  );
  const restores = asked
    .flatMap(({ at, restoreAt, reference }) =>
      restoreAt === null ? [] : [{ at: at + restoreAt, restore: { caseId: reference, force: true } }],
    )
    .sort((a, b) => a.at - b.at);
  // References count steps as they stand, and steps stand in the order of time.
  const lastAsked = Math.max(...asked.map(({ at }) => at));
  return [...responses, ...restores.map((step) => ({ ...step, at: Math.max(step.at, lastAsked) }))];
}

export interface SeveralRun {
  readonly all: Members;
  readonly played: Played;
  readonly breaches: readonly string[];
  readonly before: WorldFile;
}

export async function runSeveral(all: Members): Promise<SeveralRun> {
  const file = worldOfSeveral(all);
  const before = worldOfSeveral(all);
  let breaches: readonly string[] = [];
  const played = await playEpisode(file, parseEpisode(stepsOf(all)), {
    parameters: { WatchDays: '0' },
    config: NO_OWN_FLOW_LOG,
    prepare: (world) => {
      const watching = watch(file, () => world.dumpTable());
      breaches = watching.breaches;
      world.interceptors.push(watching);
    },
  });
  return { all, played, breaches, before };
}

// --- what must hold ---

/** Changes of EC2 may take so long to take effect, in seconds. */
const SETTLE_SECONDS = 10;

/** Who restores one takes nothing from the others: what was called blocked or gone stays so. */
function saidStays({ all, played }: SeveralRun): readonly string[] {
  return all.flatMap((one, index) => {
    if (one.restoreAt !== null) return [];
    return played.session.verdicts
      .filter(({ report }) => report?.instanceId === instanceId(index))
      .flatMap((given) => one.flows.flatMap((_, number) => untrue(played, given, flowName(index, number))));
  });
}

function untrue({ truth, file }: Played, { verdict, report, at }: GivenVerdict, name: string): readonly string[] {
  if (verdict !== 'contained' && verdict !== 'held') return [];
  const found = file.Flows.find(({ Name }) => Name === name);
  // What the host alone calls gone is its testimony.
  const isSaid = report?.flows.some(
    ({ remoteAddress, evidence }) =>
      remoteAddress === found?.RemoteAddress && (evidence === 'in-force' || evidence === 'observed'),
  );
  const last = truth.get(name)?.lastPacketAt ?? 0;
  if ((verdict === 'held' && isSaid !== true) || last <= at + SETTLE_SECONDS) return [];
  return [`${verdict} at ${at} s, but ${name} to ${found?.RemoteAddress ?? ''} had a packet at ${last} s`];
}

/** Where every instance was restored, the network is as it was found. */
function restoredAsFound({ all, played, before }: SeveralRun): readonly string[] {
  if (all.some(({ restoreAt }) => restoreAt === null)) return [];
  const isComplete = played.steps.every(
    ({ outcome }) =>
      outcome.kind !== 'restored' ||
      (outcome.restored.kind === 'ended' && outcome.restored.items.every((item) => item.outcome !== 'failed')),
  );
  if (!isComplete) return [];
  const [groups, acls] = [groupLines(played.file), aclLines(played.file)];
  return [
    ...[...groupLines(before)]
      .filter(([eni, line]) => groups.get(eni) !== line)
      .map(([eni, line]) => `${eni} had ${line} and has ${groups.get(eni)} after the restores`),
    ...[...aclLines(before)]
      .filter(([acl, lines]) => acls.get(acl)?.join() !== lines.join())
      .map(([acl]) => `${acl} is not as it was found after the restores: ${acls.get(acl)?.join('; ')}`),
  ];
}

/** One sentence for each promise that is broken. */
export const brokenBySeveral = (run: SeveralRun): readonly string[] => [
  ...saidStays(run),
  ...run.breaches,
  ...restoredAsFound(run),
];
