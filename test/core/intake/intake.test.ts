import { describe, expect, it } from 'vitest';
import { valueAt } from '../../../functions/core/intake/input-fields.ts';
import { intake } from '../../../functions/core/intake/intake.ts';
import { eventNames, type Json, readEvent, requestOf, requestsOf, withValue } from './intake-events.ts';

const INSTANCE = 'i-0000000000000ab01';
const C2 = readEvent('guardduty-ec2-c2activity');
const CONNECTION = 'detail.service.action.networkConnectionAction';
const INTERFACE = 'detail.resource.instanceDetails.networkInterfaces.0';

/** The default finding with another type, a resource role and a direction. */
function finding(type: string, changes: Readonly<Record<string, Json | undefined>> = {}): Json {
  return Object.entries(changes).reduce<Json>(
    (event, [path, value]) => withValue(event, path, value),
    withValue(C2, 'detail.type', type),
  );
}

describe('intake of the samples', () => {
  it.each([
    ['guardduty-archived', 'ignored', 'ARCHIVED', [], 0],
    ['guardduty-attack-sequence-ec2', 'ask', 'ISO-ASK', [INSTANCE, 'i-0000000000000ab02'], 1],
    ['guardduty-credential-exfiltration', 'ignored', 'CRED', [], 0],
    ['guardduty-ec2-c2activity', 'case', 'ISO', [INSTANCE], 1],
    ['guardduty-ec2-c2activity-dns', 'case', 'ISO', [INSTANCE], 0],
    ['guardduty-ec2-malicious-file', 'ask', 'ISO-ASK', [INSTANCE], 0],
    ['guardduty-ec2-malicious-ip-caller-inbound', 'ignored', 'EXPOSED', [], 0],
    ['guardduty-ec2-port-probe', 'ignored', 'EXPOSED', [], 0],
    ['guardduty-ec2-ssh-brute-force-actor', 'case', 'ISO', [INSTANCE], 1],
    ['guardduty-ec2-ssh-brute-force-target', 'ignored', 'EXPOSED', [], 0],
    ['guardduty-ecs-fargate-reverse-shell', 'ignored', 'ISO', [], 0],
    ['guardduty-eks-runtime-crypto-miner', 'ask', 'ASK', [INSTANCE], 0],
    ['guardduty-runtime-c2activity', 'case', 'ISO', [INSTANCE], 1],
    ['guardduty-runtime-dual-stack', 'case', 'ISO', [INSTANCE], 2],
    ['guardduty-runtime-reverse-shell', 'case', 'ISO', [INSTANCE], 0],
    ['guardduty-sample', 'ignored', 'SAMPLE', [], 0],
    ['manual-contain', 'case', 'MANUAL', [INSTANCE], 0],
    ['manual-getfindings', 'case', 'MANUAL', [INSTANCE], 1],
    ['manual-observe', 'case', 'MANUAL', [INSTANCE], 0],
    ['manual-peer', 'case', 'MANUAL', [INSTANCE], 2],
    ['manual-host', 'case', 'MANUAL', [INSTANCE], 0],
  ])('%s is %s, class %s', (name, kind, expectedClass, instances, flows) => {
    const result = intake(readEvent(name));

    expect({ kind: result.kind, class: result.class }).toEqual({ kind, class: expectedClass });
    expect(requestsOf(result).map(({ instanceId }) => instanceId)).toEqual(instances);
    expect(requestsOf(result)[0]?.flows.length ?? 0).toBe(flows);
  });

  it('knows every sample of the folder', () => {
    expect(eventNames()).toHaveLength(21);
  });
});

