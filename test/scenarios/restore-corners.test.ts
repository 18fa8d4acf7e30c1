import {
  CreateNetworkAclEntryCommand,
  DeleteNetworkAclEntryCommand,
  DeleteSecurityGroupCommand,
  DeleteTagsCommand,
} from '@aws-sdk/client-ec2';
import { describe, expect, it } from 'vitest';
import { setGroups, setTimeouts } from '../../functions/aws/network-interfaces.ts';
import { cutOnHost } from '../../functions/cut-on-host/step.ts';
import { denyAtNacl } from '../../functions/deny-at-nacl/step.ts';
import { readDefinition } from '../../local/definitions.ts';
import { runMachine } from '../../local/runner.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import {
  defaultWorld,
  ids,
  onBench,
  readEvent,
  refusedBy,
  shellAlone,
  shellWatched,
  twoInterfaces,
} from '../support/bench.ts';
import { type Episode, inEpisode } from '../support/episode.ts';
import { simulate } from '../support/own-flow-log.ts';
import { laterFinding, neighbourApart, worldOf } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const NEW_PEER = '203.0.113.9';
const DELETING = { deleteReplacedGroups: true } as const;

const instanceOf = ({ file }: Episode) => {
  const found = file.Reservations.flatMap(({ Instances }) => Instances).find(
    ({ InstanceId }) => InstanceId === ids.instance,
  );
  if (found === undefined) throw new Error('the instance is not in the world');
  return found;
};
const eniOf = ({ file }: Episode, id: string) => {
  const found = file.NetworkInterfaces.find((one) => one.NetworkInterfaceId === id);
  if (found === undefined) throw new Error(`${id} is not in the world`);
  return found;
};
const groupName = ({ file }: Episode) => file.NetworkInterfaces[0]?.Groups[0]?.GroupName;

function detach(episode: Episode, id: string): () => void {
  const eni = eniOf(episode, id);
  const { Attachment } = eni;
  delete (eni as { Attachment?: unknown }).Attachment;
  Object.assign(eni, { Status: 'available' });
  return () => void Object.assign(eni, { Attachment, Status: 'in-use' });
}

describe('the restore of an older case, while a newer one contains the instance', () => {
  it('leaves the evidence to the newer one, and its restore gives it back', async () => {
    await inEpisode(worldOf('auto-scaling-member'), async (episode) => {
      const [first] = await episode.send(finding);
      const caseId = first?.caseId ?? '';
      let isRefused = true;
      episode.world.interceptors.push({
        before: ({ call, input }) => {
          const unprotects =
            call === 'ModifyInstanceAttribute' && JSON.stringify(input).includes('DisableApiTermination');
          if (isRefused && (call === 'ExitStandby' || unprotects)) throw refusedBy('ValidationError')();
        },
      });
      await episode.restore(caseId, true);
      isRefused = false;
      const [second] = await episode.send(laterFinding(NEW_PEER));
      expect(second?.caseId).not.toBe(caseId);
      await episode.tools.sleep(60);
      const seen = () => {
        episode.world.snapshot();
        return [
          groupName(episode),
          episode.file.AutoScalingInstances.find(({ InstanceId }) => InstanceId === ids.instance)?.LifecycleState,
          episode.file.InstanceAttributes[ids.instance]?.['DisableApiTermination'],
        ];
      };
      expect(seen()).toEqual(['flowcut-isolation', 'Standby', true]);
      const { evidence, restore } = await episode.restore(caseId);
      await episode.tools.sleep(120);
      expect(seen()).toEqual(['flowcut-isolation', 'Standby', true]);
      expect(restore.kind !== 'refused' && restore.host).toBeNull();
      expect(evidence.items.find(({ item }) => item === 'termination protection')).toEqual({
        item: 'termination protection',
        outcome: 'drifted',
        detail: `${second?.caseId} has the instance now: restore that case`,
      });
      await episode.restore(second?.caseId ?? '', true);
      await episode.tools.sleep(120);
      expect(seen()).toEqual(['shop-web', 'InService', false]);
    });
  });

  it('lets no process go on that the newer one has stopped; once that is restored it undoes its own', async () => {
    const file = defaultWorld((world) => {
      world.Hosts = [{ InstanceId: ids.instance, SocketKill: false } as WorldFile['Hosts'][number]];
    });
    await inEpisode(
      file,
      async (episode) => {
        const sent: string[] = [];
        let isDeaf = false;
        episode.world.interceptors.push({
          before: ({ call, input }) => {
            if (call !== 'SendCommand') return;
            if (isDeaf) throw refusedBy('InvalidInstanceId')();
            const { Parameters } = input as { Parameters: Record<string, string[]> };
            sent.push(`${Parameters['Verb']?.[0]} ${Parameters['CaseId']?.[0]}`);
          },
        });
        const [first] = await episode.send(finding);
        // The agent takes longer than its budget to come back.
        isDeaf = true;
        await episode.restore(first?.caseId ?? '', true);
        isDeaf = false;
        const [second] = await episode.send(laterFinding(ids.peer));
        const before = sent.length;
        await episode.restore(first?.caseId ?? '');
        expect(sent).toHaveLength(before);
        await episode.restore(second?.caseId ?? '', true);
        await episode.restore(first?.caseId ?? '');
        expect(sent.slice(before)).toEqual([`undo ${second?.caseId}`, `undo ${first?.caseId}`]);
      },
      { openings: { agentEgress: ['10.0.0.0/16'], analystIngress: [] } },
    );
  });
});

