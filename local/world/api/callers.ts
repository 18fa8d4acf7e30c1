import { AsyncLocalStorage } from 'node:async_hooks';

/** Who calls. Everything that nobody claimed is the responder's. */
export interface Callers {
  readonly responder: string;
  current(): string;
  as<T>(arn: string, run: () => T): T;
  /** Runs on nobody's behalf. */
  outside<T>(run: () => T): T;
}

export const responderArn = (accountId: string): string =>
  `arn:aws:sts::${accountId}:assumed-role/flowcut-responder/flowcut`;

export function createCallers(responder: string): Callers {
  const callers = new AsyncLocalStorage<string>();
  return {
    responder,
    current: () => callers.getStore() ?? responder,
    as: (arn, run) => callers.run(arn, run),
    outside: (run) => callers.exit(run),
  };
}
