import { describe, expect, it } from 'vitest';
import { InputError } from '../../functions/core/errors.ts';
import { parseCalls } from '../../local/calls.ts';
import { parseWorld } from '../../local/world/parse-world.ts';
import { defaultWorld, ids, readEvent } from '../support/bench.ts';
import { simulate } from '../support/own-flow-log.ts';

type Json = Record<string, unknown>;

/** A copy with one value replaced, at a path such as `detail.service.action`. */
function withValue(json: unknown, path: string, value: unknown): Json {
  const copy = structuredClone(json) as Json;
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  const parent = keys.reduce<Json>((at, key) => at[key] as Json, copy);
  parent[last] = value;
  return copy;
}

const HOSTILE: readonly unknown[] = [
  '0.0.0.0/0',
  '1.2.3.4; reboot',
  '198.51.100.7\n',
  '',
  '10.1',
  '::ffff:1.2.3.4/96',
  {},
  [],
  null,
  7,
  true,
];

async function refusalOf(run: () => unknown): Promise<InputError> {
  try {
    await run();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error('it was taken');
}

/** What is wrong with the refusal: it has to be one short sentence without control characters that names the field. */
function flawsOf({ message, field }: InputError, expected: string): readonly string[] {
  return [
    ...(/[\p{Cc}\u2028\u2029]/u.test(message) ? ['it holds control characters'] : []),
    ...(message.length < 400 ? [] : ['it is too long']),
    ...(message.startsWith(`${field}: `) ? [] : [`it does not begin with its field ${field}`]),
    ...(field.includes(expected) ? [] : [`it names ${field} instead of ${expected}`]),
  ];
}

describe('an event with a hostile value', () => {
  const event = readEvent('guardduty-ec2-c2activity');
  const connection = 'detail.service.action.networkConnectionAction';
  const cases = [
    'detail.accountId',
    'detail.region',
    'detail.resource.instanceDetails.instanceId',
    `${connection}.remoteIpDetails.ipAddressV4`,
  ]
    .flatMap((path) => HOSTILE.map((value) => [path, value] as const))
    // A peer that is null or "" is absent: the finding then names an instance and no flow.
    .filter(([path, value]) => !path.endsWith('ipAddressV4') || (value !== null && value !== ''));

  it.each(cases)('in %s (%j) is refused in one sentence that names it', async (path, value) => {
    expect(
      flawsOf(
        await refusalOf(() => simulate(defaultWorld(), withValue(event, path, value))),
        path.split('.').at(-1) ?? '',
      ),
    ).toEqual([]);
  });

  it.each([[-1], [65_536], [1.5], ['4444; reboot'], [{}], [[]]])('as a port (%j) is refused', async (value) => {
    expect(
      flawsOf(
        await refusalOf(() =>
          simulate(defaultWorld(), withValue(event, `${connection}.remotePortDetails.port`, value)),
        ),
        'port',
      ),
    ).toEqual([]);
  });

  it.each([
    ['detail.title', null],
    ['detail.title', 'a\nb'],
    ['detail.resource.instanceDetails.platform', null],
    ['detail.resource.instanceDetails.tags', null],
    [`${connection}.remoteIpDetails.country`, null],
    ['detail.service.evidence', null],
  ])('in %s (%j), which nobody needs, passes', async (path, value) => {
    expect((await simulate(defaultWorld(), withValue(event, path, value))).report.verdict).not.toBe('ignored');
  });
});

describe('a manual request with a hostile value', () => {
  const addresses = HOSTILE;

  it.each(addresses.map((value) => [value]))('for a peer (%j) is refused', async (value) => {
    expect(
      flawsOf(
        await refusalOf(() => simulate(defaultWorld(), { instanceId: ids.instance, remoteAddresses: [value] })),
        'remoteAddresses[0]',
      ),
    ).toEqual([]);
  });

  it.each<[string, unknown]>([
    ['instanceId', `${ids.instance}\n`],
    ['instanceId', { S: ids.instance }],
    ['instanceId', null],
    ['instanceId', 'i-ab01; reboot'],
    ['remoteAddresses', '198.51.100.7'],
    ['remoteAddresses', null],
    ['remoteAddresses', ['169.254.169.254']],
    ['remoteAddresses', ['127.0.0.1']],
    ['remoteAddresses', Array.from({ length: 101 }, (_, n) => `198.51.${Math.floor(n / 256)}.${n % 256}`)],
    ['mode', 'destroy'],
    ['mode', null],
    ['region', 'mars-1'],
    ['accountId', '1'],
    ['remoteAddress', '198.51.100.7'],
  ])('in %s (%j) is refused', async (field, value) => {
    expect(
      flawsOf(await refusalOf(() => simulate(defaultWorld(), { instanceId: ids.instance, [field]: value })), field),
    ).toEqual([]);
  });

  it.each([[null], [7], ['text'], [[]], [{}]])('that is %j is refused', async (input) => {
    expect(flawsOf(await refusalOf(() => simulate(defaultWorld(), input)), 'input')).toEqual([]);
  });
});

describe('a world with a hostile value', () => {
  const world = JSON.parse(JSON.stringify(defaultWorld())) as Json;
  const addresses = HOSTILE.filter((value) => value !== null);

  it.each(addresses.map((value) => [value]))('for an address (%j) is refused', async (value) => {
    expect(
      flawsOf(
        await refusalOf(() => parseWorld(withValue(world, 'Flows.0.RemoteAddress', value))),
        'Flows[0].RemoteAddress',
      ),
    ).toEqual([]);
  });

  it.each<[string, unknown, string]>([
    ['Now', 'yesterday', 'Now'],
    ['Now', null, 'Now'],
    ['AccountId', 7, 'AccountId'],
    ['Region', '../eu', 'Region'],
    ['LatencySeconds', -1, 'LatencySeconds'],
    ['LatencySeconds', '1', 'LatencySeconds'],
    ['NaclEntryQuota', 0, 'NaclEntryQuota'],
    ['NaclEntryQuota', 1.5, 'NaclEntryQuota'],
    ['Flows', {}, 'Flows'],
    ['Flows.0.RemotePort', 65_536, 'Flows[0].RemotePort'],
    ['Flows.0.RemotePort', null, 'Flows[0].RemotePort'],
    ['Flows.0.PacketEverySeconds', 0, 'Flows[0].PacketEverySeconds'],
    ['Flows.0.Protocol', 'carrier pigeon', 'Flows[0].Protocol'],
    ['Flows.0.NetworkInterfaceId', 'eni-00000000000000eff', 'Flows[0].NetworkInterfaceId'],
    ['Hosts.0.AgentLies', 'sometimes', 'Hosts[0].AgentLies'],
    ['Hosts.0.InstanceId', 'i-0000000000000ffff', 'Hosts[0].InstanceId'],
    ['Assumptions', { UntrackDwellConverts: 'maybe' }, 'Assumptions.UntrackDwellConverts'],
    ['Faults', [{ Api: 'X', Call: '0+', Error: 'Y' }], 'Faults[0].Call'],
    ['NetworkInterfaces.0.Groups', [{ GroupId: 'sg-00000000000000cff' }], 'NetworkInterfaces[0].Groups[0].GroupId'],
    ['NetworkAcls.0.Entries.0.CidrBlock', '0.0.0.0/33', 'NetworkAcls[0].Entries[0]'],
    ['NetworkAcls.0.Entries.0.RuleNumber', 'first', 'NetworkAcls[0].Entries[0].RuleNumber'],
    [
      'SecurityGroups.0.IpPermissions.0.IpRanges',
      [{ CidrIp: '10.1/8' }],
      'SecurityGroups[0].IpPermissions[0].IpRanges[0].CidrIp',
    ],
    ['RouteTables.0.Routes.1.DestinationCidrBlock', 'everywhere', 'RouteTables[0].Routes[1].DestinationCidrBlock'],
    ['Reservations.0.Instances.0.InstanceId', 'i-1; reboot', 'Reservations[0].Instances[0].InstanceId'],
  ])('in %s (%j) is refused', async (path, value, field) => {
    expect(flawsOf(await refusalOf(() => parseWorld(withValue(world, path, value))), field)).toEqual([]);
  });

  it.each([[null], [7], ['text'], [[]]])('that is %j is refused', async (json) => {
    expect(flawsOf(await refusalOf(() => parseWorld(json)), 'world')).toEqual([]);
  });
});

describe('a file of calls with a hostile value', () => {
  const call = { at: 10, service: 'ec2', api: 'StopInstances', input: { InstanceIds: [ids.instance] } };

  it.each<[unknown, string]>([
    [{}, 'calls'],
    [[null], 'calls[0]'],
    [[{ ...call, at: -1 }], 'calls[0].at'],
    [[{ ...call, at: '10' }], 'calls[0].at'],
    [[call, { ...call, service: 'kinesis' }], 'calls[1].service'],
    [[{ ...call, service: '__proto__' }], 'calls[0].service'],
    [[{ ...call, api: 'RunInstances; reboot' }], 'calls[0].api'],
    [[{ ...call, input: [] }], 'calls[0].input'],
    [
      [
        {
          ...call,
          service: 'host',
          api: 'closeSockets',
          input: { InstanceId: ids.instance, RemoteAddress: '0.0.0.0/0' },
        },
      ],
      'calls[0].input.RemoteAddress',
    ],
  ])('(%j) is refused', async (json, field) => {
    expect(flawsOf(await refusalOf(() => parseCalls(json)), field)).toEqual([]);
  });
});