describe('a finding with a connection', () => {
  it('becomes a case with its flow, its hints and where to act', () => {
    expect(requestOf(intake(C2))).toEqual({
      origin: 'finding',
      accountId: '111122223333',
      region: 'eu-central-1',
      instanceId: INSTANCE,
      mode: null,
      reason: null,
      finding: {
        id: '00c2a17e5f2b4d0c9a4be1d3f6a70801',
        type: 'Backdoor:EC2/C&CActivity.B',
        severity: 8,
        updatedAt: '2026-01-15T09:59:41.105Z',
        count: 1,
      },
      flows: [
        {
          protocol: 'tcp',
          family: 'ipv4',
          remoteAddress: '198.51.100.7',
          remotePort: 4444,
          localAddress: '10.0.1.10',
          localPort: 51_234,
          openedBy: 'instance',
          networkInterfaceId: 'eni-00000000000000e01',
          source: 'finding',
        },
      ],
      processes: [],
      domains: [],
      severity: 8,
      domainOnly: false,
      byRuntime: false,
      hints: {
        vpcIds: ['vpc-00000000000000a01'],
        subnetIds: ['subnet-00000000000000b01'],
        groupIds: ['sg-00000000000000c01'],
        instanceType: 'm6i.large',
      },
      notes: [],
    });
  });

  it("acts where the finding says, not in the event's account or Region", () => {
    const event = withValue(withValue(C2, 'account', '999999999999'), 'region', 'us-east-1');

    expect(requestOf(intake(event))).toMatchObject({ accountId: '111122223333', region: 'eu-central-1' });
  });

  it('names both families, each with its own local address, in canonical form', () => {
    const { flows } = requestOf(intake(readEvent('guardduty-runtime-dual-stack')));

    expect(flows.map(({ family, remoteAddress, localAddress }) => [family, remoteAddress, localAddress])).toEqual([
      ['ipv4', '198.51.100.7', '10.0.1.10'],
      ['ipv6', '2001:db8::7', '2001:db8:10:1::10'],
    ]);
  });

  it('reads an IPv4-mapped IPv6 address as the IPv4 address, once', () => {
    const event = withValue(C2, `${CONNECTION}.remoteIpDetails.ipAddressV6`, '::ffff:198.51.100.7');

    expect(requestOf(intake(event)).flows).toHaveLength(1);
  });

  it('accepts a peer of IPv6 alone', () => {
    const event = withValue(C2, `${CONNECTION}.remoteIpDetails`, { ipAddressV6: '2001:DB8::9' });

    expect(requestOf(intake(event)).flows).toMatchObject([{ family: 'ipv6', remoteAddress: '2001:db8::9' }]);
  });

  it('keeps a private peer as a flow: the host can cut it', () => {
    const event = withValue(C2, `${CONNECTION}.remoteIpDetails.ipAddressV4`, '10.0.1.77');

    expect(requestOf(intake(event)).flows).toMatchObject([{ remoteAddress: '10.0.1.77' }]);
  });

  it.each([
    ['TCP', 'tcp'],
    ['UDP', 'udp'],
    ['ICMP', 'icmp'],
    ['ICMPv6', 'icmpv6'],
    ['GRE', '47'],
    ['6', 'tcp'],
    ['89', '89'],
    ['0', 'unknown'],
    ['999', 'unknown'],
    ['constructor', 'unknown'],
    [undefined, 'unknown'],
  ])('reads protocol %s as %s', (written, protocol) => {
    expect(requestOf(intake(withValue(C2, `${CONNECTION}.protocol`, written))).flows).toMatchObject([{ protocol }]);
  });

  it.each([
    ['OUTBOUND', 'instance'],
    ['INBOUND', 'remote'],
    ['UNKNOWN', 'unknown'],
    [undefined, 'unknown'],
  ])('reads direction %s as opened by %s', (direction, openedBy) => {
    const event = withValue(C2, `${CONNECTION}.connectionDirection`, direction);

    expect(requestOf(intake(event)).flows).toMatchObject([{ openedBy }]);
  });

  it.each([
    [4444, 4444],
    ['36220', 36_220],
    [0, null],
    [undefined, null],
  ])('reads port %s as %s', (written, remotePort) => {
    const event = withValue(C2, `${CONNECTION}.remotePortDetails.port`, written);

    expect(requestOf(intake(event)).flows).toMatchObject([{ remotePort }]);
  });

  it('takes every network interface as a hint, each id once', () => {
    const second = {
      networkInterfaceId: 'eni-00000000000000e02',
      vpcId: 'vpc-00000000000000a01',
      privateDnsName: null,
    };
    const event = withValue(C2, 'detail.resource.instanceDetails.networkInterfaces.1', second);

    expect(requestOf(intake(event)).hints).toEqual({
      vpcIds: ['vpc-00000000000000a01'],
      subnetIds: ['subnet-00000000000000b01'],
      groupIds: ['sg-00000000000000c01'],
      instanceType: 'm6i.large',
    });
  });

  it.each([null, '', 7, 'm5', 'm6i.large or so', '../../etc'])('takes %j for no hint at the instance type', (type) => {
    const event = withValue(C2, 'detail.resource.instanceDetails.instanceType', type);
    expect(requestOf(intake(event)).hints).not.toHaveProperty('instanceType');
  });

  it.each([
    ['detail.resource.instanceDetails.networkInterfaces', undefined],
    [`${INTERFACE}.securityGroups`, []],
    [`${INTERFACE}.subnetId`, undefined],
    ['detail.resource.instanceDetails.platform', null],
    ['detail.resource.instanceDetails.iamInstanceProfile', null],
    ['detail.service.evidence', null],
    [`${CONNECTION}.blocked`, 'False'],
    [`${CONNECTION}.remoteIpDetails.organization.asn`, 64_500],
    ['detail.severity', 8.7],
    ['detail.updatedAt', '2026-02-25 20:40:06.721'],
    ['detail.updatedAt', undefined],
    ['detail.service.archived', 'False'],
    ['detail.service.additionalInfo', {}],
    ['detail.service.additionalInfo.sample', 'false'],
    ['detail.service.additionalInfo.value', 'no JSON'],
  ])('is a case whatever %s is: %j', (path, value) => {
    expect(intake(withValue(C2, path, value))).toMatchObject({ kind: 'case' });
  });

  it.each<[string, Json]>([
    ['detail.resource.instanceDetails.networkInterfaces', { networkInterfaceId: 'eni-00000000000000e01' }],
    [INTERFACE, 'eni-00000000000000e01'],
    [`${INTERFACE}.subnetId`, 'GeneratedFindingSubnetId1'],
    [`${INTERFACE}.subnetId`, 'subnet-0abc123def456'],
    [`${INTERFACE}.vpcId`, 'vpc-generatedvpcid1'],
    [`${INTERFACE}.securityGroups`, 'sg-00000000000000c01'],
    [`${INTERFACE}.securityGroups.0`, 'sg-00000000000000c01'],
    [`${INTERFACE}.securityGroups.0.groupId`, 'web'],
    [`${INTERFACE}.privateIpAddress`, '10.0.1.10/24'],
    [`${INTERFACE}.ipv6Addresses`, ['10.0.1.10']],
    [`${INTERFACE}.networkInterfaceId`, 'eni-abcdef00…03'],
    [`${CONNECTION}.localNetworkInterface`, 'eni-1; reboot'],
    [`${CONNECTION}.localIpDetails.ipAddressV4`, '10.0.1.10; reboot'],
    [`${CONNECTION}.localIpDetails`, 'x'],
  ])('drops a hint that is not well-formed: %s = %j', (path, value) => {
    const request = requestOf(intake(withValue(C2, path, value)));

    expect(request).toMatchObject({ instanceId: INSTANCE, flows: [{ remoteAddress: '198.51.100.7' }] });
    expect(JSON.stringify(request)).not.toMatch(/reboot|Generated|abc123|"web"|abcdef00/);
  });

  it.each<[string, Json | undefined]>([
    ['detail.service.action', undefined],
    ['detail.service.action', {}],
    [CONNECTION, undefined],
    [`${CONNECTION}.remoteIpDetails`, undefined],
    ['detail.service', undefined],
    ['detail.service.action.actionType', 'AWS_API_CALL'],
  ])('is a case without a flow, and says so, where %s is %j', (path, value) => {
    expect(requestOf(intake(withValue(C2, path, value)))).toMatchObject({
      flows: [],
      notes: [expect.stringContaining('names no flow')],
    });
  });
});

