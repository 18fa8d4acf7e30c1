import { describe, expect, it } from 'vitest';
import { reportCase } from '../../functions/report-case/step.ts';
import { defaultWorld, ids, onBench, readEvent } from '../support/bench.ts';
import { simulate } from '../support/own-flow-log.ts';

const HOSTILE = '<a href="https://x.test">click</a> *now* `rm`\r\nTo undo: <!channel>';

/** Fields of a finding in which an attacker, or what GuardDuty copies from him, can write what he likes. */
const FREE_TEXT = /^(title|description|name|value|executablePath|imageDescription|groupName|isp|org|asnOrg|cityName)$/;

/** The finding with hostile text wherever there is free text, and how many places that were. */
function poisoned(node: unknown, key = ''): { node: unknown; places: number } {
  if (typeof node === 'string') return FREE_TEXT.test(key) ? { node: HOSTILE, places: 1 } : { node, places: 0 };
  if (typeof node !== 'object' || node === null) return { node, places: 0 };
  const entries = Object.entries(node).map(([name, value]) => [name, poisoned(value, name)] as const);
  const places = entries.reduce((sum, [, entry]) => sum + entry.places, 0);
  const values = entries.map(([name, entry]) => [name, entry.node] as const);
  return { node: Array.isArray(node) ? values.map(([, value]) => value) : Object.fromEntries(values), places };
}

describe('what people are told of a response', () => {
  it('comes before the wait and at the end, with links to the execution and the case', async () => {
    const { report, messages } = await simulate(defaultWorld(), readEvent('guardduty-ec2-c2activity'));

    expect(messages.map(({ subject }) => subject)).toEqual([
      expect.stringMatching(/^flowcut: i-\S+ so far \S+$/),
      `flowcut: ${report.instanceId} ${report.verdict}`,
    ]);
    for (const { message } of messages) {
      expect(message).toMatch(/\nexecution: https:\/\/\S+#\/v2\/executions\/details\/arn:aws:states:\S+\n/);
      expect(message).toContain(`\ncase ${report.caseId}: https://`);
    }
  });

  it('tells how to act on a plan, and whoever does so contains the instance and denies the peer of the finding', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const planned = await bench.open({ instanceId: ids.instance, remoteAddresses: [ids.peer], mode: 'observe' });
      await reportCase(bench.tools, planned);
      const [, input = ''] =
        /start the respond state machine with (\{.*\})/.exec(bench.world.messages[0]?.message ?? '') ?? [];

      const { assessment } = await bench.open(JSON.parse(input));

      expect(assessment).toMatchObject({ kind: 'contain', addresses: [ids.peer] });
    });
  });

  it('holds no markup from the finding', async () => {
    const { node, places } = poisoned(readEvent('guardduty-runtime-c2activity'));
    expect(places).toBeGreaterThan(10);

    const { report, messages } = await simulate(defaultWorld(), node);

    expect(report.flows.length).toBeGreaterThan(0);
    expect(messages).toHaveLength(2);
    for (const { message } of messages) {
      expect(message.replaceAll('\n', '')).not.toMatch(/[<>`*|]|\p{C}/u);
      expect(message).not.toMatch(/click|channel/);
    }
  });
});
