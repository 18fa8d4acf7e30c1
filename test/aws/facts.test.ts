import {
  DescribeInstancesCommand,
  DescribeInstanceTypesCommand,
  DescribeNetworkAclsCommand,
  DescribeNetworkInterfacesCommand,
  DescribeRouteTablesCommand,
  DescribeSecurityGroupRulesCommand,
  DescribeSubnetsCommand,
  DescribeVpcEndpointsCommand,
  EC2Client,
} from '@aws-sdk/client-ec2';
import { mockClient } from 'aws-sdk-client-mock';
import 'aws-sdk-client-mock-vitest/extend';
import { beforeEach, describe, expect, it } from 'vitest';
import { readFacts } from '../../functions/aws/facts.ts';
import { endpointServices } from '../../functions/aws/vpc-endpoints.ts';
import type { Hints } from '../../functions/core/intake/intake-types.ts';
import { theShell } from '../support/incident.ts';

const ec2 = mockClient(EC2Client);
const client = new EC2Client({});

const none: Hints = { vpcIds: [], subnetIds: [], groupIds: [] };
const right: Hints = { vpcIds: ['vpc-1'], subnetIds: ['subnet-1'], groupIds: ['sg-1'] };
const wrong: Hints = { vpcIds: ['vpc-9'], subnetIds: ['subnet-9'], groupIds: ['sg-9'] };

const read = (hints: Hints) => readFacts(client, 'i-1', { hints, flows: [theShell] });

/** Answers as EC2 does: by the filter, so that wrong hints bring wrong things. */
beforeEach(() => {
  ec2.reset();
  const asked = (input: { Filters?: { Values?: string[] }[] }): readonly string[] =>
    (input.Filters ?? []).flatMap(({ Values }) => Values ?? []);
  ec2
    .on(DescribeInstancesCommand)
    .resolves({ Reservations: [{ Instances: [{ InstanceId: 'i-1', State: { Name: 'running' } }] }] });
  ec2.on(DescribeNetworkInterfacesCommand).resolves({
    NetworkInterfaces: [
      { NetworkInterfaceId: 'eni-1', VpcId: 'vpc-1', SubnetId: 'subnet-1', Groups: [{ GroupId: 'sg-1' }] },
    ],
  });
  ec2.on(DescribeSubnetsCommand).callsFake((input) => ({
    Subnets: asked(input).map((SubnetId) => ({ SubnetId, VpcId: 'vpc-1', CidrBlock: '10.0.1.0/24' })),
  }));
  ec2.on(DescribeNetworkAclsCommand).callsFake((input) => ({
    NetworkAcls: asked(input).map((SubnetId) => ({ NetworkAclId: `acl-of-${SubnetId}`, Associations: [{ SubnetId }] })),
  }));
  ec2.on(DescribeRouteTablesCommand).callsFake((input) => ({
    RouteTables: asked(input).map((VpcId) => ({ RouteTableId: `rtb-of-${VpcId}`, VpcId })),
  }));
  ec2.on(DescribeSecurityGroupRulesCommand).callsFake((input) => ({
    SecurityGroupRules: asked(input).map((GroupId) => ({ SecurityGroupRuleId: `sgr-of-${GroupId}`, GroupId })),
  }));
});

const whole = {
  instance: { id: 'i-1' },
  interfaces: [{ id: 'eni-1' }],
  subnets: [{ id: 'subnet-1' }],
  acls: [{ id: 'acl-of-subnet-1' }],
  routeTables: [{ id: 'rtb-of-vpc-1' }],
  unread: [],
};

