import {
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  CreateTagsCommand,
  RevokeSecurityGroupEgressCommand,
  RevokeSecurityGroupIngressCommand,
} from '@aws-sdk/client-ec2';
import { describe, expect, it } from 'vitest';
import { setGroups } from '../../functions/aws/network-interfaces.ts';
import { deleteSecurityGroups } from '../../functions/delete-security-groups/step.ts';
import { swapSecurityGroups } from '../../functions/swap-security-groups/step.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { defaultWorld, ids, onBench, readEvent, refusedBy, twoInterfaces } from '../support/bench.ts';
import type { Restored } from '../support/episode.ts';
import { type Episode, inEpisode } from '../support/episode.ts';
import { simulate } from '../support/own-flow-log.ts';
import { laterFinding, neighbourApart, neighbourFinding } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const deleting = { deleteReplacedGroups: true };
type Group = WorldFile['SecurityGroups'][number];

const groupNames = (file: WorldFile) => file.SecurityGroups.map(({ GroupName }) => GroupName ?? '').sort();
const byName = (file: WorldFile, name: string): Group => {
  const group = file.SecurityGroups.find(({ GroupName }) => GroupName === name);
  if (group === undefined) throw new Error(`there is no group ${name}`);
  return group;
};
const web = (world: WorldFile): Group => byName(world, 'shop-web');
const groupIdsOf = (file: WorldFile, eniId: string) =>
  file.NetworkInterfaces.find(({ NetworkInterfaceId }) => NetworkInterfaceId === eniId)?.Groups.map(
    ({ GroupId }) => GroupId,
  );
const what = ({ world }: Episode) =>
  world
    .dumpTable()
    .filter(({ sk, step }) => String(sk).startsWith('TIME#') && step === 'delete-security-groups')
    .map((item) => String(item['what']));

/** Rules as a person compares them: without ids of rules, in an order of their own, the group's own id as `self`. */
function rulesOf({ GroupId, IpPermissions, IpPermissionsEgress }: Group): readonly string[] {
  const lines = (direction: string, permissions: Group['IpPermissions']) =>
    permissions.flatMap(({ IpProtocol, FromPort, ToPort, IpRanges, Ipv6Ranges, PrefixListIds, UserIdGroupPairs }) => {
      const peers = [
        ...(IpRanges ?? []).map((one) => [one.CidrIp, one.Description]),
        ...(Ipv6Ranges ?? []).map((one) => [one.CidrIpv6, one.Description]),
        ...(PrefixListIds ?? []).map((one) => [one.PrefixListId, one.Description]),
        ...(UserIdGroupPairs ?? []).map((one) => [one.GroupId === GroupId ? 'self' : one.GroupId, one.Description]),
      ];
      return peers.map(([peer, text]) => `${direction} ${IpProtocol} ${FromPort}-${ToPort} ${peer} ${text ?? ''}`);
    });
  return [...lines('in', IpPermissions), ...lines('out', IpPermissionsEgress)].sort();
}

const pair = (GroupId: string, Description: string) => ({
  IpProtocol: 'tcp',
  FromPort: 8080,
  ToPort: 8080,
  IpRanges: [],
  Ipv6Ranges: [],
  PrefixListIds: [],
  UserIdGroupPairs: [{ GroupId, UserId: '111122223333', Description }],
});

/** The default incident, watched by a flow log of its VPC, so that the case comes to be contained. */
const watched = (change: (world: WorldFile) => void = () => undefined) =>
  defaultWorld((world) => {
    world.FlowLogs = [{ ResourceId: ids.vpc, DeliverySeconds: 300 }];
    change(world);
  });

/** The group of the web servers is the instance's alone, and is as rich as a group can be. */
const alone = (change: (world: WorldFile) => void = () => undefined) =>
  watched((world) => {
    neighbourApart(world);
    const group = web(world);
    group.Tags = [
      { Key: 'Name', Value: 'shop' },
      { Key: 'team', Value: 'web' },
    ];
    group.IpPermissions?.push(pair(ids.web, 'the web servers among themselves'));
    change(world);
  });

const itemsOf = ({ restore }: Restored) => {
  if (restore.kind === 'refused') throw new Error(restore.reason);
  return restore.items;
};
const outcomes = (restored: Restored) => itemsOf(restored).map(({ item, outcome }) => `${item}: ${outcome}`);