describe('a finding with a domain or a process', () => {
  it('notes that no deny can stop a domain', () => {
    const { domains, notes } = requestOf(intake(readEvent('guardduty-ec2-c2activity-dns')));

    expect(domains).toEqual(['c2.example.com']);
    expect(notes).toEqual([expect.stringContaining('VPC resolver')]);
  });

  it('names the process', () => {
    expect(requestOf(intake(readEvent('guardduty-runtime-reverse-shell'))).processes).toEqual([
      { pid: 4242, name: 'bash', executablePath: '/usr/bin/bash' },
    ]);
  });

  it('does not let the name of a process keep it from acting', () => {
    const name = `x\n"; reboot #\u{202e}${'y'.repeat(5000)}`;
    const event = withValue(
      readEvent('guardduty-runtime-c2activity'),
      'detail.service.runtimeDetails.process.name',
      name,
    );
    const shown = requestOf(intake(event)).processes[0]?.name ?? '';

    expect(shown).toHaveLength(256);
    expect(shown.startsWith('x\u{fffd}"; reboot #\u{fffd}y')).toBe(true);
  });

  it.each([
    ['guardduty-ec2-c2activity-dns', { domainOnly: true, byRuntime: false, severity: 8 }],
    ['guardduty-ec2-c2activity', { domainOnly: false, byRuntime: false, severity: 8 }],
    ['guardduty-runtime-reverse-shell', { domainOnly: false, byRuntime: true, severity: 8 }],
  ])('records of %s what it rests on: %j', (name, expected) => {
    expect(requestOf(intake(readEvent(name)))).toMatchObject(expected);
  });

  it('follows the action where it does not match the type', () => {
    const event = finding('Backdoor:EC2/C&CActivity.B!DNS');

    expect(requestOf(intake(event))).toMatchObject({ flows: [{ remoteAddress: '198.51.100.7' }], notes: [] });
  });
});

