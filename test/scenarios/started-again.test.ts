import { describe, expect, it } from 'vitest';
import { readCase } from '../../functions/aws/case-table/cases.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { defaultWorld, ids, readEvent, refusedBy, shellAlone, twoInterfaces } from '../support/bench.ts';
import { type Episode, inEpisode } from '../support/episode.ts';
import { laterFinding, withoutAgent, worldOf } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const NEW_PEER = '203.0.113.9';
const FILLER = '192.168.';
const isFiller = ({ CidrBlock }: WorldFile['NetworkAcls'][number]['Entries'][number]) =>
  CidrBlock?.startsWith(FILLER) === true;

const denies = ({ file }: Episode) =>
  (file.NetworkAcls[0]?.Entries ?? [])
    .filter((entry) => entry.RuleAction === 'deny' && entry.RuleNumber < 32_767 && !isFiller(entry))
    .map(({ Egress, CidrBlock }) => `${Egress ? 'out' : 'in'} ${CidrBlock}`)
    .sort();
const PEER_DENIED = [`in ${ids.peer}/32`, `out ${ids.peer}/32`];

function fullAcl(world: WorldFile): void {
  for (const Egress of [true, false])
    for (let n = 0; n < 18; n += 1)
      world.NetworkAcls[0]?.Entries.push({
        RuleNumber: 200 + n,
        Egress,
        Protocol: '-1',
        RuleAction: 'deny',
        CidrBlock: `${FILLER}${n}.0/24`,
      });
}

function makeRoom({ file }: Episode): void {
  const [acl] = file.NetworkAcls;
  if (acl) acl.Entries = acl.Entries.filter((entry) => !isFiller(entry));
}

const sent = ({ world }: Episode): number => world.calls().byApi['SendCommand'] ?? 0;

describe('a contained case that is started again when the cause of a refusal is gone', () => {
  it.each<[string, (caseId: string) => unknown]>([
    ['by its id', (caseId) => ({ caseId })],
    ['by a person who names the peer', () => ({ instanceId: ids.instance, remoteAddresses: [ids.peer] })],
    ['by a later finding', () => laterFinding(ids.peer, 9, '2026-01-20T16:00:00.000Z')],
  ])('gets the denies for which the ACL had no room: %s', async (_, input) => {
    await inEpisode(shellAlone(fullAcl), async (episode) => {
      const [first] = await episode.send(finding);
      expect([first?.verdict, denies(episode)]).toEqual(['not-proven', []]);
      makeRoom(episode);
      await episode.tools.sleep(60);
      const again = await episode.ask(input(first?.caseId ?? ''));
      expect([again.verdict, denies(episode)]).toEqual(['held', PEER_DENIED]);
      expect(again.skipped.filter(({ id }) => id.startsWith(ids.peer))).toEqual([]);
    });
  });

  it('is only verified where there still is no room', async () => {
    await inEpisode(shellAlone(fullAcl), async (episode) => {
      const [first] = await episode.send(finding);
      const before = sent(episode);
      const again = await episode.ask({ caseId: first?.caseId });
      expect([again.verdict, sent(episode)]).toEqual(['not-proven', before]);
    });
  });

  it('does not go on reporting the refusal of a deny that stands', async () => {
    await inEpisode(withoutAgent(fullAcl), async (episode) => {
      const [first] = await episode.send(finding);
      expect(first?.skipped.some(({ id }) => id.startsWith(ids.peer))).toBe(true);
      makeRoom(episode);
      const again = await episode.ask({ caseId: first?.caseId });
      expect(denies(episode)).toEqual(PEER_DENIED);
      expect(again.skipped.filter(({ id }) => id.startsWith(ids.peer))).toEqual([]);
    });
  });

  it('denies a private peer that a person names', async () => {
    const file = shellAlone((world) => {
      const [shell] = world.Flows;
      const lateral = { Name: 'lateral', LocalPort: 51_777, RemoteAddress: '10.0.77.5', RemotePort: 22 };
      if (shell) world.Flows.push({ ...structuredClone(shell), ...lateral });
    });
    await inEpisode(file, async (episode) => {
      await episode.send(finding);
      expect(denies(episode)).toEqual(PEER_DENIED);
      await episode.ask({ instanceId: ids.instance, remoteAddresses: ['10.0.77.5'], mode: 'contain' });
      expect(denies(episode)).toContain('out 10.0.77.5/32');
    });
  });
});

