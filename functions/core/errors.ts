/**
 * Error names that cross a boundary: the state machine's `ErrorEquals`, the exit status of the local command and the
 * dead-letter queue compare these literals, so they are written out and survive minification.
 */
export const ERROR_NAMES = {
  deadline: 'DeadlineError',
  input: 'InputError',
  noTurn: 'NoTurnError',
  worldFault: 'WorldFaultError',
} as const;

/**
 * Input that cannot be parsed or validated. Nothing has been changed when it is thrown.
 *
 * @example throw new InputError('remoteAddresses[0]', '"0.0.0.0/0" is a range; give single addresses')
 */
export class InputError extends Error {
  override readonly name = ERROR_NAMES.input;
  /** Path of the offending field as the person wrote it, e.g. `detail.region` or `NetworkInterfaces[0].Groups[1].GroupId`. */
  readonly field: string;

  constructor(field: string, problem: string, options?: ErrorOptions) {
    super(`${field}: ${problem}`, options);
    this.field = field;
  }
}

/** What a terminal or a log does not show as it is: control and format characters, separators, half characters. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

const escaped = (seen: string): string =>
  Array.from({ length: seen.length }, (_, unit) => `\\u${seen.charCodeAt(unit).toString(16).padStart(4, '0')}`).join(
    '',
  );

/** Shows a value from outside in an error sentence: JSON-quoted, what cannot be seen escaped, and cut short. */
export function quote(value: unknown, limit = 60): string {
  const text = jsonOf(value).replace(UNSEEN, escaped);
  return text.length > limit ? `${text.slice(0, limit).replace(/[\ud800-\udbff]$/, '')}...` : text;
}

/** Values that come from outside may be of any depth; JSON.stringify is not. */
function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return 'a value too deep to show';
  }
}
