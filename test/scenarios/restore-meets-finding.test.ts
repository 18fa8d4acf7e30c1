import { DeleteItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { setGroups } from '../../functions/aws/network-interfaces.ts';
import type { CaseDocument } from '../../functions/core/case/case.ts';
import { restoreExecution, restoreInstance } from '../../functions/restore-instance/step.ts';
import { defaultWorld, ids, readEvent, refusedBy, slowTools, twoInterfaces } from '../support/bench.ts';
import { type Episode, inEpisode } from '../support/episode.ts';
import { laterFinding, worldOf } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const NEW_PEER = '203.0.113.9';

const groupNames = ({ file }: Episode) => file.NetworkInterfaces[0]?.Groups.map(({ GroupName }) => GroupName);
const groupIds = ({ file }: Episode) => file.NetworkInterfaces[0]?.Groups.map(({ GroupId }) => GroupId);
const denies = ({ file }: Episode) =>
  (file.NetworkAcls[0]?.Entries ?? [])
    .filter(({ RuleAction, RuleNumber }) => RuleAction === 'deny' && RuleNumber < 32_767)
    .map(({ Egress, CidrBlock }) => `${Egress ? 'out' : 'in'} ${CidrBlock}`)
    .sort();
const statuses = ({ world }: Episode) =>
  world
    .dumpTable()
    .flatMap(({ sk, document }) => (sk === 'CASE' ? [(JSON.parse(String(document)) as CaseDocument).status] : []));

async function contained(episode: Episode): Promise<string> {
  const [report] = await episode.send(finding);
  if (report === undefined) throw new Error('nothing was reported');
  return report.caseId;
}

describe('a finding while the evidence is given back', () => {
  const lifecycle = ({ file, world }: Episode) => {
    world.snapshot();
    return file.AutoScalingInstances.find(({ InstanceId }) => InstanceId === ids.instance)?.LifecycleState;
  };

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12])(
    '%s s after the restore began: an instance that is isolated is out of service, and comes back with its restore',
    async (offset) => {
      await inEpisode(worldOf('auto-scaling-member'), async (episode) => {
        const { tools } = episode;
        const caseId = await contained(episode);
        await tools.sleep(3600);
        const restoring = episode.restore(caseId, true);
        await tools.sleep(offset);
        await episode.begin(laterFinding(NEW_PEER));
        await restoring;
        const [second] = await episode.settle();
        await tools.sleep(120);
        const isIsolated = groupNames(episode)?.join() === 'flowcut-isolation';
        expect([isIsolated, lifecycle(episode)]).toEqual([isIsolated, isIsolated ? 'Standby' : 'InService']);
        await episode.restore(second?.caseId ?? '', true);
        await tools.sleep(120);
        expect([groupIds(episode), lifecycle(episode)]).toEqual([[ids.web], 'InService']);
      });
    },
  );

  it('is given back by the restore of the next case where the first one could not', async () => {
    await inEpisode(worldOf('auto-scaling-member'), async (episode) => {
      const caseId = await contained(episode);
      let isFull = true;
      episode.world.interceptors.push({
        before: ({ call }) => {
          if (isFull && call === 'ExitStandby') throw refusedBy('ValidationError')();
        },
      });
      const { restore, evidence } = await episode.restore(caseId, true);
      expect(restore.kind).toBe('restored');
      expect(evidence.items.filter(({ outcome }) => outcome === 'failed')).toHaveLength(1);
      expect(statuses(episode)).toEqual(['restored']);
      isFull = false;
      const [second] = await episode.send(laterFinding(NEW_PEER));
      expect(second?.caseId).not.toBe(caseId);
      await episode.restore(second?.caseId ?? '', true);
      await episode.tools.sleep(120);
      expect(lifecycle(episode)).toBe('InService');
    });
  });
});

describe('a finding that is only planned while a restore runs', () => {
  const SWITCH = { pk: { S: 'SETTINGS' }, sk: { S: 'MODE' } };

  it('leaves the case to the restore: what the owner changes later is what the next restore gives back', async () => {
    await inEpisode(defaultWorld(twoInterfaces), async (episode) => {
      const { tools } = episode;
      const { client, name: TableName } = tools.cases;
      const caseId = await contained(episode);
      await client.send(new PutItemCommand({ TableName, Item: { ...SWITCH, mode: { S: 'observe' } } }));
      const restoring = episode.restore(caseId, true);
      await tools.sleep(1);
      const [planned] = await episode.send(laterFinding(NEW_PEER));
      await restoring;
      expect([planned?.verdict, statuses(episode)]).toEqual(['planned', ['restored']]);
      await tools.sleep(86_400);
      await setGroups(tools.ec2, ids.eni, [ids.second]);
      await client.send(new DeleteItemCommand({ TableName, Key: SWITCH }));
      const [third] = await episode.send(laterFinding('203.0.113.10', 3, '2026-01-17T16:00:00.000Z'));
      expect(groupNames(episode)).toEqual(['flowcut-isolation']);
      await episode.restore(third?.caseId ?? '', true);
      expect(groupIds(episode)).toEqual([ids.second]);
    });
  });
});

