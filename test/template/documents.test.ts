import { existsSync, readFileSync } from 'node:fs';
import type { SSMClient } from '@aws-sdk/client-ssm';
import { describe, expect, it } from 'vitest';
import { type HostCommand, sendHostCommand } from '../../functions/aws/commands.ts';
import { isMap, type Node, resourcesOf, text } from '../../scripts/template.ts';
import { environmentOf, PROJECT } from './agreements.ts';

interface Document {
  readonly schemaVersion: string;
  readonly parameters: Readonly<Record<string, { readonly allowedPattern: string; readonly default?: string }>>;
}

const locationOf = (content: Node | undefined): string => {
  const transform = isMap(content) ? content['Fn::Transform'] : undefined;
  const parameters = isMap(transform) ? transform['Parameters'] : undefined;
  return isMap(parameters) ? text(parameters['Location']) : '';
};

const documents = resourcesOf(PROJECT.template, 'AWS::SSM::Document').map(
  ([id, { Properties }]) => [id, locationOf(Properties['Content'])] as const,
);

const command: HostCommand = {
  instanceId: 'i-0000000000000ab01',
  documentName: 'flowcut-host-linux',
  verb: 'cut',
  caseId: 'case-0123456789abcdef0123',
  addresses: ['198.51.100.7', '2001:db8::7'],
  pids: [4242],
};

/** The parameters that our code sends. */
async function sent(change: Partial<HostCommand>): Promise<Readonly<Record<string, readonly string[]>>> {
  let parameters: Readonly<Record<string, readonly string[]>> = {};
  const client = {
    send: ({ input }: { input: { Parameters: typeof parameters } }) => {
      parameters = input.Parameters;
      return Promise.resolve({ Command: { CommandId: 'one' } });
    },
  };
  await sendHostCommand(client as unknown as SSMClient, { ...command, ...change });
  return parameters;
}

describe('the command documents', () => {
  it('are the two that the functions are told of', () => {
    const { FLOWCUT_LINUX_DOCUMENT, FLOWCUT_WINDOWS_DOCUMENT } = environmentOf(PROJECT.template, 'CutOnHostFunction');

    expect([FLOWCUT_LINUX_DOCUMENT, FLOWCUT_WINDOWS_DOCUMENT]).toEqual(documents.map(([id]) => `<${id}>`));
    expect(documents.map(([, location]) => location)).toEqual([
      'documents/flowcut-host-linux.json',
      'documents/flowcut-host-windows.json',
    ]);
  });

  it.each(documents)(
    '%s takes every parameter that is sent, and has a default for every other',
    async (_, location) => {
      expect(existsSync(location)).toBe(true);
      const document = JSON.parse(readFileSync(location, 'utf8')) as Document;

      const requests = await Promise.all([
        sent({}),
        sent({ verb: 'undo', addresses: [], pids: [] }),
        sent({ verb: 'list' }),
      ]);

      expect(document.schemaVersion).toBe('2.2');
      for (const request of requests) {
        for (const [name, [value = '']] of Object.entries(request)) {
          expect(value).toMatch(new RegExp(document.parameters[name]?.allowedPattern ?? '(?!)'));
        }
        const missing = Object.entries(document.parameters).filter(
          ([name, parameter]) => request[name] === undefined && parameter.default === undefined,
        );
        expect(missing).toEqual([]);
      }
    },
  );
});