describe('a finding without a resource type', () => {
  it.each([null, '', undefined])('that is %j is about the instance that it names', (resourceType) => {
    const event = finding('Backdoor:EC2/C&CActivity.B', { 'detail.resource.resourceType': resourceType });

    expect(intake(event)).toMatchObject({ kind: 'case', request: { instanceId: INSTANCE } });
  });
});

describe('a finding that names a domain alone', () => {
  const dns = (severity: number) => withValue(readEvent('guardduty-ec2-c2activity-dns'), 'detail.severity', severity);

  it.each([
    [8, 'case'],
    [7, 'case'],
    [6.9, 'ask'],
    [5, 'ask'],
  ])('of severity %d is a %s: below 7 a stranger may have provoked it', (severity, kind) => {
    expect(intake(dns(severity))).toMatchObject({ kind });
  });

  it('says why a person is asked', () => {
    expect(intake(dns(5))).toMatchObject({ reason: expect.stringContaining('names a domain alone') });
  });

  it('is no matter where it names a flow as well', () => {
    expect(intake(finding('Backdoor:EC2/C&CActivity.B!DNS', { 'detail.severity': 5 }))).toMatchObject({ kind: 'case' });
  });
});

describe('routing', () => {
  it.each(['SSH', 'RDP', 'WinRM'])('lets the role decide %s brute force', (name) => {
    const prefix = name === 'WinRM' ? 'Impact' : 'UnauthorizedAccess';
    const outcome = (role: string | undefined) =>
      intake(finding(`${prefix}:EC2/${name}BruteForce`, { 'detail.service.resourceRole': role }));

    expect(outcome('TARGET')).toMatchObject({ kind: 'ignored', class: 'EXPOSED', instanceId: INSTANCE });
    expect(outcome('ACTOR')).toMatchObject({ kind: 'case', class: 'ISO' });
    expect(outcome('SOURCE')).toMatchObject({ kind: 'ask', class: 'ASK' });
    expect(outcome('constructor')).toMatchObject({ kind: 'ask', class: 'ASK' });
    expect(outcome(undefined)).toMatchObject({ kind: 'ask', class: 'ASK' });
  });

  it('lets the role decide nothing else: command and control is a case as TARGET and as ACTOR', () => {
    expect(intake(withValue(C2, 'detail.service.resourceRole', 'TARGET')).kind).toBe('case');
    expect(intake(withValue(C2, 'detail.service.resourceRole', 'ACTOR')).kind).toBe('case');
    expect(intake(withValue(C2, 'detail.service.resourceRole', undefined)).kind).toBe('case');
  });

  it.each([
    ['INBOUND', 'ignored', 'EXPOSED'],
    ['OUTBOUND', 'case', 'ISO'],
    ['UNKNOWN', 'ask', 'ASK'],
    [undefined, 'ask', 'ASK'],
  ])('lets direction %s decide an address of an own list: %s', (direction, kind, expectedClass) => {
    const event = finding('UnauthorizedAccess:EC2/MaliciousIPCaller.Custom', {
      [`${CONNECTION}.connectionDirection`]: direction,
    });

    expect(intake(event)).toMatchObject({ kind, class: expectedClass });
  });

  it.each([
    'Backdoor:EC2/SomethingNew',
    'Backdoor:EC2/C&CActivity.B2',
    'backdoor:ec2/c&cactivity.b',
    'Execution:EC2/MaliciousFile!AMI',
    'Recon:EC2 PortProbeUnprotectedPort',
    'Discovery:S3/MaliciousIPCaller.Custom',
    '__proto__',
    'constructor',
  ])('never isolates on %s, however severe', (type) => {
    expect(intake(finding(type, { 'detail.severity': 9.9 }))).toMatchObject({ kind: 'ignored', class: 'NOTIFY' });
  });

  it('does not let the severity decide', () => {
    for (const severity of [0, 2, 5, 10, 72.88]) {
      expect(intake(withValue(C2, 'detail.severity', severity)).kind).toBe('case');
      expect(intake(finding('Recon:EC2/PortProbeUnprotectedPort', { 'detail.severity': severity })).kind).toBe(
        'ignored',
      );
    }
  });

  it.each([
    ['detail.resource.resourceType', 'EKSCluster'],
    ['detail.resource.resourceType', 'ECSCluster'],
    ['detail.resource.resourceType', 'Container'],
    ['detail.resource.eksClusterDetails', { name: 'shop' }],
    ['detail.resource.ecsClusterDetails', { name: 'jobs' }],
    ['detail.resource.kubernetesDetails', {}],
  ])('asks about a shared node: %s', (path, value) => {
    expect(intake(withValue(C2, path, value))).toMatchObject({
      kind: 'ask',
      class: 'ASK',
      reason: expect.stringContaining('shared'),
      requests: [{ instanceId: INSTANCE }],
    });
  });

  it.each([
    ['detail.resource.instanceDetails', undefined],
    ['detail.resource.instanceDetails.instanceId', undefined],
    ['detail.resource.resourceType', 'AccessKey'],
    ['detail.resource.resourceType', 'S3Bucket'],
    ['detail.resource.resourceType', 'AttackSequence'],
    ['detail.resource.resourceType', 'SomethingNew'],
  ])('says loudly that no instance is named: %s = %j', (path, value) => {
    expect(intake(withValue(C2, path, value))).toMatchObject({
      kind: 'ignored',
      class: 'ISO',
      instanceId: null,
      reason: expect.stringMatching(/^NO INSTANCE NAMED/),
    });
  });

  it('names the instance of stolen credentials and does not touch it', () => {
    const event = readEvent('guardduty-credential-exfiltration');
    const other = withValue(event, 'detail.resource.accessKeyDetails.principalId', 'AROAEXAMPLE:session');

    expect(intake(event)).toMatchObject({ kind: 'ignored', class: 'CRED', instanceId: INSTANCE });
    expect(intake(other)).toMatchObject({ kind: 'ignored', class: 'CRED', instanceId: null });
  });
});

