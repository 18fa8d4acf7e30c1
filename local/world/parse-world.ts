import * as z from 'zod/mini';
import { InputError, quote } from '../../functions/core/errors.ts';
import type { ApiState } from './api/shapes.ts';
import type { WorldAssumptions, WorldFlow, WorldHost } from './parse/incident.ts';
import { assumptions, fault, flow, host, protocolName } from './parse/incident.ts';
import { fillNetworkInterfaces, fillVpcs } from './parse/network-interfaces.ts';
import { checkReferences } from './parse/references.ts';
import { awsLists } from './parse/shapes.ts';
import { canonicalAddress, isIpv6 } from './physics/addresses.ts';

export type { WorldAssumptions, WorldFlow, WorldHost } from './parse/incident.ts';

/** A world with every key in place. The AWS-shaped lists are the state: the API layer changes them in place. */
export interface WorldFile extends ApiState {
  Hosts: WorldHost[];
  Flows: WorldFlow[];
  Assumptions: WorldAssumptions;
}

const isoTime = z
  .string()
  .check(z.refine((value: string) => !Number.isNaN(Date.parse(value)), { error: 'is not a time in ISO 8601' }));

const worldFile = z.looseObject({
  AccountId: z._default(
    z.string().check(z.regex(/^\d{12}$/, { error: 'is not a 12-digit account id' })),
    '111122223333',
  ),
  Region: z._default(
    z.string().check(z.regex(/^[a-z]{2,4}(-[a-z]+)+-\d{1,2}$/, { error: 'is not the name of a Region' })),
    'eu-central-1',
  ),
  Now: z._default(isoTime, '2026-01-15T10:00:00Z'),
  ...awsLists,
  Hosts: z._default(z.array(host), []),
  Flows: z._default(z.array(flow), []),
  Assumptions: z.prefault(assumptions, {}),
  Faults: z._default(z.array(fault), []),
  NaclEntryQuota: z._default(z.int().check(z.minimum(1)), 20),
  LatencySeconds: z._default(z.number().check(z.minimum(0), z.maximum(3600)), 0.2),
});

export type ParsedWorld = z.infer<typeof worldFile>;

/**
 * Reads a world file, strictly: one wrong field, dangling reference or ambiguity and an InputError names it.
 *
 * @example parseWorld({ Flows: [{ RemoteAddress: 7 }] }) // InputError: Flows[0].RemoteAddress: 7 is not a string
 */
export function parseWorld(json: unknown): WorldFile {
  const parsed = worldFile.safeParse(json);
  if (!parsed.success) throw inputError(parsed.error.issues[0], json);
  const world = parsed.data;
  const given = new Set(Object.keys(json as object));
  fillNetworkInterfaces(world, given);
  fillVpcs(world);
  checkReferences(world, given);
  const flows = world.Flows.map((_, index) => completeFlow(world, index));
  refuseTwins(flows);
  tellApart(flows);
  // The schema says no less than ApiState does; it only spells "missing" as undefined.
  return { ...world, Flows: flows } as unknown as WorldFile;
}

type Issue = z.core.$ZodIssue;

function inputError(issue: Issue | undefined, json: unknown): InputError {
  const path = issue?.path ?? [];
  let value: unknown = json;
  for (const key of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[key];
  return new InputError(fieldPath(path), issue === undefined ? 'is malformed' : problem(issue, value));
}

/** A key that is no plain name is shown as the person wrote it, and could hold anything. */
const keyText = (key: string): string => (/^[\w-]{1,60}$/.test(key) ? `.${key}` : `[${quote(key)}]`);

function fieldPath(path: readonly PropertyKey[]): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : keyText(String(key)))).join('');
  return text === '' ? 'world' : text.replace(/^\./, '');
}

const articles: Readonly<Record<string, string>> = { int: 'a whole number', array: 'a list', object: 'an object' };

