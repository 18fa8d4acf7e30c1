import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { type BuildOptions, build } from 'esbuild';
import { errorCode } from '../functions/aws/errors.ts';
import { bundleOptions } from '../scripts/bundle-options.mjs';
import { bundledCommands } from '../scripts/bundled-commands.ts';
import { atMost, type Section } from './section.ts';

/** A schema of the SDK as @smithy/core shows it; all that is used of it. */
interface Shape {
  isStructSchema(): boolean;
  isUnionSchema(): boolean;
  isListSchema(): boolean;
  isMapSchema(): boolean;
  isBlobSchema(): boolean;
  isBooleanSchema(): boolean;
  isNumericSchema(): boolean;
  isTimestampSchema(): boolean;
  getValueSchema(): Shape;
  getMergedTraits(): { readonly xmlName?: string; readonly jsonName?: string };
  structIterator(): Iterable<readonly [string, Shape]>;
}

/** What one bundle exports: a function per command, which sends it through a request handler. */
type Sender = (input: object, requestHandler: object) => Promise<unknown>;
interface Bundle {
  readonly send: Readonly<Record<string, Sender>>;
  readonly schemas: Readonly<Record<string, unknown>>;
  readonly NormalizedSchema: { of(schema: unknown): Shape };
  /** The errors that each client has a class for. */
  readonly errors: Readonly<Record<string, readonly { readonly code: string; readonly fault: 'client' | 'server' }[]>>;
}

const CLIENT_CLASSES: Readonly<Record<string, string>> = {
  'auto-scaling': 'AutoScalingClient',
  'cloudwatch-logs': 'CloudWatchLogsClient',
  dynamodb: 'DynamoDBClient',
  ec2: 'EC2Client',
  'elastic-load-balancing': 'ElasticLoadBalancingClient',
  'elastic-load-balancing-v2': 'ElasticLoadBalancingV2Client',
  sfn: 'SFNClient',
  sns: 'SNSClient',
  ssm: 'SSMClient',
};

const JSON_CLIENTS = ['cloudwatch-logs', 'dynamodb', 'sfn', 'ssm'];

function sourceFor(commands: readonly string[]): string {
  const clients = [...new Set(commands.map((command) => command.split(':')[0] ?? ''))];
  const variable = (client: string) => client.replaceAll('-', '_');
  const settings = `{ region: 'eu-central-1', maxAttempts: 1, credentials: { accessKeyId: 'a', secretAccessKey: 'b' }, requestHandler }`;
  const senders = commands.map((command) => {
    const [client = '', name = ''] = command.split(':');
    const module = variable(client);
    return `'${command}': (input, requestHandler) => new ${module}.${CLIENT_CLASSES[client]}(${settings}).send(new ${module}.${name}Command(input)),`;
  });
  const schemas = commands.map((command) => {
    const [client = '', name = ''] = command.split(':');
    return `'${command}': new ${variable(client)}.${name}Command({}).schema,`;
  });
  return [
    ...clients.map((client) => `import * as ${variable(client)} from '@aws-sdk/client-${client}';`),
    `export { NormalizedSchema } from '@smithy/core/schema';`,
    `export const send = { ${senders.join('\n')} };`,
    `export const schemas = { ${schemas.join('\n')} };`,
  ].join('\n');
}

/** Every error class of a client, by the name that is on the wire; only where the whole package is looked at. */
function errorsSource(clients: readonly string[]): string {
  const lists = clients.map(
    (client, index) =>
      `'${client}': Object.values(all${index}).filter((one) => typeof one === 'function' && one.shapeId).map(describe),`,
  );
  return [
    ...clients.map((client, index) => `import * as all${index} from '@aws-sdk/client-${client}';`),
    `const describe = (one) => ({ code: one.shapeId.split('#')[1], fault: new one({ $metadata: {} }).$fault });`,
    `export const errors = { ${lists.join('\n')} };`,
  ].join('\n');
}

async function load(folder: string, name: string, contents: string, options: BuildOptions): Promise<Bundle> {
  const outfile = join(folder, `${name}.mjs`);
  await build({ ...options, stdin: { contents, resolveDir: process.cwd() }, outfile });
  return (await import(pathToFileURL(resolve(outfile)).href)) as Bundle;
}

// --- values and answers from a schema ----------------------------------------------------------------------------------

