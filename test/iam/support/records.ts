import { readdirSync, readFileSync } from 'node:fs';

/** The variable that names the folder of the records. */
export const RECORDS = 'FLOWCUT_IAM_RECORDS';

export type Context = Readonly<Record<string, string | readonly string[]>>;

/** What IAM is asked when a call arrives: may this action be done to this resource, under these circumstances? */
export interface Ask {
  readonly action: string;
  readonly resource: string;
  readonly context: Context;
}

/** One call of one function, with everything that IAM is asked about it; `asks` null = nobody says what it is asked. */
export interface CallRecord {
  readonly function: string;
  /** `ec2:CreateTags`: the service by the name that the embedded world has for it, and the API. */
  readonly api: string;
  /** The options that were set otherwise than a stack has them by default. */
  readonly options: readonly string[];
  readonly asks: readonly Ask[] | null;
}

export interface Records {
  readonly calls: number;
  /** Calls that tests made themselves. */
  readonly unattributed: number;
  readonly records: readonly CallRecord[];
}

/** Calls that are asked the same are one record. */
export const keyOf = (record: CallRecord): string => JSON.stringify(record);

/** Everything that the recording run wrote. */
export function readRecords(folder: string): Records {
  const files = readdirSync(folder).map((name) => JSON.parse(readFileSync(`${folder}/${name}`, 'utf8')) as Records);
  const records = new Map(files.flatMap(({ records: each }) => each.map((record) => [keyOf(record), record] as const)));
  return {
    calls: files.reduce((sum, file) => sum + file.calls, 0),
    unattributed: files.reduce((sum, file) => sum + file.unattributed, 0),
    records: [...records.values()],
  };
}