describe('an interface that is detached after the isolation', () => {
  const before = [
    { GroupId: ids.second, GroupName: 'shop-second' },
    { GroupId: ids.web, GroupName: 'shop-web' },
  ];

  it('gets its groups back all the same', async () => {
    await inEpisode(shellAlone(twoInterfaces), async (episode) => {
      const [first] = await episode.send(finding);
      detach(episode, ids.secondEni);
      const { restore } = await episode.restore(first?.caseId ?? '', true);
      expect(restore).toMatchObject({ kind: 'restored' });
      expect(restore.kind !== 'refused' && restore.items).toContainEqual({
        item: `${ids.secondEni} groups`,
        outcome: 'restored',
      });
      expect(eniOf(episode, ids.secondEni).Groups).toEqual(before);
    });
  });

  it('and attached to another instance is left, and said to be there', async () => {
    await inEpisode(shellAlone(twoInterfaces), async (episode) => {
      const [first] = await episode.send(finding);
      detach(episode, ids.secondEni);
      const eni = eniOf(episode, ids.secondEni);
      const attachment = {
        AttachmentId: 'eni-attach-1',
        InstanceId: ids.neighbour,
        DeviceIndex: 1,
        Status: 'attached',
      };
      Object.assign(eni, { Attachment: attachment, Status: 'in-use' });
      const isolation = eni.Groups[0]?.GroupId;
      const { restore } = await episode.restore(first?.caseId ?? '', true);
      expect(restore.kind !== 'refused' && restore.items).toContainEqual({
        item: `${ids.secondEni} groups`,
        outcome: 'drifted',
        detail: `found ${isolation}; the interface is attached to ${ids.neighbour} now`,
      });
    });
  });

  it('and comes back isolated to the next case is given back as the first one found it', async () => {
    await inEpisode(shellAlone(twoInterfaces), async (episode) => {
      const eni = eniOf(episode, ids.secondEni);
      Object.assign(eni, {
        ConnectionTrackingConfiguration: { TcpEstablishedTimeout: 900, UdpTimeout: 40, UdpStreamTimeout: 100 },
      });
      const [first] = await episode.send(finding);
      // Out of reach while the first case is restored.
      const away = episode.file.NetworkInterfaces.splice(episode.file.NetworkInterfaces.indexOf(eni), 1);
      await episode.restore(first?.caseId ?? '', true);
      episode.file.NetworkInterfaces.push(...away);
      const [second] = await episode.send(laterFinding(ids.peer));
      const { restore } = await episode.restore(second?.caseId ?? '', true);
      expect(restore.kind).toBe('restored');
      expect(eni.Groups).toEqual(before);
      expect(eni.ConnectionTrackingConfiguration).toMatchObject({ TcpEstablishedTimeout: 900 });
    });
  });
});

describe('an isolation group whose tag somebody has taken away', () => {
  it('is known again by what cannot be changed: the interface is given back', async () => {
    await inEpisode(shellAlone(), async (episode) => {
      const [first] = await episode.send(finding);
      const group = episode.file.NetworkInterfaces[0]?.Groups[0]?.GroupId ?? '';
      await episode.tools.ec2.send(new DeleteTagsCommand({ Resources: [group], Tags: [{ Key: 'flowcut:purpose' }] }));
      await episode.tools.sleep(60);
      await episode.restore(first?.caseId ?? '', true);
      expect(groupName(episode)).toBe('shop-web');
    });
  });
});