/** Deeper than this nothing but plain members: some shapes hold themselves. */
const DEEPEST = 7;

interface Sample {
  /** As the SDK takes and gives it. */
  readonly value: unknown;
  /** As a service writes it. */
  readonly json: unknown;
  readonly xml: string;
}

const escapeXml = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const plain = (value: unknown, json: unknown = value): Sample => ({ value, json, xml: escapeXml(String(json)) });

function sampleOf(schema: Shape, name: string, depth: number): Sample | null {
  if (schema.isStructSchema()) return depth > DEEPEST ? null : structSample(schema, depth);
  if (schema.isListSchema()) {
    const item = sampleOf(schema.getValueSchema(), name, depth + 1);
    if (item === null) return null;
    const traits = schema.getValueSchema().getMergedTraits();
    const tag = String(traits.xmlName ?? 'member');
    return {
      value: [item.value, item.value],
      json: [item.json, item.json],
      xml: `<${tag}>${item.xml}</${tag}>`.repeat(2),
    };
  }
  if (schema.isMapSchema()) {
    const item = sampleOf(schema.getValueSchema(), name, depth + 1);
    return item === null ? null : { value: { key: item.value }, json: { key: item.json }, xml: '' };
  }
  if (schema.isBlobSchema()) return plain(Uint8Array.from([1, 2, 3]), 'AQID');
  if (schema.isBooleanSchema()) return plain(true);
  if (schema.isNumericSchema()) return plain(7);
  if (schema.isTimestampSchema()) {
    const at = new Date('2026-01-15T10:00:00Z');
    return { value: at, json: at.getTime() / 1000, xml: at.toISOString() };
  }
  // Characters that a parser may trip over, and the member's own name, so that members cannot be confused.
  return plain(`${name} <&> "ü"`);
}

function structSample(schema: Shape, depth: number): Sample {
  const value: Record<string, unknown> = {};
  const json: Record<string, unknown> = {};
  let xml = '';
  for (const [name, member] of schema.structIterator()) {
    const sample = sampleOf(member, name, depth + 1);
    if (sample === null) continue;
    const traits = member.getMergedTraits();
    const tag = String(traits.xmlName ?? name);
    value[name] = sample.value;
    json[String(traits.jsonName ?? name)] = sample.json;
    xml += `<${tag}>${sample.xml}</${tag}>`;
    // A union has one member.
    if (schema.isUnionSchema()) break;
  }
  return { value, json, xml };
}

// --- the comparison ----------------------------------------------------------------------------------------------------

interface Heard {
  readonly request: unknown;
  readonly answer: unknown;
}

const textOf = (body: unknown): string =>
  typeof body === 'string' ? body : Buffer.from(body as Uint8Array).toString();

/** Sends one command and tells what went over the wire and what the caller got. */
async function exchange(bundle: Bundle, command: string, input: object, status: number, body: string): Promise<Heard> {
  let request: unknown = null;
  const requestHandler = {
    handle(sent: { method: string; path: string; query: unknown; headers: Record<string, string>; body: unknown }) {
      const { 'content-type': type, 'x-amz-target': target, 'content-length': length } = sent.headers;
      request = {
        method: sent.method,
        path: sent.path,
        query: sent.query,
        type,
        target,
        length,
        body: textOf(sent.body),
      };
      const headers = { 'content-type': body.startsWith('<') ? 'text/xml' : 'application/x-amz-json-1.0' };
      return Promise.resolve({
        response: { statusCode: status, reason: '', headers, body: Readable.from([Buffer.from(body)]) },
      });
    },
  };
  const send = bundle.send[command];
  if (send === undefined) throw new Error(`the bundle has no ${command}`);
  const answer = await send(input, requestHandler).catch((error: unknown) => {
    const { message = '', $fault, $metadata } = error as { message?: string; $fault?: string; $metadata?: object };
    // All that the functions and the SDK's retries ask of an error; those told by class are tested where they are used.
    return { code: errorCode(error), message, $fault, $metadata };
  });
  return { request, answer };
}

function answerFor(client: string, command: string, sample: Sample): string {
  if (JSON_CLIENTS.includes(client)) return JSON.stringify(sample.json);
  const name = command.split(':')[1] ?? '';
  return client === 'ec2'
    ? `<${name}Response>${sample.xml}</${name}Response>`
    : `<${name}Response><${name}Result>${sample.xml}</${name}Result></${name}Response>`;
}