describe('readFacts', () => {
  it('needs one round of reads where the hints are right', async () => {
    expect(await read(right)).toMatchObject(whole);
    for (const command of [
      DescribeSubnetsCommand,
      DescribeNetworkAclsCommand,
      DescribeRouteTablesCommand,
      DescribeSecurityGroupRulesCommand,
    ])
      expect(ec2).toHaveReceivedCommandTimes(command, 1);
  });

  it('comes to the same without hints, and with wrong ones', async () => {
    const facts = await read(right);
    expect(await read(none)).toEqual(facts);
    expect(await read(wrong)).toMatchObject(whole);
  });

  describe('a peer that is an interface endpoint', () => {
    const endpoint = {
      NetworkInterfaceId: 'eni-9',
      VpcId: 'vpc-1',
      InterfaceType: 'vpc_endpoint' as const,
      PrivateIpAddress: theShell.remoteAddress,
    };
    const heldByEndpoint = () =>
      ec2
        .on(DescribeNetworkInterfacesCommand, {
          Filters: [{ Name: 'addresses.private-ip-address', Values: [theShell.remoteAddress] }],
        })
        .resolves({ NetworkInterfaces: [endpoint] });

    const readServices = () =>
      readFacts(client, 'i-1', { hints: right, flows: [theShell], servicesOf: endpointServices });

    it('is told with the service that answers there', async () => {
      heldByEndpoint();
      const service = 'com.amazonaws.eu-central-1.ssm';
      ec2.on(DescribeVpcEndpointsCommand).resolves({
        VpcEndpoints: [{ ServiceName: service, NetworkInterfaceIds: ['eni-8', 'eni-9'] }],
      });

      const facts = await readServices();

      expect(facts?.peers?.get(theShell.remoteAddress)).toEqual([
        { vpcId: 'vpc-1', interfaceType: 'vpc_endpoint', service },
      ]);
      expect(facts?.unread).toEqual([]);
    });

    it('is an endpoint all the same where nobody may ask of what service, and that is told', async () => {
      heldByEndpoint();
      ec2.on(DescribeVpcEndpointsCommand).rejects(Object.assign(new Error('no'), { name: 'UnauthorizedOperation' }));

      const facts = await readServices();

      expect(facts?.peers?.get(theShell.remoteAddress)).toEqual([{ vpcId: 'vpc-1', interfaceType: 'vpc_endpoint' }]);
      expect(facts?.unread).toEqual([expect.stringMatching(/^VPC endpoints: /)]);
    });

    it('is the only one for which endpoints are read, and only where somebody asks for it', async () => {
      await readServices();
      heldByEndpoint();
      await read(right);

      expect(ec2).not.toHaveReceivedCommand(DescribeVpcEndpointsCommand);
    });
  });

  describe('default timeouts of the type', () => {
    const ofType = (InstanceType: 'm5.large') => ({
      Reservations: [{ Instances: [{ InstanceId: 'i-1', InstanceType, State: { Name: 'running' as const } }] }],
    });
    const tells = (InstanceType: string, DefaultTcpEstablishedTimeout?: number) => ({
      InstanceTypes: [
        {
          InstanceType,
          NetworkInfo:
            DefaultTcpEstablishedTimeout === undefined
              ? {}
              : { ConnectionTrackingConfiguration: { DefaultTcpEstablishedTimeout } },
        },
      ],
    });
    const fresh = (hints: Hints) => readFacts(new EC2Client({}), 'i-1', { hints, flows: [theShell] });
    const timeouts = { tcpEstablishedSeconds: 1234, udpSeconds: 30, udpStreamSeconds: 180 };

    beforeEach(() => {
      ec2.on(DescribeInstancesCommand).resolves(ofType('m5.large'));
      ec2.on(DescribeInstanceTypesCommand).resolves(tells('m5.large', 1234) as never);
    });

    it('are read in the first round where the finding names the type', async () => {
      let isInstanceKnown = false;
      let wasKnownFirst = true;
      ec2.on(DescribeInstancesCommand).callsFake(async () => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        isInstanceKnown = true;
        return ofType('m5.large');
      });
      ec2.on(DescribeInstanceTypesCommand).callsFake(() => {
        wasKnownFirst = isInstanceKnown;
        return tells('m5.large', 1234);
      });
      const facts = await fresh({ ...right, instanceType: 'm5.large' });
      expect([facts?.instance.defaultTimeouts, wasKnownFirst]).toEqual([timeouts, false]);
      expect(ec2).toHaveReceivedCommandExactlyOnceWith(DescribeInstanceTypesCommand, { InstanceTypes: ['m5.large'] });
    });

    it('are read beside the second round where it does not, and of the real type where it is wrong', async () => {
      expect((await fresh(none))?.instance.defaultTimeouts).toEqual(timeouts);
      expect((await fresh({ ...wrong, instanceType: 'm6i.large' }))?.instance.defaultTimeouts).toEqual(timeouts);
    });

    it('are left to the table of families where they alone would need a second round', async () => {
      expect((await fresh(right))?.instance.defaultTimeouts).toBeNull();
      expect((await fresh({ ...right, instanceType: 'm6i.large' }))?.instance.defaultTimeouts).toBeNull();
      expect(ec2).not.toHaveReceivedCommandWith(DescribeInstanceTypesCommand, { InstanceTypes: ['m5.large'] });
    });

    it('are asked for once', async () => {
      const same = new EC2Client({});
      const hints = { ...right, instanceType: 'm5.large' };
      for (const _ of [1, 2]) await readFacts(same, 'i-1', { hints, flows: [] });
      expect(ec2).toHaveReceivedCommandTimes(DescribeInstanceTypesCommand, 1);
    });

    it('are not known where EC2 has no word of them, and nothing else is lost', async () => {
      ec2.on(DescribeInstanceTypesCommand).resolves(tells('m5.large') as never);
      expect(await fresh(none)).toMatchObject({ ...whole, instance: { defaultTimeouts: null } });
    });

    it('are named as unread where EC2 refuses', async () => {
      ec2.on(DescribeInstanceTypesCommand).rejects(Object.assign(new Error('no'), { name: 'UnauthorizedOperation' }));
      const facts = await fresh(none);
      expect(facts?.instance.defaultTimeouts).toBeNull();
      expect(facts?.unread).toHaveLength(1);
    });
  });

  it('says null where there is no such instance', async () => {
    ec2.on(DescribeInstancesCommand).resolves({});
    expect(await read(right)).toBeNull();
  });

  it.each([
    ['subnets', DescribeSubnetsCommand, { subnets: [] }],
    ['network ACLs', DescribeNetworkAclsCommand, { acls: [] }],
    ['route tables', DescribeRouteTablesCommand, { routeTables: null }],
    ['security group rules', DescribeSecurityGroupRulesCommand, { rules: null }],
  ] as const)('goes on without the %s, says so and assumes nothing', async (what, command, left) => {
    ec2.on(command).rejects(Object.assign(new Error('no'), { Code: 'UnauthorizedOperation' }));
    const facts = await read(none);
    expect(facts).toMatchObject({ interfaces: whole.interfaces, ...left });
    expect(facts?.unread).toEqual([`${what}: UnauthorizedOperation: no`]);
  });

  it.each([
    ['the instance', DescribeInstancesCommand],
    ['its interfaces', DescribeNetworkInterfacesCommand],
  ] as const)('fails where %s cannot be read: there is nothing to act on', async (_, command) => {
    ec2.on(command).rejects(new Error('no'));
    await expect(read(right)).rejects.toThrow('no');
  });
});
