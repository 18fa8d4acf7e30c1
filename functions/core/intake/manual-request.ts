import * as z from 'zod/mini';
import { InputError, quote } from '../errors.ts';
import { HOST_OPTIONS } from '../host/host-options.ts';
import { addressClass } from '../network/addresses.ts';
import { withoutBlanks } from './blank-fields.ts';
import { bareFlow, mergeFlows } from './finding-flows.ts';
import { isAboutInstance, isSample, mentionedInstance, namesMadeUpNetwork } from './finding-subject.ts';
import {
  type Address,
  accountId,
  anyAddress,
  expected,
  fields,
  instanceId,
  integer,
  list,
  type Place,
  plainText,
  port,
  readFields,
  record,
  region,
  valueAt,
} from './input-fields.ts';
import { type CaseRequest, type HostRequest, type Intake, isDomainOnly, type NamedProcess } from './intake-types.ts';
import { normaliseGetFindings } from './normalise-getfindings.ts';
import { type ReadFinding, readFinding, readHead } from './read-finding.ts';
import { securityHubIn, securityHubText } from './security-hub.ts';

/** More peers than an ACL can ever hold are a mistake. */
const MOST_PEERS = 100;
/** What one parameter of the host's document holds. */
const MOST_NUMBERS = 64;

const numbers = <Item extends z.ZodMiniType>(item: Item, name: string) =>
  z.optional(list(item).check(z.maxLength(MOST_NUMBERS, { error: `has more than ${MOST_NUMBERS} ${name}` })));

const choice = <const Values extends readonly [string, ...string[]]>(values: Values) =>
  z.optional(z.enum(values, expected(values.map((value) => `"${value}"`).join(' or '))));

/** How far the host cut goes; a misspelt key would go less far than the person thinks. */
const hostOptions = z.strictObject(
  {
    mode: choice(HOST_OPTIONS.mode),
    survivors: choice(HOST_OPTIONS.survivors),
    sessions: choice(HOST_OPTIONS.sessions),
    agentSessions: choice(HOST_OPTIONS.agentSessions),
  },
  {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `has the unknown key ${quote(issue.keys[0])}; expected ${Object.keys(HOST_OPTIONS).join(', ')}`
        : expected('an object').error(issue),
  },
);

const REQUEST = {
  instanceId,
  remoteAddresses: z.optional(
    list(anyAddress).check(z.maxLength(MOST_PEERS, { error: `has more than ${MOST_PEERS} addresses` })),
  ),
  mode: z.optional(z.enum(['observe', 'contain'], expected('"observe" or "contain"'))),
  ports: numbers(port, 'ports'),
  pids: numbers(integer(1, 0x7f_ff_ff_ff), 'process ids'),
  host: z.optional(hostOptions),
  seal: z.optional(z.boolean(expected('true or false'))),
  reason: z.optional(plainText(1000)),
  finding: z.optional(record),
  accountId: z.optional(accountId),
  region: z.optional(region),
};
const manualRequest = fields(REQUEST);
const KEYS: readonly string[] = Object.keys(REQUEST);

const NOTES = {
  sample: 'The finding in the request is a sample that GuardDuty made on request: what it names is made up.',
  archived: 'The finding in the request is archived.',
  elsewhere:
    'The finding in the request is about another kind of resource than an instance: none of its flows, processes and domains is taken for one of the instance.',
} as const;

/** A misspelt key must not be ignored: without its `remoteAddresses` a request would cut less than was asked for. */
function refuseUnknownKeys(input: Readonly<Record<string, unknown>>): void {
  for (const key of Object.keys(input)) {
    if (KEYS.includes(key)) continue;
    const field = /^\w{1,60}$/.test(key) ? key : quote(key);
    throw new InputError(
      field,
      `is neither a key of a manual request (${KEYS.join(', ')}) nor of an EventBridge event`,
    );
  }
}

function refuseReserved(addresses: readonly Address[]): void {
  for (const [index, { address }] of addresses.entries()) {
    const verdict = addressClass(address);
    if (verdict.kind !== 'reserved') continue;
    throw new InputError(`remoteAddresses[${index}]`, `${quote(address)} cannot be a peer: ${verdict.because}`);
  }
}

interface Attached extends ReadFinding {
  /** Also where the finding is about something else, such as the instance's credentials. */
  readonly mentions: string | null;
  /** Its ids are made up: what it says of an instance contradicts nobody. */
  readonly isSample: boolean;
  readonly notes: readonly string[];
}

const NO_HINTS: CaseRequest['hints'] = { vpcIds: [], subnetIds: [], groupIds: [] };

