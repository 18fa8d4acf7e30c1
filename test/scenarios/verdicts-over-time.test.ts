import { describe, expect, it } from 'vitest';
import { parseEpisode } from '../../local/episode.ts';
import { playEpisode } from '../../local/play.ts';
import { episodeJson } from '../../local/print-episode.ts';
import type { ResultFlow } from '../../local/result.ts';
import type { WorldFile, WorldFlow } from '../../local/world/parse-world.ts';
import { ids, readEvent, shellAlone, shellWatched } from '../support/bench.ts';
import { simulate } from '../support/own-flow-log.ts';
import { addFlow, firstOf, flowNamed, hostWith, noAgent, openBothWays, shortTimers } from './claims.ts';
import { neighbourFinding } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const DAY = 86_400;

interface Printed {
  readonly steps: readonly {
    readonly result?: {
      readonly verdict: string;
      readonly reason: string;
      readonly verdicts: readonly { readonly at: number; readonly verdict: string; readonly reason: string }[];
      readonly held: readonly { readonly Cidr: string; readonly RuleNumber: number }[];
    };
    readonly outcomes?: readonly string[];
    readonly restore?: readonly { readonly item: string; readonly outcome: string }[];
  }[];
  readonly flows: readonly ResultFlow[];
}

async function play(file: WorldFile, steps: readonly object[], WatchDays = '0'): Promise<Printed> {
  const played = await playEpisode(file, parseEpisode(steps), { parameters: { WatchDays, OwnFlowLog: 'off' } });
  return JSON.parse(JSON.stringify(episodeJson(played))) as Printed;
}

describe('a beacon that the host does not list, and a deny that is not of this case holds', () => {
  const SERVER = '203.0.113.66';
  /** Shortest timers, a flow log, and a beacon that never gives up. */
  const watched = (change: Partial<WorldFlow>, more: (world: WorldFile) => void) =>
    shellWatched((world) => {
      shortTimers(world);
      const ends = { LocalPort: 51_999, RemoteAddress: SERVER, RemotePort: 443 };
      addFlow(world, { Name: 'beacon', ...ends, PacketEverySeconds: 60, ...change });
      Object.assign(world, { Assumptions: { TcpRetransmitSeconds: 5 * DAY } });
      more(world);
    });
  const beaconOf = ({ flows }: Printed) => flows.find(({ name }) => name === 'beacon');
  const denied = ({ steps }: Printed, step: number) => steps[step]?.result?.held.map(({ Cidr }) => Cidr);
  const neighbours = JSON.parse(JSON.stringify(neighbourFinding()).replaceAll(ids.peer, SERVER)) as unknown;
  const hides = (world: WorldFile): void => {
    world.Hosts = hostWith({ AgentLies: 'hides' });
  };

  it.each<[string, Partial<WorldFlow>, (world: WorldFile) => void]>([
    ['UDP, and the host hides it', { Protocol: 'udp' }, hides],
    ['TCP, and the host hides it', {}, hides],
    ['TCP, and the host gives no list', {}, noAgent],
  ])('is denied for this case too, and passes nothing once the other one is restored: %s', async (_, change, more) => {
    const printed = await play(watched(change, more), [
      { at: 0, event: neighbours },
      { at: 60, event: finding },
      { at: 20_000, restore: { caseId: '$1', force: true } },
    ]);

    expect(printed.steps[1]?.result?.verdicts.map(({ verdict }) => verdict)).not.toContain('contained');
    expect(denied(printed, 1)?.filter((cidr) => cidr === `${SERVER}/32`)).toHaveLength(2);
    expect(beaconOf(printed)).toMatchObject({ evidence: 'in-force', truth: { lastPacketAt: null, stoppedBy: 'nacl' } });
  });

  it('is never contained while it sends, and denied by the next look once an administrator has lifted his deny', async () => {
    const place = { NetworkAclId: ids.acl, RuleNumber: 50 };
    const world = watched({ Protocol: 'udp' }, (file) => {
      hides(file);
      for (const Egress of [false, true]) {
        const entry = { Egress, Protocol: '-1', RuleAction: 'deny', CidrBlock: `${SERVER}/32` } as const;
        firstOf(file, 'NetworkAcls').Entries.push({ RuleNumber: place.RuleNumber, ...entry });
      }
    });
    const liftedAt = 20_000;
    const lift = [false, true].map((Egress) => ({
      service: 'ec2',
      api: 'DeleteNetworkAclEntry',
      input: { ...place, Egress },
    }));
    const by = 'arn:aws:sts::111122223333:assumed-role/ops/administrator';
    const printed = await play(
      world,
      [
        { at: 0, event: finding },
        { at: liftedAt, by, calls: lift },
      ],
      '2',
    );

    expect(printed.steps[1]?.outcomes).toEqual(['ok', 'ok']);
    const { verdicts = [], held = [] } = printed.steps[0]?.result ?? {};
    expect(verdicts.map(({ verdict }) => verdict)).not.toContain('contained');
    expect(verdicts.find(({ at }) => at > liftedAt)?.verdict).toBe('not-proven');
    expect(held.filter(({ Cidr }) => Cidr === `${SERVER}/32`).map(({ RuleNumber }) => RuleNumber)).toEqual([2, 2]);
    // CloudTrail tells of the lift within a minute.
    expect(beaconOf(printed)?.truth?.lastPacketAt).toBeLessThan(liftedAt + 120);
  });
});