describe('a contained case whose host is asked for more', () => {
  const openForTheAgent = { openings: { agentEgress: ['10.0.0.0/16'], analystIngress: [] } };
  const file = () =>
    defaultWorld((world) => {
      world.Hosts = [{ InstanceId: ids.instance, SocketKill: false } as WorldFile['Hosts'][number]];
    });

  it.each<[string, object]>([
    ['to kill the owners, as the last resort of its report says', { host: { survivors: 'kill' } }],
    ['for a port', { ports: [4444] }],
    ['for a process', { pids: [4242] }],
  ])('is cut on the host once more: %s', async (_, more) => {
    await inEpisode(
      file(),
      async (episode) => {
        const [first] = await episode.send(finding);
        const before = sent(episode);
        const request = { instanceId: ids.instance, mode: 'contain', ...more };
        await episode.ask(request);
        expect(sent(episode)).toBe(before + 1);
        // Nothing new was denied: what a flow log has heard since the isolation still counts.
        expect((await readCase(episode.tools.cases, first?.caseId ?? ''))?.cutAgainAt).toBeNull();
        // A person who asks once more means it; one who asks for nothing of the host, and a finding, do not.
        await episode.ask(request);
        expect(sent(episode)).toBe(before + 2);
        await episode.ask({ instanceId: ids.instance, mode: 'contain' });
        await episode.send(laterFinding(ids.peer));
        expect(sent(episode)).toBe(before + 2);
      },
      openForTheAgent,
    );
  });
});

describe('a measure for the evidence that failed', () => {
  it('is taken when a person starts the case again, and not by every finding', async () => {
    await inEpisode(worldOf('auto-scaling-member'), async (episode) => {
      const lifecycle = () =>
        episode.file.AutoScalingInstances.find(({ InstanceId }) => InstanceId === ids.instance)?.LifecycleState;
      let isRefused = true;
      episode.world.interceptors.push({
        before: ({ call }) => {
          if (isRefused && call === 'EnterStandby') throw refusedBy('AccessDenied')();
        },
      });
      const [first] = await episode.send(finding);
      isRefused = false;
      await episode.send(laterFinding(ids.peer, 7, '2026-01-16T20:00:00.000Z'));
      expect(lifecycle()).toBe('InService');
      const again = await episode.ask({ caseId: first?.caseId });
      expect(lifecycle()).not.toBe('InService');
      expect(again.skipped.filter(({ id }) => id.startsWith('Auto Scaling'))).toEqual([]);
    });
  });
});

describe('an instance with an interface that cannot be modified', () => {
  it('is verified again and not started over', async () => {
    const file = shellAlone((world) => {
      twoInterfaces(world);
      const second = world.NetworkInterfaces.at(-1);
      if (second) second.RequesterManaged = true;
    });
    await inEpisode(file, async (episode) => {
      const [first] = await episode.send(finding);
      const since = async () => (await readCase(episode.tools.cases, first?.caseId ?? ''))?.isolatedAt;
      const before = [await since(), sent(episode)];
      await episode.tools.sleep(7200);
      await episode.send(laterFinding(ids.peer, 7, '2026-01-16T20:00:00.000Z'));
      expect([await since(), sent(episode)]).toEqual(before);
    });
  });
});

describe('a person who only looks at a contained case', () => {
  it('changes nothing for the findings that come after', async () => {
    await inEpisode(
      defaultWorld(),
      async (episode) => {
        await episode.send(finding);
        const look = await episode.ask({ instanceId: ids.instance, mode: 'observe' });
        expect(look.verdict).toBe('planned');
        await episode.send(laterFinding(NEW_PEER));
        expect(denies(episode)).toContain(`out ${NEW_PEER}/32`);
      },
      { defaultMode: 'contain' },
    );
  });
});

describe('the very same event, delivered again after a restore', () => {
  it('isolates nothing; a newer occurrence does', async () => {
    await inEpisode(shellAlone(), async (episode) => {
      const group = () => episode.file.NetworkInterfaces[0]?.Groups[0]?.GroupName;
      const [first] = await episode.send(finding);
      await episode.restore(first?.caseId ?? '', true);
      await episode.tools.sleep(60);
      expect(await episode.send(finding)).toMatchObject([{ verdict: 'ignored' }]);
      expect(group()).toBe('shop-web');
      await episode.send(laterFinding(ids.peer));
      expect(group()).toBe('flowcut-isolation');
    });
  });
});