describe('a group that was replaced', () => {
  it('is kept where single rules of it carry tags, which could not be given back', async () => {
    await inEpisode(
      alone(),
      async (episode) => {
        const { ec2 } = episode.tools;
        const send = async (command: unknown): Promise<object> => {
          const answer: object = await ec2.send(command as never);
          const { SecurityGroupRules: rules } = answer as { SecurityGroupRules?: readonly object[] };
          if (rules === undefined) return answer;
          return {
            ...answer,
            SecurityGroupRules: rules.map((rule) => ({ ...rule, Tags: [{ Key: 'ticket', Value: '7' }] })),
          };
        };
        Object.assign(episode.tools, { ec2: Object.assign(Object.create(ec2) as typeof ec2, { send }) });
        await episode.send(finding);
        expect(groupNames(episode.file)).toContain('shop-web');
        expect(what(episode).join()).toContain('its rules carry tags');
      },
      deleting,
    );
  });

  it('is kept by default', async () => {
    const file = alone();
    const run = await simulate(file, finding);
    expect(run.report.verdict).toBe('contained');
    expect(run.calls.byApi['DeleteSecurityGroup']).toBeUndefined();
    expect(groupNames(file)).toEqual(['default', 'flowcut-isolation', 'shop-web']);
  });

  it('is deleted where that is opted in and nobody but itself uses it', async () => {
    const file = alone();
    const run = await simulate(file, finding, { config: deleting });
    expect(run.report.verdict).toBe('contained');
    expect(groupNames(file)).toEqual(['default', 'flowcut-isolation']);
  });

  it.each<[string, (world: WorldFile) => void, RegExp]>([
    [
      'it is the default one',
      (world) => {
        const [eni] = world.NetworkInterfaces;
        const [first, second] = [web(world), byName(world, 'default')];
        Object.assign(second, { IpPermissions: first.IpPermissions, IpPermissionsEgress: first.IpPermissionsEgress });
        first.IpPermissions = first.IpPermissions?.filter(({ UserIdGroupPairs }) => !UserIdGroupPairs?.length) ?? [];
        second.IpPermissions = first.IpPermissions;
        if (eni) eni.Groups = [{ GroupId: second.GroupId, GroupName: 'default' }];
        const neighbour = world.NetworkInterfaces[1];
        if (neighbour) neighbour.Groups = [{ GroupId: first.GroupId, GroupName: 'shop-web' }];
      },
      /default group of a VPC/,
    ],
    [
      'another interface uses it',
      (world) => {
        const neighbour = world.NetworkInterfaces[1];
        if (neighbour) neighbour.Groups = [{ GroupId: ids.web, GroupName: 'shop-web' }];
      },
      /used by eni-00000000000000e02/,
    ],
    [
      'another group references it inbound',
      (world) => {
        byName(world, 'default').IpPermissions?.push(pair(ids.web, 'from the web servers'));
      },
      /used by sg-00000000000000c00/,
    ],
    [
      'another group references it outbound',
      (world) => {
        byName(world, 'default').IpPermissionsEgress?.push(pair(ids.web, 'to the web servers'));
      },
      /used by sg-00000000000000c00/,
    ],
  ])('is kept when %s, and the timeline says why', async (_, change, why) => {
    await inEpisode(
      alone(change),
      async (episode) => {
        const before = groupNames(episode.file);
        const [report] = await episode.send(finding);
        expect(report?.verdict).toBe('contained');
        expect(groupNames(episode.file)).toEqual(expect.arrayContaining([...before, 'flowcut-isolation']));
        expect(what(episode)).toEqual([expect.stringMatching(why)]);
        expect(episode.world.calls().byApi['DeleteSecurityGroup']).toBeUndefined();
      },
      deleting,
    );
  });

  it('is kept as long as the restore of another open case needs it', async () => {
    await inEpisode(
      watched(),
      async (episode) => {
        const { send, restore, file } = episode;
        const [first] = await send(finding);
        const [second] = await send(neighbourFinding());
        expect([first?.verdict, second?.verdict]).toEqual(['contained', 'contained']);
        expect(what(episode).join()).toContain(`kept: the restore of ${first?.caseId} needs it`);
        expect(groupNames(file)).toContain('shop-web');
        await restore(second?.caseId ?? '', true);
        await restore(first?.caseId ?? '', true);
        for (const eni of ['eni-00000000000000e01', 'eni-00000000000000e02'])
          expect(groupIdsOf(file, eni)).toEqual([ids.web]);
      },
      deleting,
    );
  });

  it('is kept when the instance is not contained', async () => {
    await inEpisode(
      alone((world) => {
        world.FlowLogs = [];
      }),
      async ({ send, file }) => {
        const [report] = await send(finding);
        expect(report?.verdict).toBe('held');
        expect(groupNames(file)).toContain('shop-web');
      },
      deleting,
    );
  });

  it('is kept, and nothing fails, when EC2 refuses to delete it', async () => {
    const file = alone((world) => {
      world.Faults = [{ Api: 'DeleteSecurityGroup', Call: '1+', Error: 'DependencyViolation' }];
    });
    await inEpisode(
      file,
      async (episode) => {
        const [report] = await episode.send(finding);
        expect(report?.verdict).toBe('contained');
        expect(what(episode)).toEqual([expect.stringContaining('kept: DependencyViolation')]);
        const { restore } = await episode.restore(report?.caseId ?? '');
        expect(restore.kind).toBe('restored');
        expect(groupIdsOf(file, ids.eni)).toEqual([ids.web]);
        expect(groupNames(file)).toEqual(['default', 'flowcut-isolation', 'shop-web']);
      },
      deleting,
    );
  });
});