/** Of a finding about something else only its name and its severity are of use. */
const ofElsewhere = (parts: ReadFinding['parts']): ReadFinding['parts'] => ({
  ...parts,
  flows: [],
  processes: [],
  domains: [],
  domainOnly: false,
  byRuntime: false,
  hints: NO_HINTS,
  notes: [NOTES.elsewhere],
});

function readAttached(given: unknown): Attached {
  const root = 'finding';
  const fromSecurityHub = securityHubIn(given);
  if (fromSecurityHub !== null) throw new InputError(root, securityHubText(fromSecurityHub));
  if (valueAt(given, 'detail') !== undefined || valueAt(given, 'detail-type') !== undefined) {
    throw new InputError(root, 'is a whole EventBridge event; expected the finding alone, which is its detail');
  }
  if (valueAt(given, 'findings') !== undefined || valueAt(given, 'Findings') !== undefined) {
    throw new InputError(root, 'is a list of findings; expected one of them');
  }
  const place: Place = { root, keys: valueAt(given, 'Type') === undefined ? 'camelCase' : 'PascalCase' };
  const finding = withoutBlanks(normaliseGetFindings(given, root));
  const head = readHead(finding, place);
  const sample = isSample(finding, head) || namesMadeUpNetwork(head);
  const notes = [...(sample ? [NOTES.sample] : []), ...(head.service?.archived === true ? [NOTES.archived] : [])];
  const read = readFinding(finding, head, place);
  const parts = isAboutInstance(head) ? read.parts : ofElsewhere(read.parts);
  return { ...read, parts, mentions: mentionedInstance(head), isSample: sample, notes };
}

function refuseContradiction(field: string, asked: string | undefined, found: string | null | undefined): void {
  if (asked === undefined || found === undefined || found === null || asked === found) return;
  throw new InputError(field, `${quote(asked)} contradicts the finding, which says ${quote(found)}`);
}

/** What the finding says of this instance: in a sequence its own part, elsewhere the whole finding. */
function partOf(attached: Attached | null, asked: string): CaseRequest | null {
  const own = attached?.requests.find((request) => request.instanceId === asked);
  if (own === undefined && attached?.isSample !== true)
    refuseContradiction('instanceId', asked, attached?.requests[0]?.instanceId ?? attached?.mentions);
  return own ?? null;
}

/** Reads what a person asks for; their word counts for more than the class or the marks of a finding that they attach. */
export function intakeManual(input: Readonly<Record<string, unknown>>): Intake {
  refuseUnknownKeys(input);
  const request = readRequest(input);
  const peers = request.remoteAddresses ?? [];
  refuseReserved(peers);

  const attached = request.finding === undefined ? null : readAttached(request.finding);
  const part = partOf(attached, request.instanceId);
  const home = part ?? attached;
  refuseContradiction('accountId', request.accountId, home?.accountId);
  refuseContradiction('region', request.region, home?.region);

  const known = part ?? attached?.parts;
  const flows = mergeFlows([...(known?.flows ?? []), ...peers.map((peer) => bareFlow(peer, 'request'))]);
  const domains = known?.domains ?? [];
  return {
    kind: 'case',
    class: 'MANUAL',
    reason: 'a person asked for it',
    request: {
      origin: 'manual',
      accountId: request.accountId ?? home?.accountId ?? null,
      region: request.region ?? home?.region ?? null,
      instanceId: request.instanceId,
      mode: request.mode ?? null,
      reason: request.reason ?? null,
      finding: known?.finding ?? null,
      flows,
      processes: withPids(known?.processes ?? [], request.pids ?? []),
      ...hostPart(request),
      ...(request.seal === true && { seal: true }),
      domains,
      severity: known?.severity ?? null,
      domainOnly: isDomainOnly({ flows, domains }),
      byRuntime: known?.byRuntime ?? false,
      hints: known?.hints ?? NO_HINTS,
      notes: [...(known?.notes ?? []), ...(attached?.notes ?? [])],
    },
  };
}

function withPids(known: readonly NamedProcess[], pids: readonly number[]): readonly NamedProcess[] {
  const fresh = [...new Set(pids)].filter((pid) => !known.some((process) => process.pid === pid));
  return [...known, ...fresh.map((pid) => ({ pid, name: null, executablePath: null }))];
}

function hostPart({ ports, host }: z.infer<typeof manualRequest>): { readonly host?: HostRequest } {
  if (ports === undefined && host === undefined) return {};
  const chosen = Object.entries(host ?? {}).filter(([, value]) => value !== undefined);
  return { host: { ports: [...new Set(ports)], options: Object.fromEntries(chosen) } };
}

/** Its keys stand at the top of the input, so their paths have no root. */
function readRequest(input: unknown): z.infer<typeof manualRequest> {
  return readFields(manualRequest, input, { root: '', keys: 'camelCase' });
}