describe('a finding while a call of the restore takes a minute', () => {
  it.each(['ModifyNetworkInterfaceAttribute', 'DeleteNetworkAclEntry', 'DescribeNetworkAcls'])(
    'is cut, and the restore leaves that alone: %s',
    async (api) => {
      await inEpisode(defaultWorld(), async (episode) => {
        const caseId = await contained(episode);
        const restoring = restoreInstance(slowTools(episode, api, 60), { caseId, force: true });
        await episode.tools.sleep(2);
        await episode.begin(laterFinding(NEW_PEER));
        const restored = await restoring;
        const [report] = await episode.settle();
        expect(report?.caseId).toBe(caseId);
        expect(denies(episode)).toEqual(
          [ids.peer, NEW_PEER, '192.0.2.55']
            .filter((peer) => denies(episode).includes(`in ${peer}/32`))
            .flatMap((peer) => [`in ${peer}/32`, `out ${peer}/32`])
            .sort(),
        );
        expect(denies(episode)).toContain(`out ${NEW_PEER}/32`);
        expect(groupNames(episode)).toEqual(['flowcut-isolation']);
        if (api === 'DeleteNetworkAclEntry') return;
        expect(restored).toMatchObject({ kind: 'partly-restored', host: null });
        expect(JSON.stringify(restored)).toContain('a response has taken the case up again');
      });
    },
  );
});

describe('a restore that dies half way, and is started again once a response has taken the case up', () => {
  it('restores nothing more; another one does', async () => {
    await inEpisode(defaultWorld(twoInterfaces), async (episode) => {
      const { tools } = episode;
      const caseId = await contained(episode);
      const before = groupIds(episode);
      const run = (execution: string) => restoreExecution(tools, { request: { caseId, force: true }, execution });
      let isDown = true;
      episode.world.interceptors.push({
        before: ({ call }) => {
          if (isDown && call === 'DescribeNetworkAcls') throw refusedBy('InternalFailure')();
        },
      });
      await expect(run('the first')).rejects.toThrow('InternalFailure');
      expect([groupIds(episode), statuses(episode)]).toEqual([[ids.web], ['restoring']]);
      isDown = false;
      const [report] = await episode.send(laterFinding(NEW_PEER));
      const cut = [groupIds(episode), denies(episode)];
      expect([report?.caseId, cut[0]]).toEqual([caseId, before]);
      expect(cut[1]).toContain(`out ${NEW_PEER}/32`);

      const again = await run('the first');
      expect([groupIds(episode), denies(episode)]).toEqual(cut);
      expect(statuses(episode)).toEqual(['reported']);
      if (again.kind !== 'partly-restored') throw new Error(`it is ${again.kind}`);
      expect(again.host).toBeNull();
      expect(again.items).toHaveLength(2 + (cut[1]?.length ?? 0));
      expect(new Set(again.items.map(({ outcome, detail }) => `${outcome}: ${detail}`))).toEqual(
        new Set(['drifted: a response has taken the case up again: restore again when it has ended']),
      );

      expect((await run('the second')).kind).toBe('restored');
      expect([groupIds(episode), denies(episode)]).toEqual([[ids.web], []]);
    });
  });

  it('goes on where no response came in between', async () => {
    await inEpisode(defaultWorld(), async (episode) => {
      const caseId = await contained(episode);
      const request = { request: { caseId, force: true }, execution: 'the first' };
      let isDown = true;
      episode.world.interceptors.push({
        before: ({ call }) => {
          if (isDown && call === 'DescribeNetworkAcls') throw refusedBy('InternalFailure')();
        },
      });
      await expect(restoreExecution(episode.tools, request)).rejects.toThrow('InternalFailure');
      isDown = false;
      expect((await restoreExecution(episode.tools, request)).kind).toBe('restored');
      expect([groupIds(episode), denies(episode)]).toEqual([[ids.web], []]);
    });
  });
});