describe('a group that was deleted', () => {
  it('is made again on restore: rules, descriptions, tags, and the rule that names itself', async () => {
    const file = alone();
    const before = structuredClone(web(file));
    await inEpisode(
      file,
      async ({ send, restore }) => {
        const [report] = await send(finding);
        const restored = await restore(report?.caseId ?? '');
        const again = web(file);
        expect(again.GroupId).not.toBe(before.GroupId);
        expect(rulesOf(again)).toEqual(rulesOf(before));
        expect(rulesOf(again).join()).toContain('self the web servers among themselves');
        expect(again).toMatchObject({ Description: before['Description'], VpcId: before.VpcId, Tags: before.Tags });
        expect(groupIdsOf(file, ids.eni)).toEqual([again.GroupId]);
        expect(itemsOf(restored)).toContainEqual({
          item: `security group ${ids.web} (shop-web)`,
          outcome: 'restored',
          detail: `its id is ${again.GroupId} now`,
        });
      },
      deleting,
    );
  });

  it('is made again without the tags that AWS alone can set, and the report names them', async () => {
    const file = alone((world) => {
      web(world).Tags?.push(
        { Key: 'aws:cloudformation:stack-name', Value: 'shop' },
        { Key: 'aws:cloudformation:logical-id', Value: 'Web' },
      );
    });
    await inEpisode(
      file,
      async ({ send, restore }) => {
        const [report] = await send(finding);
        const { restore: restored } = await restore(report?.caseId ?? '');
        expect(restored.kind).toBe('restored');
        expect(JSON.stringify(restored)).toContain(
          'without aws:cloudformation:stack-name, aws:cloudformation:logical-id, which AWS alone can set',
        );
        expect(web(file).Tags?.map(({ Key }) => Key)).toEqual(['Name', 'team']);
      },
      deleting,
    );
  });

  it('references the group of another account again, by that account', async () => {
    const foreign = {
      ...pair('sg-00000000000000abc', 'their database'),
      UserIdGroupPairs: [{ GroupId: 'sg-00000000000000abc', UserId: '999988887777', Description: 'their database' }],
    };
    const file = alone((world) => web(world).IpPermissions?.push(foreign));
    await inEpisode(
      file,
      async ({ send, restore }) => {
        const [report] = await send(finding);
        expect((await restore(report?.caseId ?? '')).restore.kind).toBe('restored');
        const pairs = web(file).IpPermissions?.flatMap(({ UserIdGroupPairs = [] }) => UserIdGroupPairs);
        expect(pairs).toContainEqual({
          GroupId: 'sg-00000000000000abc',
          UserId: '999988887777',
          Description: 'their database',
        });
      },
      deleting,
    );
  });

  it('is made once, though restored twice', async () => {
    await inEpisode(
      alone(),
      async ({ send, restore, state, file }) => {
        const [report] = await send(finding);
        const caseId = report?.caseId ?? '';
        await restore(caseId);
        const before = state();
        expect(outcomes(await restore(caseId))).toContain(`security group ${ids.web} (shop-web): already`);
        expect(state()).toBe(before);
        expect(groupNames(file)).toEqual(['default', 'flowcut-isolation', 'shop-web']);
      },
      deleting,
    );
  });

  it.each(['CreateSecurityGroup', 'AuthorizeSecurityGroupIngress', 'AuthorizeSecurityGroupEgress'])(
    'is made whole by the second restore, though %s failed in the first',
    async (Api) => {
      const file = alone();
      const before = structuredClone(web(file));
      await inEpisode(
        file,
        async ({ send, restore, world }) => {
          const [report] = await send(finding);
          let isRefused = true;
          world.interceptors.push({
            before: ({ call }) => {
              if (call !== Api || !isRefused) return;
              throw Object.assign(new Error('by the test'), { name: 'UnauthorizedOperation' });
            },
          });
          const caseId = report?.caseId ?? '';
          const first = await restore(caseId);
          expect(first.restore.kind).toBe('partly-restored');
          expect(itemsOf(first)).toContainEqual({
            item: `security group ${ids.web} (shop-web)`,
            outcome: 'failed',
            detail: 'UnauthorizedOperation: by the test',
          });
          isRefused = false;
          expect((await restore(caseId, true)).restore.kind).toBe('restored');
          expect(rulesOf(web(file))).toEqual(rulesOf(before));
          expect(groupIdsOf(file, ids.eni)).toEqual([web(file).GroupId]);
        },
        deleting,
      );
    },
  );

  it('and that another deleted group references is made again with it', async () => {
    const file = alone((world) => {
      const [eni] = world.NetworkInterfaces;
      const group = web(world);
      world.SecurityGroups.push({
        ...structuredClone(group),
        GroupId: ids.second,
        GroupName: 'shop-lb',
        IpPermissions: [],
      });
      group.IpPermissions?.push(pair(ids.second, 'from the balancer'));
      eni?.Groups.push({ GroupId: ids.second, GroupName: 'shop-lb' });
    });
    await inEpisode(
      file,
      async ({ send, restore }) => {
        const [report] = await send(finding);
        // A later occurrence cleans up what the first one could not, for the reference is gone by then.
        await send(laterFinding(ids.peer));
        const { restore: result } = await restore(report?.caseId ?? '');
        expect(result.kind).toBe('restored');
        const [again, balancer] = [web(file), byName(file, 'shop-lb')];
        expect(groupIdsOf(file, ids.eni)).toEqual([again.GroupId, balancer.GroupId]);
        expect(rulesOf(again)).toContain(`in tcp 8080-8080 ${balancer.GroupId} from the balancer`);
      },
      deleting,
    );
  });

  it('is the one that the next case replaces and restores', async () => {
    const file = alone();
    const before = rulesOf(web(file));
    await inEpisode(
      file,
      async ({ send, ask, restore }) => {
        const [first] = await send(finding);
        await restore(first?.caseId ?? '');
        const again = await ask({ instanceId: ids.instance, mode: 'contain' });
        expect(again.caseId).not.toBe(first?.caseId);
        await restore(again.caseId, true);
        expect(rulesOf(web(file))).toEqual(before);
        expect(groupIdsOf(file, ids.eni)).toEqual([web(file).GroupId]);
      },
      deleting,
    );
  });
});

