import { describe, expect, it } from 'vitest';
import { InputError } from '../../functions/core/errors.ts';
import { type ContainmentPlan, type PlanQuestion, planContainment } from '../../local/live/plan.ts';
import { tellPlan } from '../../local/live/tell-plan.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { type Bench, defaultWorld, ids, onBench, refusedBy, twoInterfaces } from '../support/bench.ts';
import { clientsOf, readWorld } from './worlds.ts';

interface Asked {
  readonly plan: ContainmentPlan;
  readonly text: string;
  readonly changed: boolean;
}

/** Asks for the plan of the default instance, and looks whether the world is as it was. */
function ask(
  file: WorldFile,
  question: Partial<PlanQuestion> = {},
  prepare: (bench: Bench) => void = () => undefined,
): Promise<Asked> {
  return onBench(file, async (bench) => {
    const before = bench.state();
    prepare(bench);
    const trusted = { trusts: () => true };
    const plan = await planContainment(clientsOf(bench.world), {
      instanceId: ids.instance,
      accountId: null,
      ...trusted,
      ...question,
    });
    return { plan, text: tellPlan(plan), changed: bench.state() !== before };
  });
}

const missing = ({ plan }: Asked): readonly string[] =>
  plan.readiness.filter(({ ok }) => ok === false).map(({ what }) => what);

describe('a plan', () => {
  it('says that the default instance could be contained, and changes nothing', async () => {
    const { plan, changed } = await ask(defaultWorld());

    expect(plan).toMatchObject({ containable: 'yes', why: [], accountId: '111122223333', region: 'eu-central-1' });
    expect(changed).toBe(false);
  });

  it('says what is tracked and by which rule', async () => {
    const { plan } = await ask(defaultWorld());

    const [eni] = plan.interfaces;
    expect(eni?.flows.find(({ flow }) => flow === 'ipv4, opened by the instance, tcp')).toMatchObject({
      kind: 'tracked',
      timeoutSeconds: 432_000,
      because: expect.stringContaining('no inbound rule permits every port'),
    });
  });

  it('names the neighbours that a deny hits and the flow that it would cut', async () => {
    const { plan } = await ask(defaultWorld(), { remoteAddresses: [ids.peer] });

    const [deny] = plan.changes;
    expect(deny?.change).toContain(`deny ${ids.peer}/32`);
    expect(deny?.cuts).toContain(ids.peer);
    expect(deny?.alsoHits).toContain(ids.neighbour);
  });

  it('tells each interface and family', async () => {
    const { plan } = await ask(defaultWorld(twoInterfaces));

    expect(plan.interfaces.map(({ id }) => id)).toEqual([ids.eni, ids.secondEni]);
    expect(plan.interfaces.every(({ flows }) => flows.some(({ flow }) => flow.startsWith('ipv6')))).toBe(true);
  });

  it.each<[string, (world: WorldFile) => void, string, ContainmentPlan['containable']]>([
    ['no agent', (world) => world.InstanceInformationList.splice(0), 'host cut', 'partly'],
    [
      'an agent that was lost',
      (world) => Object.assign(world.InstanceInformationList[0] ?? {}, { PingStatus: 'ConnectionLost' }),
      'host cut',
      'partly',
    ],
    [
      'a requester-managed interface',
      (world) => Object.assign(world.NetworkInterfaces[0] ?? {}, { RequesterManaged: true }),
      `isolate ${ids.eni}`,
      'no',
    ],
    [
      'the exempt tag',
      (world) => world.Reservations[0]?.Instances[0]?.Tags?.push({ Key: 'flowcut:exempt', Value: '' }),
      'instance',
      'no',
    ],
    [
      'a full ACL',
      (world) => {
        for (const Egress of [true, false]) {
          for (let number = 200; number < 218; number += 1) {
            const entry = {
              RuleNumber: number,
              Egress,
              Protocol: '-1',
              RuleAction: 'allow',
              CidrBlock: '10.0.0.0/8',
            } as const;
            world.NetworkAcls[0]?.Entries.push(entry);
          }
        }
      },
      `deny ipv4 at ${ids.acl}`,
      'partly',
    ],
    [
      "another account's ACL",
      (world) => Object.assign(world.NetworkAcls[0] ?? {}, { OwnerId: '999999999999' }),
      `deny ipv4 at ${ids.acl}`,
      'partly',
    ],
  ])('sees %s', async (_name, change, what, containable) => {
    const asked = await ask(defaultWorld(change));

    expect(missing(asked)).toContain(what);
    expect(asked.plan.containable).toBe(containable);
    expect(asked.plan.why.join('\n')).toContain(what);
  });

  it('counts the room in an ACL', async () => {
    const { plan } = await ask(defaultWorld());

    expect(plan.readiness.find(({ what }) => what === `deny ipv4 at ${ids.acl}`)?.detail).toMatch(
      /^room for 18 more peers/,
    );
  });

  it.each([
    ['ModifyNetworkInterfaceAttribute', 'no'],
    ['CreateNetworkAclEntry', 'no'],
    ['CreateTags', 'partly'],
  ])('sees that %s is not permitted', async (api, containable) => {
    const asked = await ask(defaultWorld(), {}, ({ fail }) => {
      fail(({ call }) => call === api, refusedBy('UnauthorizedOperation'));
    });

    expect(missing(asked)).toEqual([`ec2:${api}`]);
    expect(asked.plan.containable).toBe(containable);
  });

  it('asks no permission of an endpoint that is not AWS and might make the call', async () => {
    const calls: string[] = [];
    const { plan } = await onBench(defaultWorld(), async ({ world }) => {
      world.interceptors.push({ before: ({ call }) => calls.push(call) });
      return { plan: await planContainment(clientsOf(world), { instanceId: ids.instance, accountId: null }) };
    });

    expect(calls.filter((call) => !/^(Describe|Get)/.test(call))).toEqual([]);
    const permissions = plan.readiness.filter(({ what }) => what.startsWith('ec2:'));
    expect(permissions).toHaveLength(8);
    expect(permissions.every(({ ok, detail }) => ok === null && detail.startsWith('not asked: '))).toBe(true);
  });

  it('says what it could not read', async () => {
    const { plan } = await ask(defaultWorld(), {}, ({ fail }) => {
      fail(({ call }) => call === 'DescribeSecurityGroupRules', refusedBy('UnauthorizedOperation'));
    });

    expect(plan.interfaces[0]?.rules).toBeNull();
    expect(plan.interfaces[0]?.flows[0]?.kind).toBe('unknown');
    expect(plan.readiness.find(({ what }) => what === 'reading')?.detail).toContain('security group rules');
  });

  it.each<[string, Partial<PlanQuestion>]>([
    ['--instance-id', { instanceId: 'i-0000000000000ffff' }],
    ['remoteAddresses[0]', { remoteAddresses: ['0.0.0.0/0'] }],
  ])('refuses a wrong %s in one sentence', async (field, question) => {
    const error = await ask(defaultWorld(), question).catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).field).toBe(field);
  });

  it.each([
    ['the default world', () => defaultWorld()],
    ['two interfaces', () => defaultWorld(twoInterfaces)],
    ['a group and balancers', () => readWorld('auto-scaling-member')],
  ])('of %s fits into 100 columns and begins with the answer', async (_name, make) => {
    const { text } = await ask(make(), { remoteAddresses: [ids.peer, '2001:db8::7'] });

    const lines = text.split('\n');
    expect(lines.filter((line) => line.length > 100)).toEqual([]);
    expect(lines[3]).toMatch(/^Could it be contained today\? (YES|PARTLY|NO)/);
  });
});
