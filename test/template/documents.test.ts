import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_HOST_OPTIONS,
  HOST_OPTIONS,
  type HostOrder,
  hostParameters,
} from '../../functions/core/host/host-options.ts';
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

const orders = fc.record<HostOrder>({
  platform: fc.constantFrom('linux', 'windows'),
  verb: fc.constantFrom('cut', 'undo', 'close-agent'),
  caseId: fc.constant('case-0123456789abcdef0123'),
  addresses: fc.array(fc.oneof(fc.ipV4(), fc.constant('2001:db8:ffff:ffff:ffff:ffff:ffff:ffff')), { maxLength: 50 }),
  pids: fc.array(fc.integer({ min: 1, max: 0xff_ff_ff_ff }), { maxLength: 64 }),
  ports: fc.array(fc.integer({ min: 0, max: 65_535 }), { maxLength: 64 }),
  options: fc.record({
    mode: fc.constantFrom(...HOST_OPTIONS.mode),
    survivors: fc.constantFrom(...HOST_OPTIONS.survivors),
    sessions: fc.constantFrom(...HOST_OPTIONS.sessions),
    agentSessions: fc.constantFrom(...HOST_OPTIONS.agentSessions),
  }),
});

describe('the command documents', () => {
  it('are the two that the functions are told of', () => {
    const { FLOWCUT_LINUX_DOCUMENT, FLOWCUT_WINDOWS_DOCUMENT } = environmentOf(PROJECT.template, 'CutOnHostFunction');

    expect([FLOWCUT_LINUX_DOCUMENT, FLOWCUT_WINDOWS_DOCUMENT]).toEqual(documents.map(([id]) => `<${id}>`));
    expect(documents.map(([, location]) => location)).toEqual([
      'documents/flowcut-host-linux.json',
      'documents/flowcut-host-windows.json',
    ]);
  });

  it.each(documents)('%s takes every parameter that is sent, and has a default for every other', (_, location) => {
    expect(existsSync(location)).toBe(true);
    const document = JSON.parse(readFileSync(location, 'utf8')) as Document;
    const platform = location.includes('windows') ? 'windows' : 'linux';

    expect(document.schemaVersion).toBe('2.2');
    fc.assert(
      fc.property(orders, (order) => {
        const request = hostParameters({ ...order, platform });
        for (const [name, value] of Object.entries(request)) {
          expect(value).toMatch(new RegExp(document.parameters[name]?.allowedPattern ?? '(?!)'));
        }
        const missing = Object.entries(document.parameters).filter(
          ([name, parameter]) => request[name] === undefined && parameter.default === undefined,
        );
        expect(missing).toEqual([]);
      }),
    );
  });

  it('does on Linux, where nobody chooses, what the deployment does', () => {
    const { parameters } = JSON.parse(readFileSync('documents/flowcut-host-linux.json', 'utf8')) as Document;
    const { mode, survivors, sessions, agentSessions } = DEFAULT_HOST_OPTIONS;

    expect([parameters['Mode'], parameters['Survivors'], parameters['Sessions'], parameters['AgentSessions']]).toEqual(
      [mode, survivors, sessions, agentSessions].map((value) => expect.objectContaining({ default: value })),
    );
  });
});