function errorFor(client: string, code: string): string {
  if (JSON_CLIENTS.includes(client)) return JSON.stringify({ __type: `com.amazonaws#${code}`, message: `no: ${code}` });
  const error = `<Error><Code>${code}</Code><Message>no: ${code}</Message></Error>`;
  return client === 'ec2'
    ? `<Response><Errors>${error}</Errors></Response>`
    : `<ErrorResponse>${error}</ErrorResponse>`;
}

/** EC2 has no class for any error. */
const EC2_ERRORS = [
  { code: 'RequestLimitExceeded', fault: 'server' },
  { code: 'InvalidGroup.NotFound', fault: 'client' },
  { code: 'NetworkAclEntryAlreadyExists', fault: 'client' },
  { code: 'UnauthorizedOperation', fault: 'client' },
] as const;

interface Question {
  readonly what: string;
  readonly status: number;
  readonly body: string;
}

/** Each error of a client, as an answer; a service's own fault comes with a status of its own. */
function errorQuestions(client: string, known: Bundle['errors'][string]): readonly Question[] {
  return known.map(({ code, fault }) => ({
    what: `${client} ${code}`,
    status: fault === 'server' ? 500 : 400,
    body: errorFor(client, code),
  }));
}

/** The samples of input and output of a command, as the full SDK describes it. */
function samplesOf({ schemas, NormalizedSchema }: Bundle, command: string): readonly [Sample, Sample] {
  const operation = schemas[command] as { input?: unknown; output?: unknown } & readonly unknown[];
  const shapes = [operation.input ?? operation[4], operation.output ?? operation[5]];
  const [input, output] = shapes.map((shape) => sampleOf(NormalizedSchema.of(shape), '', 0));
  if (!input || !output) throw new Error(`${command} has no schema`);
  return [input, output];
}

export async function equivalence(): Promise<Section> {
  const folder = '.cache/bench-equivalence';
  mkdirSync(folder, { recursive: true });
  const commands = [...new Set([...(await bundledCommands()).values()].flat())].sort();
  const clients = [...new Set(commands.map((command) => command.split(':')[0] ?? ''))];
  const source = sourceFor(commands);
  const [full, pruned, { errors }] = await Promise.all([
    load(folder, 'full', source, { ...bundleOptions(), plugins: [] }),
    load(folder, 'pruned', source, bundleOptions()),
    load(folder, 'errors', errorsSource(clients), { ...bundleOptions(), plugins: [] }),
  ]);
  const errorsOf = (client: string) => (client === 'ec2' ? EC2_ERRORS : (errors[client] ?? []));
  const different: string[] = [];
  let members = 0;
  const asked = new Set<string>();
  for (const command of commands) {
    const [client = ''] = command.split(':');
    const [input, output] = samplesOf(full, command);
    members += JSON.stringify(output.json).split('":').length - 1;
    // What an error means is the client's affair: once for each, with its first command.
    const failures = asked.has(client) ? [] : errorQuestions(client, errorsOf(client));
    asked.add(client);
    for (const { what, status, body } of [
      { what: command, status: 200, body: answerFor(client, command, output) },
      ...failures,
    ]) {
      const one = await exchange(full, command, input.value as object, status, body);
      const other = await exchange(pruned, command, input.value as object, status, body);
      if (one.request === null || !isDeepStrictEqual(one, other)) different.push(what);
    }
  }
  const errorsCompared = clients.reduce((sum, client) => sum + errorsOf(client).length, 0);
  return {
    name: 'equivalence',
    title: 'The pruned clients',
    text: [
      `Every command that a bundle holds is sent by the SDK as it comes and by the pruned one, with every member of its input, and gets an answer with every member of its output, in the service's own wire format; then every error that the service names. Compared are the requests, the outputs, and of errors code, message and fault.`,
      ...(different.length > 0 ? [`Different: ${different.join(', ')}.`] : []),
    ],
    tables: [
      {
        caption: 'Compared:',
        head: ['what', 'count'],
        rows: [
          ['commands', commands.length],
          ['members of their outputs', members],
          ['errors', errorsCompared],
        ],
      },
    ],
    goals: [atMost('commands and errors that the pruned clients treat otherwise', 0, different.length)],
  };
}