describe('an execution that is stopped between the host cut and its answer', () => {
  it('is undone on the host by the restore', async () => {
    await onBench(shellAlone(), async (bench) => {
      const opened = await bench.open(finding);
      await Promise.all([denyAtNacl(bench.tools, opened), cutOnHost(bench.tools, opened)]);
      await bench.tools.sleep(20);
      const request = { caseId: opened.case.caseId, force: true };
      const { error } = await runMachine(readDefinition('restore'), request, bench.tools);
      expect(error).toBeNull();
      const verbs = (bench.inputsOf('SendCommand') as { Parameters: Record<string, string[]> }[]).map(
        ({ Parameters }) => Parameters['Verb']?.[0],
      );
      expect(verbs).toEqual(['cut', 'undo']);
      expect((await bench.document(opened.case.caseId)).hostUndone).toBe(true);
    });
  });
});

describe('what is there no more, or is another', () => {
  it('is a target at two ports of one group: both come back', async () => {
    const file = worldOf('auto-scaling-member', (world) => {
      const [target] = world.TargetHealth;
      if (target) world.TargetHealth.push({ ...structuredClone(target), Target: { Id: ids.instance, Port: 9443 } });
    });
    await inEpisode(file, async (episode) => {
      const targets = () =>
        file.TargetHealth.filter(({ TargetHealth }) => TargetHealth?.State !== 'draining')
          .map(({ Target }) => `${Target.Id}:${Target.Port}`)
          .sort();
      const before = targets();
      const [report] = await episode.send(finding);
      await episode.tools.sleep(900);
      const { evidence } = await episode.restore(report?.caseId ?? '', true);
      episode.world.snapshot();
      expect(targets()).toEqual(before);
      const told = evidence.items.filter(({ item }) => item.startsWith('target')).map(({ outcome }) => outcome);
      expect(told).toEqual(['restored', 'restored']);
    });
  });

  it('is another volume at the device: it is not set to be deleted with the instance', async () => {
    await inEpisode(worldOf('auto-scaling-member'), async (episode) => {
      const [report] = await episode.send(finding);
      const device = instanceOf(episode).BlockDeviceMappings?.find(({ DeviceName }) => DeviceName === '/dev/sdg');
      const before = device?.Ebs?.VolumeId;
      Object.assign(device?.Ebs ?? {}, { VolumeId: 'vol-00000000000009999', DeleteOnTermination: false });
      const { evidence } = await episode.restore(report?.caseId ?? '', true);
      expect(device?.Ebs?.DeleteOnTermination).toBe(false);
      expect(evidence.items.find(({ item }) => item.endsWith('/dev/sdg'))).toMatchObject({
        outcome: 'drifted',
        detail: `found vol-00000000000009999; expected ${before}`,
      });
    });
  });

  it.each(['standby', 'detach'] as const)(
    'is gone, and no later restore asks for it again (%s)',
    async (autoScaling) => {
      await inEpisode(
        worldOf('auto-scaling-member'),
        async (episode) => {
          const [report] = await episode.send(finding);
          await episode.tools.sleep(600);
          episode.world.snapshot();
          const instance = instanceOf(episode);
          instance.BlockDeviceMappings =
            instance.BlockDeviceMappings?.filter(({ DeviceName }) => DeviceName !== '/dev/sdg') ?? [];
          for (const list of ['TargetGroups', 'TargetHealth', 'AutoScalingGroups', 'AutoScalingInstances'] as const)
            episode.file[list].length = 0;
          episode.file.ClassicLoadBalancers?.splice(0);
          const { evidence } = await episode.restore(report?.caseId ?? '', true);
          const gone = ['Auto Scaling', 'target group', 'classic load balancer', 'delete on termination of /dev/sdg'];
          for (const name of gone)
            expect(evidence.items.find(({ item }) => item.startsWith(name))?.outcome).toBe('gone');
          const [second] = await episode.send(laterFinding(NEW_PEER));
          const next = await episode.restore(second?.caseId ?? '', true);
          expect(next.evidence.items.filter(({ item }) => gone.some((name) => item.startsWith(name)))).toEqual([]);
        },
        { autoScaling },
      );
    },
  );

  it('is the place in a group whose capacity is one higher now, and that is said', async () => {
    await inEpisode(
      worldOf('auto-scaling-member'),
      async (episode) => {
        const [report] = await episode.send(finding);
        await episode.tools.sleep(600);
        const { evidence } = await episode.restore(report?.caseId ?? '', true);
        expect(evidence.items.find(({ item }) => item.startsWith('Auto'))).toMatchObject({
          outcome: 'restored',
          detail: "the group's desired capacity is one higher now",
        });
      },
      { autoScaling: 'detach' },
    );
  });
});

