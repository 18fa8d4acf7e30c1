import { describe, expect, it } from 'vitest';
import { intake } from '../../../functions/core/intake/intake.ts';
import { type Json, readEvent, refusalOf, withValue } from './intake-events.ts';

const INSTANCE = 'i-0000000000000ab01';
const REQUEST = { instanceId: INSTANCE };
const REPLAY = readEvent('manual-getfindings');

function request(input: unknown) {
  const result = intake(input);
  if (result.kind !== 'case') throw new Error(`not a case: ${result.reason}`);
  return result.request;
}

describe('a manual request', () => {
  it('needs no more than an instance', () => {
    expect(intake(REQUEST)).toEqual({
      kind: 'case',
      class: 'MANUAL',
      reason: 'a person asked for it',
      request: {
        origin: 'manual',
        accountId: null,
        region: null,
        instanceId: INSTANCE,
        mode: null,
        reason: null,
        finding: null,
        flows: [],
        processes: [],
        domains: [],
        severity: null,
        domainOnly: false,
        byRuntime: false,
        hints: { vpcIds: [], subnetIds: [], groupIds: [] },
        notes: [],
      },
    });
  });

  it('carries what a person says', () => {
    const said = { mode: 'observe', reason: 'alert 17', accountId: '111122223333', region: 'us-gov-west-1' };

    expect(request({ ...REQUEST, ...said })).toMatchObject(said);
  });

  it('makes each address a peer, once, in canonical form', () => {
    const remoteAddresses = ['198.51.100.7', '::ffff:198.51.100.7', '2001:DB8:0::7', '198.51.100.7'];

    expect(request({ ...REQUEST, remoteAddresses }).flows).toEqual(
      [
        ['ipv4', '198.51.100.7'],
        ['ipv6', '2001:db8::7'],
      ].map(([family, remoteAddress]) => ({
        protocol: 'unknown',
        family,
        remoteAddress,
        remotePort: null,
        localAddress: null,
        localPort: null,
        openedBy: 'unknown',
        networkInterfaceId: null,
        source: 'request',
      })),
    );
  });

  it('may name private addresses: a person knows their own network', () => {
    expect(request({ ...REQUEST, remoteAddresses: ['10.0.1.77', 'fd00::7'] }).flows).toHaveLength(2);
  });

  it('points at ports and processes, and chooses how far the host cut goes', () => {
    const host = { mode: 'quarantine', survivors: 'kill', sessions: 'stop', agentSessions: 'close' };

    expect(request({ ...REQUEST, ports: [4444, 4444, '8443'], pids: [4242, 4242], host })).toMatchObject({
      processes: [{ pid: 4242, name: null, executablePath: null }],
      host: { ports: [4444, 8443], options: host },
    });
    expect(request({ ...REQUEST, host: { survivors: 'leave' } }).host).toEqual({
      ports: [],
      options: { survivors: 'leave' },
    });
  });

  it('adds its process ids to the process of the finding', () => {
    const finding = readEvent('guardduty-runtime-reverse-shell')['detail'];
    const named = request({ ...REQUEST, finding }).processes.map(({ pid }) => pid);

    expect(named).toHaveLength(1);
    expect(request({ ...REQUEST, finding, pids: [...named, 77] }).processes.map(({ pid }) => pid)).toEqual([
      ...named,
      77,
    ]);
  });

  it.each<[string, Json, string]>([
    ['ports', 4444, 'ports'],
    ['ports', [-1], 'ports[0]'],
    ['ports', ['80; reboot'], 'ports[0]'],
    ['ports', Array.from({ length: 65 }, (_, port) => port), 'ports'],
    ['pids', [0], 'pids[0]'],
    ['pids', ['1'], 'pids[0]'],
    ['pids', [2 ** 31], 'pids[0]'],
    ['host', 'kill', 'host'],
    ['host', null, 'host'],
    ['host', { survivor: 'kill' }, 'host'],
    ['host', { survivors: 'KILL' }, 'host.survivors'],
    ['host', { sessions: true }, 'host.sessions'],
    ['host', { mode: 'all' }, 'host.mode'],
    ['remoteAddress', ['198.51.100.7'], 'remoteAddress'],
    ['instanceID', INSTANCE, 'instanceID'],
    ['InstanceId', INSTANCE, 'InstanceId'],
    ['instanceIds', [INSTANCE], 'instanceIds'],
    ['a b\n', 1, '"a b\\n"'],
    ['mode', 'isolate', 'mode'],
    ['mode', null, 'mode'],
    ['mode', ['contain'], 'mode'],
    ['reason', 5, 'reason'],
    ['reason', null, 'reason'],
    ['accountId', 111_122_223_333, 'accountId'],
    ['region', 'eu-central-1\n', 'region'],
    ['finding', 'x', 'finding'],
    ['finding', null, 'finding'],
    ['remoteAddresses', '198.51.100.7', 'remoteAddresses'],
    ['remoteAddresses', null, 'remoteAddresses'],
    ['remoteAddresses', ['198.51.100.7', '203.0.113.0/24'], 'remoteAddresses[1]'],
    ['remoteAddresses', ['0.0.0.0/0'], 'remoteAddresses[0]'],
    ['remoteAddresses', ['c2.example.com'], 'remoteAddresses[0]'],
    ['remoteAddresses', ['1.2.3.4; reboot'], 'remoteAddresses[0]'],
    ['remoteAddresses', [null], 'remoteAddresses[0]'],
    ['remoteAddresses', [{}], 'remoteAddresses[0]'],
    ['remoteAddresses', ['127.0.0.1'], 'remoteAddresses[0]'],
    ['remoteAddresses', ['169.254.169.254'], 'remoteAddresses[0]'],
    ['remoteAddresses', ['224.0.0.1'], 'remoteAddresses[0]'],
    ['remoteAddresses', ['0.0.0.0'], 'remoteAddresses[0]'],
    ['remoteAddresses', ['255.255.255.255'], 'remoteAddresses[0]'],
    ['remoteAddresses', ['::1'], 'remoteAddresses[0]'],
    ['remoteAddresses', ['::'], 'remoteAddresses[0]'],
    ['remoteAddresses', ['fe80::1'], 'remoteAddresses[0]'],
    ['remoteAddresses', ['ff02::1'], 'remoteAddresses[0]'],
    ['remoteAddresses', ['::ffff:127.0.0.1'], 'remoteAddresses[0]'],
    ['remoteAddresses', Array.from({ length: 101 }, (_, index) => `198.51.100.${index}`), 'remoteAddresses'],
  ])('is refused for %s = %j', (key, value, field) => {
    const error = refusalOf({ ...REQUEST, [key]: value });

    expect(error.field).toBe(field);
    expect(error.message).not.toContain('\n');
  });

  it.each<[Json]>([
    [null],
    [5],
    [''],
    ['i-123'],
    [['i-0000000000000ab01']],
    [`${INSTANCE}\n`],
    ['i-0000000000000ab0g'],
  ])('is refused for the instance %j', (instanceId) => {
    expect(refusalOf({ instanceId }).field).toBe('instanceId');
  });

  it('is refused without an instance', () => {
    expect(refusalOf({ region: 'eu-central-1' }).message).toMatch(/^instanceId: is missing/);
  });

  it('is refused for a key that only looks like one of an object', () => {
    expect(refusalOf(JSON.parse(`{"instanceId": "${INSTANCE}", "__proto__": {"mode": "contain"}}`)).field).toBe(
      '__proto__',
    );
  });
});

