import {
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  CreateTagsCommand,
  DeleteFlowLogsCommand,
  DeleteNetworkAclEntryCommand,
  DescribeInstancesCommand,
  DescribeInstanceTypesCommand,
  DescribeNetworkAclsCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  ModifyInstanceMetadataOptionsCommand,
  ModifyNetworkInterfaceAttributeCommand,
} from '@aws-sdk/client-ec2';
import { GetFindingsCommand, GuardDutyClient, ListDetectorsCommand } from '@aws-sdk/client-guardduty';
import { SendCommandCommand, SSMClient } from '@aws-sdk/client-ssm';
import { describe, expect, it } from 'vitest';
import type { TrailEvent } from '../../../local/world/api/trail.ts';
import { readEvent } from '../../support/bench.ts';
import { ids, instanceOf, interfaceOf, inWorld, outcome, smallWorld } from './small-world.ts';

const lagging = { Assumptions: { ReadLagSeconds: 10 } };
const stranger = 'arn:aws:sts::111122223333:assumed-role/ops/stranger';
const swap = new ModifyNetworkInterfaceAttributeCommand({
  NetworkInterfaceId: ids.eni,
  Groups: [ids.defaultGroup],
});
const removeAllow = new DeleteNetworkAclEntryCommand({ NetworkAclId: ids.acl, RuleNumber: 100, Egress: true });

describe('ReadLagSeconds', () => {
  it('shows what was before a change, in interfaces and instances, until the time is over', () =>
    inWorld(lagging, async ({ ec2, clock, state }) => {
      const shown = async () => {
        const { NetworkInterfaces } = await ec2.send(new DescribeNetworkInterfacesCommand({}));
        const { Reservations } = await ec2.send(new DescribeInstancesCommand({}));
        return [
          NetworkInterfaces?.[0]?.Groups?.[0]?.GroupId,
          Reservations?.[0]?.Instances?.[0]?.NetworkInterfaces?.[0]?.Groups?.[0]?.GroupId,
        ];
      };
      await ec2.send(swap);

      expect(state.NetworkInterfaces[0]?.Groups[0]?.GroupId).toBe(ids.defaultGroup);
      expect(await shown()).toEqual([ids.web, ids.web]);
      await clock.sleep(9.3);
      expect(await shown()).toEqual([ids.web, ids.defaultGroup]);
      expect(await shown()).toEqual([ids.defaultGroup, ids.defaultGroup]);
    }));

  it('holds for new groups, their rules and ACL entries, and for nothing else', () =>
    inWorld(lagging, async ({ ec2, clock }) => {
      const { GroupId = '' } = await ec2.send(
        new CreateSecurityGroupCommand({ GroupName: 'new', Description: 'new', VpcId: ids.vpc }),
      );
      await ec2.send(removeAllow);
      const look = async () => ({
        group: await outcome(ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: [GroupId] }))),
        entries: (await ec2.send(new DescribeNetworkAclsCommand({}))).NetworkAcls?.[0]?.Entries?.length,
      });

      expect(await look()).toEqual({ group: 'InvalidGroup.NotFound', entries: 4 });
      expect((await ec2.send(new DescribeSubnetsCommand({}))).Subnets).toHaveLength(1);
      await clock.sleep(10);
      expect(await look()).toEqual({ group: 'ok', entries: 3 });
    }));

  it('delays no change: what is done meanwhile is done to what is', () =>
    inWorld(lagging, async ({ ec2 }) => {
      await ec2.send(removeAllow);

      expect(await outcome(ec2.send(removeAllow))).toBe('InvalidNetworkAclEntry.NotFound');
    }));
});

describe('GroupVisibleAfterSeconds', () => {
  it.each([
    [0, 'ok'],
    [5, 'InvalidGroup.NotFound'],
  ])('%d: a group that was just created answers %s', (GroupVisibleAfterSeconds, code) =>
    inWorld({ Assumptions: { GroupVisibleAfterSeconds } }, async ({ ec2 }) => {
      const { GroupId } = await ec2.send(
        new CreateSecurityGroupCommand({ GroupName: 'new', Description: 'new', VpcId: ids.vpc }),
      );
      const rule = { IpProtocol: 'tcp', FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: '192.0.2.0/24' }] };

      const answer = ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions: [rule] }));

      expect(await outcome(answer)).toBe(code);
    }),
  );
});