describe('what is told of a finding on which nobody acts', () => {
  const adviceOf = (input: Json): string => {
    const result = intake(input);
    if (result.kind !== 'ignored') throw new Error(result.reason);
    return result.advice;
  };

  it('names the finding, the ports, the addresses and the direction of what an exposed instance met', () => {
    const advice = adviceOf(readEvent('guardduty-ec2-port-probe'));
    const id = String(valueAt(readEvent('guardduty-ec2-port-probe'), 'detail', 'id'));

    for (const part of [
      id,
      'PortProbeUnprotectedPort',
      'inbound',
      '6379, 9200',
      '198.51.100.21, 198.51.100.22, 203.0.113.77',
    ])
      expect(advice).toContain(part);
  });

  it('counts the addresses that a sentence has no room for', () => {
    const event = readEvent('guardduty-ec2-port-probe');
    const probes = Array.from({ length: 13 }, (_, n) => ({
      localPortDetails: { port: 22 },
      remoteIpDetails: { ipAddressV4: `198.51.100.${n}` },
    }));

    expect(adviceOf(withValue(event, 'detail.service.action.portProbeAction.portProbeDetails', probes))).toContain(
      '198.51.100.9 and 3 more',
    );
  });

  it('says the port that was tried, and no port where none is known', () => {
    const guessed = adviceOf(readEvent('guardduty-ec2-ssh-brute-force-target'));
    const bare = adviceOf(withValue(readEvent('guardduty-ec2-port-probe'), 'detail.service.action', 'x'));

    expect(guessed).toMatch(/inbound, port 22, from 198\.51\.100\.\d+\./);
    expect(bare).toContain('names no address and no port');
  });

  it('carries the domain and the process', () => {
    const dns = withValue(
      readEvent('guardduty-ec2-c2activity-dns'),
      'detail.type',
      'Impact:EC2/SuspiciousDomainRequest.Reputation',
    );
    const runtime = withValue(readEvent('guardduty-runtime-reverse-shell'), 'detail.service.archived', true);

    expect(intake(dns)).toMatchObject({ kind: 'ignored', domains: ['c2.example.com'], region: 'eu-central-1' });
    expect(intake(runtime)).toMatchObject({ kind: 'ignored', processes: [{ pid: 4242, name: 'bash' }] });
  });

  it('asks for IMDSv2 only where the credentials are those of an instance', () => {
    const of = (kind: string) =>
      adviceOf(finding(`UnauthorizedAccess:IAMUser/${kind}CredentialExfiltration.OutsideAWS`));

    expect(of('Instance')).toContain('IMDSv2');
    expect(of('Resource')).not.toContain('IMDSv2');
  });
});

