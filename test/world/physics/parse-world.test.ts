import { describe, expect, it } from 'vitest';
import { InputError } from '../../../functions/core/errors.ts';
import { parseWorld } from '../../../local/world/parse-world.ts';
import { parseQuietWorld } from '../../support/quiet-agents.ts';
import { ids, theShell, theWorld } from './fixtures.ts';

const [eni] = theWorld.NetworkInterfaces;
const withEni = (members: object) => ({ ...theWorld, NetworkInterfaces: [{ ...eni, ...members }] });
const withFlow = (members: object) => ({ ...theWorld, Flows: [{ ...theShell, ...members }] });
const withRule = (permission: object) => ({
  ...theWorld,
  SecurityGroups: [...theWorld.SecurityGroups, { GroupId: 'sg-000000000000000aa', IpPermissions: [permission] }],
});
const withEntry = (entry: object) => ({
  ...theWorld,
  NetworkAcls: [
    {
      NetworkAclId: ids.acl,
      Entries: [{ RuleNumber: 1, RuleAction: 'deny', Egress: true, Protocol: '-1', CidrBlock: '10.0.0.0/8', ...entry }],
    },
  ],
});
const without = (object: object, key: string) =>
  Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));

function failure(json: unknown): { field: string; message: string } {
  try {
    parseWorld(json);
  } catch (error) {
    if (error instanceof InputError) return { field: error.field, message: error.message };
    throw error;
  }
  throw new Error('the world was accepted');
}