function problem(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type': {
      const wanted = articles[issue.expected] ?? `a ${issue.expected}`;
      return value === undefined ? `is missing; it has to be ${wanted}` : `${quote(value)} is not ${wanted}`;
    }
    case 'invalid_value':
      return `${value === undefined ? 'nothing' : quote(value)} is not one of ${issue.values.map((one) => quote(one)).join(', ')}`;
    case 'too_small':
      return issue.origin === 'string' ? issue.message : `${quote(value)} is too small, the least is ${issue.minimum}`;
    case 'too_big':
      return `${quote(value)} is too large, the most is ${issue.maximum}`;
    case 'invalid_key':
      return `${quote(issue.path.at(-1))} is not a valid key`;
    default:
      return value === undefined ? 'is missing' : `${quote(value)} ${issue.message}`;
  }
}

function completeFlow(world: ParsedWorld, index: number): WorldFlow {
  const given = world.Flows[index] as ParsedWorld['Flows'][number];
  const field = (name: string): string => `Flows[${index}].${name}`;
  const Protocol = protocolName(given.Protocol) ?? given.Protocol;
  const RemoteAddress = canonicalAddress(given.RemoteAddress) ?? given.RemoteAddress;
  if (Protocol === 'tcp' || Protocol === 'udp') {
    for (const port of ['LocalPort', 'RemotePort'] as const) {
      if (given[port] === null) throw new InputError(field(port), `is missing; a ${Protocol} flow has one`);
    }
  }
  const eni = world.NetworkInterfaces.find((one) =>
    given.NetworkInterfaceId === undefined
      ? given.LocalAddress !== undefined && addressesOf(one).includes(canonicalAddress(given.LocalAddress) ?? '')
      : one.NetworkInterfaceId === given.NetworkInterfaceId,
  );
  if (eni === undefined) {
    if (given.NetworkInterfaceId !== undefined) {
      throw new InputError(
        field('NetworkInterfaceId'),
        `${quote(given.NetworkInterfaceId)} is not among NetworkInterfaces`,
      );
    }
    throw given.LocalAddress === undefined
      ? new InputError(field('NetworkInterfaceId'), 'is missing, and there is no LocalAddress to find it by')
      : new InputError(
          field('LocalAddress'),
          `${quote(given.LocalAddress)} is not an address of any network interface`,
        );
  }
  const LocalAddress =
    given.LocalAddress === undefined
      ? addressesOf(eni).find((one) => isIpv6(one) === isIpv6(RemoteAddress))
      : (canonicalAddress(given.LocalAddress) ?? undefined);
  if (LocalAddress === undefined) {
    throw new InputError(
      field('LocalAddress'),
      `is missing, and ${eni.NetworkInterfaceId} has no address of the family of ${RemoteAddress}`,
    );
  }
  if (isIpv6(LocalAddress) !== isIpv6(RemoteAddress)) {
    throw new InputError(field('RemoteAddress'), `${quote(RemoteAddress)} is not of the family of ${LocalAddress}`);
  }
  return {
    ...given,
    Name: given.Name ?? `flow ${index + 1}`,
    Protocol,
    NetworkInterfaceId: eni.NetworkInterfaceId,
    LocalAddress,
    RemoteAddress,
  };
}

function addressesOf(eni: ParsedWorld['NetworkInterfaces'][number]): string[] {
  return [
    ...eni.PrivateIpAddresses.map((one) => one.PrivateIpAddress),
    ...eni.Ipv6Addresses.map((one) => one.Ipv6Address),
  ].map((one) => canonicalAddress(one) ?? one);
}

/** Two flows with one 5-tuple cannot both be on the wire. */
function refuseTwins(flows: readonly WorldFlow[]): void {
  const tuples = new Map<string, string>();
  for (const [index, one] of flows.entries()) {
    const tuple = [one.Protocol, one.LocalAddress, one.LocalPort, one.RemoteAddress, one.RemotePort].join(' ');
    const twin = tuples.get(tuple);
    if (twin !== undefined) throw new InputError(`Flows[${index}]`, `has the same 5-tuple as ${quote(twin)}`);
    tuples.set(tuple, one.Name);
  }
}

/** Truth is told by name: of several flows of one name, all but the first get a number. */
function tellApart(flows: readonly WorldFlow[]): void {
  const taken = new Set<string>();
  for (const one of flows) {
    const { Name } = one;
    for (let number = 2; taken.has(one.Name); number += 1) one.Name = `${Name} (${number})`;
    taken.add(one.Name);
  }
}
