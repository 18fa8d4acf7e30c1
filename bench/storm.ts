import { readFileSync } from 'node:fs';
import { rateOf } from '../functions/core/pacing.ts';
import { startResponse } from '../functions/start-response/step.ts';
import { readDefinition } from '../local/definitions.ts';
import { runMachine } from '../local/runner.ts';
import { localConfig, localToolbox, simulate } from '../local/simulate.ts';
import type { Interceptor } from '../local/world/api/middleware.ts';
import { runInVirtualTime } from '../local/world/clock.ts';
import { createEmbeddedWorld } from '../local/world/embedded-world.ts';
import { parseWorld, type WorldFile } from '../local/world/parse-world.ts';
import type { WorldClock } from '../local/world/state.ts';
import { documentedThrottle, earliestTimes } from './buckets.ts';
import { atMost, type Effort, median, rounded, type Section } from './section.ts';

interface Storm {
  readonly findings: number;
  readonly instances: number;
  readonly subnets: number;
  readonly seconds: number;
}

const STORM: Storm = { findings: 1000, instances: 200, subnets: 20, seconds: 60 };
const SMALL_STORM: Storm = { findings: 100, instances: 20, subnets: 2, seconds: 6 };

/** Longer than this nobody waits for a cut; what is not cut by then counts as never. */
const GIVE_UP_SECONDS = 900;

const hex = (kind: string, number: number): string => `${kind}-${number.toString(16).padStart(17, '0')}`;
const WORLD = 'local/worlds/default.json';
const EVENT = 'events/guardduty-ec2-c2activity.json';
const text = (path: string): string => readFileSync(path, 'utf8');

const idsOf = (index: number) => ({
  instance: hex('i', index + 1),
  eni: hex('eni', index + 1),
  peer: `203.0.113.${index + 1}`,
  shellPort: 40_000 + index,
});

/** The default incident on every instance; each subnet has an ACL of its own. */
function worldOf({ instances, subnets }: Storm): WorldFile {
  const world = JSON.parse(text(WORLD)) as WorldFile;
  const [reservation] = world.Reservations;
  const instance = reservation?.Instances?.[0];
  const [eni] = world.NetworkInterfaces;
  const [subnet] = world.Subnets;
  const [acl] = world.NetworkAcls;
  const [agent] = world.InstanceInformationList;
  const [host] = world.Hosts;
  const [shell] = world.Flows;
  if (!reservation || !instance || !eni || !subnet || !acl || !agent || !host || !shell)
    throw new Error('the default world has lost a part');
  const places = Array.from({ length: subnets }, (_, index) => ({
    subnetId: hex('subnet', index + 1),
    aclId: hex('acl', index + 1),
    cidr: `10.0.${index + 1}.0/24`,
  }));
  world.Subnets = places.map(({ subnetId, cidr }) => ({
    ...structuredClone(subnet),
    SubnetId: subnetId,
    CidrBlock: cidr,
  }));
  world.NetworkAcls = places.map(({ subnetId, aclId }, index) => ({
    ...structuredClone(acl),
    NetworkAclId: aclId,
    Associations: [{ NetworkAclAssociationId: hex('aclassoc', index + 1), NetworkAclId: aclId, SubnetId: subnetId }],
  }));
  const members = Array.from({ length: instances }, (_, index) => {
    const place = places[index % subnets] ?? places[0];
    if (place === undefined) throw new Error('a storm needs a subnet');
    const address = place.cidr.replace('0/24', String(10 + Math.floor(index / subnets)));
    return { ...idsOf(index), ...place, address, index };
  });
  reservation.Instances = members.map((member) => ({
    ...structuredClone(instance),
    InstanceId: member.instance,
    SubnetId: member.subnetId,
    PrivateIpAddress: member.address,
    BlockDeviceMappings: [],
  }));
  world.NetworkInterfaces = members.map((member) => ({
    ...structuredClone(eni),
    NetworkInterfaceId: member.eni,
    SubnetId: member.subnetId,
    PrivateIpAddress: member.address,
    PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: member.address }],
    Attachment: {
      AttachmentId: `eni-attach-${(member.index + 1).toString(16).padStart(17, '0')}`,
      InstanceId: member.instance,
      DeviceIndex: 0,
      Status: 'attached',
    },
  }));
  world.InstanceInformationList = members.map((member) => ({ ...agent, InstanceId: member.instance }));
  world.Hosts = members.map((member) => ({ ...host, InstanceId: member.instance }));
  world.Flows = members.map((member) => ({
    ...structuredClone(shell),
    Name: `shell of ${member.instance}`,
    NetworkInterfaceId: member.eni,
    LocalAddress: member.address,
    LocalPort: member.shellPort,
    RemoteAddress: member.peer,
    PacketEverySeconds: 30,
  }));
  return parseWorld(world);
}

interface Arrival {
  readonly at: number;
  readonly index: number;
  readonly severity: number;
  readonly event: unknown;
}

