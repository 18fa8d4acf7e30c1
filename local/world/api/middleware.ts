import type { Physics, WorldClock } from '../state.ts';
import { type ApiContext, newServiceMemory, type ServiceMemory } from './context.ts';
import { AwsError, serviceException, timeoutError, WorldFaultError } from './errors.ts';
import { faultError, faultOf } from './faults.ts';
import { createJournal, type Journal } from './journal.ts';
import { type ServiceName, serviceOfClient } from './sdk.ts';
import { HANDLERS } from './services.ts';
import type { ExecutionStarter } from './sfn.ts';
import type { ApiState, Fault } from './shapes.ts';
import { answerForm, inputSummary, wireForm } from './wire-form.ts';

/** How long a client waits for an answer that never comes. */
const REQUEST_TIMEOUT_SECONDS = 3;

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
  readonly journal: Journal;
  readonly memory: ServiceMemory;
  readonly interceptors: Interceptor[];
  /** Set by whoever runs the state machines. */
  onStartExecution: ExecutionStarter | null;
  attach<C extends SdkClient>(client: C): C;
  /** Makes the changes that AWS made by itself up to now. */
  settle(): void;
}

export function createWire(state: ApiState, physics: Physics, clock: WorldClock): Wire {
  const journal = createJournal(() => clock.now());
  const memory = newServiceMemory();
  const interceptors: Interceptor[] = [];
  let pending: { at: number; change: () => void }[] = [];

  function settle(): void {
    physics.advanceTo(clock.now());
    const due = pending.filter(({ at }) => at <= clock.now()).sort((a, b) => a.at - b.at);
    pending = pending.filter((later) => !due.includes(later));
    for (const { change } of due) change();
  }

  function tellObservers(info: CallInfo): void {
    for (const observer of OBSERVERS) observer(info, state, memory);
  }

  function apply(info: CallInfo): object {
    const handler = HANDLERS[info.service][info.call];
    if (handler === undefined)
      throw new WorldFaultError(`the embedded world does not answer ${info.service} ${info.call}`);
    const starter = wire.onStartExecution;
    let changed = false;
    const context: ApiContext = {
      state,
      physics,
      memory,
      now: info.at,
      iso: (at) => clock.iso(at),
      later: (at, change) => pending.push({ at, change }),
      networkChanged: () => {
        changed = true;
      },
      startExecution: starter && ((execution) => journal.outside(() => starter(execution))),
    };
    const output = handler(context, info.input as never);
    if (changed) physics.networkChanged();
    return output;
  }

  async function answer(service: ServiceName, call: string, rawInput: unknown): Promise<object> {
    const startedAt = clock.now();
    const number = journal.count(call);
    const fault = faultOf(state.Faults, call, number);
    const input = wireForm(service, rawInput);
    const record = (outcome: string) =>
      journal.record({ at: clock.now(), service, call, outcome, input: inputSummary(input) }, startedAt);
    try {
      if (fault !== null && isTimeout(fault) && fault.AfterEffect !== true) {
        await clock.sleep(REQUEST_TIMEOUT_SECONDS);
        throw timeoutError(REQUEST_TIMEOUT_SECONDS);
      }
      await clock.sleep(state.LatencySeconds);
      settle();
      const info: CallInfo = { service, call, number, input, at: clock.now() };
      tellObservers(info);
      for (const interceptor of interceptors) interceptor.before?.(info);
      if (fault !== null && fault.AfterEffect !== true) throw faultError(fault);
      const output = apply(info);
      if (stopsPackets(info, output, memory)) journal.cut({ start: startedAt, end: info.at }, service === 'ec2');
      for (const interceptor of interceptors) interceptor.after?.(info);
      if (fault !== null && isTimeout(fault)) {
        await clock.sleep(Math.max(0, REQUEST_TIMEOUT_SECONDS - state.LatencySeconds));
        throw timeoutError(REQUEST_TIMEOUT_SECONDS);
      }
      if (fault !== null) throw faultError(fault);
      record('ok');
      return answerForm(output);
    } catch (error) {
      const failure = error instanceof AwsError ? serviceException(service, error) : error;
      record(failure instanceof Error ? `${failure.name}: ${failure.message}` : String(failure));
      throw failure;
    }
  }

  const wire: Wire = {
    journal,
    memory,
    interceptors,
    onStartExecution: null,
    attach(client) {
      takeOffline(client, state.Region);
      const middleware =
        (_next: unknown, { clientName, commandName }: { clientName: string; commandName: string }) =>
        async ({ input, request }: WireArguments) => ({
          response: { statusCode: 200, headers: {} },
          output: {
            ...(await answer(
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
    },
    settle,
  };
  return wire;
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
  if (!(request?.body instanceof Uint8Array)) return input;
  const token = /"ClientRequestToken":"([^"]+)"/.exec(new TextDecoder().decode(request.body))?.[1];
  return token === undefined ? input : { ClientRequestToken: token, ...(input as object) };
}

function isTimeout(fault: Fault): boolean {
  return fault.Error === 'Timeout' || fault.Error === 'TimeoutError';
}

/** Whether a call that took effect is one that stops packets, for the count of what went before the first cut. */
function stopsPackets({ service, call, input }: CallInfo, output: object, memory: ServiceMemory): boolean {
  const given = input as { RuleAction?: string; Groups?: unknown; CommandId?: string };
  if (service === 'ssm' && call === 'GetCommandInvocation') {
    const verb = memory.commands.get(given.CommandId ?? '')?.parameters['Verb']?.[0];
    return verb === 'cut' && (output as { Status?: string }).Status === 'Success';
  }
  if (service !== 'ec2') return false;
  switch (call) {
    case 'CreateNetworkAclEntry':
    case 'ReplaceNetworkAclEntry':
      return given.RuleAction === 'deny';
    case 'ModifyNetworkInterfaceAttribute':
    case 'ModifyInstanceAttribute':
      return given.Groups !== undefined;
    default:
      return call === 'StopInstances';
  }
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