describe('parseWorld refuses', () => {
  it.each([
    ['no object', null, 'world'],
    ['a list', [], 'world'],
    ['a text', 'world', 'world'],
    ['an account id that is a number', { AccountId: 111_122_223_333 }, 'AccountId'],
    ['an account id of 11 digits', { AccountId: '11112222333' }, 'AccountId'],
    ['a Region that is none', { Region: 'Frankfurt' }, 'Region'],
    ['a time that is none', { Now: 'yesterday' }, 'Now'],
    ['a list that is an object', { SecurityGroups: {} }, 'SecurityGroups'],
    ['a list that is null', { NetworkAcls: null }, 'NetworkAcls'],
    ['a null in a list', { Flows: [null] }, 'Flows[0]'],
    ['latency below zero', { LatencySeconds: -1 }, 'LatencySeconds'],
    ['a quota of half an entry', { NaclEntryQuota: 1.5 }, 'NaclEntryQuota'],
    ['an ENI without an id', withEni({ NetworkInterfaceId: undefined }), 'NetworkInterfaces[0].NetworkInterfaceId'],
    ['an ENI id that is none', withEni({ NetworkInterfaceId: 'eni-x' }), 'NetworkInterfaces[0].NetworkInterfaceId'],
    [
      'an address that is a network',
      withEni({ PrivateIpAddresses: [{ PrivateIpAddress: '10.0.0.0/8' }] }),
      'NetworkInterfaces[0].PrivateIpAddresses[0].PrivateIpAddress',
    ],
    [
      'an address that is an object',
      withEni({ Ipv6Addresses: [{ Ipv6Address: {} }] }),
      'NetworkInterfaces[0].Ipv6Addresses[0].Ipv6Address',
    ],
    ['a group that is a text', withEni({ Groups: ['sg-00000000000000001'] }), 'NetworkInterfaces[0].Groups[0]'],
    [
      'a timeout that EC2 does not know',
      withEni({ ConnectionTrackingConfiguration: { TcpEstablishedTimeout: 10 } }),
      'NetworkInterfaces[0].ConnectionTrackingConfiguration.TcpEstablishedTimeout',
    ],
    [
      'a CIDR of 33 bits',
      withRule({ IpProtocol: '-1', IpRanges: [{ CidrIp: '10.0.0.0/33' }] }),
      'SecurityGroups[3].IpPermissions[0].IpRanges[0].CidrIp',
    ],
    [
      'an IPv6 network among the IPv4 ones',
      withRule({ IpProtocol: '-1', IpRanges: [{ CidrIp: '::/0' }] }),
      'SecurityGroups[3].IpPermissions[0].IpRanges[0].CidrIp',
    ],
    ['a rule without a protocol', withRule({}), 'SecurityGroups[3].IpPermissions[0].IpProtocol'],
    [
      'a port beyond the last',
      withRule({ IpProtocol: 'tcp', FromPort: 70_000 }),
      'SecurityGroups[3].IpPermissions[0].FromPort',
    ],
    [
      'an ACL entry that neither allows nor denies',
      withEntry({ RuleAction: 'drop' }),
      'NetworkAcls[0].Entries[0].RuleAction',
    ],
    ['an ACL entry with two networks', withEntry({ Ipv6CidrBlock: '::/0' }), 'NetworkAcls[0].Entries[0]'],
    ['an ACL entry without a network', withEntry({ CidrBlock: undefined }), 'NetworkAcls[0].Entries[0]'],
    ['rule number 0', withEntry({ RuleNumber: 0 }), 'NetworkAcls[0].Entries[0].RuleNumber'],
    ['a peer that is a number', withFlow({ RemoteAddress: 7 }), 'Flows[0].RemoteAddress'],
    ['a peer that is a name', withFlow({ RemoteAddress: 'evil.example' }), 'Flows[0].RemoteAddress'],
    ['a peer with leading zeros', withFlow({ RemoteAddress: '198.051.100.7' }), 'Flows[0].RemoteAddress'],
    ['a peer of the other family', withFlow({ RemoteAddress: '2001:db8::7' }), 'Flows[0].RemoteAddress'],
    ['a protocol that is none', withFlow({ Protocol: 'quic' }), 'Flows[0].Protocol'],
    ['TCP without a port', withFlow({ RemotePort: null }), 'Flows[0].RemotePort'],
    ['a tick of 0 s', withFlow({ PacketEverySeconds: 0 }), 'Flows[0].PacketEverySeconds'],
    ['a wake-up before the event', withFlow({ WakesAtSeconds: -5 }), 'Flows[0].WakesAtSeconds'],
    ['an opener that is neither', withFlow({ OpenedBy: 'us' }), 'Flows[0].OpenedBy'],
    ['"false" for a flag', withFlow({ Malicious: 'false' }), 'Flows[0].Malicious'],
    [
      'a flow of no ENI',
      { ...theWorld, Flows: [without(without(theShell, 'NetworkInterfaceId'), 'LocalAddress')] },
      'Flows[0].NetworkInterfaceId',
    ],
    [
      'a flow from an address of nobody',
      { ...theWorld, Flows: [{ ...without(theShell, 'NetworkInterfaceId'), LocalAddress: '10.9.9.9' }] },
      'Flows[0].LocalAddress',
    ],
    ['two flows of one 5-tuple', { ...theWorld, Flows: [theShell, { ...theShell, Name: 'twin' }] }, 'Flows[1]'],
    [
      'a lie that is not known',
      { ...theWorld, Hosts: [{ InstanceId: ids.instance, AgentLies: 'often' }] },
      'Hosts[0].AgentLies',
    ],
    [
      'an assumption that is not known',
      { Assumptions: { UntrackDwellConverts: 'some' } },
      'Assumptions.UntrackDwellConverts',
    ],
    ['assumptions that are null', { Assumptions: null }, 'Assumptions'],
    [
      'a count of calls that is none',
      { Faults: [{ Api: 'RunInstances', Call: 'third', Error: 'Timeout' }] },
      'Faults[0].Call',
    ],
    ['a fault without an API', { Faults: [{ Call: 1, Error: 'Timeout' }] }, 'Faults[0].Api'],
    ['an ENI that is listed twice', { ...theWorld, NetworkInterfaces: [eni, eni] }, 'NetworkInterfaces[1]'],
  ])('%s', (_, json, field) => {
    expect(failure(json).field).toBe(field);
  });

  it.each([
    [
      'a group of an ENI',
      withEni({ Groups: [{ GroupId: 'sg-000000000000000ff' }] }),
      'NetworkInterfaces[0].Groups[0].GroupId',
      'sg-000000000000000ff',
      'SecurityGroups',
    ],
    [
      'a subnet of an ENI',
      withEni({ SubnetId: 'subnet-000000000000000ff' }),
      'NetworkInterfaces[0].SubnetId',
      'subnet-000000000000000ff',
      'Subnets',
    ],
    [
      'an instance of an ENI',
      withEni({ Attachment: { InstanceId: 'i-000000000000000ff' } }),
      'NetworkInterfaces[0].Attachment.InstanceId',
      'i-000000000000000ff',
      'Reservations',
    ],
    [
      'an ENI of a flow',
      withFlow({ NetworkInterfaceId: 'eni-000000000000000ff' }),
      'Flows[0].NetworkInterfaceId',
      'eni-000000000000000ff',
      'NetworkInterfaces',
    ],
    [
      'an instance of a host',
      { ...theWorld, Hosts: [{ InstanceId: 'i-000000000000000ff' }] },
      'Hosts[0].InstanceId',
      'i-000000000000000ff',
      'Reservations',
    ],
    [
      'a subnet of a flow log',
      { ...theWorld, FlowLogs: [{ ResourceId: 'subnet-000000000000000ff' }] },
      'FlowLogs[0].ResourceId',
      'subnet-000000000000000ff',
      'Subnets',
    ],
    [
      'a subnet of an ACL',
      {
        ...theWorld,
        NetworkAcls: [{ NetworkAclId: ids.acl, Associations: [{ SubnetId: 'subnet-000000000000000ff' }] }],
      },
      'NetworkAcls[0].Associations[0].SubnetId',
      'subnet-000000000000000ff',
      'Subnets',
    ],
    [
      'a group in a rule',
      withRule({ IpProtocol: '-1', UserIdGroupPairs: [{ GroupId: 'sg-000000000000000ff' }] }),
      'SecurityGroups[3].IpPermissions[0].UserIdGroupPairs[0].GroupId',
      'sg-000000000000000ff',
      'SecurityGroups',
    ],
  ])('%s that does not resolve, naming both', (_, json, field, id, list) => {
    const { message } = failure(json);

    expect(message).toBe(`${field}: "${id}" is not among ${list}`);
  });

  it('in one sentence that shows the value', () => {
    expect(failure(withFlow({ RemoteAddress: 7 })).message).toBe('Flows[0].RemoteAddress: 7 is not a string');
    expect(failure(withFlow({ RemoteAddress: undefined })).message).toBe(
      'Flows[0].RemoteAddress: is missing; it has to be a string',
    );
    expect(failure(withFlow({ OpenedBy: 'us' })).message).toBe(
      'Flows[0].OpenedBy: "us" is not one of "instance", "remote"',
    );
    expect(failure({ NaclEntryQuota: 0 }).message).toBe('NaclEntryQuota: 0 is too small, the least is 1');
  });
});

