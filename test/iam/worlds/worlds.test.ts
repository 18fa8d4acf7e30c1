import { describe, expect, it } from 'vitest';
import { type SimulationOptions, simulate } from '../../../local/simulate.ts';
import type { WorldFile } from '../../../local/world/parse-world.ts';
import { type ChaosWorld, DEFAULT_WORLD, OTHER_WORLDS } from '../../chaos/worlds.ts';
import { defaultWorld, readEvent, shellWatched } from '../../support/bench.ts';

/** Runs that are recorded for what they ask of IAM; what comes of them is other suites' affair. */
const WORLDS: readonly ChaosWorld[] = [DEFAULT_WORLD, ...OTHER_WORLDS];

const FINDING = readEvent('guardduty-ec2-c2activity');

const OTHER_ACCOUNT = '444455556666';

/** A gateway endpoint: the networks of a prefix list are routed to it. */
function routePrefixList(world: WorldFile, DestinationPrefixListId: string): void {
  for (const { Routes } of world.RouteTables) {
    Routes?.push({ DestinationPrefixListId, GatewayId: 'vpce-00000000000000a01', State: 'active' });
  }
}

/** A VPC, a group and a prefix list that their owner shares with this account. */
function shared(world: WorldFile): void {
  for (const vpc of world.Vpcs) vpc.OwnerId = OTHER_ACCOUNT;
  for (const group of world.SecurityGroups.slice(0, 1)) group.OwnerId = OTHER_ACCOUNT;
  routePrefixList(world, 'pl-00000000000000a01');
  world.ManagedPrefixLists = [
    { PrefixListId: 'pl-00000000000000a01', OwnerId: OTHER_ACCOUNT, Entries: [{ Cidr: '198.51.100.0/24' }] },
  ];
}

/** AWS's own prefix list stands in a route. */
function awsPrefixList(world: WorldFile): void {
  routePrefixList(world, 'pl-6da54004');
  world.ManagedPrefixLists = [{ PrefixListId: 'pl-6da54004', OwnerId: 'AWS', Entries: [{ Cidr: '52.219.0.0/16' }] }];
}

const run = (file: WorldFile, input: unknown, options: SimulationOptions = {}) =>
  simulate(file, input, { restore: { force: true }, ...options });

describe('a response and its restore', () => {
  it.each(WORLDS)('run in the world "$name"', async ({ file, input, config }) => {
    const { report, restore } = await run(file(), input, { config });

    expect(report.caseId).toMatch(/^case-/);
    expect(restore?.kind).toBe('restored');
  });

  it.each([
    ['what another account shares', shared],
    ['a prefix list of AWS', awsPrefixList],
  ] as const)('run with %s', async (_, change) => {
    const { restore } = await run(defaultWorld(change), FINDING);

    expect(restore?.kind).toBe('restored');
  });

  it('run where people only look', async () => {
    const { report } = await run(defaultWorld(), FINDING, { mode: 'observe', config: { defaultMode: 'observe' } });

    expect(report.verdict).toBe('planned');
  });

  it('make deleted groups again after the stack has stopped to delete any', async () => {
    const config = { deleteReplacedGroups: true };
    const apart = OTHER_WORLDS.find(({ name }) => name === 'replaced groups are deleted');
    if (apart === undefined) throw new Error('the world in which groups are deleted is gone');

    const { restore, calls } = await run(apart.file(), apart.input, {
      config,
      between: (_, tools) => {
        Object.assign(tools, { config: { ...tools.config, deleteReplacedGroups: false } });
        return Promise.resolve();
      },
    });

    expect(restore?.kind).toBe('restored');
    expect(calls.byApi['DeleteSecurityGroup']).toBeGreaterThan(0);
    expect(calls.byApi['CreateSecurityGroup']).toBeGreaterThan(1);
  });

  it('run where denies are released after proof', async () => {
    const { report } = await run(shellWatched(), FINDING, { config: { releaseDenies: 'after-proof' } });

    expect(report.verdict).toBe('contained');
  });
});
