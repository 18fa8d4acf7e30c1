import { describe, expect, it } from 'vitest';
import type { SimulationOptions } from '../../local/simulate.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { defaultWorld, ids, readEvent } from '../support/bench.ts';
import { simulate } from '../support/own-flow-log.ts';
import { worldOf } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');

/** The instance is alone in its subnet, and its agent does not answer. */
const alone = (change: (world: WorldFile) => void = () => undefined): WorldFile => worldOf('alone-in-subnet', change);

const deadAgent = (world: WorldFile): void => {
  for (const host of world.Hosts) host.AgentAnswers = false;
};

const aclOf = (state: Record<string, unknown>): string | undefined => {
  const acls = state['NetworkAcls'] as { NetworkAclId: string; Associations: { SubnetId?: string }[] }[];
  return acls.find(({ Associations }) => Associations.some(({ SubnetId }) => SubnetId === ids.subnet))?.NetworkAclId;
};

const run = (file: WorldFile, event: unknown = finding, options: SimulationOptions = {}) =>
  simulate(file, event, options);

describe('an instance that is alone in its subnet', () => {
  it('is contained within a minute by the seal, though its agent is dead and no flow log speaks', async () => {
    const { report, verdicts, truth, finalState } = await run(alone());

    expect(report).toMatchObject({ verdict: 'contained', basis: ['seal'] });
    expect(report.sealed).toEqual([expect.stringContaining(ids.subnet)]);
    expect(verdicts.find(({ verdict }) => verdict === 'contained')?.at).toBeLessThan(60);
    expect(aclOf(finalState)).not.toBe(ids.acl);
    for (const [, { lastPacketAt }] of truth) expect(lastPacketAt ?? 0).toBeLessThan(60);
  });

  it('gets its network ACL back with a restore, which has to be forced, for nothing shows that the shell has ended', async () => {
    const refused = await run(alone(), finding, { restore: { force: false } });
    expect(refused.restore?.kind).toBe('refused');
    expect(aclOf(refused.finalState)).not.toBe(ids.acl);

    const forced = await run(alone(), finding, { restore: { force: true } });
    expect(forced.restored).toContainEqual({ item: `seal of ${ids.subnet}`, outcome: 'restored' });
    expect(aclOf(forced.finalState)).toBe(ids.acl);
  });

  it.each([
    ['SealSubnet is never', { SealSubnet: 'never' }, () => undefined],
    ['the SSM agent has a way out', { AgentEgress: '10.0.2.0/24' }, () => undefined],
    ['an analyst has a way in', { AnalystIngress: '203.0.113.9/32' }, () => undefined],
    [
      'an Auto Scaling group may launch into it',
      {},
      (world: WorldFile) => {
        world.AutoScalingGroups = [
          { AutoScalingGroupName: 'web', VPCZoneIdentifier: `subnet-00000000000000b09, ${ids.subnet}` },
        ];
      },
    ],
    [
      'an interface in it belongs to nobody',
      {},
      (world: WorldFile) => {
        const [own] = world.NetworkInterfaces;
        const { Attachment: _, Association: __, ...spare } = structuredClone(own) as NonNullable<typeof own>;
        world.NetworkInterfaces.push({
          ...spare,
          NetworkInterfaceId: 'eni-00000000000000e09',
          PrivateIpAddress: '10.0.1.99',
          PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: '10.0.1.99' }],
          Ipv6Addresses: [],
        });
      },
    ],
  ] as const)('is not sealed where %s', async (_, parameters, change) => {
    const { report, calls, finalState } = await run(alone(change), finding, { parameters });

    expect(Object.keys(calls.byApi)).not.toContain('ReplaceNetworkAclAssociation');
    expect(report.verdict).not.toBe('contained');
    expect(report.sealed).toEqual([]);
    expect(aclOf(finalState)).toBe(ids.acl);
  });
});

describe('a subnet in which others live', () => {
  const order = { instanceId: ids.instance, remoteAddresses: [ids.peer], seal: true };

  it('is sealed by the order of a person, and is no proof, for the neighbour is on the same side of it', async () => {
    const { report, truth } = await run(defaultWorld(deadAgent), order);

    expect(report.verdict).toBe('held');
    expect(report.flows.find(({ remoteAddress }) => remoteAddress === ids.peer)?.evidence).toBe('in-force');
    expect(truth.get('reverse shell')?.lastPacketAt ?? 0).toBeLessThan(60);
  });

  it('is planned with the neighbours by name', async () => {
    const { report, calls } = await run(defaultWorld(), order, { mode: 'observe' });

    expect(Object.keys(calls.byApi)).not.toContain('ReplaceNetworkAclAssociation');
    const seal = report.plan.find(({ change }) => change.startsWith(ids.subnet));
    expect(seal?.alsoHits).toContain(ids.neighbour);
  });
});

describe('the network ACL of a seal', () => {
  it('that somebody gives a rule seals no more, and is told and taken away all the same', async () => {
    let isOpened = false;
    const { report, restored, finalState } = await run(alone(), finding, {
      restore: { force: true },
      prepare: (world, { ec2 }) => {
        ec2.middlewareStack.add(
          (next, { commandName }: { commandName?: string }) =>
            async (given) => {
              const answer = await next(given);
              const state = world.snapshot();
              const acls = state['NetworkAcls'] as { NetworkAclId: string; Tags?: { Value?: string }[] }[];
              const seal = acls.find(({ Tags }) => Tags?.some(({ Value }) => Value === 'seal'));
              if (commandName === 'ReplaceNetworkAclAssociationCommand' && !isOpened && seal !== undefined) {
                isOpened = true;
                const { CreateNetworkAclEntryCommand } = await import('@aws-sdk/client-ec2');
                const entry = {
                  NetworkAclId: seal.NetworkAclId,
                  RuleNumber: 1,
                  Protocol: '-1',
                  CidrBlock: '0.0.0.0/0',
                };
                for (const Egress of [true, false])
                  await ec2.send(new CreateNetworkAclEntryCommand({ ...entry, Egress, RuleAction: 'allow' }));
              }
              return answer;
            },
          { step: 'initialize' },
        );
      },
    });

    expect(report.verdict).not.toBe('contained');
    expect(report.sealed).toEqual([]);
    expect(restored).toContainEqual({ item: `seal of ${ids.subnet}`, outcome: 'restored' });
    expect(aclOf(finalState)).toBe(ids.acl);
  });
});