describe('a group of the same name that somebody else has made meanwhile', () => {
  const EVERYTHING_OUT = { IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] };
  const inside = { IpProtocol: 'tcp', FromPort: 443, ToPort: 443, IpRanges: [{ CidrIp: '10.0.0.0/8' }] };

  it.each<[string, (episode: Episode, groupId: string) => Promise<unknown>]>([
    [
      'has other rules',
      async ({ tools: { ec2 } }, GroupId) => {
        await ec2.send(new RevokeSecurityGroupEgressCommand({ GroupId, IpPermissions: [EVERYTHING_OUT] }));
        await ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions: [inside] }));
      },
    ],
    ['is held by a neighbour', ({ tools }, groupId) => setGroups(tools.ec2, 'eni-00000000000000e02', [groupId])],
    [
      'has other tags',
      ({ tools }, id) =>
        tools.ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key: 'owner', Value: 'pipeline' }] })),
    ],
  ])('is left as it is where it %s, and that is told', async (_, change) => {
    const file = alone();
    await inEpisode(
      file,
      async (episode) => {
        const { Description, Tags } = structuredClone(web(file));
        const [report] = await episode.send(finding);
        const { GroupId = '' } = await episode.tools.ec2.send(
          new CreateSecurityGroupCommand({
            GroupName: 'shop-web',
            Description: String(Description),
            VpcId: ids.vpc,
            TagSpecifications: [{ ResourceType: 'security-group', Tags }],
          }),
        );
        await episode.tools.sleep(10);
        await change(episode, GroupId);
        const before = structuredClone(web(file));
        const restored = await episode.restore(report?.caseId ?? '');
        expect(web(file)).toEqual(before);
        expect(restored.restore).toMatchObject({ kind: 'partly-restored' });
        expect(itemsOf({ ...restored, evidence: { items: [] } })).toContainEqual({
          item: `security group ${ids.web} (shop-web)`,
          outcome: 'failed',
          detail: `Error: somebody has made a group shop-web meanwhile, ${GroupId}: it is left as it is`,
        });
      },
      deleting,
    );
  });
});

