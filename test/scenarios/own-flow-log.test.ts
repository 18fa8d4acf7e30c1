import { describe, expect, it } from 'vitest';
import { parseEpisode } from '../../local/episode.ts';
import { playEpisode } from '../../local/play.ts';
import { episodeJson } from '../../local/print-episode.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { defaultWorld, ids, readEvent, shellAlone } from '../support/bench.ts';

const event = { at: 0, event: readEvent('guardduty-ec2-c2activity') };
const by = 'arn:aws:sts::111122223333:assumed-role/ops/stranger';
const FIVE_DAYS = 432_000;

interface Printed {
  readonly steps: readonly {
    readonly result?: {
      readonly verdict: string;
      readonly basis: readonly string[];
      readonly provenAt: string | null;
      readonly leftOpen: readonly string[];
      readonly verdicts: readonly { readonly at: number; readonly verdict: string; readonly reason: string }[];
    };
    readonly outcomes?: readonly string[];
    readonly restore?: readonly { readonly item: string; readonly outcome: string }[];
  }[];
  readonly messages: readonly { readonly at: number; readonly subject: string; readonly body: string }[];
  readonly world: WorldFile;
}

/** The agent is dead and holds no connection; a neighbour lives in the subnet, and nobody has a flow log. */
function deadAgent(world: WorldFile): void {
  world.Hosts = [
    { InstanceId: ids.instance, AgentAnswers: false, AgentConnection: false } as WorldFile['Hosts'][number],
  ];
}

async function play(file: WorldFile, steps: readonly object[], parameters: Record<string, string> = {}) {
  const played = await playEpisode(file, parseEpisode(steps), {
    parameters: { WatchDays: '0', ...parameters },
  });
  return JSON.parse(JSON.stringify(episodeJson(played))) as Printed;
}

const ec2 = (api: string, input: object) => ({ service: 'ec2', api, input });

describe('a flow log of our own, in a subnet that is shared, with a dead agent and no flow log of anybody', () => {
  it('holds the case first, says since when it watches, and proves it contained', async () => {
    const { steps, world } = await play(shellAlone(deadAgent), [event]);
    const result = steps[0]?.result;
    expect(result?.verdicts.map(({ verdict }) => verdict)).toEqual(['held', 'contained']);
    expect(result?.basis).toEqual(['flow-log']);
    expect(result?.verdicts[0]?.reason).toMatch(/flow log fl-\w+ was made at 2026-01-15T10:00/);
    expect(result?.verdicts[0]?.reason).toContain('proven at 2026-01-20T');
    expect(result?.verdicts[1]?.at).toBeGreaterThan(FIVE_DAYS);
    expect(result?.verdicts[1]?.at).toBeLessThan(FIVE_DAYS + 7 * 3600);
    expect(world.FlowLogs).toMatchObject([{ ResourceId: ids.eni, TrafficType: 'ALL', LogDestinationType: 's3' }]);
  });

  it('is proven within an hour where timers are short', async () => {
    const nitro = shellAlone((world) => {
      deadAgent(world);
      for (const { Instances } of world.Reservations)
        for (const one of Instances) Object.assign(one, { InstanceType: 'm8i.large' });
    });
    const { steps } = await play(nitro, [event]);
    const last = steps[0]?.result?.verdicts.at(-1);
    expect(last?.verdict).toBe('contained');
    expect(last?.at).toBeLessThan(3600);
  });

  it('proves nothing where it is off, and nothing is made', async () => {
    const { steps, world } = await play(shellAlone(deadAgent), [event], { OwnFlowLog: 'off' });
    expect(new Set(steps[0]?.result?.verdicts.map(({ verdict }) => verdict))).toEqual(new Set(['held']));
    expect(steps[0]?.result?.provenAt).toBeNull();
    expect(world.FlowLogs).toEqual([]);
  });

  it('deleted by a stranger is made again and told, and nothing counts that was silent before', async () => {
    const gone = { at: 3600, by, calls: [ec2('DeleteFlowLogs', { FlowLogIds: ['$1.flowLogId'] })] };
    const { steps, world } = await play(shellAlone(deadAgent), [event, gone]);
    const result = steps[0]?.result;
    expect(steps[1]?.outcomes).toEqual(['ok']);
    expect(world.FlowLogs).toHaveLength(1);
    expect(result?.leftOpen.join('\n')).toContain(`flow log of ${ids.eni}: was not in force`);
    expect(result?.verdict).toBe('contained');
    expect(result?.verdicts.find(({ verdict }) => verdict === 'contained')?.at).toBeGreaterThan(3600 + FIVE_DAYS);
  });

  it('deleted again and again is left to people, proves nothing any more, and is told', async () => {
    const gone = Array.from({ length: 40 }, (_, index) => ({
      at: 600 + 1800 * index,
      by,
      calls: [ec2('DeleteFlowLogs', { FlowLogIds: ['$1.flowLogId'] })],
    }));
    const { steps, messages } = await play(shellAlone(deadAgent), [event, ...gone]);
    const result = steps[0]?.result;
    expect(result?.verdict).toBe('held');
    expect(result?.verdicts.some(({ verdict }) => verdict === 'contained')).toBe(false);
    expect(result?.provenAt).toBeNull();
    expect(result?.leftOpen.join('\n')).toContain(
      'the flow log that watched the instance when it was isolated is gone',
    );
    expect(messages.at(-1)?.body).toContain('is gone');
  });

  it('is given back by the restore, after it was asked whether a flow may revive', async () => {
    const restore = { at: 6 * 86_400, restore: { caseId: '$1', force: true } };
    const { steps, world } = await play(shellAlone(deadAgent), [event, restore]);
    const items = steps[1]?.restore ?? [];
    expect(items.find(({ item }) => item === `flow log of ${ids.eni}`)).toMatchObject({ outcome: 'restored' });
    const places = ['tags', 'termination protection', `flow log of ${ids.eni}`].map((name) =>
      items.findIndex(({ item }) => item === name),
    );
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places[0]).toBeGreaterThan(-1);
    expect(world.FlowLogs).toEqual([]);
  });

  it('cannot be forged: nobody writes into the bucket or deletes from it', async () => {
    const bucket = 'flowcut-flowlogbucket-111122223333-eu-central-1';
    const s3 = (api: string, input: object) => ({ service: 's3', api, input: { Bucket: bucket, ...input } });
    const forge = {
      at: 900,
      by,
      calls: [
        s3('PutObject', { Key: 'AWSLogs/111122223333/vpcflowlogs/eu-central-1/2026/01/15/forged.log.gz', Body: 'x' }),
        s3('DeleteObject', { Key: 'AWSLogs/any' }),
      ],
    };
    const { steps } = await play(shellAlone(deadAgent), [event, forge]);
    for (const outcome of steps[1]?.outcomes ?? []) expect(outcome).toContain('AccessDenied');
    expect(steps[1]?.outcomes).toHaveLength(2);
    expect(steps[0]?.result?.verdict).toBe('contained');
  });

  it.each<[string, (world: WorldFile) => void, string]>([
    [
      'S3 fails for two hours',
      (world) => {
        world.Faults = [{ Service: 's3', FromSeconds: 600, ToSeconds: 7800, Error: 'InternalError' }] as never;
      },
      'contained',
    ],
    [
      'the bucket cannot be read',
      (world) => {
        world.Faults = [{ Api: 'ListObjectsV2', Call: '1+', Error: 'AccessDenied' }] as never;
      },
      'held',
    ],
    [
      'no flow log may be made',
      (world) => {
        world.Faults = [{ Api: 'CreateFlowLogs', Call: '1+', Error: 'UnauthorizedOperation' }] as never;
      },
      'held',
    ],
  ])('%s', async (_, change, verdict) => {
    const file = shellAlone((world) => {
      deadAgent(world);
      change(world);
    });
    const { steps } = await play(file, [event]);
    expect(steps[0]?.result?.verdict).toBe(verdict);
  });
});

