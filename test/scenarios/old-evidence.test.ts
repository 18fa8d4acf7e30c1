import { describe, expect, it } from 'vitest';
import { readCase } from '../../functions/aws/case-table/cases.ts';
import { setGroups } from '../../functions/aws/network-interfaces.ts';
import { denyAtNacl } from '../../functions/deny-at-nacl/step.ts';
import { swapSecurityGroups } from '../../functions/swap-security-groups/step.ts';
import { verifyCut } from '../../functions/verify-cut/step.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { ids, isolationOf, onBench, readEvent, shellAlone, shellWatched, twoInterfaces } from '../support/bench.ts';
import { type Episode, inEpisode } from '../support/episode.ts';
import { laterFinding } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const SECOND_PEER = '203.0.113.66';

/** A second shell beside the first, changed as given. */
function withSecondShell(change: object = {}): (world: WorldFile) => void {
  return (world) => {
    const [shell] = world.Flows;
    if (shell === undefined) throw new Error('the default world has lost its shell');
    const second = { ...shell, Name: 'second', LocalPort: 51_999, RemoteAddress: SECOND_PEER };
    world.Flows.push({ ...second, ...change });
  };
}

/** The attacker's root hides flows from the host's own lists. */
const liar = {
  InstanceId: ids.instance,
  AgentLies: 'hides',
  AgentAnswers: true,
  AgentDelaySeconds: 2,
  SocketKill: true,
  RootAttacker: false,
  AgentConnection: false,
  AgentEndpoint: '52.94.0.10',
} as const;

const withoutAgent = (world: WorldFile): void => {
  world.InstanceInformationList = [];
};

const isolationGroup = ({ file }: Episode) => {
  const group = file.SecurityGroups.find(({ GroupName }) => GroupName === 'flowcut-isolation');
  if (group === undefined) throw new Error('there is no isolation group');
  return group;
};

describe('an isolation that somebody has undone', () => {
  it('is made again, and what the host listed before it was undone proves nothing any more', async () => {
    await inEpisode(shellAlone(), async ({ send, tools, file }) => {
      expect((await send(finding))[0]).toMatchObject({ verdict: 'held', basis: ['host'] });
      await tools.sleep(86_400);
      await setGroups(tools.ec2, ids.eni, [ids.web]);
      await tools.sleep(86_400);
      file.InstanceInformationList.length = 0;
      const [again] = await send(laterFinding(ids.peer, 3, '2026-01-17T16:00:00.000Z'));
      expect(again?.verdict).toBe('held');
      expect(again?.flows).toMatchObject([{ remoteAddress: ids.peer, evidence: 'in-force' }]);
    });
  });

  it('is made again where it was undone by a rule in the isolation group', async () => {
    await inEpisode(shellAlone(), async (episode) => {
      const { send, tools } = episode;
      await send(finding);
      isolationGroup(episode).IpPermissionsEgress.push({ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] });
      await tools.sleep(3600);
      await send(laterFinding(ids.peer, 3, '2026-01-17T16:00:00.000Z'));
      expect(isolationGroup(episode).IpPermissionsEgress).toEqual([]);
    });
  });
});

describe('a flow log that watched the instance when it was isolated', () => {
  it.each<[string, (file: WorldFile) => void]>([
    [
      'is deleted',
      (file) => {
        file.FlowLogs.length = 0;
      },
    ],
    [
      'is not delivered any more',
      (file) => {
        Object.assign(file.FlowLogs[0] ?? {}, { DeliverLogsStatus: 'FAILED' });
      },
    ],
  ])('%s: the host is not believed in its place, and the report says so', async (_, change) => {
    const file = shellWatched((world) => {
      withSecondShell()(world);
      world.Hosts = [liar];
    });
    await inEpisode(file, async ({ begin, settle, tools }) => {
      await begin(finding);
      await tools.sleep(3600);
      change(file);
      const [report] = await settle();
      expect(report?.verdict).toBe('held');
      expect(report?.leftOpen.join()).toContain('the flow log that watched the instance when it was isolated is gone');
    });
  });
});