describe('a restore without force', () => {
  it.each<[string, Partial<WorldFlow>, (world: WorldFile) => void]>([
    [
      'an untracked beacon whose packets the swap drops, but not its socket',
      { Protocol: 'udp', PacketEverySeconds: 30 },
      openBothWays,
    ],
    ['a dormant shell whose entry has expired', { PacketEverySeconds: null, WakesAtSeconds: 20_000 }, () => undefined],
  ])('is refused where it would revive %s, and nothing of it passes', async (_, change, more) => {
    const world = shellWatched((file) => {
      shortTimers(file);
      noAgent(file);
      more(file);
      Object.assign(firstOf(file, 'Flows'), change);
    });
    const run = await simulate(world, finding, { restore: { force: false } });

    expect(run.restore).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining(`the socket of the flow to ${ids.peer} may still be open`),
    });
    expect(run.report.reason).not.toMatch(/no flow was open/);
    expect(flowNamed(run, 'reverse shell').truth).toMatchObject({ revivedAt: null, stoppedBy: 'nacl' });
    expect(run.reportedAt).toBeLessThan(3 * DAY);
  });

  it('revives, where it is forced, exactly what it was refused for', async () => {
    const world = shellWatched((file) => {
      shortTimers(file);
      noAgent(file);
      openBothWays(file);
      Object.assign(firstOf(file, 'Flows'), { Protocol: 'udp', PacketEverySeconds: 30 });
    });
    const run = await simulate(world, finding, { restore: { force: true } });

    expect(flowNamed(run, 'reverse shell').truth?.revivedAt).toBeGreaterThan(run.reportedAt);
  });
});

describe('an interface with sixteen groups', () => {
  const groupsOf = (world: WorldFile) => firstOf(world, 'NetworkInterfaces').Groups?.map(({ GroupId }) => GroupId);

  it('gets all of them back, in their order', async () => {
    const more = Array.from({ length: 15 }, (_, index) => `sg-00000000000000${160 + ((index * 7) % 15)}`);
    const world = shellAlone((file) => {
      const web = firstOf(file, 'SecurityGroups');
      for (const GroupId of more) file.SecurityGroups.push({ ...structuredClone(web), GroupId, GroupName: GroupId });
      firstOf(file, 'NetworkInterfaces').Groups = [ids.web, ...more].map((GroupId) => ({ GroupId }));
    });
    const run = await simulate(world, finding, { restore: { force: true } });

    expect(run.restored).toContainEqual({ item: `${ids.eni} groups`, outcome: 'restored' });
    expect(groupsOf(run.finalState as unknown as WorldFile)).toEqual([ids.web, ...more]);
  });
});

