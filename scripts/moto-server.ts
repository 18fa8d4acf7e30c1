/**
 * moto, an independent implementation of the AWS APIs, as a server on a free loopback port. It comes from PyPI at the
 * versions in moto-tools.txt, into a virtual environment under .cache/.
 *
 *   node scripts/moto-server.ts              serves until Ctrl-C and prints the address
 *   node scripts/moto-server.ts --install    installs only
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { noPython, pythonWith } from './python-tools.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

export interface MotoServer {
  /** Where every service answers: `http://127.0.0.1:PORT`. */
  readonly endpoint: string;
  readonly pid: number;
  /** Forgets every resource of every account. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

/** Lets moto interpret state machines; see moto-server.py. */
export interface MotoInterpreter {
  /** Program and arguments that run one Lambda function: its name comes last, its payload on standard input. */
  readonly invoke: readonly string[];
  /** Whole seconds, 1 at least. */
  readonly longestWaitSeconds: number;
  /** What every invocation finds in its environment. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The Python that has moto and boto3; null = no Python on this machine. */
export const motoPython = (): string | null => pythonWith('moto');

/** moto wants some credentials and no account of this machine. */
const ENVIRONMENT = {
  ...process.env,
  AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'not-a-secret',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_DEFAULT_REGION: 'eu-central-1',
};

/** The first line of the server is its address; what it says before it dies is the error. */
async function addressOf(child: ChildProcess): Promise<string> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('moto was started without pipes');
  const said: string[] = [];
  stderr.setEncoding('utf8').on('data', (part: string) => {
    if (said.push(part) > 200) said.shift();
  });
  const died = once(child, 'exit').then(([status]) => {
    throw new Error(`moto ended with status ${String(status)}:\n${said.join('')}`);
  });
  const lines = createInterface({ input: stdout });
  const [address] = (await Promise.race([once(lines, 'line'), died])) as [string];
  // Whoever stops it waits for the exit; here nobody listens any more.
  died.catch(() => undefined);
  return address;
}

/** Starts moto, a process of its own; null = no Python on this machine. It also ends when this process does. */
export async function startMoto(interpreter?: MotoInterpreter): Promise<MotoServer | null> {
  const python = motoPython();
  if (python === null) return null;
  const args = [join(ROOT, 'scripts/moto-server.py')];
  if (interpreter !== undefined) {
    args.push('--longest-wait', String(interpreter.longestWaitSeconds), '--invoke', ...interpreter.invoke);
  }
  const env = { ...ENVIRONMENT, ...interpreter?.environment };
  const child = spawn(python, args, { stdio: ['pipe', 'pipe', 'pipe'], env });
  const endpoint = await addressOf(child);
  const { pid } = child;
  if (pid === undefined) throw new Error('moto has no process id');
  return {
    endpoint,
    pid,
    async reset() {
      const answer = await fetch(`${endpoint}/moto-api/reset`, { method: 'POST' });
      if (!answer.ok) throw new Error(`moto was not reset: ${answer.status}`);
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      process.kill(pid, 'SIGTERM');
      await ended;
    },
  };
}

async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--install')) {
    console.log(motoPython() ?? noPython());
    return;
  }
  const moto = await startMoto();
  if (moto === null) {
    console.error(noPython());
    process.exitCode = 1;
    return;
  }
  console.log(moto.endpoint);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  await moto.stop();
}

if (import.meta.main) await main(process.argv.slice(2));