describe('a peer that is denied after the isolation', () => {
  it('is no leak for what passed before: the flow log is watched from its deny on', async () => {
    const file = shellWatched((world) => {
      withoutAgent(world);
      withSecondShell()(world);
    });
    await inEpisode(file, async ({ begin, settle, tools }) => {
      await begin(finding);
      await tools.sleep(86_400);
      await begin(laterFinding(SECOND_PEER, 2, '2026-01-16T10:00:00.000Z'));
      expect((await settle()).map(({ verdict }) => verdict)).toEqual(['contained', 'contained']);
    });
  });

  it('has the timers of the instance as it was found, not those that the isolation has set', async () => {
    const file = shellWatched((world) => {
      withoutAgent(world);
      for (const { Instances } of world.Reservations) for (const one of Instances) one.InstanceType = 'm8i.large';
      withSecondShell({ Protocol: 'udp', RemotePort: 53, PacketEverySeconds: 150 })(world);
    });
    await inEpisode(file, async ({ begin, tools }) => {
      const { caseIds = [] } = (await begin(finding)) as { readonly caseIds?: readonly string[] };
      await tools.sleep(4 * 3600);
      const document = await readCase(tools.cases, caseIds[0] ?? '');
      expect(document?.verdict).toBe('held');
    });
  });

  it('is proven no sooner than its timer after its own deny', async () => {
    await inEpisode(shellWatched(withoutAgent), async ({ send, tools }) => {
      await send(finding);
      await tools.sleep(3600);
      const deniedAt = tools.now().getTime();
      const [again] = await send(laterFinding(SECOND_PEER, 2, '2026-01-21T16:00:00.000Z'));
      expect(again?.verdict).toBe('contained');
      expect(tools.now().getTime() - deniedAt).toBeGreaterThan(432_000 * 1000);
    });
  });
});

describe('an interface that is attached while the response begins', () => {
  const SUBNET = 'subnet-00000000000000b09';
  const ACL = 'acl-00000000000000d09';

  /** It is in a subnet with an ACL of its own, and the shell runs through it. */
  const elsewhere = (world: WorldFile): void => {
    withoutAgent(world);
    twoInterfaces(world);
    const [subnet] = world.Subnets;
    const [acl] = world.NetworkAcls;
    const [shell] = world.Flows;
    const [first] = world.NetworkInterfaces;
    const second = world.NetworkInterfaces.at(-1);
    if (!subnet || !acl || !shell || !first || !second) throw new Error('the default world has lost a part');
    world.Subnets.push({ ...structuredClone(subnet), SubnetId: SUBNET, CidrBlock: '10.0.9.0/24' });
    const association = { NetworkAclAssociationId: 'aclassoc-00000000000000009', NetworkAclId: ACL, SubnetId: SUBNET };
    world.NetworkAcls.push({
      ...structuredClone(acl),
      NetworkAclId: ACL,
      IsDefault: false,
      Associations: [association],
    });
    const address = { Primary: true, PrivateIpAddress: '10.0.9.11' };
    Object.assign(second, {
      SubnetId: SUBNET,
      PrivateIpAddress: '10.0.9.11',
      PrivateIpAddresses: [{ ...address, Association: Reflect.get(first, 'Association') as unknown }],
      Ipv6Addresses: [],
    });
    world.Flows = [{ ...shell, NetworkInterfaceId: ids.secondEni, LocalAddress: '10.0.9.11' }];
  };

  it('is not held by the denies of other subnets: its own is denied too', async () => {
    await onBench(shellAlone(elsewhere), async (bench) => {
      const { Attachment: attachment } = bench.interfaceOf(ids.secondEni);
      if (attachment === undefined) throw new Error('the second interface is not attached');
      attachment.InstanceId = ids.neighbour;
      const opened = await bench.open();
      attachment.InstanceId = ids.instance;
      await denyAtNacl(bench.tools, opened);
      const swapped = await swapSecurityGroups(bench.tools, opened);
      await bench.tools.sleep(600);
      const isolation = isolationOf(swapped);
      const verdict = await verifyCut(bench.tools, { ...opened, isolation });
      expect(verdict).toMatchObject({ kind: 'leaking', next: { kind: 'cut-again' } });
      const cutAgain = await denyAtNacl(bench.tools, { ...opened, verdict });
      expect(cutAgain).toMatchObject({ kind: 'done', made: 2 });
      await bench.tools.sleep(100);
      const again = await verifyCut(bench.tools, { ...opened, isolation, verdict, cutAgain });
      expect(again.kind).toBe('held');
    });
  });
});
