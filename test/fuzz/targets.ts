import { readdirSync, readFileSync } from 'node:fs';
import { type AttributeValue, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import fc from 'fast-check';
import { readBefore } from '../../functions/aws/case-table/before-states.ts';
import { readSwitch } from '../../functions/aws/case-table/brakes.ts';
import { readCase } from '../../functions/aws/case-table/cases.ts';
import { readClaim } from '../../functions/aws/case-table/claims.ts';
import { ledgerOf } from '../../functions/aws/case-table/deny-ledger.ts';
import { casesNeedingGroup, readDeletedGroups, readSuccessor } from '../../functions/aws/case-table/groups.ts';
import { readPreserved } from '../../functions/aws/case-table/preserved.ts';
import { flowClassifier } from '../../functions/core/case/assess.ts';
import { isComplete, joinListing, readListing } from '../../functions/core/host/host-flows.ts';
import { parseHostOutput } from '../../functions/core/host/host-protocol.ts';
import { intake } from '../../functions/core/intake/intake.ts';
import { parseRestoreRequest } from '../../functions/core/intake/restore-request.ts';
import { parseCalls } from '../../local/calls.ts';
import { parseEpisode } from '../../local/episode.ts';
import { requireShallow } from '../../local/input.ts';
import { playEpisode } from '../../local/play.ts';
import { episodeJson } from '../../local/print-episode.ts';
import { replay } from '../../local/replay.ts';
import { resultJson } from '../../local/result.ts';
import { simulate } from '../../local/simulate.ts';
import { localConfig, readParameters } from '../../local/stack.ts';
import { parseWorld } from '../../local/world/parse-world.ts';
import { theLine, theProcess, theVerdict } from '../support/host-report.ts';
import { caseFlowOf, theBefore, theCase, theFacts } from '../support/incident.ts';
import { anyJson, type Json, mutated } from './mutate.ts';
import { soundly } from './refusal.ts';

/** One reader of input from outside. `read` throws, or rejects, where the reader does anything but answer or refuse. */
export interface Target {
  readonly name: string;
  /** How many inputs CI gives it. */
  readonly runs: number;
  readonly inputs: fc.Arbitrary<Json>;
  readonly read: (input: Json) => unknown;
}

const asJson = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;

const root = new URL('../../', import.meta.url);
const readJson = (path: string): Json => JSON.parse(readFileSync(new URL(path, root), 'utf8')) as Json;
const filesIn = (folder: string, prefix = ''): string[] =>
  readdirSync(new URL(folder, root))
    .filter((file) => file.startsWith(prefix) && file.endsWith('.json'))
    .map((file) => `${folder}${file}`);

const findings = filesIn('events/', 'guardduty-').map(readJson);
const requests = filesIn('events/', 'manual-').map(readJson);
const worlds = filesIn('local/worlds/').map(readJson);
const [defaultWorld = null] = filesIn('local/worlds/', 'default').map(readJson);

const mostly = (samples: readonly Json[]): fc.Arbitrary<Json> =>
  fc.oneof({ weight: 9, arbitrary: mutated(samples) }, { weight: 1, arbitrary: anyJson });

// --- what the host prints -------------------------------------------------------------------------------------------

const { caseId } = theCase;
const hostLines = [
  theLine,
  { ...theLine, protocol: 'raw', localPort: null, remotePort: null, remoteAddress: '0.0.0.0', ipProtocol: 47 },
  { ...theProcess, openFiles: ['/dev/tcp'] },
  { ...theVerdict, caseId, listed: 2, closed: 2, notes: ['x'], killed: [1], processes: 1 },
];
const hostAnswer = asJson(hostLines);
const classify = flowClassifier(theFacts);
const vague = caseFlowOf({ protocol: 'unknown', localAddress: null, localPort: null, remotePort: null });

/** Text as it is, anything else as JSON; a host that printed lists too deep for that would write the brackets. */
function printed(line: Json): string {
  if (typeof line === 'string') return line;
  try {
    return JSON.stringify(line);
  } catch {
    return '['.repeat(9000) + ']'.repeat(9000);
  }
}

/** A list is what a host prints line by line, text is its output as it stands. */
function readHost(input: Json): void {
  const output = Array.isArray(input) ? input.map(printed).join('\n') : printed(input);
  const report = parseHostOutput(output, { verb: 'cut', caseId });
  if (report.kind === 'no-evidence') return;
  const listing = readListing(report, classify);
  if (listing === null) return;
  joinListing([vague, ...theCase.flows], listing);
  // Only what the lists say in so many words may end a flow.
  if (isComplete(listing) && report.flows.some(({ after }) => after !== 'gone')) {
    throw new Error('a list with an open flow passed for complete');
  }
}

// --- what DynamoDB gives back ---------------------------------------------------------------------------------------

const item = { pk: `CASE#${caseId}`, sk: 'CASE' };
const items: Json[] = [
  { ...item, version: 1, document: asJson(theCase) },
  { ...item, sk: 'BEFORE#eni-1', before: asJson(theBefore) },
  { ...item, sk: 'PRESERVED#tags', preserved: { kind: 'tags' }, taken: 1, undone: true },
  { ...item, sk: 'GROUP#sg-1', group: { groupId: 'sg-1', name: 'web', vpcId: 'vpc-1', ingress: [], egress: [] } },
  { ...item, sk: 'SUCCESSOR#sg-1', successor: 'sg-2' },
  {
    pk: 'ACL#acl-1',
    sk: 'DENY#in#198.51.100.7/32',
    aclId: 'acl-1',
    egress: false,
    cidr: '198.51.100.7/32',
    ruleNumber: 1,
  },
  { pk: 'INSTANCE#111122223333#eu-central-1#i-0000000000000ab01', sk: 'CLAIM', caseId, generation: 1 },
  { pk: 'SETTINGS', sk: 'MODE', mode: 'observe' },
  { pk: 'GROUP#sg-1', sk: `CASE#${caseId}` },
];

type Item = Record<string, AttributeValue>;

/** "Up to 32 levels deep": https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html */
const ITEM_LEVELS = 32;

/** Whether DynamoDB could hold it. */
function isStorable(value: Json, levels = ITEM_LEVELS): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((item) => isStorable(item, levels - 1));
}

