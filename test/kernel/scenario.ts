import { ATTACKER, ATTACKER_V6, Lab } from './lab.ts';

/** Seconds from a script's start to the last packet that the attacker saw, of one kind of flow, one for each run. */
export interface Measurement {
  readonly what: string;
  readonly seconds: readonly number[];
}

export interface Told {
  readonly remarks?: readonly string[];
  readonly measured?: readonly Measurement[];
}

export interface Scenario {
  readonly title: string;
  /** Runs with nothing else beside it but another one of these: it takes times. */
  readonly measures: boolean;
  /** Throws what is wrong. */
  readonly body: () => Promise<Told>;
}

export const scenarios: Scenario[] = [];

/** A scenario in a lab of its own; what it returns is printed under its title. */
export function scenario(title: string, body: (lab: Lab) => Promise<readonly string[] | undefined>): void {
  const inLab = () => withLab(async (lab) => ({ remarks: (await body(lab)) ?? [] }));
  scenarios.push({ title, measures: false, body: inLab });
}

/** A check that needs no lab. */
export function still(title: string, body: () => void): void {
  scenarios.push({ title, measures: false, body: () => Promise.resolve(body()).then(() => ({})) });
}

export function measured(title: string, body: (lab: Lab) => Promise<readonly Measurement[]>): void {
  const inLab = () => withLab(async (lab) => ({ measured: await body(lab) }));
  scenarios.push({ title, measures: true, body: inLab });
}

export async function withLab<T>(body: (lab: Lab) => Promise<T>): Promise<T> {
  const lab = await Lab.start();
  try {
    return await body(lab);
  } finally {
    lab.stop();
  }
}

export const SHELLS: readonly (readonly string[])[] = [['sh'], ['dash'], ['bash', '--posix'], ['busybox', 'ash']];

/** The attacker's ports, one for each kind of flow; of the login, the victim's. */
export const SHELL = 4444;
export const DORMANT = 4445;
export const SHELL_V6 = 4446;
export const POD = 4447;
export const SLEEPER = 4449;
export const BEACON = 5353;
export const LOGIN = 22;
export const AGENT = 443;

export const BOTH_ADDRESSES = `${ATTACKER},${ATTACKER_V6}`;

/** What our script finds, closes and must see gone. */
export const KINDS = [
  [SHELL, 'reverse shell with a pty'],
  [LOGIN, 'inbound login session'],
  [BEACON, 'UDP beacon'],
  [DORMANT, 'dormant shell, keepalives only'],
  [SHELL_V6, 'IPv6 reverse shell'],
  [POD, 'shell in another namespace'],
] as const;

export async function liveShell(lab: Lab): Promise<void> {
  lab.start('reverse_shell', ATTACKER, SHELL);
  lab.startAgent();
  await lab.alive(SHELL, AGENT);
}

/** A flow of each kind. */
export async function everyKind(lab: Lab): Promise<void> {
  const from = lab.mark();
  lab.start('reverse_shell', ATTACKER, SHELL);
  lab.start('beacon', ATTACKER, BEACON);
  lab.start('dormant_shell', ATTACKER, DORMANT);
  lab.start('reverse_shell', ATTACKER_V6, SHELL_V6);
  lab.startPodShell();
  await lab.dialIn();
  await lab.alive(SHELL, LOGIN, BEACON, SHELL_V6, POD);
  await lab.accepted(DORMANT, from);
}