describe('a flow log of our own, beside a customer who has one', () => {
  it.each<[string, object]>([
    ['with a hole', { Gaps: [[3600, 9000]] }],
    ['that skips records', { SkipData: [[3600, 3660]] }],
    ['that cannot be read', { Readable: false }],
    ['in a bucket of the customer', { LogDestinationType: 's3', LogDestination: 'arn:aws:s3:::theirs' }],
  ])('proves the case in place of one %s', async (_, log) => {
    const file = shellAlone((world) => {
      deadAgent(world);
      world.FlowLogs = [{ ResourceId: ids.vpc, DeliverySeconds: 300, ...log }];
    });
    const { steps } = await play(file, [event]);
    expect(steps[0]?.result).toMatchObject({ verdict: 'contained', basis: ['flow-log'] });
  });

  it('is not asked where the other one speaks, and is deleted all the same by a restore', async () => {
    const file = shellAlone((world) => {
      deadAgent(world);
      world.FlowLogs = [{ ResourceId: ids.vpc, DeliverySeconds: 300 }];
    });
    const restore = { at: 6 * 86_400, restore: { caseId: '$1', force: true } };
    const { steps, world } = await play(file, [event, restore]);
    expect(steps[0]?.result).toMatchObject({ verdict: 'contained', basis: ['flow-log'] });
    expect(world.FlowLogs.map(({ ResourceId }) => ResourceId)).toEqual([ids.vpc]);
  });

  it('is not possible where the interface has two, and the report says so', async () => {
    const file = defaultWorld((world) => {
      deadAgent(world);
      world.FlowLogs = ['one', 'two'].map((LogGroupName) => ({ ResourceId: ids.eni, LogGroupName, Readable: false }));
    });
    const { steps } = await play(file, [event]);
    const result = steps[0]?.result as unknown as { readonly skipped: readonly { id: string; reason: string }[] };
    expect(result.skipped).toContainEqual({
      id: `flow log of ${ids.eni}`,
      reason: expect.stringContaining('EC2 allows 2 flow logs'),
    });
  });
});
