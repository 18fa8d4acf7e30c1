import { describe, expect, it } from 'vitest';
import { resultJson } from '../../local/result.ts';
import { type SimulationOptions, simulate } from '../../local/simulate.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { defaultWorld, ids, readEvent, shellAlone, twoInterfaces } from '../support/bench.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const ask = { instanceId: ids.instance, remoteAddresses: [ids.peer] };

const run = (file: WorldFile, input: unknown = finding, options: SimulationOptions = {}) =>
  simulate(file, input, options);
const instanceOf = (world: WorldFile) => world.Reservations[0]?.Instances[0] ?? { InstanceId: '' };

describe('the whole response', () => {
  it('contains the default incident within two EC2 round trips and three functions of its first cut', async () => {
    const { report, calls } = await run(defaultWorld());
    expect(report.verdict).toBe('held');
    expect(calls.beforeFirstCut?.ec2).toBeLessThanOrEqual(2);
    expect(calls.beforeFirstCut?.functions).toBeLessThanOrEqual(3);
  });

  it('comes to the same in two runs, to the last call', async () => {
    const [once, twice] = [await run(shellAlone(twoInterfaces)), await run(shellAlone(twoInterfaces))];
    expect(JSON.stringify(resultJson(twice))).toBe(JSON.stringify(resultJson(once)));
  });

  it('changes nothing at all in observe mode, byte for byte', async () => {
    for (const input of [finding, ask]) {
      const file = defaultWorld(twoInterfaces);
      const before = JSON.stringify(file);
      const { report, finalState } = await run(file, input, { mode: 'observe' });
      expect(report).toMatchObject({ verdict: 'planned', held: [], undo: null });
      expect(report.plan.length).toBeGreaterThan(3);
      expect(JSON.stringify(finalState)).toBe(before);
    }
  });

  it.each<[string, (world: WorldFile) => void, unknown, string]>([
    [
      'a terminated instance',
      (world) => {
        instanceOf(world).State = { Code: 48, Name: 'terminated' };
      },
      finding,
      'terminated',
    ],
    ['an instance that is not there', () => undefined, { instanceId: 'i-0000000000000ffff' }, 'there is no instance'],
    [
      'another account',
      (world) => {
        world.AccountId = '444455556666';
      },
      finding,
      'account',
    ],
    [
      'another Region',
      (world) => {
        world.Region = 'eu-west-1';
      },
      finding,
      'Region',
    ],
  ])('refuses %s and changes nothing', async (_, change, input, reason) => {
    const file = shellAlone(change);
    const before = JSON.stringify(file);
    const { report, finalState } = await run(file, input);
    expect(report).toMatchObject({ verdict: 'refused', reason: expect.stringContaining(reason), held: [] });
    expect(JSON.stringify(finalState)).toBe(before);
  });

  it('isolates a host whose agent is not there, and is honest about it', async () => {
    const { report, finalState, truth } = await run(
      shellAlone((world) => {
        world.InstanceInformationList = [];
      }),
    );
    expect(report.verdict).toBe('held');
    const [eni] = finalState['NetworkInterfaces'] as WorldFile['NetworkInterfaces'];
    expect(eni?.Groups).not.toMatchObject([{ GroupId: ids.web }]);
    expect(truth.get('reverse shell')).toMatchObject({ stoppedBy: 'nacl' });
  });

  it('says that there was no host cut where the agent is not there', async () => {
    const { report } = await run(
      shellAlone((world) => {
        world.InstanceInformationList = [];
      }),
    );
    expect(report.skipped).toContainEqual({ id: ids.instance, reason: expect.stringContaining('no host cut') });
  });

  it('leaves the world as it was found after a restore, but for what the restore says', async () => {
    const file = shellAlone(twoInterfaces);
    const before = structuredClone(file);
    const { restore, finalState } = await run(file, finding, { restore: { force: true } });
    expect(restore?.kind).toBe('restored');
    const after = finalState as unknown as WorldFile;
    const shown = ({ NetworkInterfaces, NetworkAcls, SecurityGroups }: WorldFile) => ({
      groups: NetworkInterfaces.map((eni) => eni.Groups.map(({ GroupId }) => GroupId)),
      entries: NetworkAcls.map(({ Entries }) => Entries.map((entry) => JSON.stringify(entry)).sort()),
      rules: SecurityGroups.filter(({ GroupName }) => GroupName !== 'flowcut-isolation').map((group) => [
        group.IpPermissions,
        group.IpPermissionsEgress,
      ]),
    });
    expect(shown(after)).toEqual(shown(before));
  });

  it('leaves what an ICMP tunnel has been denied, and does not call it dead', async () => {
    const event = structuredClone(finding) as {
      detail: { service: { action: { networkConnectionAction: { protocol: string } } } };
    };
    event.detail.service.action.networkConnectionAction.protocol = 'ICMP';
    const file = shellAlone((world) => {
      const [flow] = world.Flows;
      if (flow) Object.assign(flow, { Protocol: 'icmp', LocalPort: null, RemotePort: null });
      world.Hosts = [{ InstanceId: ids.instance, SocketKill: false } as WorldFile['Hosts'][number]];
      for (const one of world.Flows) one.Process = null;
    });
    const { report, truth, reportedAt } = await run(file, event);
    expect(report.verdict).not.toBe('contained');
    expect(truth.get('reverse shell')?.lastPacketAt ?? 0).toBeLessThan(reportedAt);
  });

  it('keeps what crosses between states small, with 500 flows and 15 interfaces', async () => {
    const file = shellAlone((world) => {
      const [flow] = world.Flows;
      const [eni] = world.NetworkInterfaces;
      if (!flow || !eni) return;
      for (let n = 0; n < 499; n += 1) {
        world.Flows.push({
          ...flow,
          Name: `f${n}`,
          LocalPort: 20_000 + n,
          RemoteAddress: `192.0.2.${n % 250}`,
          RemotePort: 1000 + n,
          PacketEverySeconds: null,
        });
      }
      for (let n = 1; n < 15; n += 1) {
        const address = `10.0.1.${100 + n}`;
        world.NetworkInterfaces.push({
          ...structuredClone(eni),
          NetworkInterfaceId: `eni-000000000000001${n.toString(16).padStart(2, '0')}`,
          PrivateIpAddress: address,
          PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: address }],
          Attachment: { AttachmentId: `eni-attach-${n}`, InstanceId: ids.instance, DeviceIndex: n, Status: 'attached' },
        });
      }
    });
    const { visits, report } = await run(file);
    const largest = Math.max(...visits.map(({ input }) => Buffer.byteLength(JSON.stringify(input))));
    expect(largest).toBeLessThan(64 * 1024);
    expect(Buffer.byteLength(JSON.stringify(report))).toBeLessThan(256 * 1024);
  });

  it('joins each malicious flow of the world to what the report says of it', async () => {
    const file = shellAlone((world) => {
      const [flow] = world.Flows;
      if (flow) world.Flows.push({ ...flow, Name: 'unseen', LocalPort: 51_999, RemoteAddress: '203.0.113.66' });
      world.Hosts = [{ InstanceId: ids.instance, AgentLies: 'hides' } as WorldFile['Hosts'][number]];
    });
    const { flows } = resultJson(await run(file)) as { flows: object[] };
    expect(flows).toMatchObject([
      { name: 'reverse shell', remoteAddress: ids.peer, tracking: 'tracked', truth: { stoppedBy: expect.any(String) } },
      { name: 'unseen', tracking: 'unknown', evidence: 'unproven', because: 'not seen', truth: { stoppedBy: null } },
    ]);
  });
});
