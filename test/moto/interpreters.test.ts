import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CreateStateMachineCommand,
  DescribeExecutionCommand,
  type HistoryEvent,
  paginateGetExecutionHistory,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Toolbox } from '../../functions/shared/toolbox.ts';
import { type Json, type MachineDefinition, readDefinition } from '../../local/definitions.ts';
import { startMoto } from '../../scripts/moto-server.ts';
import { type Account, buildAccount } from './support/account.ts';
import { type Clients, clientsAt } from './support/clients.ts';
import { deployedDefinition } from './support/deploy.ts';
import { findingFor, PEER } from './support/incident.ts';
import { BUNDLES } from './support/install.ts';
import { functionEnvironment, toolboxOf } from './support/toolbox.ts';
import { comparable, type Trace, traceHere, traceOfHistory } from './support/trace.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowcut-moto-'));
/** What single functions find in their environment, by function: read at each invocation. */
const environments = join(folder, 'environments.json');

const moto = await startMoto({
  invoke: [process.execPath, fileURLToPath(new URL('support/invoke.mjs', import.meta.url)), process.env[BUNDLES] ?? ''],
  longestWaitSeconds: 1,
  environment: { ...functionEnvironment(), POWERTOOLS_LOG_LEVEL: 'SILENT', FUNCTION_ENVIRONMENTS: environments },
});

/** Answers every call as AWS does a role that may not make it. */
const refuser: Server = createServer((request, response) => {
  const isJson = request.headers['content-type']?.includes('json') ?? false;
  const json = JSON.stringify({ __type: 'AccessDeniedException', message: 'not permitted' });
  const code = '<Code>UnauthorizedOperation</Code><Message>not permitted</Message>';
  const xml = `<Response><Errors><Error>${code}</Error></Errors><RequestID>1</RequestID></Response>`;
  response.writeHead(403, { 'content-type': isJson ? 'application/x-amz-json-1.1' : 'text/xml' });
  response.end(isJson ? json : xml);
});

afterAll(async () => {
  refuser.close();
  await moto?.stop();
  rmSync(folder, { recursive: true, force: true });
});

type Machine = 'respond' | 'restore';

/** One path through the machines: executions one after another in the same account. */
interface Path {
  readonly title: string;
  readonly executions: readonly { readonly machine: Machine; readonly input: (account: Account) => Json }[];
  /** A function for which one service refuses every call. */
  readonly refused?: { readonly functionName: string; readonly service: 'EC2' | 'SSM' };
  /** States that the path must visit to be what its title says. */
  readonly visits: readonly string[];
}

const contain = (account: Account): Json => ({
  instanceId: account.victim.instanceId,
  remoteAddresses: [PEER],
  mode: 'contain',
});

const PATHS: readonly Path[] = [
  {
    title: 'contain, then restore',
    executions: [
      { machine: 'respond', input: contain },
      { machine: 'restore', input: ({ victim }) => ({ instanceId: victim.instanceId, force: true }) },
    ],
    visits: ['Deny at the subnet', 'Isolate', 'Let what is in force settle', 'Verify', 'Report', 'Undo on the host'],
  },
  {
    title: 'contain on a finding',
    executions: [{ machine: 'respond', input: (account) => findingFor(account) as Json }],
    visits: ['Deny at the subnet', 'Has the host answered?', 'Isolate', 'Verify', 'Report'],
  },
  {
    title: 'observe',
    executions: [{ machine: 'respond', input: ({ victim }) => ({ instanceId: victim.instanceId, mode: 'observe' }) }],
    visits: ['What is to be done?', 'Report'],
  },
  {
    title: 'ignore',
    executions: [
      {
        machine: 'respond',
        input: (account) => {
          const event = findingFor(account) as { detail: { service: { archived: boolean } } };
          event.detail.service.archived = true;
          return event;
        },
      },
    ],
    visits: ['What is to be done?', 'Report'],
  },
  {
    title: 'an input that is none',
    executions: [{ machine: 'respond', input: () => ({ instanceId: 'the web server' }) }],
    visits: ['Open and assess', 'Say what is wrong with the input'],
  },
  {
    title: 'the host step is unavailable',
    executions: [{ machine: 'respond', input: contain }],
    refused: { functionName: 'cut-on-host', service: 'SSM' },
    visits: ["Pass on the host's answer", 'Isolate', 'Verify', 'Report'],
  },
  {
    title: 'a task that fails',
    executions: [{ machine: 'respond', input: contain }],
    refused: { functionName: 'assess-flows', service: 'EC2' },
    visits: ['Open and assess', 'Report'],
  },
  {
    title: 'the task that isolates fails',
    executions: [{ machine: 'respond', input: contain }],
    refused: { functionName: 'swap-security-groups', service: 'EC2' },
    visits: ['Isolating failed', 'Did the function that isolates fail?', 'Report'],
  },
];

