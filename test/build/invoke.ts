import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Emulator, RUNTIME_ENVIRONMENT } from '../../scripts/lambda-runtime.ts';

type Environment = Readonly<Record<string, string>>;

export interface Answer {
  /** What the handler returned, or `{ errorType, errorMessage }` as Lambda reports it. */
  readonly payload: unknown;
  /** Standard output and error. */
  readonly log: string;
}

/** Invokes one built function once, in a process that is new. */
export type Invoke = (name: string, event: unknown, environment: Environment) => Promise<Answer>;

const bundleOf = (name: string): string => resolve('dist', name);

function collect(child: ChildProcess): { readonly text: () => string } {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
  }
  return { text: () => text };
}

const ANSWER = 'ANSWER ';

/** Node alone: imports the bundle and calls its handler, which is told to have so many seconds; `left` of them. */
export async function inFreshNode(
  name: string,
  event: unknown,
  environment: Environment,
  seconds = 60,
): Promise<Answer & { readonly left: number }> {
  const code = `
    const { handler } = await import(${JSON.stringify(`${bundleOf(name)}/index.mjs`)});
    const endsAt = Date.now() + ${seconds * 1000};
    const context = { getRemainingTimeInMillis: () => endsAt - Date.now() };
    const answer = await handler(${JSON.stringify(event)}, context).catch(({ name, message }) => ({ errorType: name, errorMessage: message }));
    console.log('${ANSWER}' + JSON.stringify({ answer, left: context.getRemainingTimeInMillis() / 1000 }));`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log = collect(child);
  await once(child, 'close');
  const lines = log.text().split('\n');
  const answer = lines.find((line) => line.startsWith(ANSWER));
  if (answer === undefined) throw new Error(`${name} gave no answer:\n${log.text().slice(-2000)}`);
  const { answer: payload, left } = JSON.parse(answer.slice(ANSWER.length)) as { answer: unknown; left: number };
  return { payload, log: log.text(), left };
}

async function freeAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

/** Posts the event as soon as the emulator listens; ends with an error when it never does. */
async function post(address: string, event: unknown, hasEnded: () => boolean): Promise<unknown> {
  const url = `http://${address}/2015-03-31/functions/function/invocations`;
  for (let attempt = 0; attempt < 300 && !hasEnded(); attempt += 1) {
    const answer = await fetch(url, { method: 'POST', body: JSON.stringify(event) }).catch(() => null);
    if (answer !== null) return JSON.parse(await answer.text());
    await pause(50);
  }
  throw new Error('the emulator does not listen');
}

/** As in Lambda: AWS's runtime client loads the bundle, gets the event over the Runtime API and posts the answer there. */
export const inRuntime =
  ({ command }: Emulator, client: string): Invoke =>
  async (name, event, environment) => {
    const [invocations, runtimeApi] = [await freeAddress(), await freeAddress()];
    const [program, ...args] = command;
    const addresses = ['--runtime-interface-emulator-address', invocations, '--runtime-api-address', runtimeApi];
    const child = spawn(program, [...args, ...addresses, process.execPath, client, 'index.handler'], {
      // A group of its own: whatever the emulator starts ends with it.
      detached: true,
      env: {
        ...environment,
        ...RUNTIME_ENVIRONMENT,
        _HANDLER: 'index.handler',
        LAMBDA_TASK_ROOT: bundleOf(name),
        AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
        AWS_LAMBDA_LOG_GROUP_NAME: 'flowcut',
        AWS_LAMBDA_LOG_STREAM_NAME: 'local',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const log = collect(child);
    const ended = once(child, 'close');
    const end = (): void => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM');
    };
    process.once('exit', end);
    try {
      const payload = await post(invocations, event, () => child.exitCode !== null);
      return { payload, log: log.text() };
    } catch (error) {
      throw new Error(`${name}: ${String(error)}\n${log.text().slice(-2000)}`, { cause: error });
    } finally {
      process.off('exit', end);
      end();
      await ended;
    }
  };