describe('an outage', () => {
  const out = (over: object) => ({
    Faults: [{ Service: 'ec2', FromSeconds: 10, ToSeconds: 20, Error: 'ServiceUnavailable', ...over }],
  });

  it('fails every call of its service in its time, retries included, and no other', () =>
    inWorld(out({}), async ({ ec2, world, clock }) => {
      const ssm = world.attach(new SSMClient({ region: 'eu-central-1' }));
      const read = () => outcome(ec2.send(new DescribeSubnetsCommand({})));
      const before = await read();
      await clock.sleep(10);
      const attempts = world.calls().total;

      const during = await read();
      const tried = world.calls().total - attempts;
      const other = await outcome(
        ssm.send(new SendCommandCommand({ DocumentName: 'cut', InstanceIds: [ids.instance] })),
      );
      await clock.sleep(20);

      expect([before, during, other, await read()]).toEqual(['ok', 'ServiceUnavailable', 'ok', 'ok']);
      expect(tried).toBeGreaterThan(1);
    }));

  it('may be silence', () =>
    inWorld(out({ FromSeconds: 0, Error: 'Timeout' }), async ({ ec2, clock }) => {
      expect(await outcome(ec2.send(swap))).toBe('TimeoutError');
      expect(clock.now()).toBeGreaterThan(3);
    }));

  it('may never end, and changes nothing', () =>
    inWorld(out({ FromSeconds: 0, ToSeconds: null }), async ({ ec2, clock, state }) => {
      await clock.sleep(86_400);

      expect(await outcome(ec2.send(swap))).toBe('ServiceUnavailable');
      expect(state.NetworkInterfaces[0]?.Groups[0]?.GroupId).toBe(ids.web);
    }));
});

describe('CloudTrail', () => {
  const events = (over: object, body: Parameters<typeof inWorld<void>>[1]) =>
    inWorld(over, async (scene) => {
      const heard: [number, TrailEvent][] = [];
      scene.world.onTrailEvent = (event) => heard.push([scene.clock.now(), event]);
      await body(scene);
      await scene.clock.sleep(200);
      return heard;
    });

  it("tells of a stranger's change a minute later, in the shape of an EventBridge event", async () => {
    const [[at, event] = [], ...more] = await events({}, async ({ world, ec2 }) => {
      await world.callAs(stranger, () => ec2.send(removeAllow));
    });

    expect(more).toEqual([]);
    expect(at).toBe(60.2);
    expect(event).toMatchObject({
      version: '0',
      source: 'aws.ec2',
      'detail-type': 'AWS API Call via CloudTrail',
      account: ids.account,
      region: 'eu-central-1',
      time: '2026-01-15T10:00:00Z',
      detail: {
        eventSource: 'ec2.amazonaws.com',
        eventName: 'DeleteNetworkAclEntry',
        awsRegion: 'eu-central-1',
        requestParameters: { networkAclId: ids.acl, ruleNumber: 100, egress: true },
        responseElements: { _return: true },
        readOnly: false,
        managementEvent: true,
        userIdentity: {
          type: 'AssumedRole',
          arn: stranger,
          accountId: ids.account,
          sessionContext: { sessionIssuer: { arn: 'arn:aws:iam::111122223333:role/ops', userName: 'ops' } },
        },
      },
    });
  });

  it('spells lists, tags and whole requests as CloudTrail does', async () => {
    const heard = await events(
      { FlowLogs: [{ ResourceId: ids.vpc, FlowLogId: 'fl-00000000000000001' }] },
      ({ world, ec2 }) =>
        world.callAs('arn:aws:iam::111122223333:user/eve', async () => {
          await ec2.send(swap);
          await ec2.send(new CreateTagsCommand({ Resources: [ids.instance], Tags: [{ Key: 'a', Value: 'b' }] }));
          await ec2.send(new DeleteFlowLogsCommand({ FlowLogIds: ['fl-00000000000000001'] }));
        }),
    );

    expect(heard.map(([, { detail }]) => detail['requestParameters'])).toEqual([
      { networkInterfaceId: ids.eni, groupSet: { items: [{ groupId: ids.defaultGroup }] } },
      {
        resourcesSet: { items: [{ resourceId: ids.instance }] },
        tagSet: { items: [{ key: 'a', value: 'b' }] },
      },
      { DeleteFlowLogsRequest: { FlowLogId: { content: 'fl-00000000000000001', tag: 1 } } },
    ]);
    expect(heard[0]?.[1].detail['userIdentity']).toMatchObject({ type: 'IAMUser', userName: 'eve' });
  });

  it('tells of a call that failed, and of none that reads or is the responder’s', async () => {
    const heard = await events({}, async ({ world, ec2 }) => {
      await ec2.send(swap);
      await world.callAs(stranger, () => ec2.send(new DescribeSubnetsCommand({})));
      await world.callAs(stranger, () =>
        outcome(ec2.send(new DeleteNetworkAclEntryCommand({ NetworkAclId: ids.acl, RuleNumber: 7, Egress: true }))),
      );
    });

    expect(heard.map(([, { detail }]) => [detail['eventName'], detail['errorCode']])).toEqual([
      ['DeleteNetworkAclEntry', 'Client.InvalidNetworkAclEntry.NotFound'],
    ]);
  });

  it.each([
    { TrailDeliverySeconds: 5, at: [5.2] },
    { TrailDeliverySeconds: null, at: [] },
  ])('is as late as the file says: $TrailDeliverySeconds', async ({ TrailDeliverySeconds, at }) => {
    const heard = await events({ Assumptions: { TrailDeliverySeconds } }, async ({ world, ec2 }) => {
      await world.callAs(stranger, () => ec2.send(swap));
    });

    expect(heard.map(([second]) => second)).toEqual(at);
  });
});

