import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../functions/core/errors.ts';
import { takeSnapshot, type WorldSnapshot } from '../../local/live/snapshot.ts';
import { simulate } from '../../local/simulate.ts';
import { parseWorld, type WorldFile } from '../../local/world/parse-world.ts';
import { defaultWorld, ids, onBench, readEvent, refusedBy, twoInterfaces } from '../support/bench.ts';
import { clientsOf, readWorld } from './worlds.ts';

const NOW = new Date('2026-01-15T10:00:00Z');

/** What no API shows, and what only a world has. */
const UNSEEN = [
  'Hosts',
  'Flows',
  'Assumptions',
  'Faults',
  'NaclEntryQuota',
  'LatencySeconds',
  'FunctionStartSeconds',
] as const;

function snapshotOf(file: WorldFile, instanceId: string = ids.instance): Promise<WorldSnapshot> {
  return onBench(file, ({ world }) => takeSnapshot(clientsOf(world), instanceId, NOW));
}

/** The part of a file that APIs show: times as the SDK writes them, and no list that the file merely leaves out. */
function seen(file: object): object {
  const shown = Object.entries(file).filter(([key]) => !(UNSEEN as readonly string[]).includes(key));
  const text = JSON.stringify(Object.fromEntries(shown), (key, value: unknown) => {
    if (Array.isArray(value) && value.length === 0 && key === 'NetworkInterfaces') return undefined;
    return typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:]{8}Z$/.test(value)
      ? new Date(value).toISOString()
      : value;
  });
  return JSON.parse(text) as object;
}

const readExample = () =>
  JSON.parse(readFileSync(new URL('../../local/worlds/snapshot-example.json', import.meta.url), 'utf8')) as {
    readonly Flows: unknown;
  };

const WORLDS: readonly (readonly [string, () => WorldFile])[] = [
  ['the default world', defaultWorld],
  ['two interfaces and IPv6', () => defaultWorld(twoInterfaces)],
  ['an Auto Scaling group with balancers', () => readWorld('auto-scaling-member')],
  ['a Spot instance', () => readWorld('spot-instance')],
];

describe('a snapshot', () => {
  it.each(WORLDS)('of %s is that world, as far as APIs show it', async (_name, make) => {
    const { world, unread } = await snapshotOf(make());

    expect(unread).toEqual([]);
    expect(world).toMatchObject(seen(make()));
  });

  it.each(WORLDS)('of %s replays to the verdict of the world itself', async (_name, make) => {
    const event = readEvent('guardduty-ec2-c2activity');
    const bare = parseWorld({ ...JSON.parse(JSON.stringify(make())), Hosts: [], Flows: [] });

    const { world } = await snapshotOf(make());
    const [replayed, original] = [await simulate(parseWorld(world), event), await simulate(bare, event)];

    expect(original.report.verdict).not.toBe('refused');
    expect(replayed.report).toEqual({ ...original.report });
  });

  it('is what the example of one shows, but for the flows, which somebody wrote into it', async () => {
    const { world } = await snapshotOf(readWorld('auto-scaling-member'));
    const { Flows, ...example } = readExample();

    expect(Flows).not.toEqual([]);
    expect(JSON.parse(JSON.stringify(world))).toMatchObject(example);
  });

  it('follows every page', async () => {
    const crowded = () =>
      defaultWorld((world) => {
        const [group] = world.SecurityGroups;
        if (group === undefined) throw new Error('the default world has lost its group');
        for (let number = 0; number < 250; number += 1) {
          const GroupId = `sg-0000000000001${String(number).padStart(4, '0')}`;
          world.SecurityGroups.push({ ...structuredClone(group), GroupId, GroupName: `crowd-${number}` });
        }
      });

    const { world } = await snapshotOf(crowded());

    expect(world['SecurityGroups']).toHaveLength(crowded().SecurityGroups.length);
  });

  it('names what it could not read and leaves it out', async () => {
    const { world, unread } = await onBench(defaultWorld(), ({ world: account, fail }) => {
      fail(({ call }) => call === 'DescribeInstanceInformation', refusedBy('AccessDeniedException'));
      return takeSnapshot(clientsOf(account), ids.instance, NOW);
    });

    expect(unread).toEqual([expect.stringMatching(/^SSM agents: AccessDeniedException: /)]);
    expect(world['InstanceInformationList']).toEqual([]);
    expect(world).toMatchObject(seen({ ...defaultWorld(), InstanceInformationList: [] }));
  });

  it('fails where the network itself cannot be read', async () => {
    const snapshot = onBench(defaultWorld(), ({ world: account, fail }) => {
      fail(({ call }) => call === 'DescribeNetworkAcls', refusedBy('UnauthorizedOperation'));
      return takeSnapshot(clientsOf(account), ids.instance, NOW);
    });

    await expect(snapshot).rejects.toThrow('UnauthorizedOperation');
  });

  it('refuses an instance that is not there', async () => {
    await expect(snapshotOf(defaultWorld(), 'i-0000000000000ffff')).rejects.toThrow(InputError);
  });
});