describe('an instance that is terminated while it is contained', () => {
  it.each([2, 6])('after %d s: is contained on the word of EC2, and its restore fails at nothing', async (at) => {
    const terminate = { service: 'ec2', api: 'TerminateInstances', input: { InstanceIds: [ids.instance] } };
    const { steps } = await play(shellAlone(), [
      { at: 0, event: finding },
      { at, by: 'arn:aws:sts::111122223333:assumed-role/ops/owner', calls: [terminate] },
      { at: 4000, restore: { caseId: '$1', force: false } },
    ]);

    expect(steps[1]?.outcomes).toEqual(['ok']);
    expect(steps[0]?.result?.verdicts.map(({ verdict }) => verdict)).not.toContain('leaking');
    expect(steps[0]?.result).toMatchObject({
      verdict: 'contained',
      reason: 'EC2 says that the instance is terminated: none of its flows is left',
    });
    expect(new Set(steps[2]?.restore?.map(({ outcome }) => outcome))).toEqual(new Set(['restored', 'gone']));
  });
});

describe('a response that could not begin', () => {
  const noTable = (file: WorldFile): void => {
    file.Faults = [{ Api: 'GetItem', Call: '1+', Error: 'InternalServerError', AfterEffect: false }];
  };
  /** The case is claimed and the execution started; from then on the table answers nobody. */
  const noTableInResponse = (file: WorldFile): void => {
    noTable(file);
    for (const fault of file.Faults) fault.Call = '4+';
  };

  it.each<[string, (file: WorldFile) => void, unknown]>([
    ['a finding', noTable, finding],
    ['a finding, once its execution has started', noTableInResponse, finding],
    ["a person's request", noTable, { instanceId: ids.instance, remoteAddresses: [ids.peer] }],
  ])('for want of the case table leaks, for nothing was cut: %s', async (_, fail, input) => {
    const run = await simulate(shellAlone(fail), input);

    expect(run.report).toMatchObject({ verdict: 'leaking', instanceId: ids.instance, held: [] });
    expect(flowNamed(run, 'reverse shell')).toMatchObject({ evidence: 'unproven', truth: { stoppedBy: null } });
  });

  it('names the peer of whoever has started it all the same, and what a person can do', async () => {
    const run = await simulate(shellAlone(noTable), { instanceId: ids.instance, remoteAddresses: [ids.peer] });

    expect(run.report.flows).toMatchObject([{ remoteAddress: ids.peer, evidence: 'unproven' }]);
    expect(run.report.lastResort[0]).toContain(`stop the instance ${ids.instance}`);
  });

  it('as far as the starter hears, for every answer to it was lost, is told by what the execution did', async () => {
    const world = shellAlone((file) => {
      file.Faults = [{ Api: 'StartExecution', Call: '1+', Error: 'InternalError', AfterEffect: true }];
    });
    const run = await simulate(world, finding);

    expect(run.report.verdict).toBe('held');
    expect(run.report.reason).not.toContain('nothing was');
    expect(flowNamed(run, 'reverse shell')).toMatchObject({ evidence: 'in-force', truth: { stoppedBy: 'nacl' } });
  });
});

describe('a flow log with a gap of a day in the middle', () => {
  it('proves nothing, though its first and last hours are whole', async () => {
    const world = shellWatched((file) => {
      noAgent(file);
      for (const log of file.FlowLogs) log.Gaps = [[2 * DAY, 3 * DAY]];
    });
    const run = await simulate(world, finding);

    expect(run.verdicts.map(({ verdict }) => verdict)).not.toContain('contained');
    expect(run.report.reason).toMatch(/has a hole from 2026-01-17T10:00:00Z to 2026-01-18T10:00:00Z/);
  });
});

describe('a restore of an instance without an agent', () => {
  // Systems Manager takes no command for it, neither to cut nor to undo, and the case does not know that none was taken.
  it.fails('fails at nothing on the host, where nothing was done', async () => {
    const run = await simulate(shellAlone(noAgent), finding, { restore: { force: true } });

    expect(run.restored.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
  });
});
