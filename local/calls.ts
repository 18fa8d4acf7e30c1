import { isIP } from 'node:net';
import { InputError, quote } from '../functions/core/errors.ts';
import { nearMiss } from './near-miss.ts';
import { WorldFaultError } from './world/api/errors.ts';
import { exportedClass, SDK, type ServiceName } from './world/api/sdk.ts';
import { HANDLERS } from './world/api/services.ts';
import type { EmbeddedWorld } from './world/embedded-world.ts';
import type { WorldPhysics } from './world/physics.ts';
import type { Physics } from './world/state.ts';

/** A call of somebody who is not the responder. */
export interface ApiCall {
  readonly service: ServiceName | 'host';
  readonly api: string;
  readonly input: Record<string, unknown>;
}

/** One call of a `--calls` file. */
export interface ReplayedCall extends ApiCall {
  /** Second at which the call is sent; it takes effect a latency later. */
  readonly at: number;
}

/** No response takes longer: Step Functions' longest wait is a year. */
const LATEST = 366 * 86_400;

/** What only a host can do, no API. */
type HostPhysics = Physics & Pick<WorldPhysics, 'closeSockets' | 'closeAgentConnection'>;

const HOST_CALLS = ['closeSockets', 'closeAgentConnection'];

/**
 * Reads a `--calls` file.
 *
 * @example parseCalls([{ at: 10, service: 'ec2', api: 'StopInstances', input: { InstanceIds: ['i-...'] } }])
 */
export function parseCalls(json: unknown): ReplayedCall[] {
  return listOfCalls(json, 'calls').map((call, index) => {
    const path = `calls[${index}]`;
    const { at, ...rest } = objectAt(call, path);
    return { at: parseSecond(at, `${path}.at`), ...parseCall(rest, path) };
  });
}

/** Reads the calls of one step of an episode, made one after another; one without `at` not before the step's. */
export function parseCallsOfStep(json: unknown, path: string, stepAt: number): ReplayedCall[] {
  return listOfCalls(json, path).map((given, index) => {
    const call = `${path}[${index}]`;
    const { at = stepAt, ...rest } = objectAt(given, call);
    const second = parseSecond(at, `${call}.at`);
    if (second < stepAt) throw new InputError(`${call}.at`, `${second} is before the step's ${stepAt}`);
    return { at: second, ...parseCall(rest, call) };
  });
}

function listOfCalls(json: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(json)) throw new InputError(path, `${quote(json)} is not a list of calls`);
  return json;
}

/** Reads a moment of virtual time. */
export function parseSecond(at: unknown, path: string): number {
  if (typeof at === 'number' && at >= 0 && at <= LATEST) return at;
  throw new InputError(path, `${quote(at)} is not a number of seconds from 0 to ${LATEST}, a year`);
}

/** The object that stands at this place of an input. */
export function objectAt(json: unknown, path: string): Record<string, unknown> {
  if (!isObject(json)) throw new InputError(path, `${quote(json)} is not an object`);
  return json;
}

/** Members that nobody knows are left alone; one that is nearly a known one is a slip. */
function refuseNearMisses(json: object, known: readonly string[], path: string): void {
  for (const key of Object.keys(json)) {
    const meant = known.includes(key) ? null : nearMiss(key, known);
    if (meant !== null) throw new InputError(path, `has no ${quote(key)}; did you mean ${meant}?`);
  }
}

function parseCall(json: unknown, path: string): ApiCall {
  const call = objectAt(json, path);
  const { service, api, input = {} } = call;
  refuseNearMisses(call, ['at', 'service', 'api', 'input'], path);
  if (typeof service !== 'string' || !(service === 'host' || Object.hasOwn(SDK, service))) {
    throw new InputError(
      `${path}.service`,
      `${quote(service)} is not one of ${[...Object.keys(SDK), 'host'].join(', ')}`,
    );
  }
  const known = service === 'host' ? HOST_CALLS : Object.keys(HANDLERS[service as ServiceName]);
  if (typeof api !== 'string' || !known.includes(api)) {
    throw new InputError(`${path}.api`, `${quote(api)} is not a call of ${service} that the world answers`);
  }
  if (!isObject(input)) throw new InputError(`${path}.input`, `${quote(input)} is not an object`);
  if (service === 'host') requireHostInput(api, input, `${path}.input`);
  return { service: service as ApiCall['service'], api, input };
}

function requireHostInput(api: string, { InstanceId, RemoteAddress }: Record<string, unknown>, path: string): void {
  if (typeof InstanceId !== 'string' || !/^i-[0-9a-f]{8,17}$/.test(InstanceId)) {
    throw new InputError(`${path}.InstanceId`, `${quote(InstanceId)} is not an instance id`);
  }
  if (api === 'closeSockets' && (typeof RemoteAddress !== 'string' || isIP(RemoteAddress) === 0)) {
    throw new InputError(`${path}.RemoteAddress`, `${quote(RemoteAddress)} is not a single IP address`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Makes the calls, each at its second, through real SDK clients; how each ended stands on the world's timeline. */
export async function replayCalls(world: EmbeddedWorld<HostPhysics>, calls: readonly ReplayedCall[]): Promise<void> {
  await Promise.all(
    calls.map(async (call, index) => {
      await world.clock.sleep(call.at - world.clock.now());
      await makeCall(world, call, `calls[${index}]`);
    }),
  );
}

/** Makes one call now, under a name that no other has; says `ok`, or the name and the message of the error. */
export function makeCall(world: EmbeddedWorld<HostPhysics>, call: ApiCall, name: string): Promise<string> {
  return world.inState(name, () => makeNamed(world, call, name));
}

async function makeNamed(
  world: EmbeddedWorld<HostPhysics>,
  { service, api, input }: ApiCall,
  name: string,
): Promise<string> {
  if (service === 'host') {
    const at = world.clock.now();
    world.physics.advanceTo(at);
    const instanceId = String(input['InstanceId']);
    if (api === 'closeAgentConnection') world.physics.closeAgentConnection(instanceId, at);
    else world.physics.closeSockets(instanceId, String(input['RemoteAddress']), at);
    world.note('host', api, 'ok', input);
    return 'ok';
  }
  try {
    await send(world, service, api, input);
    return 'ok';
  } catch (error) {
    const onTheWire = world.timeline().some(({ state }) => state === name);
    // What the SDK refuses to write never reaches the wire, and would be on no timeline.
    if (!onTheWire) world.note(service, api, String(error), input);
    return String(error);
  }
}

/** The commands are looked up by name, which the SDK's types cannot follow. */
interface AnyClient {
  send(command: object): Promise<unknown>;
}

function send(world: EmbeddedWorld<HostPhysics>, service: ServiceName, api: string, input: object): Promise<unknown> {
  const Command = exportedClass(service, `${api}Command`);
  if (Command === undefined) throw new WorldFaultError(`the SDK has no ${service} ${api}`);
  const client = world.attach(new SDK[service].Client({})) as unknown as AnyClient;
  return client.send(new Command(input));
}
