import { describe, expect, it } from 'vitest';
import { preserveEvidence } from '../../functions/preserve-evidence/step.ts';
import type { BucketReader, Toolbox } from '../../functions/shared/toolbox.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { type Bench, ids, onBench, readEvent, shellAlone } from '../support/bench.ts';

const finding = readEvent('guardduty-ec2-c2activity');

/** An agent that does not answer and holds no connection: nothing but our own flow log speaks. */
const silent = (change: (world: WorldFile) => void = () => undefined): WorldFile =>
  shellAlone((world) => {
    world.Hosts = [
      { InstanceId: ids.instance, AgentAnswers: false, AgentConnection: false } as WorldFile['Hosts'][number],
    ];
    change(world);
  });

/** The whole response, with a flow log of our own. */
async function contain(bench: Bench) {
  await preserveEvidence(bench.tools, await bench.open(finding));
  return bench.contain(finding);
}

const onOwnLog = <T>(file: WorldFile, body: (bench: Bench) => Promise<T>): Promise<T> =>
  onBench(file, body, { ownFlowLog: true });

const keysRead = (bench: Bench): readonly string[] =>
  bench.inputsOf('GetObject').map((input) => String((input as { Key?: string }).Key));

/** Shows or hides each file of the bucket, by its name and the second at which it is read. */
function hideFiles(tools: Toolbox, isHidden: (key: string) => boolean): void {
  const bucket = tools.bucket.bind(tools);
  Object.assign(tools, {
    bucket: async (): Promise<BucketReader> => {
      const reader = await bucket();
      return {
        ...reader,
        read: (search, deadline, take) =>
          reader.read(search, deadline, (text, key) => {
            if (!isHidden(key)) take(text, key);
          }),
      };
    },
  });
}

describe('a watch over days', () => {
  it('reads each file once as it goes on, and all once more before the case is contained', async () => {
    await onOwnLog(silent(), async (bench) => {
      const record = await contain(bench);
      expect(record.verdict?.kind).toBe('contained');
      const times = new Map<string, number>();
      for (const key of keysRead(bench)) times.set(key, (times.get(key) ?? 0) + 1);
      const looks = record.verdict?.attempt ?? 0;
      expect(looks).toBeGreaterThan(10);
      const total = [...times.values()].reduce((sum, count) => sum + count, 0);
      // Most of the five days are quiet hours, and an hour is read again with the next look.
      expect(total / times.size).toBeLessThan(4);
      const [first = ''] = [...times.keys()].sort();
      expect(keysRead(bench).lastIndexOf(first)).toBeGreaterThan(keysRead(bench).length / 2);
    });
  });

  it('is not ended by a file that comes after the one that follows it', async () => {
    await onOwnLog(silent(), async (bench) => {
      let hidden = 0;
      hideFiles(bench.tools, (key) => {
        const isLate = key.includes('T1035Z') && bench.world.clock.now() < 3300;
        hidden += Number(isLate);
        return isLate;
      });
      const record = await contain(bench);
      expect(hidden).toBeGreaterThan(0);
      expect(record.verdict?.kind).toBe('contained');
    });
  });

  it('is ended by a hole that nothing fills', async () => {
    await onOwnLog(silent(), async (bench) => {
      hideFiles(bench.tools, (key) => /T11\d\dZ/.test(key));
      const record = await contain(bench);
      expect(record.verdict).toMatchObject({ kind: 'held', reason: expect.stringContaining('has a hole') });
    });
  });

  it('believes no file that is not of the format of the log', async () => {
    await onOwnLog(silent(), async (bench) => {
      const bucket = bench.tools.bucket.bind(bench.tools);
      Object.assign(bench.tools, {
        bucket: async (): Promise<BucketReader> => {
          const reader = await bucket();
          return {
            ...reader,
            read: (search, deadline, take) => reader.read(search, deadline, (_, key) => take('forged\nlines', key)),
          };
        },
      });
      const record = await contain(bench);
      expect(record.verdict).toMatchObject({ kind: 'held', reason: expect.stringContaining('cannot be read') });
    });
  });
});