describe('a group that is filled twice', () => {
  it('has every rule where the first restore died over it, though EC2 refuses rules of which one stands', async () => {
    const file = alone((world) => {
      web(world).IpPermissionsEgress = [
        {
          IpProtocol: '-1',
          IpRanges: [{ CidrIp: '0.0.0.0/0', Description: 'everywhere' }, { CidrIp: '10.0.0.0/8' }],
          Ipv6Ranges: [],
          PrefixListIds: [],
          UserIdGroupPairs: [],
        },
      ];
    });
    const before = rulesOf(web(file));
    await inEpisode(
      file,
      async (episode) => {
        const [report] = await episode.send(finding);
        let isDead = false;
        episode.world.interceptors.push({
          before: ({ call, input }) => {
            if (isDead || call !== 'PutItem' || !JSON.stringify(input).includes('SUCCESSOR#')) return;
            isDead = true;
            throw refusedBy('Killed')();
          },
        });
        await episode.restore(report?.caseId ?? '');
        expect(outcomes(await episode.restore(report?.caseId ?? ''))[0]).toMatch(/: restored$/);
        expect(isDead).toBe(true);
        expect(rulesOf(web(file))).toEqual(before);
      },
      deleting,
    );
  });
});

describe('a group that could not be deleted at first', () => {
  it('is given back as it was when it was deleted', async () => {
    const file = alone();
    await inEpisode(
      file,
      async (episode) => {
        let isRefused = true;
        episode.world.interceptors.push({
          before: ({ call }) => {
            if (isRefused && call === 'DeleteSecurityGroup') throw refusedBy('DependencyViolation')();
          },
        });
        const [report] = await episode.send(finding);
        isRefused = false;
        const { IpPermissions } = structuredClone(web(file));
        await episode.tools.ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId: ids.web, IpPermissions }));
        await episode.send(laterFinding(ids.peer));
        expect(groupNames(file)).not.toContain('shop-web');
        await episode.restore(report?.caseId ?? '');
        expect(web(file).IpPermissions).toEqual([]);
      },
      deleting,
    );
  });
});

describe('the group of an interface that was attached after the assessment', () => {
  it('is not deleted by another case: the restore needs it', async () => {
    const file = defaultWorld((world) => {
      twoInterfaces(world);
      const [, neighbour, second] = world.NetworkInterfaces;
      const group = [{ GroupId: ids.second, GroupName: 'shop-second' }];
      if (neighbour && second) Object.assign(neighbour, { Groups: group });
      if (second) second.Groups = structuredClone(group);
    });
    const attached = file.NetworkInterfaces.pop();
    if (attached?.NetworkInterfaceId !== ids.secondEni) throw new Error('the world has lost the second interface');
    await onBench(
      file,
      async (bench) => {
        const opened = await bench.open();
        file.NetworkInterfaces.push(attached);
        await swapSecurityGroups(bench.tools, opened);
        const other = await bench.contain({ instanceId: ids.neighbour, remoteAddresses: [ids.peer] });
        if (other.verdict === undefined) throw new Error('unreachable');
        const deletion = await deleteSecurityGroups(bench.tools, {
          ...other,
          verdict: { ...other.verdict, kind: 'contained' },
        });
        expect(JSON.stringify(deletion)).toContain(`the restore of ${opened.case.caseId} needs it`);
        expect(groupNames(file)).toContain('shop-second');
      },
      deleting,
    );
  });
});
