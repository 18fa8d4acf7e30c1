import type { Mode } from '../functions/core/model.ts';

/** Is this what EventBridge delivers, rather than what a person types? */
export function isEvent(input: unknown): boolean {
  return (
    typeof input === 'object' && input !== null && ('detail' in input || 'detail-type' in input || 'source' in input)
  );
}

/** `--mode` overrides the request's own mode; a finding carries none. */
export function withMode(input: unknown, mode: Mode | undefined): unknown {
  if (mode === undefined || isEvent(input) || typeof input !== 'object' || input === null) return input;
  return { ...input, mode };
}
