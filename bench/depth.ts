import { readFileSync } from 'node:fs';
import {
  AttachNetworkInterfaceCommand,
  CreateNetworkInterfaceCommand,
  DescribeNetworkInterfacesCommand,
} from '@aws-sdk/client-ec2';
import type { StartExecutionCommand } from '@aws-sdk/client-sfn';
import { assessFlows } from '../functions/assess-flows/step.ts';
import { ISOLATION_GROUP } from '../functions/aws/security-groups.ts';
import { denyAtNacl } from '../functions/deny-at-nacl/step.ts';
import { prepareIsolation } from '../functions/prepare-isolation/step.ts';
import type { Toolbox } from '../functions/shared/toolbox.ts';
import { startResponse } from '../functions/start-response/step.ts';
import { swapSecurityGroups } from '../functions/swap-security-groups/step.ts';
import { type Simulation, simulate } from '../local/simulate.ts';
import { parseWorld, type WorldFile } from '../local/world/parse-world.ts';
import { type MotoServer, startMoto } from '../scripts/moto-server.ts';
import { type Account, buildAccount } from '../test/moto/support/account.ts';
import { clientsAt } from '../test/moto/support/clients.ts';
import { findingFor } from '../test/moto/support/incident.ts';
import { toolboxOf } from '../test/moto/support/toolbox.ts';
import { type DelayingProxy, type PassedCall, startDelayingProxy } from './delaying-proxy.ts';
import { atMost, type Effort, type Goal, median, rounded, type Section, type Table } from './section.ts';

const read = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));

interface Interval {
  readonly startedAt: number;
  readonly endedAt: number;
}

/** Calls one after another up to the end of `last`: the most intervals that do not overlap, `last` among them. */
function chainTo(calls: readonly Interval[], last: Interval): number {
  let chain = 0;
  let freeFrom = Number.NEGATIVE_INFINITY;
  // In virtual time one call starts at the very moment at which the one before it ends.
  const margin = 1e-6;
  for (const call of [...calls].sort((a, b) => a.endedAt - b.endedAt)) {
    if (call.endedAt > last.startedAt + margin || call.startedAt < freeFrom - margin) continue;
    chain += 1;
    freeFrom = call.endedAt;
  }
  return chain + 1;
}

// --- in the embedded world -------------------------------------------------------------------------------------------

interface Shape {
  readonly interfaces: number;
  readonly agent: boolean;
  readonly groupStands: boolean;
}

/** The default incident on an instance with this many ENIs. */
function worldOf({ interfaces, agent, groupStands }: Shape): WorldFile {
  const world = read('local/worlds/default.json') as WorldFile;
  const [first] = world.NetworkInterfaces;
  if (first === undefined) throw new Error('the default world has no network interface');
  for (let index = 1; index < interfaces; index += 1) {
    const address = `10.0.1.${100 + index}`;
    const id = `eni-000000000000${String(index).padStart(2, '0')}e09`.slice(0, 21);
    world.NetworkInterfaces.push({
      ...structuredClone(first),
      NetworkInterfaceId: id.padEnd(21, '0'),
      PrivateIpAddress: address,
      PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: address }],
      Attachment: {
        AttachmentId: `eni-attach-${String(index).padStart(17, '0')}`,
        InstanceId: first.Attachment?.InstanceId ?? '',
        DeviceIndex: index,
        Status: 'attached',
      },
    });
  }
  if (!agent) world.InstanceInformationList = [];
  if (groupStands) {
    world.SecurityGroups.push({
      GroupId: 'sg-00000000000000c99',
      GroupName: ISOLATION_GROUP.name,
      Description: 'made before',
      VpcId: first.VpcId ?? '',
      OwnerId: world.AccountId,
      IpPermissions: [],
      IpPermissionsEgress: [],
      Tags: [ISOLATION_GROUP.tag],
    });
  }
  return parseWorld(world);
}

const BRANCHES: Readonly<Record<string, string>> = {
  'Deny at the subnet': 'deny',
  'Prepare the isolation group': 'prepare',
  'Cut on the host': 'host',
  'Has the host answered?': 'host',
  'Deny the peers that the host listed': 'host',
};

type Entry = Simulation['timeline'][number];

/** EC2 calls that the isolation waited for: of the parallel cuts, those of the branch that ended last. */
function onTheWay(entries: readonly Entry[], latency: number): readonly Interval[] {
  const ends = new Map<string, number>();
  for (const { state, at } of entries) {
    const branch = BRANCHES[state ?? ''];
    if (branch !== undefined) ends.set(branch, Math.max(at, ends.get(branch) ?? 0));
  }
  const [slowest] = [...ends].sort(([, a], [, b]) => b - a)[0] ?? [];
  return entries
    .filter(({ service, state }) => service === 'ec2' && state !== 'Preserve evidence')
    .filter(({ state }) => [undefined, slowest].includes(BRANCHES[state ?? '']))
    .map(({ at }) => ({ startedAt: at - latency, endedAt: at }));
}

