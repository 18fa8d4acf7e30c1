import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { CaseTable } from '../../functions/aws/case-table/table.ts';
import { AwsError } from '../aws-error.ts';
import { definedMembers } from '../defined-members.ts';
import { dynamoDbException } from '../dynamodb/exceptions.ts';
import { dynamoDbHandlers } from '../dynamodb/index.ts';
import { tables as tableSlot } from '../dynamodb/keys.ts';
import type { TableItem } from '../dynamodb/values.ts';
import { newServiceMemory } from '../memory-slots.ts';

/**
 * The case table of an account in which nothing is installed: a JSON file on this machine that answers the DynamoDB calls
 * of the adapters, conditions and transactions included. A write is on the disk (fsync) before it is answered, so what is
 * recorded before a change is made stays recorded, whatever happens to this process. Several processes may use one file.
 */

const TABLE = 'flowcut-cases';

/** Reads leave the file as it is. */
const READS = ['GetItem', 'Query', 'Scan'];

type Tables = ReturnType<typeof tableSlot.fresh>;
type Stored = Record<string, Record<string, TableItem>>;

function load(file: string): Tables {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return new Map();
    throw error;
  }
  let stored: Stored;
  try {
    stored = JSON.parse(text) as Stored;
  } catch (error) {
    // Never written over: it holds what is needed to undo.
    throw new Error(`the case store ${file} is not JSON; repair it or move it away`, { cause: error });
  }
  return new Map(Object.entries(stored).map(([name, items]) => [name, new Map(Object.entries(items))]));
}

/** Whole or not at all: a new file beside the old one, on the disk, then in its place. */
export function writeDurably(file: string, content: unknown): void {
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const fresh = `${file}.${process.pid}.new`;
  const handle = openSync(fresh, 'w', 0o600);
  try {
    writeFileSync(handle, JSON.stringify(content, null, 1));
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(fresh, file);
  const place = openSync(folder, 'r');
  try {
    fsyncSync(place);
  } finally {
    closeSync(place);
  }
}

const save = (file: string, tables: Tables): void =>
  writeDurably(file, Object.fromEntries([...tables].map(([name, items]) => [name, Object.fromEntries(items)])));

/** How long one call waits for another process, and after which age a lock is one that a dead process left, in ms. */
const LOCK_WAIT = 10_000;
const LOCK_AGE = 5000;

/** Runs alone among all processes that use the file; a call takes milliseconds, so a lock of seconds is a dead one's. */
function locked<T>(file: string, body: () => T): T {
  const lock = `${file}.lock`;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const until = Date.now() + LOCK_WAIT;
  while (!taken(lock)) {
    if (Date.now() > until) throw new Error(`the case store is locked by ${lock}`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  }
  try {
    return body();
  } finally {
    rmSync(lock, { force: true });
  }
}

function taken(lock: string): boolean {
  try {
    closeSync(openSync(lock, 'wx', 0o600));
    return true;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
  if (age > LOCK_AGE) rmSync(lock, { force: true });
  return false;
}

/** One call against the file, as DynamoDB would answer it. */
function answer(file: string, command: string, input: unknown): object {
  const handler = dynamoDbHandlers[command];
  if (handler === undefined) throw new Error(`the case store does not answer ${command}`);
  return locked(file, () => {
    const tables = load(file);
    const memory = newServiceMemory();
    for (const [name, table] of tables) memory.of(tableSlot).set(name, table);
    try {
      const output = handler({ memory, now: Date.now() / 1000 }, definedMembers(input) as never);
      if (!READS.includes(command)) save(file, memory.of(tableSlot));
      return output;
    } catch (error) {
      throw error instanceof AwsError ? dynamoDbException(error) : error;
    }
  });
}

/** The file of an account and Region below the folder. */
export function storeFile(folder: string, accountId: string, region: string): string {
  return join(folder, accountId, region, 'cases.json');
}

/** A case table that holds nothing, for those who only look. */
export function emptyCaseTable(): CaseTable {
  const memory = newServiceMemory();
  memory.of(tableSlot).set(TABLE, new Map());
  return answeredBy((command, input) => {
    const handler = dynamoDbHandlers[command];
    if (handler === undefined) throw new Error(`the case table does not answer ${command}`);
    return handler({ memory, now: Date.now() / 1000 }, definedMembers(input) as never);
  });
}

/** A real DynamoDB client whose calls end in the file. */
export const openCaseStore = (file: string): CaseTable => answeredBy((command, input) => answer(file, command, input));

function answeredBy(answers: (command: string, input: unknown) => object): CaseTable {
  const client = new DynamoDBClient({ region: 'local', credentials: { accessKeyId: 'none', secretAccessKey: 'none' } });
  client.middlewareStack.add(
    (_next, { commandName = '' }: { commandName?: string }) =>
      async ({ input }: { input: object }) => {
        const output = await Promise.resolve(answers(commandName.replace(/Command$/, ''), input));
        return { response: {}, output: { ...output, $metadata: { httpStatusCode: 200 } } as never };
      },
    // Before anything of the SDK that looks for an endpoint or signs.
    { step: 'initialize', priority: 'high', name: 'caseStore' },
  );
  return { client, name: TABLE };
}