describe('a near miss of a key', () => {
  it.each([
    [{ Flowz: [] }, 'Flowz', 'Flows'],
    [{ flows: [] }, 'flows', 'Flows'],
    [{ Folws: [] }, 'Folws', 'Flows'],
    [{ SecurityGroup: [] }, 'SecurityGroup', 'SecurityGroups'],
    [withFlow({ Maliciuos: false }), 'Flows[0].Maliciuos', 'Malicious'],
    [withFlow({ OnHostList: false }), 'Flows[0].OnHostList', 'OnHostLists'],
    [{ ...theWorld, Hosts: [{ InstanceId: ids.instance, AgentLie: 'hides' }] }, 'Hosts[0].AgentLie', 'AgentLies'],
    [{ Assumptions: { PropagationSecond: 3 } }, 'Assumptions.PropagationSecond', 'PropagationSeconds'],
    [{ Faults: [{ Api: 'X', Cal: 2, Error: 'Timeout' }] }, 'Faults[0].Cal', 'Call'],
    [{ FlowLogs: [{ ResourceId: ids.vpc, Readeble: false }] }, 'FlowLogs[0].Readeble', 'Readable'],
  ])('%j is refused with the key that is meant', (json, field, meant) => {
    expect(failure(json).field).toBe(field);
    expect(failure(json).message).toContain(`"${meant}" is meant`);
  });

  it.each([
    { Volumes: [] },
    { Regions: [{ RegionName: 'eu-central-1' }] },
    { Rules: [] },
    { NatGateways: [], Tags: [], Images: [] },
    withFlow({ Note: 'kept', Comment: 'kept' }),
    { FlowLogs: [{ ResourceId: ids.vpc, Tags: [], FlowLogStatus: 'ACTIVE', DestinationOptions: {} }] },
  ])('%j is none', (json) => {
    expect(() => parseWorld(json)).not.toThrow();
  });
});