async function countInWorld(shape: Shape) {
  const file = worldOf(shape);
  const simulation = await simulate(file, read('events/guardduty-ec2-c2activity.json'));
  const swaps = simulation.timeline.filter(
    ({ call, input, outcome }) =>
      call === 'ModifyNetworkInterfaceAttribute' && input.includes('Groups') && outcome === 'ok',
  );
  const last = swaps.at(-1);
  if (last === undefined || swaps.length < shape.interfaces) throw new Error('the instance was not isolated');
  const swap = { startedAt: last.at - file.LatencySeconds, endedAt: last.at };
  return {
    shape,
    firstCut: simulation.calls.beforeFirstCut,
    isolation: chainTo(onTheWay(simulation.timeline, file.LatencySeconds), swap),
  };
}

// --- against moto ----------------------------------------------------------------------------------------------------

/** Attaches further ENIs to the victim, all in its own subnet. */
async function attachMore(tools: Toolbox, account: Account, count: number): Promise<void> {
  for (let index = 2; index < count; index += 1) {
    const { NetworkInterface } = await tools.ec2.send(
      new CreateNetworkInterfaceCommand({ SubnetId: account.publicSubnet.subnetId, Groups: [account.groups.web] }),
    );
    await tools.ec2.send(
      new AttachNetworkInterfaceCommand({
        NetworkInterfaceId: NetworkInterface?.NetworkInterfaceId,
        InstanceId: account.victim.instanceId,
        DeviceIndex: index,
      }),
    );
  }
}

interface Passed {
  /** Milliseconds from the start of the execution. */
  readonly firstCut: number;
  readonly isolation: number;
  readonly firstCutEc2: number;
  readonly isolationEc2: number;
}

/** The steps up to the isolation, in the order of the state machine; the host, which moto has none of, is left out. */
async function respondThrough(
  moto: MotoServer,
  proxy: DelayingProxy,
  interfaces: number,
  delayMs: number,
): Promise<Passed> {
  await moto.reset();
  proxy.delayMs = 0;
  const clients = clientsAt(proxy.endpoint);
  const account = await buildAccount(clients);
  const tools = toolboxOf(clients);
  await attachMore(tools, account, interfaces);
  const found = await tools.ec2.send(
    new DescribeNetworkInterfacesCommand({
      Filters: [{ Name: 'attachment.instance-id', Values: [account.victim.instanceId] }],
    }),
  );
  if (found.NetworkInterfaces?.length !== interfaces) throw new Error('moto did not attach every interface');
  // The execution is ours to start.
  let input: unknown = null;
  const sfn = {
    send: (command: StartExecutionCommand) => {
      input = JSON.parse(command.input.input ?? 'null');
      return Promise.resolve({});
    },
  } as unknown as Toolbox['sfn'];
  const started = await startResponse({ ...tools, sfn }, findingFor(account));
  if (started.kind === 'nothing-to-do') throw new Error('the finding starts nothing');
  // The group of a VPC is made once: what is counted is every response but the first.
  await prepareIsolation(tools, {
    case: { caseId: 'note', instanceId: account.victim.instanceId, mode: 'contain', trigger: 'bench' },
    assessment: { kind: 'contain', vpcIds: [account.vpcId] } as never,
  });
  proxy.calls.length = 0;
  proxy.delayMs = delayMs;
  const startedAt = performance.now();
  const opened = await assessFlows(tools, input);
  const [denied, prepared] = await Promise.all([denyAtNacl(tools, opened), prepareIsolation(tools, opened)]);
  if (denied.made === 0 || prepared.kind !== 'ready') throw new Error('moto let no cut be made');
  await swapSecurityGroups(tools, opened);
  proxy.delayMs = 0;

  const ec2 = proxy.calls.filter(({ service }) => service === 'ec2');
  const cut = earliest(ec2.filter(({ api }) => api === 'CreateNetworkAclEntry'));
  const swap = latest(
    ec2.filter(({ api, body }) => api === 'ModifyNetworkInterfaceAttribute' && body.includes('SecurityGroupId')),
  );
  return {
    firstCut: cut.endedAt - startedAt,
    isolation: swap.endedAt - startedAt,
    firstCutEc2: chainTo(ec2, cut),
    isolationEc2: chainTo(ec2, swap),
  };
}

function earliest(calls: readonly PassedCall[]): PassedCall {
  const [first] = [...calls].sort((a, b) => a.endedAt - b.endedAt);
  if (first === undefined) throw new Error('no such call went through the proxy');
  return first;
}

function latest(calls: readonly PassedCall[]): PassedCall {
  const last = [...calls].sort((a, b) => a.endedAt - b.endedAt).at(-1);
  if (last === undefined) throw new Error('no such call went through the proxy');
  return last;
}

