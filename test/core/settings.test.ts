import { describe, expect, it } from 'vitest';
import { allSettings, readSettings, type Setting } from '../../functions/core/settings.ts';

const STACK = {
  FLOWCUT_ACCOUNT_ID: '111122223333',
  AWS_REGION: 'eu-central-1',
  FLOWCUT_LINUX_DOCUMENT: 'flowcut-host-linux',
  FLOWCUT_WINDOWS_DOCUMENT: 'flowcut-host-windows',
};
const read = (variables: Record<string, string>) => readSettings({ ...STACK, ...variables });

const bounded = allSettings().filter(({ bounds }) => bounds.kind === 'choice' || bounds.kind === 'whole-number');

/** Values at the bounds of a setting, and beyond them. */
function edges({ bounds }: Setting<unknown>): {
  readonly taken: readonly string[];
  readonly refused: readonly string[];
} {
  switch (bounds.kind) {
    case 'choice':
      return { taken: bounds.of, refused: [`${bounds.of[0]}x`, bounds.of[0]?.toUpperCase() ?? ''] };
    case 'whole-number': {
      const { least, most } = bounds;
      return { taken: [least, most].map(String), refused: [String(least - 1), String(most + 1), `${least}.5`, 'x'] };
    }
    default:
      return { taken: [], refused: [] };
  }
}

describe('the settings', () => {
  it('need account, Region and the documents of the host cut alone', () => {
    expect(readSettings(STACK)).toMatchObject({ accountId: '111122223333', defaultMode: 'observe', topicArn: null });
    for (const variable of Object.keys(STACK)) {
      expect(() => readSettings({ ...STACK, [variable]: '' })).toThrow(
        expect.objectContaining({ name: 'InputError', field: variable }),
      );
    }
  });

  it('take the default for what is not set, and for what is empty', () => {
    const empty = Object.fromEntries(allSettings().map(({ variable }) => [variable, '']));

    expect(readSettings({ ...empty, ...STACK })).toEqual(readSettings(STACK));
  });

  it('have a variable each, and a parameter each', () => {
    const variables = allSettings().map(({ variable }) => variable);
    const parameters = allSettings().flatMap(({ parameter }) => parameter ?? []);

    expect(new Set(variables).size).toBe(variables.length);
    expect(new Set(parameters).size).toBe(parameters.length);
    expect(bounded.length).toBeGreaterThan(10);
  });

  it.each(bounded.map((setting) => [setting.variable, setting] as const))(
    'keep to their bounds: %s',
    (variable, setting) => {
      const { taken, refused } = edges(setting);

      for (const value of taken) expect(() => read({ [variable]: value })).not.toThrow();
      for (const value of refused) {
        expect(() => read({ [variable]: value })).toThrow(
          expect.objectContaining({ name: 'InputError', field: variable }),
        );
      }
    },
  );

  it('are grouped as steps read them', () => {
    const config = read({
      FLOWCUT_HOST_SURVIVORS: 'kill',
      FLOWCUT_AGENT_EGRESS: '10.0.1.0/24, sg-00000000',
      FLOWCUT_DELETE_REPLACED_GROUPS: 'true',
      FLOWCUT_TOPIC_ARN: 'arn:aws:sns:eu-central-1:111122223333:flowcut',
    });

    expect(config).toMatchObject({
      hostOptions: { survivors: 'kill', mode: 'peers' },
      openings: { agentEgress: ['10.0.1.0/24', 'sg-00000000'], analystIngress: [] },
      deleteReplacedGroups: true,
      topicArn: 'arn:aws:sns:eu-central-1:111122223333:flowcut',
    });
  });
});