describe('what a later version understands', () => {
  it.each([
    ['Roles', { Roles: [{ RoleName: 'web' }] }],
    ['CredentialUses', { CredentialUses: [{ Name: 'theft' }] }],
    ['HostedZones', { HostedZones: [{ Name: 'example.com.' }] }],
    ['FirewallRuleGroups', { FirewallRuleGroups: [{ Id: 'rslvr-frg-1' }] }],
    ['Worlds', { Worlds: [{}] }],
    ['Flows[0].Protocol', withFlow({ Protocol: 'dns' })],
  ])('%s is refused by name', (field, json) => {
    expect(failure(json).field).toBe(field);
  });

  it('is no matter while the list is empty', () => {
    expect(() => parseWorld({ Roles: [], HostedZones: [] })).not.toThrow();
  });
});

describe('an outage', () => {
  it.each([
    ['Faults[0].Api', { Error: 'Timeout' }],
    ['Faults[0].Service', { Service: 'kinesis', Error: 'Timeout' }],
    ['Faults[0].ToSeconds', { Service: 'ec2', FromSeconds: 9, ToSeconds: 9, Error: 'Timeout' }],
    ['Faults[0].Error', { Service: 'ec2', FromSeconds: 9 }],
  ])('without sense is refused at %s', (field, fault) => {
    expect(failure({ Faults: [fault] }).field).toBe(field);
  });
});

describe('a stretch of a flow log that ends before it begins', () => {
  it.each(['Gaps', 'SkipData'])('is refused in %s', (key) => {
    const log = {
      ResourceId: ids.vpc,
      [key]: [
        [0, 60],
        [100, 50],
      ],
    };
    expect(failure({ FlowLogs: [log] }).field).toBe(`FlowLogs[0].${key}[1][1]`);
  });
});