/** The members that hold JSON as text. */
const TEXTS = ['document', 'before', 'preserved', 'group'];

function attributesOf(input: Json): Item {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return {};
  const plain = Object.fromEntries(
    Object.entries(input).map(([name, value]) => [
      name,
      TEXTS.includes(name) && typeof value !== 'string' ? JSON.stringify(value) : value,
    ]),
  );
  if (!isStorable(plain)) throw new Error('DynamoDB holds no such item');
  return marshall(plain);
}

let stored: Item = {};
const client = new DynamoDBClient({ region: 'eu-central-1' });
client.middlewareStack.add(
  () => () => Promise.resolve({ response: {}, output: { $metadata: {}, Item: stored, Items: [stored] } as never }),
  { step: 'initialize', priority: 'high', name: 'storedItem' },
);
const table = { client, name: 'flowcut-cases' };
const key = { accountId: '111122223333', region: 'eu-central-1', instanceId: 'i-0000000000000ab01' };

const TABLE_READERS: readonly (() => Promise<unknown>)[] = [
  () => readCase(table, caseId),
  () => readBefore(table, caseId),
  () => readPreserved(table, caseId),
  () => readDeletedGroups(table, caseId),
  () => readSuccessor(table, caseId, 'sg-1'),
  () => ledgerOf(table, 'acl-1'),
  () => readClaim(table, key),
  () => readSwitch(table),
  () => casesNeedingGroup(table, 'sg-1'),
];

/** A table that somebody wrote into by hand may stop a step, with a sentence; it may not surprise it. */
async function readTable(input: Json): Promise<void> {
  try {
    stored = attributesOf(input);
  } catch {
    // Nothing that DynamoDB could hold, such as lists too deep.
    return;
  }
  for (const reader of TABLE_READERS) {
    await reader().catch((error: unknown) => {
      const surprise = ['TypeError', 'RangeError', 'ReferenceError', 'SyntaxError'];
      if (!(error instanceof Error) || surprise.includes(error.name)) throw error;
    });
  }
}

// --- whole runs -----------------------------------------------------------------------------------------------------

const calls: Json[] = [
  [
    { at: 10, service: 'ec2', api: 'StopInstances', input: { InstanceIds: ['i-0000000000000ab01'] } },
    {
      at: 10,
      service: 'ec2',
      api: 'ModifyNetworkInterfaceAttribute',
      input: { NetworkInterfaceId: 'eni-00000000000000e01', Groups: ['sg-00000000000000c00'] },
    },
    {
      at: 20,
      service: 'host',
      api: 'closeSockets',
      input: { InstanceId: 'i-0000000000000ab01', RemoteAddress: '198.51.100.7' },
    },
    {
      at: 5,
      service: 'ec2',
      api: 'CreateNetworkAclEntry',
      input: {
        NetworkAclId: 'acl-00000000000000d01',
        RuleNumber: 1,
        Egress: true,
        Protocol: '-1',
        RuleAction: 'deny',
        CidrBlock: '198.51.100.7/32',
      },
    },
    { at: 1, service: 'dynamodb', api: 'GetItem', input: { TableName: 't', Key: { pk: { S: 'a' }, sk: { S: 'b' } } } },
    { at: 2, service: 'ssm', api: 'SendCommand', input: { DocumentName: 'd', InstanceIds: ['i-0000000000000ab01'] } },
    { at: 3, service: 'autoscaling', api: 'DescribeAutoScalingInstances', input: {} },
  ],
];