describe('custom detection rules', () => {
  it.each([
    ['Persistence:EC2/BootOrLogonInitializationScripts', 'ask', 'ASK'],
    ['Persistence:EC2/ExternalRemoteServices', 'ignored', 'EXPOSED'],
    ['LateralMovement:EC2/RemoteServices', 'ask', 'ASK'],
    ['CredentialAccess:EC2/UnsecuredCredentials', 'ignored', 'CRED'],
    ['DefenseImpairment:EC2/DisableOrModifyTools', 'ignored', 'NOTIFY'],
    ['Exfiltration:EC2/TransferDataToCloudAccount', 'ask', 'ASK'],
  ])('routes %s: %s, %s', (type, kind, expectedClass) => {
    expect(intake(finding(type))).toMatchObject({ kind, class: expectedClass });
  });

  it('takes deleted flow logs for tampering with the cases of the VPC, and knows its own hand', () => {
    const result = intake(finding('DefenseImpairment:EC2/DisableOrModifyTools'));

    expect(result).toMatchObject({
      advice: expect.stringMatching(/case of this VPC is open.*tampering.*flowcut itself/),
    });
  });

  const CALL = finding('LateralMovement:EC2/RemoteServices', {
    'detail.resource': { resourceType: 'AccessKey', instanceDetails: { instanceId: 'i-0000000000000ab09' } },
    'detail.service.action': { actionType: 'AWS_API_CALL' },
  });

  it.each<[string, Json, readonly string[]]>([
    ['by its id', { 'AWS::EC2::Instance': INSTANCE }, [INSTANCE]],
    ['by its ARN', { instance: `arn:aws:ec2:eu-central-1:111122223333:instance/${INSTANCE}` }, [INSTANCE]],
    ['of several', { a: INSTANCE, b: 'i-0000000000000ab02', c: INSTANCE, d: 5 }, [INSTANCE, 'i-0000000000000ab02']],
    ['nowhere', { 'AWS::EC2::Snapshot': 'snap-1' }, []],
    ['in nothing that can be read', 'x', []],
  ])('finds the instance that the call was about %s, and none that made it', (_name, affectedResources, ids) => {
    const event = withValue(CALL, 'detail.service.action.awsApiCallAction', { affectedResources });
    const result = intake(event);

    expect(requestsOf(result).map(({ instanceId }) => instanceId)).toEqual(ids);
    expect(result.reason.startsWith('NO INSTANCE NAMED')).toBe(ids.length === 0);
  });

  it('survives a finding without a kind of resource', () => {
    const event = withValue(CALL, 'detail.resource', {});
    const named = { affectedResources: { a: INSTANCE } };

    expect(requestsOf(intake(event))).toEqual([]);
    expect(requestsOf(intake(withValue(event, 'detail.service.action.awsApiCallAction', named)))).toMatchObject([
      { instanceId: INSTANCE },
    ]);
  });

  it('looks for instances in the calls of no other type', () => {
    const event = withValue(CALL, 'detail.service.action.awsApiCallAction', { affectedResources: { a: INSTANCE } });

    expect(requestsOf(intake(withValue(event, 'detail.type', 'Backdoor:EC2/C&CActivity.B')))).toEqual([]);
  });
});