describe('what a person has set after undoing the isolation by hand, and a finding has isolated again', () => {
  const LATER = laterFinding(NEW_PEER, 3, '2026-01-17T16:00:00.000Z');

  it('is what the restore gives back: groups', async () => {
    await inEpisode(defaultWorld(twoInterfaces), async (episode) => {
      const [first] = await episode.send(finding);
      await episode.tools.sleep(86_400);
      await setGroups(episode.tools.ec2, ids.eni, [ids.second]);
      const [again] = await episode.send(LATER);
      expect([again?.caseId, groupName(episode)]).toEqual([first?.caseId, 'flowcut-isolation']);
      const { restore } = await episode.restore(again?.caseId ?? '', true);
      expect(groupName(episode)).toBe('shop-second');
      expect(restore.kind !== 'refused' && restore.items[0]).toEqual({
        item: `${ids.eni} groups`,
        outcome: 'restored',
        detail: expect.stringMatching(
          new RegExp(
            `^as found at 2026-01-16T.*Z, after .* by hand; before that it was found with ${ids.web} at 2026-01-15T.*Z$`,
          ),
        ),
      });
      expect(episode.world.dumpTable().filter(({ pk }) => String(pk).startsWith('GROUP#'))).toEqual([]);
    });
  });

  it('is what the restore gives back: timeouts', async () => {
    await inEpisode(shellAlone(), async (episode) => {
      const [first] = await episode.send(finding);
      await setGroups(episode.tools.ec2, ids.eni, [ids.web]);
      const timeouts = { tcpEstablishedSeconds: 900, udpSeconds: 40, udpStreamSeconds: 100 };
      await setTimeouts(episode.tools.ec2, ids.eni, timeouts);
      await episode.send(LATER);
      await episode.restore(first?.caseId ?? '', true);
      expect(eniOf(episode, ids.eni).ConnectionTrackingConfiguration).toEqual({
        TcpEstablishedTimeout: 900,
        UdpTimeout: 40,
        UdpStreamTimeout: 100,
      });
    });
  });
});

describe('a deny that somebody has narrowed', () => {
  it('is none that stands', async () => {
    await inEpisode(shellAlone(), async (episode) => {
      const [first] = await episode.send(finding);
      const place = { NetworkAclId: ids.acl, Egress: true, RuleNumber: 1 };
      const narrow = {
        Protocol: '6',
        PortRange: { From: 80, To: 80 },
        RuleAction: 'deny',
        CidrBlock: `${ids.peer}/32`,
      } as const;
      await episode.tools.ec2.send(new DeleteNetworkAclEntryCommand(place));
      await episode.tools.ec2.send(new CreateNetworkAclEntryCommand({ ...place, ...narrow }));
      await episode.tools.sleep(60);
      const report = await episode.ask({ caseId: first?.caseId });
      expect(report.held.some(({ Egress, RuleNumber }) => Egress && RuleNumber === 1)).toBe(false);
    });
  });
});