describe('a finding in a manual request', () => {
  it('reads PascalCase as camelCase', () => {
    const camelCase = { ...REPLAY, finding: readEvent('guardduty-ec2-c2activity')['detail'] };

    expect(request(REPLAY)).toEqual(request(camelCase));
    expect(request(REPLAY)).toMatchObject({
      accountId: '111122223333',
      region: 'eu-central-1',
      flows: [{ remoteAddress: '198.51.100.7', remotePort: 4444, source: 'finding' }],
      hints: { vpcIds: ['vpc-00000000000000a01'], groupIds: ['sg-00000000000000c01'] },
    });
  });

  it('spells the path of a wrong field as the person did', () => {
    const path = 'finding.Service.Action.NetworkConnectionAction.RemoteIpDetails.IpAddressV4';

    expect(refusalOf(withValue(REPLAY, path, '0.0.0.0/0')).field).toBe(path);
  });

  it('adds the peers of the request to the flow of the finding, and names no peer twice', () => {
    const { flows } = request({ ...REPLAY, remoteAddresses: ['198.51.100.7', '198.51.100.8'] });

    expect(flows.map(({ remoteAddress, source }) => [remoteAddress, source])).toEqual([
      ['198.51.100.7', 'finding'],
      ['198.51.100.8', 'request'],
    ]);
  });

  it('takes every peer of a port probe', () => {
    const finding = readEvent('guardduty-ec2-port-probe')['detail'];

    expect(request({ ...REQUEST, finding }).flows.map((flow) => [flow.remoteAddress, flow.localPort])).toEqual([
      ['198.51.100.21', 6379],
      ['198.51.100.22', 6379],
      ['203.0.113.77', 9200],
    ]);
  });

  it('takes the part of an attack sequence that is about this instance', () => {
    const finding = readEvent('guardduty-attack-sequence-ec2')['detail'];

    expect(request({ instanceId: 'i-0000000000000ab02', finding })).toMatchObject({
      accountId: '444455556666',
      flows: [{ remoteAddress: '198.51.100.8' }],
    });
  });

  it('never makes the place where stolen keys are used a peer', () => {
    const finding = readEvent('guardduty-credential-exfiltration')['detail'];

    expect(request({ ...REQUEST, finding })).toMatchObject({
      flows: [],
      hints: { vpcIds: [], subnetIds: [], groupIds: [] },
    });
  });

  it('reads a sample that AWS makes as one, and says so', () => {
    const sample = readEvent('guardduty-sample')['detail'];
    const notes = [expect.stringContaining('is a sample')];

    expect(request({ instanceId: 'i-99999999', finding: sample })).toMatchObject({
      notes,
      hints: { vpcIds: [], subnetIds: [], groupIds: [] },
    });
    // Its instance is made up, so it contradicts nobody.
    expect(request({ ...REQUEST, finding: sample })).toMatchObject({ instanceId: INSTANCE, notes });
  });

  it('takes no flow, process or domain of a finding about another resource', () => {
    const runtime = readEvent('guardduty-runtime-c2activity')['detail'] ?? null;
    const finding = withValue(
      withValue(runtime, 'resource', { resourceType: 'Lambda' }),
      'type',
      'Backdoor:Lambda/C&CActivity.B',
    );

    expect(request({ ...REQUEST, finding })).toMatchObject({
      finding: { type: 'Backdoor:Lambda/C&CActivity.B', severity: 8 },
      flows: [],
      processes: [],
      domains: [],
      domainOnly: false,
      byRuntime: false,
      notes: [expect.stringContaining('another kind of resource')],
    });
    expect(request({ ...REQUEST, finding, remoteAddresses: ['198.51.100.7'] }).flows).toMatchObject([
      { remoteAddress: '198.51.100.7', source: 'request' },
    ]);
  });

  it('takes no process of a task on Fargate, and those of a container on an instance', () => {
    const finding = readEvent('guardduty-ecs-fargate-reverse-shell')['detail'] ?? null;
    const onInstance = withValue(finding, 'resource.ecsClusterDetails.taskDetails.launchType', 'EC2');

    expect(request({ ...REQUEST, finding }).processes).toEqual([]);
    expect(request({ ...REQUEST, finding: onInstance }).processes).toHaveLength(1);
  });

  it.each([
    ['guardduty-ec2-malicious-file', true],
    ['guardduty-credential-exfiltration', false],
    ['guardduty-eks-runtime-crypto-miner', false],
  ])('speaks of a disk scan where there was one: %s, %s', (name, said) => {
    const finding = readEvent(name)['detail'];

    expect(
      request({ ...REQUEST, finding })
        .notes.join(' ')
        .includes('disk scan'),
    ).toBe(said);
  });

  it.each(['Recon:IAMUser/TorIPCaller', 'Some:EC2/NewType', 'AttackSequence:IAM/CompromisedCredentials'])(
    'speaks of no disk scan where the type is %s',
    (type) => {
      const finding = withValue(readEvent('guardduty-ec2-c2activity')['detail'] ?? null, 'type', type);

      expect(request({ ...REQUEST, finding }).notes.join(' ')).not.toContain('disk scan');
    },
  );

  it('notes that the finding is archived, and acts', () => {
    const finding = readEvent('guardduty-archived')['detail'];

    expect(request({ ...REQUEST, finding }).notes).toEqual([expect.stringContaining('archived')]);
  });

  it.each<[string, Json, string]>([
    ['instanceId', 'i-0000000000000ab09', 'instanceId'],
    ['accountId', '999999999999', 'accountId'],
    ['region', 'us-east-1', 'region'],
    ['finding', { Findings: [] }, 'finding'],
    ['finding', {}, 'finding.id'],
    ['finding', { id: 'a', Id: 'b' }, 'finding'],
  ])('is refused where %s = %j contradicts it or is no finding', (key, value, field) => {
    expect(refusalOf({ ...REPLAY, [key]: value }).field).toBe(field);
  });

  it('is refused for a whole event', () => {
    expect(refusalOf({ ...REQUEST, finding: readEvent('guardduty-ec2-c2activity') }).field).toBe('finding');
  });

  it.each(['guardduty-credential-exfiltration', 'guardduty-attack-sequence-ec2', 'guardduty-ec2-port-probe'])(
    'is refused where %s names another instance',
    (name) => {
      const input = { instanceId: 'i-0000000000000ab09', finding: readEvent(name)['detail'] };

      expect(refusalOf(input).field).toBe('instanceId');
    },
  );

  it('is refused, not crashed on, when it is nested without end', () => {
    let nested: Json = 'x';
    for (let depth = 0; depth < 100_000; depth += 1) nested = [nested];

    expect(refusalOf({ ...REQUEST, finding: { id: nested } }).field).toBe('finding');
  });
});
