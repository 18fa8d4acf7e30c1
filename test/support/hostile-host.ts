import { readFileSync } from 'node:fs';
import type { Toolbox } from '../../functions/shared/toolbox.ts';
import { refusedBy } from './bench.ts';

/** What was sent to the host: the parameters of the document. */
export type Sent = Readonly<Record<string, string>>;

interface Call {
  readonly input: {
    readonly Parameters?: Readonly<Record<string, readonly string[]>>;
    readonly TimeoutSeconds?: number;
    readonly CommandId?: string;
  };
}
interface Answer {
  readonly output: { Command?: { CommandId?: string }; Status?: string; StandardOutputContent?: string };
}

const parametersOf = ({ input }: Call): Sent =>
  Object.fromEntries(Object.entries(input.Parameters ?? {}).map(([name, [value = '']]) => [name, value]));

/** Systems Manager checks each parameter against the pattern of the document before it sends anything. */
function requirePatterns(sent: Sent): void {
  const text = readFileSync(new URL('../../documents/flowcut-host-linux.json', import.meta.url), 'utf8');
  const { parameters } = JSON.parse(text) as { parameters: Record<string, { allowedPattern: string } | undefined> };
  for (const [name, value] of Object.entries(sent)) {
    const pattern = parameters[name]?.allowedPattern;
    if (pattern === undefined || !new RegExp(pattern).test(value)) throw refusedBy('InvalidParameters')();
  }
}

/**
 * A host whose root writes what it likes: `prints` says what the agent sends home for each command, null = what the host
 * of the world says. Returns what was sent to it, in order.
 */
export function hostPrints(tools: Toolbox, prints: (sent: Sent) => string | null): readonly Sent[] {
  const sent: Sent[] = [];
  const byCommand = new Map<string, Sent>();
  tools.ssm.middlewareStack.add(
    (next, { commandName }) =>
      async (given) => {
        const call = given as unknown as Call;
        const parameters = parametersOf(call);
        if (commandName === 'SendCommandCommand') requirePatterns(parameters);
        const result = await next(given);
        const { output } = result as unknown as Answer;
        if (commandName === 'SendCommandCommand') {
          sent.push(parameters);
          byCommand.set(output.Command?.CommandId ?? '', parameters);
        }
        const asked = byCommand.get(call.input.CommandId ?? '');
        if (commandName === 'GetCommandInvocationCommand' && output.Status === 'Success' && asked !== undefined) {
          output.StandardOutputContent = prints(asked) ?? output.StandardOutputContent ?? '';
        }
        return result;
      },
    { step: 'initialize', name: 'hostPrints', priority: 'low' },
  );
  return sent;
}
