import { canonicalAddress } from '../physics/addresses.ts';

const VERBS = ['list', 'cut', 'verify', 'undo', 'close-agent'] as const;
type Verb = (typeof VERBS)[number];

/** One of our documents, sent to a host. */
export interface HostCommand {
  readonly documentName: string;
  readonly parameters: Readonly<Record<string, readonly string[]>>;
  /** The second after which the agent does not get it any more. */
  readonly deliverUntil: number;
  readonly isCancelled: () => boolean;
}

/** What the document is told to do. */
export interface Orders {
  readonly verb: Verb;
  readonly caseId: string;
  readonly addresses: ReadonlySet<string>;
  readonly pids: ReadonlySet<number>;
  readonly ports: ReadonlySet<number>;
  /** The owner of a socket that cannot be closed. */
  readonly survivors: 'leave' | 'stop' | 'kill';
  readonly isQuarantine: boolean;
}

/** Reads the parameters as the documents do, with the defaults of the documents; null = one of them is wrong. */
export function readOrders(parameters: HostCommand['parameters'], isWindows: boolean): Orders | null {
  const text = (name: string): string => (parameters[name] ?? []).join(',');
  const items = (name: string): string[] =>
    text(name)
      .split(',')
      .filter((one) => one !== '' && one !== 'none');
  const verb = VERBS.find((one) => one === text('Verb'));
  const caseId = text('CaseId');
  const addresses = items('RemoteAddresses').map(canonicalAddress);
  const survivors = text('Survivors') || (isWindows ? 'leave' : 'stop');
  if (verb === undefined || !/^[a-z0-9-]{1,64}$/.test(caseId) || addresses.includes(null)) return null;
  if (survivors !== 'leave' && survivors !== 'stop' && survivors !== 'kill') return null;
  return {
    verb,
    caseId,
    addresses: new Set(addresses.filter((one) => one !== null)),
    pids: new Set(items('Pids').map(Number)),
    ports: new Set(items('Ports').map(Number)),
    survivors,
    isQuarantine: text('Mode') === 'quarantine',
  };
}
