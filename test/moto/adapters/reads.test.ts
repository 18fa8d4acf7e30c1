import { CreateLogGroupCommand, CreateLogStreamCommand, PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { CreateFlowLogsCommand, CreateManagedPrefixListCommand } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readFacts } from '../../../functions/aws/facts.ts';
import { flowLogsOn, readStream, searchRefusal } from '../../../functions/aws/flow-logs.ts';
import { getInstance } from '../../../functions/aws/instances.ts';
import { aclsById, aclsOfSubnets } from '../../../functions/aws/network-acls.ts';
import { holdersOf, interfacesOf } from '../../../functions/aws/network-interfaces.ts';
import { prefixListEntries, routeTablesOf, subnetsById } from '../../../functions/aws/routes.ts';
import { groupByName, isolationGroups, rulesOf } from '../../../functions/aws/security-groups.ts';
import { readSurroundings } from '../../../functions/aws/surroundings.ts';
import { startMoto } from '../../../scripts/moto-server.ts';
import { type Account, buildAccount } from '../support/account.ts';
import { ACCOUNT, type Clients, clientsAt } from '../support/clients.ts';

const moto = await startMoto();
afterAll(() => moto?.stop());

const NO_HINTS = { vpcIds: [], subnetIds: [], groupIds: [] };

