import { describe, expect, it } from 'vitest';
import { readCase } from '../../functions/aws/case-table/cases.ts';
import { swapSecurityGroups } from '../../functions/swap-security-groups/step.ts';
import { verifyCut } from '../../functions/verify-cut/step.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import {
  defaultWorld,
  ids,
  isolationOf,
  onBench,
  readEvent,
  refusedBy,
  shellAlone,
  shellWatched,
} from '../support/bench.ts';
import { type Episode, inEpisode } from '../support/episode.ts';
import { laterFinding } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const NEW_PEER = '203.0.113.9';
const OTHER_ACL = 'acl-00000000000000d77';

const denies = ({ file }: Episode) =>
  file.NetworkAcls.flatMap((acl) =>
    acl.Entries.filter(({ RuleAction, RuleNumber }) => RuleAction === 'deny' && RuleNumber < 32_767).map(
      ({ Egress, CidrBlock }) => `${acl.NetworkAclId} ${Egress ? 'out' : 'in'} ${CidrBlock}`,
    ),
  );

function terminate({ file }: Episode): void {
  const instance = file.Reservations.flatMap(({ Instances }) => Instances).find(
    ({ InstanceId }) => InstanceId === ids.instance,
  );
  if (instance) instance.State = { Code: 48, Name: 'terminated' };
  file.NetworkInterfaces = file.NetworkInterfaces.filter(({ NetworkInterfaceId }) => NetworkInterfaceId !== ids.eni);
}

const undoOf = (caseId = '') => `start the restore state machine with {"caseId": "${caseId}"}`;

describe('a contained instance that is terminated', () => {
  it('has the denies that stand in the report of a later finding, and how they are undone', async () => {
    await inEpisode(shellAlone(), async (episode) => {
      const [first] = await episode.send(finding);
      terminate(episode);
      const [later] = await episode.send(laterFinding(ids.peer, 7));
      expect(later).toMatchObject({ verdict: 'refused', undo: undoOf(first?.caseId) });
      expect(later?.held).toHaveLength(2);
    });
  });

  it('is restored without force: nothing can revive', async () => {
    await inEpisode(shellAlone(), async (episode) => {
      const [first] = await episode.send(finding);
      terminate(episode);
      const { restore } = await episode.restore(first?.caseId ?? '');
      expect(restore.kind).toBe('restored');
      expect(denies(episode)).toEqual([]);
    });
  });
});

describe('a contained case that cannot be assessed again', () => {
  const blind = ({ world }: Episode): void => {
    world.interceptors.push({
      before: ({ call }) => {
        if (call === 'DescribeInstances') throw refusedBy('UnauthorizedOperation')();
      },
    });
  };

  it('is reported as it stands, with why', async () => {
    await inEpisode(shellAlone(), async (episode) => {
      const [first] = await episode.send(finding);
      blind(episode);
      const again = await episode.ask({ caseId: first?.caseId });
      expect(again).toMatchObject({ verdict: 'held', undo: undoOf(first?.caseId) });
      expect(again.held).toHaveLength(2);
      expect(again.reason).toMatch(/; the instance could not be assessed again: .*UnauthorizedOperation/);
    });
  });

  it('is leaking where a finding brings a peer that nothing was done about', async () => {
    await inEpisode(shellAlone(), async (episode) => {
      await episode.send(finding);
      blind(episode);
      const [later] = await episode.send(laterFinding(NEW_PEER));
      expect(later?.verdict).toBe('leaking');
      expect(later?.reason).toContain(`nothing was done about the flow to ${NEW_PEER}, which is new`);
      expect(later?.flows[0]).toMatchObject({ remoteAddress: NEW_PEER, evidence: 'unproven' });
      expect(later?.held).toHaveLength(2);
      expect(later?.lastResort).not.toEqual([]);
    });
  });
});

