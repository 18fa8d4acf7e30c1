/**
 * A small stand-in for AWS's Lambda runtime interface emulator, with its command line: starts a runtime, gives it events
 * over the Runtime API, and hands back what it answers.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 *
 *   node scripts/lambda-emulator.ts --runtime-interface-emulator-address HOST:PORT --runtime-api-address HOST:PORT \
 *     COMMAND [ARGUMENT...]
 *   curl HOST:PORT/2015-03-31/functions/function/invocations -d '{}'
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { parseArgs } from 'node:util';

const INVOKE = '/2015-03-31/functions/function/invocations';
const RUNTIME = '/2018-06-01/runtime';
const DEADLINE_MS = 300_000;

interface Invocation {
  readonly id: string;
  readonly event: string;
  readonly answer: ServerResponse;
}

const { values, positionals } = parseArgs({
  options: {
    'runtime-interface-emulator-address': { type: 'string', default: '127.0.0.1:8080' },
    'runtime-api-address': { type: 'string', default: '127.0.0.1:9001' },
  },
  allowPositionals: true,
});
const [command, ...args] = positionals;
if (command === undefined) throw new Error('which runtime? COMMAND is missing');

const waiting: Invocation[] = [];
const running = new Map<string, Invocation>();
/** The runtime's request for the next event, while there is none. */
let idle: ServerResponse | null = null;
/** What a runtime that could not load the function said of it; every invocation gets that. */
let initError: string | null = null;

function send(response: ServerResponse, status: number, body: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(body);
}

function dispatch(): void {
  const next = idle === null ? undefined : waiting.shift();
  if (idle === null || next === undefined) return;
  running.set(next.id, next);
  send(idle, 200, next.event, {
    'Lambda-Runtime-Aws-Request-Id': next.id,
    'Lambda-Runtime-Deadline-Ms': String(Date.now() + DEADLINE_MS),
    'Lambda-Runtime-Invoked-Function-Arn': 'arn:aws:lambda:eu-central-1:111122223333:function:function',
    'Lambda-Runtime-Trace-Id': 'Root=1-00000000-000000000000000000000000;Sampled=0',
  });
  idle = null;
}

function failAll(body: string): void {
  initError = body;
  for (const { answer } of [...waiting.splice(0), ...running.values()]) send(answer, 200, body);
  running.clear();
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

function onRuntime(path: string, body: string, response: ServerResponse): void {
  const [, id = '', outcome] = /^\/invocation\/([^/]+)\/(response|error)$/.exec(path) ?? [];
  const invocation = running.get(id);
  if (path === '/invocation/next') {
    idle = response;
    dispatch();
  } else if (path === '/init/error') {
    failAll(body);
    send(response, 202, '{}');
  } else if (outcome !== undefined && invocation !== undefined) {
    running.delete(id);
    send(invocation.answer, 200, body);
    send(response, 202, '{}');
  } else {
    send(response, 400, JSON.stringify({ errorType: 'InvalidRequest', errorMessage: path }));
  }
}

async function onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await textOf(request);
  const path = request.url ?? '';
  if (path.startsWith(RUNTIME)) onRuntime(path.slice(RUNTIME.length), body, response);
  else if (path !== INVOKE) send(response, 404, '{}');
  else if (initError === null) {
    waiting.push({ id: randomUUID(), event: body, answer: response });
    dispatch();
  } else send(response, 200, initError);
}

function listen(address: string): Promise<void> {
  const [host = '', port = ''] = address.split(':');
  const server = createServer((request, response) => void onRequest(request, response));
  // An event may be longer in coming, and in work, than Node waits for.
  server.requestTimeout = 0;
  return new Promise((ready, fail) => server.once('error', fail).listen(Number(port), host, ready));
}

await listen(values['runtime-api-address']);
await listen(values['runtime-interface-emulator-address']);
const runtime = spawn(command, args, {
  stdio: ['ignore', 'inherit', 'inherit'],
  env: { ...process.env, AWS_LAMBDA_RUNTIME_API: values['runtime-api-address'] },
});
runtime.on('error', ({ message }) =>
  failAll(JSON.stringify({ errorType: 'Runtime.InvalidEntrypoint', errorMessage: message })),
);
runtime.on('exit', (status) => {
  const errorMessage = `the runtime ended with status ${String(status)}`;
  if (initError === null) failAll(JSON.stringify({ errorType: 'Runtime.ExitError', errorMessage }));
});
process.on('SIGTERM', () => {
  runtime.kill();
  process.exit(0);
});