describe.skipIf(moto === null)('the adapters that read, over HTTP', () => {
  const clients: Clients = clientsAt(moto?.endpoint ?? '');
  const { ec2, logs } = clients;
  let account: Account;
  beforeAll(async () => {
    account = await buildAccount(clients);
  });

  test('instances: reads one, and knows one that is not there', async () => {
    const { victim, vpcId, publicSubnet } = account;
    expect(await getInstance(ec2, victim.instanceId)).toMatchObject({
      id: victim.instanceId,
      state: 'running',
      accountId: ACCOUNT,
      instanceType: 'm5.large',
      platform: 'linux',
      spot: false,
      vpcId,
      subnetId: publicSubnet.subnetId,
      volumes: [{ deviceName: '/dev/sda1', isDoomed: true }],
      tags: { Name: 'shop-web-1' },
    });
    expect(await getInstance(ec2, 'i-0123456789abcdef0')).toBeNull();
  });

  test('network interfaces: every one of the instance, the primary first, with groups and addresses', async () => {
    const { victim, groups, vpcId, publicSubnet, privateSubnet } = account;
    const interfaces = await interfacesOf(ec2, victim.instanceId);
    expect(interfaces).toMatchObject([
      {
        id: victim.networkInterfaceId,
        vpcId,
        subnetId: publicSubnet.subnetId,
        ownerId: ACCOUNT,
        groupIds: [groups.web],
        privateAddresses: [victim.privateAddress],
        deviceIndex: 0,
        requesterManaged: false,
        operator: null,
        timeouts: { tcpEstablishedSeconds: null, udpSeconds: null, udpStreamSeconds: null },
      },
      { id: victim.secondInterfaceId, subnetId: privateSubnet.subnetId, deviceIndex: 1 },
    ]);
    expect(interfaces[1]?.groupIds.toSorted()).toEqual([groups.web, groups.database].toSorted());
    expect(interfaces[0]?.publicAddress).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    expect(await holdersOf(ec2, [victim.privateAddress, '10.20.9.9'])).toEqual([
      {
        address: victim.privateAddress,
        networkInterfaceId: victim.networkInterfaceId,
        holder: { vpcId, interfaceType: 'interface' },
      },
    ]);
  });

  test('network ACLs: by subnet and by id, without the default deny', async () => {
    const { publicSubnet, privateSubnet } = account;
    const allows = [true, false].flatMap((egress) => [
      { ruleNumber: 100, egress, action: 'allow', protocol: '-1', cidr: '0.0.0.0/0', family: 'ipv4' },
      { ruleNumber: 101, egress, action: 'allow', protocol: '-1', cidr: '::/0', family: 'ipv6' },
    ]);
    const [acl, ...others] = await aclsOfSubnets(ec2, [publicSubnet.subnetId]);
    expect(others).toEqual([]);
    expect(acl).toMatchObject({ id: publicSubnet.aclId, ownerId: ACCOUNT, subnetIds: [publicSubnet.subnetId] });
    expect(acl?.entries).toHaveLength(allows.length);
    expect(acl?.entries).toEqual(expect.arrayContaining(allows.map((allow) => expect.objectContaining(allow))));
    expect((await aclsById(ec2, [privateSubnet.aclId])).map(({ id }) => id)).toEqual([privateSubnet.aclId]);
  });

  test('routes: tables with their targets, subnets with both families, prefix lists', async () => {
    const { vpcId, gatewayId, natGatewayId, publicSubnet, privateSubnet } = account;
    const tables = await routeTablesOf(ec2, [vpcId]);
    const defaultTarget = (subnetId: string) =>
      tables
        .find(({ subnetIds }) => subnetIds.includes(subnetId))
        ?.routes.find(({ destination }) => destination === '0.0.0.0/0')?.target;
    expect(tables.filter(({ main }) => main)).toHaveLength(1);
    expect(defaultTarget(publicSubnet.subnetId)).toEqual({ kind: 'internet-gateway', id: gatewayId });
    expect(defaultTarget(privateSubnet.subnetId)).toEqual({ kind: 'nat-gateway', id: natGatewayId });
    const [subnet] = await subnetsById(ec2, [publicSubnet.subnetId, 'subnet-0123456789abcdef0']);
    expect(subnet).toMatchObject({ id: publicSubnet.subnetId, vpcId, cidrs: ['10.20.1.0/24', expect.any(String)] });
    const { PrefixList } = await ec2.send(
      new CreateManagedPrefixListCommand({
        PrefixListName: 'office',
        AddressFamily: 'IPv4',
        MaxEntries: 5,
        Entries: [{ Cidr: '192.0.2.0/24' }, { Cidr: '203.0.113.0/24' }],
      }),
    );
    const listId = PrefixList?.PrefixListId ?? '';
    expect(await prefixListEntries(ec2, [listId])).toEqual([[listId, ['192.0.2.0/24', '203.0.113.0/24']]]);
  });

  test('security groups: the rules of both directions and families, one peer each', async () => {
    const { groups, vpcId } = account;
    const rules = await rulesOf(ec2, [groups.web]);
    const short = rules.map(({ direction, protocol, fromPort, peer }) => ({ direction, protocol, fromPort, peer }));
    const tcp = { direction: 'ingress', protocol: 'tcp' };
    const all = { direction: 'egress', protocol: '-1', fromPort: null };
    expect(short).toHaveLength(5);
    expect(short).toEqual(
      expect.arrayContaining([
        { ...tcp, fromPort: 443, peer: { kind: 'cidr', family: 'ipv4', cidr: '0.0.0.0/0' } },
        { ...tcp, fromPort: 443, peer: { kind: 'cidr', family: 'ipv6', cidr: '::/0' } },
        { ...tcp, fromPort: 22, peer: { kind: 'group', groupId: groups.bastion } },
        { ...all, peer: { kind: 'cidr', family: 'ipv4', cidr: '0.0.0.0/0' } },
        // Born in an IPv6 VPC, it has both.
        { ...all, peer: { kind: 'cidr', family: 'ipv6', cidr: '::/0' } },
      ]),
    );
    expect(await groupByName(ec2, vpcId, 'web')).toEqual({ id: groups.web, ours: false, empty: false });
    expect(await groupByName(ec2, vpcId, 'nobody')).toBeNull();
    expect(await isolationGroups(ec2, [vpcId])).toEqual([]);
  });

  test('facts: the same with right hints, with wrong ones and without any', async () => {
    const { victim, neighbour, vpcId, publicSubnet, groups } = account;
    const right = {
      vpcIds: [vpcId],
      subnetIds: [publicSubnet.subnetId],
      groupIds: [groups.web],
    };
    const wrong = { ...NO_HINTS, subnetIds: ['subnet-0123456789abcdef0'], groupIds: [groups.bastion] };
    const [hinted, misled, unhinted] = await Promise.all(
      [right, wrong, NO_HINTS].map((hints) => readFacts(ec2, victim.instanceId, { hints, flows: [] })),
    );
    expect(unhinted?.unread).toEqual([]);
    expect(unhinted?.interfaces).toHaveLength(2);
    expect(unhinted?.acls).toHaveLength(2);
    const sorted = (facts: typeof hinted) => ({
      ...facts,
      acls: facts?.acls.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
      subnets: facts?.subnets.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
      routeTables: facts?.routeTables?.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
      rules: facts?.rules
        ?.filter(({ groupId }) => groupId !== groups.bastion)
        .toSorted((a, b) => (a.ruleId < b.ruleId ? -1 : 1)),
    });
    expect(sorted(hinted)).toEqual(sorted(unhinted));
    expect(sorted(misled)).toEqual(sorted(unhinted));
    expect(await readFacts(ec2, 'i-0123456789abcdef0', { hints: NO_HINTS, flows: [] })).toBeNull();
    if (unhinted === null || unhinted === undefined) throw new Error('no facts');
    // Of one interface only: asked for several groups at once, moto wants an interface to be in all of them.
    const surroundings = await readSurroundings(ec2, { ...unhinted, interfaces: unhinted.interfaces.slice(0, 1) });
    expect(surroundings.neighbours).toEqual([
      { instanceId: neighbour.instanceId, name: 'shop-web-2', subnetId: publicSubnet.subnetId },
    ]);
    expect(surroundings.groupUsers).toContainEqual({
      networkInterfaceId: neighbour.networkInterfaceId,
      instanceId: neighbour.instanceId,
      groupIds: [groups.web],
    });
  });

  test('flow logs: finds the log of a resource and the lines of an interface, and knows a group that is not there', async () => {
    const { publicSubnet } = account;
    await logs.send(new CreateLogGroupCommand({ logGroupName: 'flows' }));
    await logs.send(new CreateLogStreamCommand({ logGroupName: 'flows', logStreamName: 'eni-1-all' }));
    await logs.send(new CreateLogStreamCommand({ logGroupName: 'flows', logStreamName: 'eni-2-all' }));
    await ec2.send(
      new CreateFlowLogsCommand({
        ResourceIds: [publicSubnet.subnetId],
        ResourceType: 'Subnet',
        TrafficType: 'ALL',
        LogDestinationType: 'cloud-watch-logs',
        LogGroupName: 'flows',
        DeliverLogsPermissionArn: `arn:aws:iam::${ACCOUNT}:role/flow-logs`,
      }),
    );
    const now = Date.now();
    const line = `2 ${ACCOUNT} eni-1 10.20.1.4 198.51.100.7 51234 4444 6 10 840 1 2 ACCEPT OK`;
    await logs.send(
      new PutLogEventsCommand({
        logGroupName: 'flows',
        logStreamName: 'eni-1-all',
        logEvents: [{ timestamp: now - 60_000, message: line }],
      }),
    );
    await logs.send(
      new PutLogEventsCommand({
        logGroupName: 'flows',
        logStreamName: 'eni-2-all',
        logEvents: [{ timestamp: now, message: line.replace('eni-1', 'eni-2') }],
      }),
    );
    const found = await flowLogsOn(ec2, [publicSubnet.subnetId, 'eni-0123456789abcdef0']);
    expect(found).toEqual([
      {
        id: expect.any(String),
        resourceId: publicSubnet.subnetId,
        destinationType: 'cloud-watch-logs',
        destinationAccountId: expect.toBeOneOf([null, ACCOUNT]),
        logGroupName: 'flows',
        destination: expect.toBeOneOf([null, expect.any(String)]),
        caseId: null,
        problem: null,
        trafficType: 'ALL',
        format: expect.stringContaining('interface-id'),
        intervalSeconds: 600,
        createdAt: expect.any(Number),
      },
    ]);
    const where = { logGroupName: 'flows', networkInterfaceId: 'eni-1', to: now / 1000 + 1 };
    const search = async (from: number) => {
      const lines: string[] = [];
      await readStream(logs, { ...where, from }, Date.now() + 10_000, (found) => void lines.push(found));
      return lines;
    };
    expect(await search(now / 1000 - 120)).toEqual([line]);
    expect(await search(now / 1000 - 10)).toEqual([]);
    expect(await searchRefusal(logs, { ...where, from: 0 })).toBeNull();
    expect(await searchRefusal(logs, { ...where, from: 0, logGroupName: 'no-such-group' })).toContain('no-such-group');
  });
});
