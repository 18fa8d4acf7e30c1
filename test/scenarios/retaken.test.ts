import { describe, expect, it } from 'vitest';
import { parseEpisode } from '../../local/episode.ts';
import { playEpisode } from '../../local/play.ts';
import { episodeJson } from '../../local/print-episode.ts';
import type { SessionOptions } from '../../local/session.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { defaultWorld, ids, readEvent, shellWatched } from '../support/bench.ts';

const event = { at: 0, event: readEvent('guardduty-ec2-c2activity') };
const STRANGER = 'arn:aws:sts::111122223333:assumed-role/ops/stranger';

interface Printed {
  readonly steps: readonly {
    readonly result?: {
      readonly verdict: string;
      readonly verdicts: readonly { readonly at: number; readonly verdict: string }[];
      readonly leftOpen: readonly string[];
      readonly timeline: readonly { readonly at: number; readonly state: string | null; readonly call: string }[];
    };
  }[];
  readonly flows: readonly { readonly name: string; readonly truth: { readonly lastPacketAt: number | null } }[];
  readonly world: WorldFile;
}

async function play(file: WorldFile, steps: readonly object[], options: SessionOptions = {}): Promise<Printed> {
  // The response's own looks: those of the watch have tests of their own.
  const parameters = { WatchDays: '0', OwnFlowLog: 'off', ...options.parameters };
  const played = await playEpisode(file, parseEpisode(steps), { ...options, parameters });
  return JSON.parse(JSON.stringify(episodeJson(played))) as Printed;
}

const swap = (groups: readonly string[]) => ({
  service: 'ec2',
  api: 'ModifyNetworkInterfaceAttribute',
  input: { NetworkInterfaceId: ids.eni, Groups: groups },
});

const groupsOf = ({ world }: Printed): readonly unknown[] =>
  world.NetworkInterfaces.find(({ NetworkInterfaceId }) => NetworkInterfaceId === ids.eni)?.Groups ?? [];

describe('a control that somebody undoes', () => {
  it('is taken again at the next look, is told, and the proof begins anew', async () => {
    const printed = await play(shellWatched(), [event, { at: 200, calls: [swap([ids.web])], by: STRANGER }]);

    const result = printed.steps[0]?.result;
    expect(groupsOf(printed)).not.toContainEqual(expect.objectContaining({ GroupId: ids.web }));
    const retaken = result?.timeline.filter(
      ({ state, call }) => state === 'Isolate again' && call === 'ModifyNetworkInterfaceAttribute',
    );
    expect(retaken?.length).toBeGreaterThan(0);
    expect(result?.leftOpen).toContainEqual(expect.stringMatching(/eni-00000000000000e01 groups: was not in force/));
    expect(result?.verdict).toBe('contained');
    // Nothing counts that was silent before the interface was isolated again.
    const proven = result?.verdicts.find(({ verdict }) => verdict === 'contained');
    expect(proven?.at).toBeGreaterThan((retaken?.[0]?.at ?? 0) + 432_000);
  });

  it('is left to people after three rounds within a day', async () => {
    const again = [200, 1000, 2000, 3000, 4000, 5000, 6000, 7000].map((at) => ({
      at,
      calls: [swap([ids.web])],
      by: STRANGER,
    }));
    const printed = await play(shellWatched(), [event, ...again]);

    const result = printed.steps[0]?.result;
    expect(groupsOf(printed)).toContainEqual(expect.objectContaining({ GroupId: ids.web }));
    expect(result?.verdict).not.toBe('contained');
    expect(result?.leftOpen).toContainEqual(expect.stringMatching(/groups: lost three times within a day/));
  });

  it('is taken again where it never was in force, for EC2 had half an hour of trouble', async () => {
    const file = defaultWorld((world) => {
      world.Faults = [{ Service: 'ec2', FromSeconds: 4, ToSeconds: 1800, Error: 'InternalError' }];
    });
    const printed = await play(file, [event]);

    expect(groupsOf(printed)).not.toContainEqual(expect.objectContaining({ GroupId: ids.web }));
    expect(printed.steps[0]?.result?.verdict).toBe('held');
    expect(printed.flows.find(({ name }) => name === 'reverse shell')?.truth.lastPacketAt ?? 0).toBeLessThan(4000);
  });
});