describe('parseWorld accepts', () => {
  it('an empty world, with every default', () => {
    expect(parseWorld({})).toMatchObject({
      AccountId: '111122223333',
      Region: 'eu-central-1',
      Now: '2026-01-15T10:00:00Z',
      Reservations: [],
      InstanceAttributes: {},
      Flows: [],
      Hosts: [],
      NaclEntryQuota: 20,
      LatencySeconds: 0.2,
      Assumptions: {
        LoweredTimeoutAppliesToExisting: false,
        UntrackDwellConverts: 'never',
        NaclDroppedEgressRefreshes: true,
        RstDroppedByNaclClears: false,
        PropagationSeconds: 2,
        TcpRetransmitSeconds: 924.6,
      },
    });
  });

  it('unknown keys, and keeps them', () => {
    const world = parseWorld({ ...withEni({ MacAddress: '02:00:00:00:00:01' }), Comment: 'mine' });

    expect(world).toMatchObject({ Comment: 'mine', NetworkInterfaces: [{ MacAddress: '02:00:00:00:00:01' }] });
  });

  it('leaves what it was given alone', () => {
    const given = structuredClone(theWorld);

    parseWorld(given).NetworkInterfaces.pop();

    expect(given).toEqual(theWorld);
  });

  it('a flow of which only the peer is told, and fills in the rest', () => {
    const flow = { LocalPort: 1, RemotePort: 2, NetworkInterfaceId: ids.eni, RemoteAddress: '2001:DB8:0::7' };

    expect(parseWorld({ ...theWorld, Flows: [flow] }).Flows[0]).toEqual({
      ...flow,
      Name: 'flow 1',
      Malicious: true,
      Protocol: 'tcp',
      OpenedBy: 'instance',
      LocalAddress: '2001:db8:1::10',
      RemoteAddress: '2001:db8::7',
      PacketEverySeconds: 5,
      WakesAtSeconds: null,
      Process: null,
      EntryTimeoutSeconds: null,
      OnHostLists: true,
      IsAgentConnection: false,
    });
  });

  it('a flow without an ENI, by its local address', () => {
    expect(
      parseWorld({ ...theWorld, Flows: [without(theShell, 'NetworkInterfaceId')] }).Flows[0]?.NetworkInterfaceId,
    ).toBe(ids.eni);
  });

  it('protocols by number and in any case, ICMP without ports', () => {
    const flows = ['6', 'UDP', '47', '1'].map((Protocol, index) => ({
      ...theShell,
      Protocol,
      LocalPort: index,
      RemotePort: index,
    }));

    expect(parseQuietWorld({ ...theWorld, Flows: flows }).Flows.map((one) => one.Protocol)).toEqual([
      'tcp',
      'udp',
      '47',
      'icmp',
    ]);
    expect(
      parseWorld(withFlow({ Protocol: 'icmp', LocalPort: null, RemotePort: null })).Flows[0]?.LocalPort,
    ).toBeNull();
  });

  it('flows of one name, and tells them apart', () => {
    const world = parseQuietWorld({ ...theWorld, Flows: [theShell, { ...theShell, LocalPort: 2 }] });

    expect(world.Flows.map((one) => one.Name)).toEqual(['reverse shell', 'reverse shell (2)']);
  });

  it('network interfaces that only the instances list', () => {
    const world = parseWorld({
      Reservations: [
        {
          Instances: [
            {
              InstanceId: ids.instance,
              VpcId: ids.vpc,
              SubnetId: ids.subnet,
              SecurityGroups: [{ GroupId: ids.group }],
              NetworkInterfaces: [{ NetworkInterfaceId: ids.eni, PrivateIpAddress: '10.0.1.10' }],
            },
          ],
        },
      ],
      Flows: [theShell],
    });

    expect(world.NetworkInterfaces).toMatchObject([
      {
        NetworkInterfaceId: ids.eni,
        SubnetId: ids.subnet,
        VpcId: ids.vpc,
        Groups: [{ GroupId: ids.group }],
        PrivateIpAddresses: [{ PrivateIpAddress: '10.0.1.10' }],
        Attachment: { InstanceId: ids.instance },
      },
    ]);
  });

  it('references into lists that the file does not have', () => {
    expect(() => parseWorld({ NetworkInterfaces: [eni], Flows: [theShell] })).not.toThrow();
  });

  it('a group of a peered VPC in a rule', () => {
    const pair = { GroupId: 'sg-000000000000000ff', UserId: '444455556666', VpcPeeringConnectionId: 'pcx-1' };

    expect(() => parseWorld(withRule({ IpProtocol: '-1', UserIdGroupPairs: [pair] }))).not.toThrow();
  });

  it('"3+" and 3 for the calls that fail', () => {
    const world = parseWorld({
      Faults: [
        { Api: 'X', Call: '3+', Error: 'Timeout' },
        { Api: 'X', Call: 3, Error: 'Timeout' },
      ],
    });

    expect(world.Faults).toMatchObject([{ Call: '3+', AfterEffect: false }, { Call: 3 }]);
  });
});