describe('samples and archived findings', () => {
  it.each([
    ['detail.service.additionalInfo.sample', true],
    ['detail.service.additionalInfo.sample', 'True'],
    ['detail.service.additionalInfo.value', '{"sample":true}'],
    ['detail.service.additionalInfo.value', '{"sample":"True","threatName":"x"}'],
    ['detail.resource.instanceDetails.instanceId', 'i-99999999'],
  ])('recognises a sample by %s = %j', (path, value) => {
    expect(intake(withValue(C2, path, value))).toMatchObject({ kind: 'ignored', class: 'SAMPLE' });
  });

  it('recognises the sample of an attack sequence by its instance', () => {
    const path = 'detail.service.detection.sequence.resources.0.uid';

    expect(intake(withValue(readEvent('guardduty-attack-sequence-ec2'), path, 'i-99999999'))).toMatchObject({
      class: 'SAMPLE',
    });
  });

  it('does not look at the ids of a sample', () => {
    const event = withValue(readEvent('guardduty-sample'), 'detail.accountId', '1234567891234');

    expect(intake(event)).toMatchObject({ kind: 'ignored', class: 'SAMPLE' });
  });

  it.each([true, 'True', 'true'])('ignores an archived finding (%j)', (archived) => {
    expect(intake(withValue(C2, 'detail.service.archived', archived))).toMatchObject({
      kind: 'ignored',
      class: 'ARCHIVED',
      instanceId: INSTANCE,
    });
  });
});

