import { describe, expect, it } from 'vitest';
import { type IsolationOpenings, isolationRules } from '../../functions/core/network/isolation-rules.ts';
import { resultFlows } from '../../local/result.ts';
import type { Simulation } from '../../local/simulate.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { defaultWorld, ids, readEvent } from '../support/bench.ts';
import { simulate } from '../support/own-flow-log.ts';
import { withoutAgent } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const NONE: IsolationOpenings = { agentEgress: [], analystIngress: [] };
const BOTH: IsolationOpenings = { agentEgress: ['10.0.9.0/28'], analystIngress: ['10.0.8.7/32'] };
const analyst = 'sg-00000000000000c09';

function isolationIn({ finalState }: Pick<Simulation, 'finalState'>) {
  const world = finalState as unknown as WorldFile;
  const group = world.SecurityGroups.find(({ GroupName }) => GroupName === 'flowcut-isolation');
  if (group === undefined) throw new Error('there is no isolation group');
  const rules = (direction: string, permissions: WorldFile['SecurityGroups'][number]['IpPermissions'] = []) =>
    permissions.flatMap(({ IpProtocol, FromPort, ToPort, IpRanges, Ipv6Ranges, UserIdGroupPairs, PrefixListIds }) =>
      [
        ...(IpRanges ?? []).map(({ CidrIp }) => CidrIp),
        ...(Ipv6Ranges ?? []).map(({ CidrIpv6 }) => CidrIpv6),
        ...(UserIdGroupPairs ?? []).map(({ GroupId }) => GroupId),
        ...(PrefixListIds ?? []).map(({ PrefixListId }) => PrefixListId),
      ].map((peer) => `${direction} ${IpProtocol} ${FromPort ?? '*'}-${ToPort ?? '*'} ${peer}`),
    );
  return [...rules('in', group.IpPermissions), ...rules('out', group.IpPermissionsEgress)];
}

/** The isolation group as an earlier case left it, and as somebody changed it since. */
function driftedGroup(world: WorldFile): void {
  const [web] = world.SecurityGroups;
  if (web === undefined) throw new Error('the default world has lost its group');
  world.SecurityGroups.push({
    ...structuredClone(web),
    GroupId: 'sg-00000000000000c08',
    GroupName: 'flowcut-isolation',
    Tags: [{ Key: 'flowcut:purpose', Value: 'isolation' }],
  });
}

