import { describe, expect, it } from 'vitest';
import { parseCalls, replayCalls } from '../../../local/calls.ts';
import { runInVirtualTime } from '../../../local/world/clock.ts';
import { createEmbeddedWorld } from '../../../local/world/embedded-world.ts';
import { parseQuietWorld } from '../../support/quiet-agents.ts';
import { ids, smallWorld } from './small-world.ts';

const perfectCall = { at: 10, service: 'ec2', api: 'StopInstances', input: { InstanceIds: [ids.instance] } };

const worldWithShell = {
  ...smallWorld(),
  Flows: [
    {
      Name: 'reverse shell',
      NetworkInterfaceId: ids.eni,
      LocalAddress: '10.0.1.10',
      LocalPort: 51_234,
      RemoteAddress: '198.51.100.7',
      RemotePort: 4444,
    },
  ],
};

function replay(calls: unknown, over: object = {}) {
  const file = parseQuietWorld({ ...worldWithShell, ...over });
  return runInVirtualTime(file.Now, async (clock) => {
    const world = createEmbeddedWorld(file, clock);
    await replayCalls(world, parseCalls(calls));
    const state = world.snapshot();
    const all = world.truth();
    const truths = new Map(all.map((one) => [one.name, one]));
    return { timeline: world.timeline(), truth: all[0], truths, state, calls: world.calls() };
  });
}

const deny = (at: number, Egress: boolean) => ({
  at,
  service: 'ec2',
  api: 'CreateNetworkAclEntry',
  input: {
    NetworkAclId: ids.acl,
    RuleNumber: 1,
    Egress,
    Protocol: '-1',
    RuleAction: 'deny',
    CidrBlock: '198.51.100.7/32',
  },
});

describe('a calls file', () => {
  it.each([
    ['calls: ', {}],
    ['calls[0]: ', [null]],
    ['calls[1].at: ', [perfectCall, { ...perfectCall, at: '10' }]],
    ['calls[0].at: ', [{ ...perfectCall, at: -1 }]],
    ['calls[0].service: ', [{ ...perfectCall, service: 'kinesis' }]],
    ['calls[0].service: ', [{ ...perfectCall, service: 'constructor' }]],
    ['calls[0].api: ', [{ ...perfectCall, api: 'RunInstances' }]],
    ['calls[0].api: ', [{ ...perfectCall, service: 'host' }]],
    ['calls[0].input: ', [{ ...perfectCall, input: [] }]],
    [
      'calls[0].input.RemoteAddress: ',
      [{ at: 1, service: 'host', api: 'closeSockets', input: { InstanceId: ids.instance } }],
    ],
    ['calls[0].input.InstanceId: ', [{ at: 1, service: 'host', api: 'closeSockets', input: { RemoteAddress: '::1' } }]],
  ])('is refused at %s', (field, json) => {
    expect(() => parseCalls(json)).toThrow(
      expect.objectContaining({ name: 'InputError', message: expect.stringContaining(field) }),
    );
  });
});

describe('a replay', () => {
  it('shows that the textbook swap leaves a tracked flow running', async () => {
    const { truth, timeline } = await replay([
      {
        at: 10,
        service: 'ec2',
        api: 'ModifyNetworkInterfaceAttribute',
        input: { NetworkInterfaceId: ids.eni, Groups: [ids.defaultGroup] },
      },
    ]);

    expect(timeline).toMatchObject([{ at: 10.2, state: 'calls[0]', outcome: 'ok' }]);
    expect(truth?.stoppedBy).toBeNull();
  });

  it('shows that denies both ways stop it, once they are in force', async () => {
    const { truth, calls } = await replay([deny(10, true), deny(10, false)]);

    expect(truth).toMatchObject({ stoppedBy: 'nacl', lastPacketAt: 10 });
    expect(calls.beforeFirstCut).toEqual({ sequential: 1, ec2: 1, seconds: 10.2, functions: 0 });
  });

  it('closes sockets on the host', async () => {
    const { truth, timeline } = await replay([
      {
        at: 12,
        service: 'host',
        api: 'closeSockets',
        input: { InstanceId: ids.instance, RemoteAddress: '198.51.100.7' },
      },
    ]);

    expect(timeline).toMatchObject([{ at: 12, service: 'host', call: 'closeSockets', outcome: 'ok' }]);
    expect(truth?.stoppedBy).toBe('host');
  });

  it('puts errors on the timeline and goes on', async () => {
    const { timeline, state } = await replay(
      [
        { ...deny(1, true), input: { ...deny(1, true).input, CidrBlock: 'nonsense' } },
        { at: 2, service: 'ec2', api: 'CreateNetworkAclEntry', input: { Egress: { not: 'a flag' } } },
        deny(3, true),
      ],
      { LatencySeconds: 0 },
    );

    expect(timeline.map(({ outcome }) => outcome.split(':')[0])).toEqual([
      'InvalidParameterValue',
      expect.any(String),
      'ok',
    ]);
    expect(timeline[2]?.at).toBe(3);
    expect(state).toMatchObject({ Flows: [{ Name: 'reverse shell' }], NetworkAcls: [{ Entries: expect.any(Array) }] });
  });

  it("closes an agent's connection for good once the instance is isolated", async () => {
    const swap = {
      at: 10,
      service: 'ec2',
      api: 'ModifyNetworkInterfaceAttribute',
      input: { NetworkInterfaceId: ids.eni, Groups: [ids.defaultGroup] },
    };
    const close = { at: 70, service: 'host', api: 'closeAgentConnection', input: { InstanceId: ids.instance } };

    const { truths } = await replay([swap, close], { Hosts: [{ InstanceId: ids.instance, AgentConnection: true }] });

    expect(truths.get(`SSM agent of ${ids.instance}`)).toMatchObject({ lastPacketAt: 60, stoppedBy: 'host' });
  });

  it('seals a subnet with an empty ACL: nothing passes, tracked or not', async () => {
    const create = { at: 1, service: 'ec2', api: 'CreateNetworkAcl', input: { VpcId: ids.vpc } };
    const { state } = await replay([create]);
    const acls = state['NetworkAcls'] as { NetworkAclId: string }[];
    const replace = {
      at: 10,
      service: 'ec2',
      api: 'ReplaceNetworkAclAssociation',
      input: { AssociationId: 'aclassoc-1', NetworkAclId: acls[1]?.NetworkAclId },
    };

    const { truth, calls } = await replay([create, replace]);

    expect(truth).toMatchObject({ lastPacketAt: 10, stoppedBy: 'nacl' });
    expect(calls.beforeFirstCut).toMatchObject({ ec2: 2 });
  });
});
