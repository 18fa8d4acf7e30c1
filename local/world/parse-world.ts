import { InputError } from '../../functions/core/errors.ts';
import { madeId } from './api/ids.ts';
import type { ApiState } from './api/shapes.ts';
import { completeFlows } from './parse/flows.ts';
import type { WorldAssumptions, WorldFlow, WorldHost } from './parse/incident.ts';
import { checkKeys } from './parse/keys.ts';
import { fillNetworkInterfaces, fillVpcs } from './parse/network-interfaces.ts';
import { problemOf } from './parse/problems.ts';
import { checkReferences } from './parse/references.ts';
import { type ParsedWorld, worldFile } from './parse/world-schema.ts';

export type { WorldAssumptions, WorldFlow, WorldHost } from './parse/incident.ts';

/** A world with every key in place. The AWS-shaped lists are the state: the API layer changes them in place. */
export interface WorldFile extends ApiState {
  Hosts: WorldHost[];
  Flows: WorldFlow[];
  Assumptions: WorldAssumptions;
  /** How long the first start of every function takes. */
  FunctionStartSeconds: number;
}

/**
 * Reads a world file, strictly: one wrong field, dangling reference or ambiguity and an InputError names it.
 *
 * @example parseWorld({ Flows: [{ RemoteAddress: 7 }] }) // InputError: Flows[0].RemoteAddress: 7 is not a string
 */
export function parseWorld(json: unknown): WorldFile {
  checkKeys(json);
  const parsed = worldFile.safeParse(json);
  if (!parsed.success) throw problemOf(parsed.error.issues[0], json);
  const world = parsed.data;
  const given = new Set(Object.keys(json as object));
  checkFaults(world);
  fillNetworkInterfaces(world, given);
  fillVpcs(world);
  checkReferences(world, given);
  checkFlowLogs(world);
  nameFlowLogs(world);
  // The schema says no less than ApiState does; it only spells "missing" as undefined.
  return { ...world, Flows: completeFlows(world) } as unknown as WorldFile;
}

/** Several flow logs of one resource have ids of their own. */
function nameFlowLogs({ FlowLogs }: ParsedWorld): void {
  for (const [index, log] of FlowLogs.entries()) {
    const earlier = FlowLogs.slice(0, index).filter((one) => one.ResourceId === log.ResourceId).length;
    log.FlowLogId ??= madeId('fl', log.ResourceId, ...(earlier === 0 ? [] : [earlier]));
  }
}

/** Stretches of a flow log end after they begin. */
function checkFlowLogs({ FlowLogs }: ParsedWorld): void {
  for (const [index, { Gaps, SkipData }] of FlowLogs.entries()) {
    for (const [key, spans] of Object.entries({ Gaps, SkipData })) {
      for (const [place, [from, to]] of (spans ?? []).entries()) {
        if (to > from) continue;
        throw new InputError(`FlowLogs[${index}].${key}[${place}][1]`, `${to} is not after its beginning, ${from}`);
      }
    }
  }
}

function checkFaults({ Faults }: ParsedWorld): void {
  for (const [index, { Api, Service, FromSeconds, ToSeconds }] of Faults.entries()) {
    const path = `Faults[${index}]`;
    if (Api === undefined && Service === undefined) {
      throw new InputError(`${path}.Api`, 'is missing; it has to be a string, or Service names what is out');
    }
    if (ToSeconds !== null && ToSeconds <= FromSeconds) {
      throw new InputError(`${path}.ToSeconds`, `${ToSeconds} is not after FromSeconds, ${FromSeconds}`);
    }
  }
}