describe('the isolation group', () => {
  it('has no rule by default, and the report names no opening', async () => {
    const run = await simulate(defaultWorld(), finding);
    expect(isolationIn(run)).toEqual([]);
    expect(run.report.leftOpen.filter((text) => text.includes('isolation group'))).toEqual([]);
  });

  it.each<[string, IsolationOpenings, readonly string[]]>([
    ['the agent', { ...NONE, agentEgress: ['10.0.9.0/28'] }, ['out tcp 443-443 10.0.9.0/28']],
    ['the analyst', { ...NONE, analystIngress: ['10.0.8.7/32'] }, ['in -1 *-* 10.0.8.7/32']],
    ['both', BOTH, ['in -1 *-* 10.0.8.7/32', 'out tcp 443-443 10.0.9.0/28']],
    [
      'groups and IPv6',
      { agentEgress: ['2001:db8:9::/64'], analystIngress: [analyst] },
      [`in -1 *-* ${analyst}`, 'out tcp 443-443 2001:db8:9::/64'],
    ],
  ])('with an opening for %s has exactly that, is reported, and the instance is held', async (_, openings, rules) => {
    const file = defaultWorld((world) => {
      const [, other] = world.SecurityGroups;
      if (other) world.SecurityGroups.push({ ...structuredClone(other), GroupId: analyst, GroupName: 'analysts' });
    });
    const run = await simulate(file, finding, { config: { openings } });
    expect(run.report.verdict).toBe('held');
    expect(isolationIn(run)).toEqual(rules);
    for (const peer of [...openings.agentEgress, ...openings.analystIngress]) {
      expect(run.report.leftOpen.filter((text) => text.includes(`${peer}, for the`))).toHaveLength(1);
    }
  });

  it.each<[string, IsolationOpenings, readonly string[]]>([
    ['no opening', NONE, []],
    ['both openings', BOTH, ['in -1 *-* 10.0.8.7/32', 'out tcp 443-443 10.0.9.0/28']],
  ])('that has drifted is repaired before it is attached, with %s', async (_, openings, rules) => {
    const run = await simulate(defaultWorld(driftedGroup), finding, { config: { openings } });
    expect(run.report.verdict).toBe('held');
    expect(isolationIn(run)).toEqual(rules);
    const lastOf = (calls: RegExp) =>
      run.timeline.findLast(({ call, outcome }) => calls.test(call) && outcome === 'ok');
    const attached = run.timeline.find(
      ({ call, input }) => call === 'ModifyNetworkInterfaceAttribute' && input.includes('Groups'),
    );
    expect(attached?.input).toContain('sg-00000000000000c08');
    expect(lastOf(/^(Revoke|Authorize)SecurityGroup/)?.at).toBeLessThan(attached?.at ?? 0);
    expect(run.calls.byApi['CreateSecurityGroup']).toBeUndefined();
  });

  it('that cannot be repaired is not attached, which is reported and is no containment', async () => {
    const file = defaultWorld((world) => {
      driftedGroup(world);
      world.Faults = [
        { Api: 'RevokeSecurityGroupIngress', Call: '1+', Error: 'UnauthorizedOperation' },
        { Api: 'RevokeSecurityGroupEgress', Call: '1+', Error: 'UnauthorizedOperation' },
      ];
    });
    const run = await simulate(file, finding, { config: { openings: BOTH } });
    expect(run.report.verdict).not.toBe('contained');
    const eni = run.finalState['NetworkInterfaces'] as WorldFile['NetworkInterfaces'];
    expect(eni[0]?.Groups.map(({ GroupId }) => GroupId)).toEqual([ids.web]);
    expect(run.report.skipped.map(({ id }) => id)).toContain(ids.eni);
  });
});

describe('an opening', () => {
  it.each(['0.0.0.0/0', '::/0', '10.0.0.0/33', 'everybody', 'sg-xyz', ''])('to %s is refused', (text) => {
    const thrown = { name: 'InputError', field: expect.stringMatching(/^FLOWCUT_/) };
    expect(() => isolationRules({ ...NONE, agentEgress: [text] })).toThrow(expect.objectContaining(thrown));
    expect(() => isolationRules({ ...NONE, analystIngress: [text] })).toThrow(expect.objectContaining(thrown));
  });

  /** A customer at `remote`, called malicious, whose flow the groups of the instance keep no state for. */
  const callerAt = (remote: string) => (world: WorldFile) => {
    world.Flows = world.Flows.filter(({ Malicious }) => !Malicious);
    const [flow] = world.Flows;
    if (flow) Object.assign(flow, { Malicious: true, RemoteAddress: remote });
  };
  const inbound = (remote: string): unknown => {
    const event = structuredClone(finding) as { detail: { service: { action: { networkConnectionAction: object } } } };
    Object.assign(event.detail.service.action.networkConnectionAction, {
      connectionDirection: 'INBOUND',
      remoteIpDetails: { ipAddressV4: remote },
      remotePortDetails: { port: 40_211 },
      localPortDetails: { port: 443 },
    });
    return event;
  };

  const admitted = (remote: string) =>
    simulate(withoutAgent(callerAt(remote)), inbound(remote), {
      config: { openings: { ...NONE, analystIngress: [`${remote}/32`] } },
    });

  it('that admits a peer in the same subnet blocks nothing of it, and nothing else is said', async () => {
    const run = await admitted('10.0.1.20');
    const [flow] = resultFlows(run);
    expect(flow?.truth?.stoppedBy).toBeNull();
    expect(flow?.evidence).toBe('unproven');
    expect(run.report.verdict).toMatch(/^(leaking|not-proven)$/);
  });

  it('that admits a peer from elsewhere leaves the deny at the subnet in force', async () => {
    const run = await admitted('192.0.2.55');
    const [flow] = resultFlows(run);
    expect(flow?.truth?.stoppedBy).toBe('nacl');
    expect(run.report.verdict).toBe('held');
  });
});