describe('a look at a contained instance', () => {
  it('plans nothing that is done already, and says what stands', async () => {
    await inEpisode(defaultWorld(), async (episode) => {
      const [first] = await episode.send(finding);
      const look = await episode.ask({ instanceId: ids.instance, mode: 'observe' });
      expect(look.plan.map(({ change }) => change)).toContain(`${ids.eni}: left as it is`);
      expect(look.plan.map(({ change }) => change).join()).not.toMatch(/replace|as rule/);
      expect(look).toMatchObject({ verdict: 'planned', held: first?.held, undo: undoOf(first?.caseId) });
    });
  });
});

describe('an ACL that was put in the place of the one with the denies', () => {
  it('leaves those in the report, for they stand', async () => {
    await inEpisode(shellAlone(), async (episode) => {
      const [first] = await episode.send(finding);
      const [acl] = episode.file.NetworkAcls;
      if (!acl) throw new Error('there is no ACL');
      const { Associations } = acl;
      acl.Associations = [];
      episode.file.NetworkAcls.push({
        ...structuredClone(acl),
        NetworkAclId: OTHER_ACL,
        Associations: Associations.map((association) => ({ ...association, NetworkAclId: OTHER_ACL })),
        Entries: structuredClone(acl.Entries).filter(({ RuleNumber }) => RuleNumber >= 100),
      });
      const again = await episode.ask({ caseId: first?.caseId });
      const held = again.held.map(
        ({ NetworkAclId, Egress, Cidr }) => `${NetworkAclId} ${Egress ? 'out' : 'in'} ${Cidr}`,
      );
      expect(held.sort()).toEqual(denies(episode).sort());
      // The old ones hold nothing any more, so the new ACL has got its own.
      expect(held.filter((line) => line.startsWith(OTHER_ACL))).toHaveLength(2);
    });
  });
});

/** A server with 900 customers, a flow log, and no agent to list them. */
const busy = (change: (shell: WorldFile['Flows'][number], index: number) => Partial<WorldFile['Flows'][number]>) =>
  shellWatched((world) => {
    world.InstanceInformationList = [];
    const [shell] = world.Flows;
    if (!shell) throw new Error('there is no shell');
    for (let index = 0; index < 900; index += 1)
      world.Flows.push({
        ...structuredClone(shell),
        Name: `customer ${index}`,
        Malicious: false,
        LocalPort: 20_000 + index,
        RemoteAddress: `203.0.${index % 200}.${1 + (index % 250)}`,
        RemotePort: 5000 + index,
        Process: { Pid: 5000 + index, Name: `worker-${index}` },
        ...change(shell, index),
      });
  });

describe('more flows in the flow log than a case can hold', () => {
  it('are taken up to a limit, and what is left out keeps the verdict from being good', async () => {
    await onBench(
      busy(() => ({ PacketEverySeconds: 600 })),
      async (bench) => {
        const opened = await bench.open(finding);
        const swapped = await swapSecurityGroups(bench.tools, opened);
        await bench.tools.sleep(4000);
        const isolation = isolationOf(swapped);
        const { kind } = await verifyCut(bench.tools, { ...opened, isolation });
        expect(kind).toBe('leaking');
        expect((await readCase(bench.tools.cases, opened.case.caseId))?.flows).toHaveLength(500);
      },
    );
  }, 60_000);

  it('do not keep a second shell from being denied: what the instance has dialled comes first', async () => {
    const file = busy(() => ({ OpenedBy: 'remote', PacketEverySeconds: 80_000 }));
    const [shell] = file.Flows;
    if (!shell) throw new Error('there is no shell');
    const second = { Name: 'second shell', LocalPort: 51_999, RemoteAddress: '203.0.113.66', PacketEverySeconds: 3600 };
    file.Flows.push({ ...structuredClone(shell), ...second });
    await inEpisode(file, async (episode) => {
      const [report] = await episode.send(finding);
      expect(report?.held.map(({ Cidr }) => Cidr)).toContain('203.0.113.66/32');
    });
  }, 240_000);
});
