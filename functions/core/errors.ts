/**
 * Error names that cross a boundary: the state machine's `ErrorEquals`, the exit status of the local command and the
 * dead-letter queue compare these literals, so they are written out and survive minification.
 */
export const ERROR_NAMES = {
  input: 'InputError',
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

/** Shows a value from outside in an error sentence: JSON-quoted (so control characters are escaped) and cut short. */
export function quote(value: unknown, limit = 60): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > limit ? `${text.slice(0, limit)}...` : text;
}