const SEED = 7;

/** The same account each time, ids and all. */
async function freshAccount(clients: Clients, endpoint: string): Promise<Account> {
  await moto?.reset();
  await fetch(`${endpoint}/moto-api/seed?a=${SEED}`, { method: 'POST' });
  return buildAccount(clients);
}

const definitionOf = (machine: Machine): MachineDefinition =>
  JSON.parse(deployedDefinition(machine)) as MachineDefinition;

async function runHere(clients: Clients, endpoint: string, { executions, refused }: Path): Promise<readonly Trace[]> {
  const account = await freshAccount(clients, endpoint);
  const tools = toolboxOf(clients);
  const refusing = toolboxOf(clientsAt(refuserUrl()));
  const toolsOf = (name: string): Toolbox => {
    if (name !== refused?.functionName) return tools;
    return refused.service === 'SSM' ? { ...tools, ssm: refusing.ssm } : { ...tools, ec2: refusing.ec2 };
  };
  const traces: Trace[] = [];
  for (const { machine, input } of executions) {
    traces.push(await traceHere(readDefinition(machine), input(account), toolsOf));
  }
  return traces;
}

async function runInMoto(clients: Clients, endpoint: string, { executions, refused }: Path): Promise<readonly Trace[]> {
  const account = await freshAccount(clients, endpoint);
  const service = refused === undefined ? {} : { [`AWS_ENDPOINT_URL_${refused.service}`]: refuserUrl() };
  writeFileSync(environments, JSON.stringify(refused === undefined ? {} : { [refused.functionName]: service }));
  const traces: Trace[] = [];
  for (const { machine, input } of executions) {
    traces.push(traceOfHistory(definitionOf(machine), await execute(clients, machine, input(account))));
  }
  return traces;
}

async function execute({ sfn }: Clients, machine: Machine, input: Json): Promise<readonly HistoryEvent[]> {
  const { stateMachineArn } = await sfn.send(
    new CreateStateMachineCommand({
      name: `flowcut-${machine}`,
      roleArn: 'arn:aws:iam::123456789012:role/flowcut',
      definition: deployedDefinition(machine),
    }),
  );
  const started = await sfn.send(
    new StartExecutionCommand({ stateMachineArn, name: `run-${machine}`, input: JSON.stringify(input) }),
  );
  const { executionArn = '' } = started;
  await vi.waitUntil(
    async () => (await sfn.send(new DescribeExecutionCommand({ executionArn }))).status !== 'RUNNING',
    { timeout: 150_000, interval: 500 },
  );
  const events: HistoryEvent[] = [];
  for await (const page of paginateGetExecutionHistory({ client: sfn }, { executionArn })) {
    events.push(...(page.events ?? []));
  }
  return events;
}

const refuserUrl = (): string => `http://127.0.0.1:${(refuser.address() as AddressInfo).port}`;

describe.skipIf(moto === null)('the interpreter of the demo and the one of moto, on the built functions', () => {
  const endpoint = moto?.endpoint ?? '';
  const clients = clientsAt(endpoint);
  beforeAll(async () => {
    await new Promise<void>((resolve) => {
      refuser.listen(0, '127.0.0.1', resolve);
    });
  });

  test.each(PATHS)('$title: the same states in the same order, the same payloads at each boundary', async (path) => {
    const here = await runHere(clients, endpoint, path);
    const there = await runInMoto(clients, endpoint, path);
    const visited = there.flatMap(({ lanes }) =>
      Object.values(lanes).flatMap((lane) => lane.map(({ state }) => state)),
    );
    expect(visited).toEqual(expect.arrayContaining([...path.visits]));
    expect(there.map(comparable)).toEqual(here.map(comparable));
  });
});