describe('groups that were deleted', () => {
  it('come back without their rules for a group that somebody has deleted since, and say so', async () => {
    const BALANCER = 'sg-00000000000000c33';
    const file = defaultWorld((world) => {
      neighbourApart(world);
      world.FlowLogs = [{ ResourceId: ids.vpc, DeliverySeconds: 300 }];
      const web = world.SecurityGroups.find(({ GroupName }) => GroupName === 'shop-web');
      if (!web) throw new Error('there is no shop-web');
      world.SecurityGroups.push({
        ...structuredClone(web),
        GroupId: BALANCER,
        GroupName: 'balancer',
        IpPermissions: [],
      });
      const UserIdGroupPairs = [{ GroupId: BALANCER, UserId: '111122223333' }];
      const ports = { IpProtocol: 'tcp', FromPort: 8080, ToPort: 8080 };
      web.IpPermissions?.push({ ...ports, IpRanges: [], Ipv6Ranges: [], PrefixListIds: [], UserIdGroupPairs });
    });
    await inEpisode(
      file,
      async (episode) => {
        const [report] = await episode.send(finding);
        await episode.tools.ec2.send(new DeleteSecurityGroupCommand({ GroupId: BALANCER }));
        const { restore } = await episode.restore(report?.caseId ?? '', true);
        expect(restore).toMatchObject({ kind: 'restored' });
        expect(restore.kind !== 'refused' && restore.items[0]).toMatchObject({
          outcome: 'restored',
          detail: expect.stringMatching(
            new RegExp(`^its id is sg-[0-9a-f]+ now; without its rules for ${BALANCER}, which is there no more$`),
          ),
        });
        expect(groupName(episode)).toBe('shop-web');
      },
      DELETING,
    );
  });

  it('and made again, and deleted by somebody, are made again, once', async () => {
    const file = defaultWorld((world) => {
      neighbourApart(world);
      world.FlowLogs = [{ ResourceId: ids.vpc, DeliverySeconds: 300 }];
    });
    await inEpisode(
      file,
      async (episode) => {
        const [report] = await episode.send(finding);
        const restore = async () => (await episode.restore(report?.caseId ?? '', true)).restore;
        await restore();
        const made = file.NetworkInterfaces[0]?.Groups[0]?.GroupId ?? '';
        const isolation = file.SecurityGroups.find(({ GroupName }) => GroupName === 'flowcut-isolation')?.GroupId ?? '';
        await setGroups(episode.tools.ec2, ids.eni, [isolation]);
        await episode.tools.ec2.send(new DeleteSecurityGroupCommand({ GroupId: made }));
        expect((await restore()).kind).toBe('restored');
        const third = await restore();
        expect(third.kind !== 'refused' && third.items.map(({ outcome }) => outcome)).toEqual([
          'already',
          'already',
          'already',
        ]);
      },
      DELETING,
    );
  });
});

describe('two restores of one case at once', () => {
  it.each([false, true])('fail at nothing (groups were deleted: %s)', async (deleteReplacedGroups) => {
    const file = deleteReplacedGroups ? shellWatched(neighbourApart) : worldOf('auto-scaling-member');
    await inEpisode(
      file,
      async (episode) => {
        const [report] = await episode.send(finding);
        await episode.tools.sleep(900);
        const caseId = report?.caseId ?? '';
        const isDeleted = file.SecurityGroups.every(({ GroupName }) => GroupName !== 'shop-web');
        expect(isDeleted).toBe(deleteReplacedGroups);
        const both = await Promise.all([
          episode.restore(caseId, true),
          episode.tools.sleep(0.3).then(() => episode.restore(caseId, true)),
        ]);
        const items = both.flatMap(({ restore, evidence }) => [
          ...(restore.kind === 'refused' ? [] : restore.items),
          ...evidence.items,
        ]);
        expect(items.filter(({ outcome }) => outcome === 'failed' || outcome === 'drifted')).toEqual([]);
        expect(groupName(episode)).toBe('shop-web');
      },
      { deleteReplacedGroups },
    );
  });
});

describe('the restore of an instance in 190 target groups, none of which takes it back', () => {
  it('ends in time, and its record stays under 64 KiB', async () => {
    const file = worldOf('auto-scaling-member', (world) => {
      const [group] = world.TargetGroups;
      if (!group) throw new Error('there is no target group');
      for (let n = 0; n < 190; n += 1) {
        const TargetGroupName = `k8s-checkout-service-node-${n}`;
        const TargetGroupArn = group.TargetGroupArn.replace('shop-web', TargetGroupName);
        world.TargetGroups.push({ ...structuredClone(group), TargetGroupArn, TargetGroupName });
        const Target = { Id: ids.instance, Port: 30_000 + n };
        world.TargetHealth.push({ TargetGroupArn, Target, TargetHealth: { State: 'healthy' } });
      }
    });
    const { restored } = await simulate(file, finding, {
      restore: { force: true },
      prepare: ({ interceptors }) => {
        interceptors.push({
          before: ({ call }) => {
            const error = refusedBy('AccessDenied')();
            error.message = `User: arn:aws:sts::111122223333:assumed-role/flowcut-RestoreEvidenceFunctionRole-ABCDEFGH is not authorized to perform: elasticloadbalancing:${call} on resource: arn`;
            if (call === 'RegisterTargets') throw error;
          },
        });
      },
    });
    const text = JSON.stringify(restored);
    expect(Buffer.byteLength(text)).toBeLessThan(64 * 1024);
    expect(text).toContain('not authorized to perform');
  });
});