describe('attack sequences', () => {
  const SEQUENCE = readEvent('guardduty-attack-sequence-ec2');
  const RESOURCES = 'detail.service.detection.sequence.resources';

  it('ties endpoints to instances by signals, not by order, and keeps the account of each', () => {
    const result = intake(SEQUENCE);

    expect(requestsOf(result)).toMatchObject([
      {
        instanceId: INSTANCE,
        accountId: '111122223333',
        flows: [{ remoteAddress: '198.51.100.7', remotePort: 4444, openedBy: 'instance' }],
        domains: [],
        hints: { groupIds: ['sg-00000000000000c01'] },
        notes: [expect.stringContaining('names 2 instances')],
      },
      {
        instanceId: 'i-0000000000000ab02',
        accountId: '444455556666',
        flows: [{ remoteAddress: '198.51.100.8', openedBy: 'unknown' }],
        domains: ['c2.example.com'],
      },
    ]);
  });

  it.each([
    ['arn:aws:ec2:eu-west-1:222233334444:instance/i-0000000000000ab03', '222233334444', 'eu-west-1'],
    ['i-0000000000000ab03', '111122223333', 'eu-central-1'],
  ])('reads the uid %s', (uid, accountId, region) => {
    const event = withValue(SEQUENCE, RESOURCES, [{ uid, resourceType: 'EC2_INSTANCE' }]);

    expect(requestsOf(intake(event))).toMatchObject([{ instanceId: 'i-0000000000000ab03', accountId, region }]);
  });

  it('falls back to the name', () => {
    const named = { uid: 'resource-1', name: 'i-0000000000000ab03', resourceType: 'EC2_INSTANCE' };

    expect(requestsOf(intake(withValue(SEQUENCE, RESOURCES, [named])))).toMatchObject([
      { instanceId: 'i-0000000000000ab03' },
    ]);
  });

  const ENDPOINTS = 'detail.service.detection.sequence.endpoints';
  const READABLE = { uid: 'i-0000000000000ab03', resourceType: 'EC2_INSTANCE' };

  it.each<[string, Json]>([
    [
      'a resource of no Region',
      { uid: 'arn:aws:iam::111122223333:user/x', resourceType: 'IAM_USER', region: 'global' },
    ],
    ['a resource of no account', { uid: 'x', resourceType: 'S3_BUCKET', accountId: '' }],
    ['an account of other digits', { uid: 'x', resourceType: 'S3_BUCKET', accountId: '1234567891234' }],
    ['a resource without a uid', { resourceType: 'EC2_VPC' }],
    ['a resource that is none', 'x'],
    ['null', null],
    ['odd data', { uid: 'x', resourceType: 'EC2_NETWORK_INTERFACE', data: { ec2NetworkInterface: { vpcId: 7 } } }],
  ])('passes over %s', (_name, odd) => {
    expect(requestsOf(intake(withValue(SEQUENCE, RESOURCES, [odd, READABLE])))).toMatchObject([
      { instanceId: 'i-0000000000000ab03', accountId: '111122223333', region: 'eu-central-1' },
    ]);
  });

  it.each<[string, Json | undefined]>([
    ['web-1', 'web-1'],
    ['nothing', undefined],
    ['a number', 5],
  ])('passes over an instance whose uid is %s, and says that something could not be read', (_name, uid) => {
    const odd = uid === undefined ? { resourceType: 'EC2_INSTANCE' } : { uid, resourceType: 'EC2_INSTANCE' };

    expect(requestsOf(intake(withValue(SEQUENCE, RESOURCES, [odd, READABLE])))).toMatchObject([
      { instanceId: 'i-0000000000000ab03', notes: expect.arrayContaining([expect.stringContaining('1 left out')]) },
    ]);
    expect(intake(withValue(SEQUENCE, RESOURCES, [odd]))).toMatchObject({
      kind: 'ignored',
      reason: expect.stringMatching(/^NO INSTANCE NAMED/),
    });
  });

  it.each<[string, Json, boolean]>([
    ['""', '', false],
    ['no address', 'c2.example.com', true],
  ])('passes over an endpoint whose ip is %s', (_name, ip, isSaid) => {
    const [request] = requestsOf(intake(withValue(SEQUENCE, `${ENDPOINTS}.0.ip`, ip)));

    expect(request?.instanceId).toBe(INSTANCE);
    expect(request?.notes.some((note) => note.includes('left out'))).toBe(isSaid);
  });

  it.each([RESOURCES, ENDPOINTS, 'detail.service.detection.sequence.signals'])(
    'survives %s that is no list',
    (path) => {
      for (const odd of [null, '', 'x', 5, {}]) expect(() => intake(withValue(SEQUENCE, path, odd))).not.toThrow();
    },
  );

  it.each(['AttackSequence:IAM/CompromisedCredentials', 'AttackSequence:S3/CompromisedData'])(
    'asks about the instances of %s, and says that it names none only where it does',
    (type) => {
      const event = withValue(SEQUENCE, 'detail.type', type);

      expect(intake(event)).toMatchObject({
        kind: 'ask',
        class: 'ASK',
        requests: [{ instanceId: INSTANCE }, { instanceId: 'i-0000000000000ab02' }],
      });
      expect(intake(withValue(event, RESOURCES, []))).toMatchObject({
        kind: 'ignored',
        class: 'NOTIFY',
        reason: 'the sequence names no EC2 instance',
      });
    },
  );

  it('names every instance, however many, and says in each request how many', () => {
    const many = Array.from({ length: 14 }, (_, n) => ({
      ...READABLE,
      uid: `i-0000000000000ac${String(n).padStart(2, '0')}`,
    }));
    const requests = requestsOf(intake(withValue(SEQUENCE, RESOURCES, many)));

    expect(new Set(requests.map(({ instanceId }) => instanceId)).size).toBe(14);
    for (const { notes } of requests) expect(notes.join(' ')).toContain('names 14 instances');
  });

  it('knows whether Runtime Monitoring has part in it', () => {
    const signals = 'detail.service.detection.sequence.signals.0.type';

    expect(requestOf(intake(withValue(SEQUENCE, signals, 'RUNTIME_MONITORING'))).byRuntime).toBe(true);
    expect(requestOf(intake(withValue(SEQUENCE, signals, 'FLOW_LOGS'))).byRuntime).toBe(false);
  });

  it('says so where endpoints belong to nobody', () => {
    const event = withValue(SEQUENCE, 'detail.service.detection.sequence.signals', []);

    expect(requestOf(intake(event)).notes.join(' ')).toContain('no signal ties');
  });

  it.each(['detail.service.detection', 'detail.service.detection.sequence', RESOURCES])(
    'survives a sequence without %s',
    (path) => {
      expect(intake(withValue(SEQUENCE, path, undefined))).toMatchObject({
        kind: 'ignored',
        class: 'ISO-ASK',
        instanceId: null,
      });
    },
  );

  it('is never a case, whatever its type says', () => {
    expect(intake(withValue(SEQUENCE, 'detail.type', 'Backdoor:EC2/C&CActivity.B')).kind).toBe('ask');
  });
});