/** Every instance has the same number of findings of one id, shuffled; the first of each is the news. */
function arrivalsOf(storm: Storm, file: WorldFile): readonly Arrival[] {
  const template = text(EVENT);
  const order = Array.from({ length: storm.findings }, (_, number) => ({
    number,
    key: (Math.sin(number + 1) * 1e4) % 1,
  }))
    .sort((a, b) => a.key - b.key)
    .map(({ number }) => number);
  return order.map((place, number) => {
    const index = place % storm.instances;
    const { instance, eni, peer, shellPort } = idsOf(index);
    const found = file.NetworkInterfaces[index];
    const names: Readonly<Record<string, string>> = {
      'i-0000000000000ab01': instance,
      'eni-00000000000000e01': eni,
      'subnet-00000000000000b01': found?.SubnetId ?? '',
      '10.0.1.10': found?.PrivateIpAddress ?? '',
      '198.51.100.7': peer,
      '51234': String(shellPort),
    };
    const event = JSON.parse(Object.entries(names).reduce((all, [from, to]) => all.replaceAll(from, to), template)) as {
      detail: { id: string; severity: number; service: { count: number } };
    };
    const severity = 4 + (index % 5);
    event.detail.id = `${event.detail.id}${index}`;
    event.detail.severity = severity;
    event.detail.service.count = 1 + Math.floor(number / storm.instances);
    return { at: (number * storm.seconds) / storm.findings, index, severity, event };
  });
}

interface Outcome {
  readonly firstArrival: number;
  readonly severity: number;
  firstCut: number | null;
  denied: number;
  bothWays: number | null;
  isolated: number | null;
}

/** Notes when each instance is cut and isolated. */
function watch(outcomes: readonly Outcome[]): Interceptor {
  const byPeer = new Map(outcomes.map((outcome, index) => [`${idsOf(index).peer}/32`, outcome]));
  const byEni = new Map(outcomes.map((outcome, index) => [idsOf(index).eni, outcome]));
  return {
    after({ call, input, at }) {
      const given = input as { CidrBlock?: string; NetworkInterfaceId?: string; Groups?: unknown };
      const denied = call === 'CreateNetworkAclEntry' ? byPeer.get(given.CidrBlock ?? '') : undefined;
      if (denied !== undefined) {
        denied.firstCut ??= at;
        denied.denied += 1;
        if (denied.denied === 2) denied.bothWays = at;
      }
      const isSwap = call === 'ModifyNetworkInterfaceAttribute' && given.Groups !== undefined;
      const isolated = isSwap ? byEni.get(given.NetworkInterfaceId ?? '') : undefined;
      if (isolated !== undefined) isolated.isolated ??= at;
    },
  };
}

async function run(storm: Storm) {
  const file = worldOf(storm);
  const arrivals = arrivalsOf(storm, file);
  const outcomes = Array.from({ length: storm.instances }, (_, index): Outcome => {
    const first = arrivals.find((arrival) => arrival.index === index);
    if (first === undefined) throw new Error(`no finding for instance ${index}`);
    return {
      firstArrival: first.at,
      severity: first.severity,
      firstCut: null,
      denied: 0,
      bothWays: null,
      isolated: null,
    };
  });
  const throttle = documentedThrottle();
  let executions = 0;
  let functions = 0;
  let mostFunctions = 0;
  await runInVirtualTime(file.Now, async (clock) => {
    const world = createEmbeddedWorld(file, clock);
    // The cap is a brake against exactly this; the question here is what happens without.
    const config = { ...localConfig(file), isolationsPerHour: 10_000 };
    // Functions share no client, and so no quota of retries: each execution has clients of its own.
    const newTools = () => localToolbox(world, config);
    world.interceptors.push(throttle, watch(outcomes));
    const around = <T>(state: string, _name: string, work: () => Promise<T>): Promise<T> =>
      world.inState(state, async () => {
        functions += 1;
        mostFunctions = Math.max(mostFunctions, functions);
        try {
          return await work();
        } finally {
          functions -= 1;
        }
      });
    world.onStartExecution = ({ input }) => {
      executions += 1;
      const result = runMachine(readDefinition('respond'), input, newTools(), { around });
      return { result: result.then(({ output }) => output) };
    };
    const started = arrivals.map(async ({ at, event }) => {
      await clock.sleep(at);
      await withLambdaRetries(clock, () => around('Start', 'start-response', () => startResponse(newTools(), event)));
    });
    await Promise.all(started);
    while (clock.now() < GIVE_UP_SECONDS && outcomes.some(({ denied, isolated }) => denied < 2 || isolated === null))
      await clock.sleep(1);
  });
  return { file, arrivals, outcomes, throttle, executions, mostFunctions };
}

/** An asynchronous invocation that fails is tried again after a minute and after two more. */
async function withLambdaRetries(clock: WorldClock, start: () => Promise<unknown>): Promise<void> {
  for (const pause of [60, 120, null]) {
    try {
      await start();
      return;
    } catch (error) {
      if (pause === null) throw error;
      await clock.sleep(pause);
    }
  }
}