const episodes: readonly Json[] = [
  [
    { at: 0, event: findings[0] ?? null },
    {
      at: 60,
      by: 'arn:aws:sts::111122223333:assumed-role/ops/stranger',
      calls: [
        {
          service: 'ec2',
          api: 'DeleteNetworkAclEntry',
          input: { NetworkAclId: 'acl-00000000000000d01', RuleNumber: '$1.denyRuleNumber', Egress: true },
        },
      ],
    },
    { at: 600, request: { instanceId: 'i-0000000000000ab01', reason: 'see $1' } },
    { at: 900, restore: { caseId: '$1', force: true } },
  ],
  [
    { at: 0, request: { instanceId: 'i-0000000000000ab01', remoteAddresses: ['198.51.100.7'], mode: 'contain' } },
    { at: 0, request: { caseId: '$1' } },
    { at: 1, restore: { instanceId: 'i-0000000000000ab01' } },
  ],
];

const parameterFiles: readonly Json[] = [
  { Mode: 'contain', VpcIds: 'vpc-00000000000000a01', AclFirstRule: 10, AclLastRule: '90', IsolationsPerHour: 3 },
  { AnalystIngress: '203.0.113.9/32,sg-00000000', HostSurvivors: 'kill', ExemptTag: 'x', NotificationAddress: 'a@b.c' },
];

const place = { AccountId: '111122223333', Region: 'eu-central-1', NaclEntryQuota: 20 };

/** A refusal is as good as an answer; anything else thrown is a failure. */
async function soundRun(run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'InputError') throw error;
    soundly(() => {
      throw error;
    });
  }
}

const runWorld = (world: Json, event: Json) =>
  soundRun(async () =>
    JSON.stringify(
      resultJson(
        await simulate(parseWorld(requireShallow('--world', world)), requireShallow('--event', event), {
          restore: { force: true },
        }),
      ),
    ),
  );

/** The file's own lists, small enough to be run whole. */
const [defaultEvent = null] = filesIn('events/', 'guardduty-ec2-c2activity.').map(readJson);

export const TARGETS: readonly Target[] = [
  { name: 'event', runs: 34_000, inputs: mostly(findings), read: (input) => soundly(() => intake(input)) },
  { name: 'manual request', runs: 20_000, inputs: mostly(requests), read: (input) => soundly(() => intake(input)) },
  {
    name: 'restore request',
    runs: 4000,
    inputs: mostly([{ caseId, force: true }, { instanceId: 'i-0000000000000ab01' }]),
    read: (input) => soundly(() => parseRestoreRequest(input)),
  },
  { name: 'world', runs: 16_000, inputs: mostly(worlds), read: (input) => soundly(() => parseWorld(input)) },
  { name: 'host output', runs: 14_000, inputs: mostly([hostAnswer]), read: readHost },
  { name: 'table item', runs: 4000, inputs: mostly(items), read: readTable },
  { name: 'calls file', runs: 7700, inputs: mostly(calls), read: (input) => soundly(() => parseCalls(input)) },
  {
    name: 'episode',
    runs: 3000,
    inputs: mostly(episodes),
    read: (input) => soundly(() => parseEpisode(requireShallow('--episode', input))),
  },
  {
    name: 'parameters file',
    runs: 2000,
    inputs: mostly(parameterFiles),
    read: (input) => soundly(() => localConfig(place, readParameters(requireShallow('--parameters', input)))),
  },
  // The same, taken further: what a reader lets through must not break what follows.
  {
    name: 'response to an event',
    runs: 100,
    inputs: mutated(findings),
    read: (input) => runWorld(defaultWorld, input),
  },
  { name: 'response in a world', runs: 100, inputs: mutated(worlds), read: (input) => runWorld(input, defaultEvent) },
  {
    name: 'calls in a world',
    runs: 100,
    inputs: mutated(calls),
    read: (input) => soundRun(() => replay(parseWorld(defaultWorld), parseCalls(requireShallow('--calls', input)))),
  },
  {
    name: 'episode in a world',
    runs: 60,
    inputs: mutated(episodes),
    read: (input) =>
      soundRun(async () => {
        const steps = parseEpisode(requireShallow('--episode', input));
        return JSON.stringify(episodeJson(await playEpisode(parseWorld(defaultWorld), steps)));
      }),
  },
];