const DELAYS = [10, 50, 200] as const;

/** Least-squares slope: milliseconds more per millisecond of delay are calls that wait for one another. */
function slope(points: readonly (readonly [number, number])[]): number {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  const above = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return above / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

async function countAgainstMoto(interfaceCounts: readonly number[], runs: number): Promise<Table | null> {
  const moto = await startMoto();
  if (moto === null) return null;
  const proxy = await startDelayingProxy(moto.endpoint);
  try {
    const rows: (string | number)[][] = [];
    for (const interfaces of interfaceCounts) {
      const passed: { readonly delay: number; readonly run: Passed }[] = [];
      for (let round = 0; round < runs; round += 1) {
        for (const delay of DELAYS) passed.push({ delay, run: await respondThrough(moto, proxy, interfaces, delay) });
      }
      const perDelay = (of: 'firstCut' | 'isolation') =>
        slope(
          DELAYS.map((delay) => [delay, median(passed.filter((one) => one.delay === delay).map(({ run }) => run[of]))]),
        );
      const slowest = passed.filter(({ delay }) => delay === DELAYS.at(-1)).map(({ run }) => run);
      rows.push([
        interfaces,
        median(slowest.map((run) => run.firstCutEc2)),
        rounded(perDelay('firstCut')),
        median(slowest.map((run) => run.isolationEc2)),
        rounded(perDelay('isolation')),
      ]);
    }
    return {
      caption: `Against moto, through a proxy that delays every call by ${DELAYS.join(', ')} ms (no host; the group stands). The time to a point grows by so many times the delay as calls wait for one another, those to the case table included:`,
      head: ['ENIs', 'EC2 calls to the first cut', 'time / delay', 'EC2 calls to the isolation', 'time / delay'],
      rows,
    };
  } finally {
    await proxy.close();
    await moto.stop();
  }
}

// --- the section -----------------------------------------------------------------------------------------------------

export async function depth({ quick }: Effort): Promise<Section> {
  const counts = [1, 2, 15];
  const shapes = counts.flatMap((interfaces) => [
    { interfaces, agent: true, groupStands: true },
    { interfaces, agent: true, groupStands: false },
    { interfaces, agent: false, groupStands: true },
    { interfaces, agent: false, groupStands: false },
  ]);
  const counted: Awaited<ReturnType<typeof countInWorld>>[] = [];
  for (const shape of shapes) counted.push(await countInWorld(shape));
  const moto = await countAgainstMoto(quick ? [2] : [2, 15], quick ? 1 : 3);
  const worst = (of: (one: (typeof counted)[number]) => number | undefined, among = counted): number =>
    Math.max(...among.map((one) => of(one) ?? Number.POSITIVE_INFINITY));
  const goals: Goal[] = [
    atMost(
      'EC2 round trips to the first cut, 1, 2 and 15 ENIs',
      2,
      worst(({ firstCut }) => firstCut?.ec2),
    ),
    atMost(
      'functions entered before the first cut',
      3,
      worst(({ firstCut }) => firstCut?.functions),
    ),
    atMost(
      'EC2 round trips to the isolation, 1, 2 and 15 ENIs, the group of the VPC stands',
      6,
      worst(
        ({ isolation }) => isolation,
        counted.filter(({ shape }) => shape.groupStands),
      ),
    ),
    atMost(
      'EC2 round trips to the isolation, the group of the VPC has to be made',
      6,
      worst(
        ({ isolation }) => isolation,
        counted.filter(({ shape }) => !shape.groupStands),
      ),
      'It is made once per VPC, beside the cuts: created, seen, emptied of the rules that EC2 gives it, and read back in both families before any interface gets it. None of that can be left out or done at once.',
    ),
  ];
  return {
    name: 'depth',
    title: 'Depth',
    text: [
      'Calls that wait for one another, from the start of the execution. In the embedded world the state machine runs as it is deployed; of the parallel cuts the isolation waits for the slowest, so the EC2 calls of that branch are counted. The isolation group of a VPC is made in the first response there; it is made beside the cuts, and a host that answers takes longer.',
      ...(moto === null ? ['No Python on this machine: not counted against moto.'] : []),
    ],
    tables: [
      {
        caption: 'In the embedded world:',
        head: [
          'ENIs',
          'the agent',
          'the isolation group',
          'EC2 to the first cut',
          'functions before it',
          'EC2 to the isolation',
        ],
        rows: counted.map(({ shape, firstCut, isolation }) => [
          shape.interfaces,
          shape.agent ? 'answers' : 'is not there',
          shape.groupStands ? 'stands' : 'is made',
          firstCut?.ec2 ?? 'none',
          firstCut?.functions ?? 'none',
          isolation,
        ]),
      },
      ...(moto === null ? [] : [moto]),
    ],
    goals,
  };
}