export async function storm({ quick }: Effort): Promise<Section> {
  const chosen = quick ? SMALL_STORM : STORM;
  const { file, outcomes, throttle, executions, mostFunctions } = await run(chosen);
  const rate = rateOf('CreateNetworkAclEntry');
  // What a response alone takes from its finding to the call of the cut.
  const alone = await simulate(parseWorld(JSON.parse(text(WORLD))), JSON.parse(text(EVENT)));
  const lead = (alone.calls.beforeFirstCut?.seconds ?? 0) - file.LatencySeconds;
  const arrivals = outcomes.map(({ firstArrival }) => firstArrival + lead);
  // Two entries for each instance: a flow is cut with the first of them, and denied with both.
  const boundFirst = Math.max(...earliestTimes(arrivals, rate));
  const boundBoth = Math.max(...earliestTimes([...arrivals, ...arrivals], rate));
  const last = (of: (outcome: Outcome) => number | null): number | null =>
    outcomes.some((outcome) => of(outcome) === null) ? null : Math.max(...outcomes.map((outcome) => of(outcome) ?? 0));
  const allCut = last(({ firstCut }) => firstCut);
  const allBothWays = last(({ bothWays }) => bothWays);
  const allIsolated = last(({ isolated }) => isolated);
  const counts = [...throttle.counts].sort(([, a], [, b]) => b.refused - a.refused || b.calls - a.calls);
  const calls = counts.reduce((sum, [, count]) => sum + count.calls, 0);
  const refused = counts.reduce((sum, [, count]) => sum + count.refused, 0);
  const waitOf = (severity: number): number =>
    median(
      outcomes
        .filter((outcome) => outcome.severity === severity)
        .map(({ firstCut, firstArrival }) => (firstCut ?? GIVE_UP_SECONDS) - firstArrival),
    );
  const severities = [...new Set(outcomes.map(({ severity }) => severity))].sort((a, b) => b - a);
  const [highest = 0] = severities;
  const lowest = severities.at(-1) ?? 0;
  const bothWays = outcomes.filter((outcome) => outcome.bothWays !== null).length;
  return {
    name: 'storm',
    title: 'Storm',
    text: [
      `${chosen.findings} findings for ${chosen.instances} instances in ${chosen.subnets} subnets within ${chosen.seconds} s, in the virtual time of the embedded world (${file.LatencySeconds} s per call), with the documented token buckets of every EC2 API and of StartExecution; the cap on new isolations is lifted. The bound is the earliest second at which the bucket of CreateNetworkAclEntry (${rate.burst}, then ${rate.perSecond} per second) lets every instance have its call, none earlier than a response alone makes it, ${rounded(lead)} s after its finding: ${rounded(boundFirst)} s for one entry each, ${rounded(boundBoth)} s for both directions.`,
    ],
    tables: [
      {
        caption: 'The storm:',
        head: ['what', 'count or seconds'],
        rows: [
          ['executions started', executions],
          ['instances with a first cut', outcomes.filter(({ firstCut }) => firstCut !== null).length],
          ['instances denied both ways', bothWays],
          ['instances isolated', outcomes.filter(({ isolated }) => isolated !== null).length],
          ['all have their first cut (s)', allCut === null ? `not within ${GIVE_UP_SECONDS}` : rounded(allCut)],
          [
            'all are denied both ways (s)',
            allBothWays === null ? `not within ${GIVE_UP_SECONDS}` : rounded(allBothWays),
          ],
          ['all are isolated (s)', allIsolated === null ? `not within ${GIVE_UP_SECONDS}` : rounded(allIsolated)],
          ['functions at one time, at most', mostFunctions],
          ['calls to EC2 and starts of executions', calls],
          ['of them refused by a bucket', refused],
          [
            `wait for the first cut, severity ${highest} / severity ${lowest}`,
            rounded(waitOf(highest) / waitOf(lowest)),
          ],
        ],
      },
      {
        caption: 'The busiest buckets:',
        head: ['API', 'calls', 'refused'],
        rows: counts.slice(0, 8).map(([api, count]) => [api, count.calls, count.refused]),
      },
    ],
    goals: [
      atMost('executions beyond one per instance: duplicates cost no EC2 call', 0, executions - chosen.instances),
      atMost('all instances have their first cut, times the bound', 1.25, allCut === null ? null : allCut / boundFirst),
      atMost('instances that are not denied both ways in the end', 0, chosen.instances - bothWays),
      atMost('calls refused by a bucket, percent', 10, (100 * refused) / calls),
      atMost(
        'highest severity first: median wait for the first cut, of the highest / of the lowest',
        1,
        waitOf(highest) / waitOf(lowest),
      ),
      atMost('functions at one time (the default quota of an account)', 1000, mostFunctions),
    ],
  };
}
