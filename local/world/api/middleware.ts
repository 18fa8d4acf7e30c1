import { CLIENT_SETTINGS, HOST_SETTINGS, SEARCH_SETTINGS } from '../../../functions/aws/client-settings.ts';
import type { Physics, WorldClock } from '../state.ts';
import { type Callers, createCallers, responderArn } from './callers.ts';
import type { ApiContext } from './context.ts';
import { AwsError, serviceException, timeoutError, WorldFaultError } from './errors.ts';
import type { ExecutionStarter } from './executions.ts';
import { faultError, faultOf } from './faults.ts';
import { stopsPackets } from './first-cut.ts';
import { createJournal, type Journal } from './journal.ts';
import { newServiceMemory, type ServiceMemory } from './memory.ts';
import { createReadReplica, type ReadReplica } from './read-replica.ts';
import { type ServiceName, serviceOfClient } from './sdk.ts';
import { HANDLERS } from './services.ts';
import type { ApiState, Fault } from './shapes.ts';
import { isTrailed, type TrailEvent, trailEvent } from './trail.ts';
import { answerForm, inputSummary, wireForm } from './wire-form.ts';

/** How long a client of ours waits for an answer that never comes, in seconds. */
function patienceFor(service: ServiceName): number {
  const settings = { ssm: HOST_SETTINGS, logs: SEARCH_SETTINGS }[service as string] ?? CLIENT_SETTINGS;
  return settings.requestHandler.requestTimeout / 1000;
}

/** One call as an interceptor sees it. */
export interface CallInfo {
  readonly service: ServiceName;
  readonly call: string;
  /** Which call of this API it is on the wire, from 1. */
  readonly number: number;
  readonly input: unknown;
  readonly at: number;
}

/** A test's hand in the world: what it throws, the caller gets, before the call had its effect or after. */
export interface Interceptor {
  before?(call: CallInfo): void;
  after?(call: CallInfo): void;
}

/** Told of every call that reaches any world, before it is answered; the state is what it is at that moment. */
export type Observer = (call: CallInfo, state: ApiState, memory: ServiceMemory) => void;

/** Those who watch all worlds of this process, whoever makes them. */
export const OBSERVERS: Observer[] = [];

/** Hears of the calls of others, `TrailDeliverySeconds` after each. */
export type TrailListener = (event: TrailEvent) => unknown;

/** The parts of an SDK client that the world takes hold of. */
export interface SdkClient {
  readonly config: object;
  readonly middlewareStack: {
    remove(name: string): boolean;
    add(middleware: never, options: never): void;
  };
}

/** The wire: answers SDK clients from the state, in virtual time, and keeps the journal. */
export interface Wire {
  readonly state: ApiState;
  readonly physics: Physics;
  readonly clock: WorldClock;
  readonly journal: Journal;
  readonly memory: ServiceMemory;
  readonly callers: Callers;
  readonly replica: ReadReplica;
  readonly interceptors: Interceptor[];
  /** Set by whoever runs the state machines. */
  onStartExecution: ExecutionStarter | null;
  /** Set by whoever delivers events. */
  onTrailEvent: TrailListener | null;
  /** Changes that AWS makes by itself at later seconds. */
  pending: { readonly at: number; readonly change: () => void }[];
}

export function createWire(state: ApiState, physics: Physics, clock: WorldClock): Wire {
  return {
    state,
    physics,
    clock,
    journal: createJournal(() => clock.now()),
    memory: newServiceMemory(),
    callers: createCallers(responderArn(state.AccountId)),
    replica: createReadReplica(state),
    interceptors: [],
    onStartExecution: null,
    onTrailEvent: null,
    pending: [],
  };
}

/** Makes the changes that AWS made by itself up to now. */
export function settle(wire: Wire): void {
  const now = wire.clock.now();
  wire.physics.advanceTo(now);
  const due = wire.pending.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
  wire.pending = wire.pending.filter((later) => !due.includes(later));
  for (const { change, at } of due) {
    change();
    wire.replica.changed(at);
  }
}

/** Makes a client talk to the world, and to nothing else; gives the same client back. */
export function attachTo<C extends SdkClient>(wire: Wire, client: C): C {
  takeOffline(client, wire.state.Region);
  const middleware =
    (_next: unknown, { clientName, commandName }: { clientName: string; commandName: string }) =>
    async ({ input, request }: WireArguments) => ({
      response: { statusCode: 200, headers: {} },
      output: {
        ...(await answer(
          wire,
          requireService(clientName),
          commandName.replace(/Command$/, ''),
          withClientToken(input, request),
        )),
        $metadata: { httpStatusCode: 200, requestId: '00000000-0000-0000-0000-000000000000' },
      },
    });
  // Outermost in its step: the SDK's deserializer, the signer and the HTTP handler are never reached, its retries are.
  const options = { step: 'deserialize', priority: 'high', name: 'embeddedWorld', override: true };
  client.middlewareStack.add(middleware as never, options as never);
  return client;
}

/** One attempt on the wire: it takes its time, may fail as the file says, and stands in the journal. */
async function answer(wire: Wire, service: ServiceName, call: string, rawInput: unknown): Promise<object> {
  const { clock, journal, state } = wire;
  const startedAt = clock.now();
  const number = journal.count(call);
  const input = wireForm(service, rawInput);
  const fault = faultOf(state.Faults, { service, api: call, call: number, at: startedAt + state.LatencySeconds });
  const record = (outcome: string) =>
    journal.record({ at: clock.now(), service, call, outcome, input: inputSummary(input) }, startedAt);
  try {
    if (fault !== null && isTimeout(fault) && fault.AfterEffect !== true) {
      await clock.sleep(patienceFor(service));
      throw timeoutError(patienceFor(service));
    }
    await clock.sleep(state.LatencySeconds);
    settle(wire);
    const output = takeEffect(wire, { service, call, number, input, at: clock.now() }, fault, startedAt);
    if (fault !== null) await loseAnswer(wire, fault, service);
    record('ok');
    return answerForm(output);
  } catch (error) {
    const failure = error instanceof AwsError ? serviceException(service, error) : error;
    record(failure instanceof Error ? `${failure.name}: ${failure.message}` : String(failure));
    throw failure;
  }
}