describe('GuardDuty', () => {
  const { detail } = readEvent('guardduty-ec2-c2activity') as { detail: Record<string, unknown> };
  const ask = (over: object, play = false) =>
    inWorld(over, async ({ world }) => {
      if (play) world.playFinding(detail);
      const guardduty = world.attach(new GuardDutyClient({ region: 'eu-central-1' }));
      const { DetectorIds } = await guardduty.send(new ListDetectorsCommand({}));
      const DetectorId = DetectorIds?.[0];
      const { Findings } = await guardduty.send(
        new GetFindingsCommand({ DetectorId, FindingIds: [String(detail['id'])] }),
      );
      return { DetectorIds, Findings };
    });

  it('knows the findings that are played, spelt as its API spells them', async () => {
    const { DetectorIds, Findings } = await ask({}, true);

    expect(DetectorIds).toHaveLength(1);
    expect(Findings).toMatchObject([
      {
        Id: detail['id'],
        Type: detail['type'],
        Severity: detail['severity'],
        AccountId: detail['accountId'],
        Resource: { ResourceType: 'Instance', InstanceDetails: { InstanceId: expect.any(String) } },
        Service: {
          Action: { NetworkConnectionAction: { RemoteIpDetails: { IpAddressV4: expect.any(String) } } },
          Count: expect.any(Number),
        },
      },
    ]);
  });

  it('knows what the file says and nothing else', async () => {
    expect((await ask({ Findings: [] }, true)).Findings).toEqual([]);
    expect((await ask({ Findings: [detail] })).Findings).toHaveLength(1);
  });

  it('refuses another detector, and no ids at all', () =>
    inWorld({}, async ({ world }) => {
      const guardduty = world.attach(new GuardDutyClient({ region: 'eu-central-1' }));
      const get = (DetectorId: string, FindingIds: string[]) =>
        outcome(guardduty.send(new GetFindingsCommand({ DetectorId, FindingIds })));

      expect(await get('0'.repeat(32), ['one'])).toBe('BadRequestException');
    }));
});