function takeEffect(wire: Wire, info: CallInfo, fault: Fault | null, startedAt: number): object {
  const { interceptors, journal, state, memory } = wire;
  for (const observer of OBSERVERS) observer(info, state, memory);
  for (const interceptor of interceptors) interceptor.before?.(info);
  if (fault !== null && fault.AfterEffect !== true) throw faultError(fault);
  const output = applyAndTell(wire, info);
  if (stopsPackets({ ...info, output }, state, memory)) {
    journal.cut({ start: startedAt, end: info.at }, info.service === 'ec2');
  }
  for (const interceptor of interceptors) interceptor.after?.(info);
  return output;
}

/** The change was made, and nobody hears of it. */
async function loseAnswer({ clock, state }: Wire, fault: Fault, service: ServiceName): Promise<never> {
  if (!isTimeout(fault)) throw faultError(fault);
  await clock.sleep(Math.max(0, patienceFor(service) - state.LatencySeconds));
  throw timeoutError(patienceFor(service));
}

function applyAndTell(wire: Wire, info: CallInfo): object {
  try {
    const output = apply(wire, info);
    tellTrail(wire, info, output, null);
    return output;
  } catch (error) {
    if (error instanceof AwsError) tellTrail(wire, info, null, error);
    throw error;
  }
}

function apply(wire: Wire, { service, call, input, at }: CallInfo): object {
  const { physics, memory, journal, callers, replica, clock } = wire;
  const handler = HANDLERS[service][call];
  if (handler === undefined) throw new WorldFaultError(`the embedded world does not answer ${service} ${call}`);
  const starter = wire.onStartExecution;
  let changed = false;
  const context: ApiContext = {
    state: replica.seenBy(service, call, at),
    physics,
    memory,
    now: at,
    iso: (seconds) => clock.iso(seconds),
    later: (seconds, change) => wire.pending.push({ at: seconds, change }),
    networkChanged: () => {
      changed = true;
    },
    startExecution: starter && ((execution) => callers.outside(() => journal.outside(() => starter(execution)))),
  };
  const output = handler(context, input as never);
  if (changed) physics.networkChanged();
  if (isTrailed(service, call)) replica.changed(at);
  return output;
}

/** CloudTrail tells of what others than the responder do, when it is time. */
function tellTrail(wire: Wire, info: CallInfo, output: object | null, error: AwsError | null): void {
  const { callers, clock, journal, state } = wire;
  const callerArn = callers.current();
  const delay = state.Assumptions?.TrailDeliverySeconds === undefined ? 60 : state.Assumptions.TrailDeliverySeconds;
  if (callerArn === callers.responder || delay === null || !isTrailed(info.service, info.call)) return;
  const event = trailEvent({
    ...info,
    output,
    error,
    time: clock.iso(info.at),
    accountId: state.AccountId,
    region: state.Region,
    callerArn,
  });
  const deliver = async (): Promise<void> => {
    await clock.sleep(delay);
    await wire.onTrailEvent?.(event);
  };
  callers
    .outside(() => journal.outside(deliver))
    .catch((problem: unknown) =>
      journal.note(info.service, info.call, `CloudTrail event not taken: ${String(problem)}`),
    );
}

function requireService(clientName: string): ServiceName {
  const service = serviceOfClient(clientName);
  if (service === undefined) throw new WorldFaultError(`the embedded world has no service for ${clientName}`);
  return service;
}

interface WireArguments {
  readonly input: unknown;
  readonly request?: { readonly body?: unknown };
}

/** The SDK makes up client tokens as it writes the request, one for all attempts: they are on the wire, not in the input. */
function withClientToken(input: unknown, request: WireArguments['request']): unknown {
  const { body } = request ?? {};
  if (typeof body === 'string') {
    const token = new URLSearchParams(body).get('ClientToken');
    return token === null ? input : { ClientToken: token, ...(input as object) };
  }
  if (!(body instanceof Uint8Array)) return input;
  const token = /"ClientRequestToken":"([^"]+)"/.exec(new TextDecoder().decode(body))?.[1];
  return token === undefined ? input : { ClientRequestToken: token, ...(input as object) };
}

function isTimeout(fault: Fault): boolean {
  return fault.Error === 'Timeout' || fault.Error === 'TimeoutError';
}

/**
 * Takes out of a client what would look for credentials, endpoints or settings on the machine, or sign: in the world
 * nothing of that is needed, and no run may depend on it.
 */
function takeOffline(client: SdkClient, region: string): void {
  for (const name of ['httpAuthSchemeMiddleware', 'httpSigningMiddleware', 'getUserAgentMiddleware']) {
    client.middlewareStack.remove(name);
  }
  const endpoint = { url: new URL('https://embedded-world.invalid/'), headers: {}, properties: {} };
  Object.assign(client.config, {
    region: async () => region,
    ignoreConfiguredEndpointUrls: true,
    useDualstackEndpoint: async () => false,
    useFipsEndpoint: async () => false,
    endpointProvider: () => endpoint,
    credentials: async () => ({ accessKeyId: 'EMBEDDEDWORLD', secretAccessKey: 'none' }),
  });
}