describe('the quota of groups per interface', () => {
  const groups = Array.from({ length: 17 }, (_, index) =>
    `sg-000000000000000${String(index).padStart(2, '0')}`.slice(0, 20),
  );
  const [web] = smallWorld().SecurityGroups;
  const world = (count: number) => ({
    SecurityGroups: groups.map((GroupId) => ({ ...web, GroupId, IpPermissions: [], IpPermissionsEgress: [] })),
    NetworkInterfaces: [
      interfaceOf(ids.eni, ids.instance, { Groups: groups.slice(0, count).map((GroupId) => ({ GroupId })) }),
    ],
  });
  const set = (count: number, wanted: number) =>
    inWorld(world(count), ({ ec2 }) =>
      outcome(
        ec2.send(
          new ModifyNetworkInterfaceAttributeCommand({ NetworkInterfaceId: ids.eni, Groups: groups.slice(0, wanted) }),
        ),
      ),
    );

  it.each([
    [1, 5, 'ok'],
    [1, 6, 'SecurityGroupsPerInterfaceLimitExceeded'],
    [7, 7, 'ok'],
    [7, 8, 'SecurityGroupsPerInterfaceLimitExceeded'],
    [17, 16, 'ok'],
    [17, 17, 'SecurityGroupsPerInterfaceLimitExceeded'],
  ])('where the file shows %d: %d groups are %s', async (count, wanted, code) => {
    expect(await set(count, wanted)).toBe(code);
  });

  it('stays what it was when the interface that shows it is isolated', () =>
    inWorld(world(16), async ({ ec2 }) => {
      const put = (ids_: string[]) =>
        outcome(ec2.send(new ModifyNetworkInterfaceAttributeCommand({ NetworkInterfaceId: ids.eni, Groups: ids_ })));

      expect([await put(groups.slice(0, 1)), await put(groups.slice(0, 16))]).toEqual(['ok', 'ok']);
    }));
});

describe('ModifyInstanceMetadataOptions', () => {
  it('is pending, then applied, and leaves what it does not name', () =>
    inWorld({}, async ({ ec2, clock }) => {
      const options = async () =>
        (await ec2.send(new DescribeInstancesCommand({}))).Reservations?.[0]?.Instances?.[0]?.MetadataOptions;
      const before = await options();
      await ec2.send(new ModifyInstanceMetadataOptionsCommand({ InstanceId: ids.instance, HttpEndpoint: 'disabled' }));

      expect(before).toMatchObject({ State: 'applied', HttpEndpoint: 'enabled', HttpTokens: 'optional' });
      expect(await options()).toEqual({ ...before, State: 'pending', HttpEndpoint: 'disabled' });
      await clock.sleep(5);
      expect(await options()).toEqual({ ...before, State: 'applied', HttpEndpoint: 'disabled' });
    }));

  it.each([
    ['InvalidParameterValue', {}],
    ['InvalidParameterValue', { HttpPutResponseHopLimit: 65 }],
    ['InvalidInstanceID.NotFound', { InstanceId: 'i-0000000000000dead', HttpEndpoint: 'disabled' }],
  ])('answers %s', (code, over) =>
    inWorld({}, async ({ ec2 }) => {
      const input = { InstanceId: ids.instance, ...over } as { InstanceId: string };
      expect(await outcome(ec2.send(new ModifyInstanceMetadataOptionsCommand(input)))).toBe(code);
    }),
  );
});

describe('DescribeInstanceTypes', () => {
  it('tells the tracking timers of a type', () =>
    inWorld(
      { Reservations: [{ Instances: [instanceOf(ids.instance, { InstanceType: 'm5.large' })] }] },
      async ({ ec2 }) => {
        const { InstanceTypes } = await ec2.send(
          new DescribeInstanceTypesCommand({ InstanceTypes: ['m5.large', 'm8i.large'] }),
        );

        expect(InstanceTypes?.map(({ NetworkInfo }) => NetworkInfo?.ConnectionTrackingConfiguration)).toEqual([
          { DefaultTcpEstablishedTimeout: 432_000, DefaultUdpTimeout: 30, DefaultUdpStreamTimeout: 180 },
          { DefaultTcpEstablishedTimeout: 350, DefaultUdpTimeout: 30, DefaultUdpStreamTimeout: 180 },
        ]);
        expect(
          await outcome(ec2.send(new DescribeInstanceTypesCommand({ InstanceTypes: ['large' as 'm5.large'] }))),
        ).toBe('InvalidInstanceType');
      },
    ));
});
