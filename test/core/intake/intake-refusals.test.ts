import { describe, expect, it } from 'vitest';
import { type Json, readEvent, refusalOf, withValue } from './intake-events.ts';

const INSTANCE = 'i-0000000000000ab01';
const C2 = readEvent('guardduty-ec2-c2activity');
const CONNECTION = 'detail.service.action.networkConnectionAction';
const INTERFACE = 'detail.resource.instanceDetails.networkInterfaces.0';

describe('intake refuses', () => {
  const OTHER_SHAPES: [string, unknown, string, string][] = [
    ['nothing', undefined, 'input', 'is missing'],
    ['null', null, 'input', 'is null'],
    ['a number', 5, 'input', 'is 5'],
    ['JSON in a string', JSON.stringify(C2), 'input', 'is text'],
    ['a list', [C2], 'input', 'is a list'],
    ['an empty object', {}, 'input', 'is empty'],
    ['SNS or SQS records', { Records: [{ body: JSON.stringify(C2) }] }, 'input', 'wrapped'],
    ['an SNS notification', { Type: 'Notification', TopicArn: 'arn', Message: '{}' }, 'input', 'SNS'],
    ['an SQS message', { messageId: '1', receiptHandle: 'x', body: '{}' }, 'input', 'SQS'],
    ['a list of findings', { findings: [C2['detail']] }, 'input', 'list of findings'],
    ['the output of get-findings', { Findings: [] }, 'input', 'list of findings'],
    ['a finding alone', C2['detail'], 'input', 'without its EventBridge envelope'],
    ['a PascalCase finding alone', readEvent('manual-getfindings')['finding'], 'input', 'GetFindings'],
    ['an event without a source', withValue(C2, 'source', undefined), 'source', 'is missing'],
    ['an event of another source', withValue(C2, 'source', 'aws.securityhub'), 'source', '"aws.securityhub"'],
    ['another detail-type', withValue(C2, 'detail-type', 'AWS API Call via CloudTrail'), 'detail-type', 'CloudTrail'],
    ['no detail-type', withValue(C2, 'detail-type', undefined), 'detail-type', 'is missing'],
    ['an empty detail', withValue(C2, 'detail', {}), 'detail', 'is empty'],
    ['no detail', withValue(C2, 'detail', undefined), 'detail', 'is missing'],
    ['a null detail', withValue(C2, 'detail', null), 'detail', 'is null'],
    ['a detail in a string', withValue(C2, 'detail', '{}'), 'detail', 'not its JSON'],
    ['a list in detail', withValue(C2, 'detail', []), 'detail', 'is a list'],
    ['findings in detail', withValue(C2, 'detail', { findings: [] }), 'detail', 'list of findings'],
    ['PascalCase in detail', { ...C2, detail: readEvent('manual-getfindings')['finding'] }, 'detail', 'PascalCase'],
    ['an event and a request in one', { ...C2, instanceId: INSTANCE }, 'instanceId', 'not both'],
  ];

  it.each(OTHER_SHAPES)('%s', (_name, input, field, says) => {
    const error = refusalOf(input);

    expect(error.name).toBe('InputError');
    expect(error.field).toBe(field);
    expect(error.message).toContain(says);
    expect(error.message).not.toMatch(/[\n\r]/);
  });

  const REQUIRED = [
    'detail.id',
    'detail.type',
    'detail.severity',
    'detail.accountId',
    'detail.region',
    'detail.resource',
  ];
  const USED = [
    ...REQUIRED,
    'detail.updatedAt',
    'detail.resource.resourceType',
    'detail.resource.instanceDetails',
    'detail.resource.instanceDetails.instanceId',
    'detail.resource.instanceDetails.networkInterfaces',
    INTERFACE,
    `${INTERFACE}.networkInterfaceId`,
    `${INTERFACE}.subnetId`,
    `${INTERFACE}.vpcId`,
    `${INTERFACE}.securityGroups`,
    `${INTERFACE}.securityGroups.0.groupId`,
    `${INTERFACE}.privateIpAddress`,
    `${INTERFACE}.ipv6Addresses`,
    'detail.service',
    'detail.service.archived',
    'detail.service.count',
    'detail.service.resourceRole',
    'detail.service.additionalInfo',
    'detail.service.additionalInfo.sample',
    'detail.service.action',
    'detail.service.action.actionType',
    CONNECTION,
    `${CONNECTION}.connectionDirection`,
    `${CONNECTION}.protocol`,
    `${CONNECTION}.remoteIpDetails`,
    `${CONNECTION}.remoteIpDetails.ipAddressV4`,
    `${CONNECTION}.remoteIpDetails.ipAddressV6`,
    `${CONNECTION}.remotePortDetails`,
    `${CONNECTION}.remotePortDetails.port`,
    `${CONNECTION}.localIpDetails`,
    `${CONNECTION}.localIpDetails.ipAddressV4`,
    `${CONNECTION}.localPortDetails.port`,
    `${CONNECTION}.localNetworkInterface`,
    'detail.service.runtimeDetails',
    'detail.service.runtimeDetails.process',
    'detail.service.runtimeDetails.process.pid',
    'detail.service.runtimeDetails.process.name',
    'detail.service.runtimeDetails.process.executablePath',
  ];
  const RUNTIME = readEvent('guardduty-runtime-c2activity');
  const written = (path: string): string => path.replaceAll(/\.(\d+)/g, '[$1]');

  it.each(USED)('null in %s', (path) => {
    const error = refusalOf(withValue(RUNTIME, path, null));

    expect(error.field).toBe(written(path));
    expect(error.message).toContain('is null');
  });

  it.each(REQUIRED)('a finding without %s', (path) => {
    expect(refusalOf(withValue(RUNTIME, path, undefined)).message).toContain(`${path}: is missing`);
  });

  it('an acting finding without a resource type', () => {
    expect(refusalOf(withValue(C2, 'detail.resource.resourceType', undefined)).field).toBe(
      'detail.resource.resourceType',
    );
  });

  it.each<[string, Json]>([
    ['detail.id', 'a\nb'],
    ['detail.id', 42],
    ['detail.type', ''],
    ['detail.type', { name: 'x' }],
    ['detail.severity', 'HIGH'],
    ['detail.severity', -1],
    ['detail.accountId', 111_122_223_333],
    ['detail.accountId', '1234567891234'],
    ['detail.accountId', '11112222333x'],
    ['detail.region', 'eu-central-1; reboot'],
    ['detail.region', 'eu-central-1\n'],
    ['detail.region', 'Frankfurt'],
    ['detail.resource', []],
    ['detail.resource.instanceDetails', 'i-0000000000000ab01'],
    ['detail.resource.instanceDetails.instanceId', ''],
    ['detail.resource.instanceDetails.instanceId', 12_345_678],
    ['detail.resource.instanceDetails.instanceId', ['i-0000000000000ab01']],
    ['detail.resource.instanceDetails.instanceId', 'i-0bc12345678910'],
    ['detail.resource.instanceDetails.instanceId', 'i-archived123456789'],
    ['detail.resource.instanceDetails.instanceId', '{{ instance_id }}'],
    ['detail.resource.instanceDetails.instanceId', 'i-0000000000000ab01\n'],
    ['detail.resource.instanceDetails.instanceId', 'i-0000000000000ab01 i-0000000000000ab02'],
    ['detail.resource.instanceDetails.instanceId', 'I-0000000000000AB01'],
    ['detail.resource.instanceDetails.networkInterfaces', { networkInterfaceId: 'eni-00000000000000e01' }],
    [`${INTERFACE}.networkInterfaceId`, 'eni-abcdef00…03'],
    [`${INTERFACE}.subnetId`, 'GeneratedFindingSubnetId1'],
    [`${INTERFACE}.vpcId`, 'vpc-generatedvpcid1'],
    [`${INTERFACE}.securityGroups.0.groupId`, 'web'],
    [`${INTERFACE}.securityGroups.0`, 'sg-00000000000000c01'],
    [`${INTERFACE}.privateIpAddress`, '10.0.1.10/24'],
    [`${INTERFACE}.ipv6Addresses.0`, '10.0.1.10'],
    ['detail.service.archived', 'maybe'],
    ['detail.service.archived', 1],
    ['detail.service.count', -1],
    ['detail.service.additionalInfo.sample', 'perhaps'],
    ['detail.service.resourceRole', 7],
    ['detail.service.action', 'NETWORK_CONNECTION'],
    [CONNECTION, []],
    [`${CONNECTION}.protocol`, 6],
    [`${CONNECTION}.connectionDirection`, true],
    [`${CONNECTION}.remoteIpDetails.ipAddressV4`, '0.0.0.0/0'],
    [`${CONNECTION}.remoteIpDetails.ipAddressV4`, '198.51.100.7/32'],
    [`${CONNECTION}.remoteIpDetails.ipAddressV4`, '1.2.3.4; reboot'],
    [`${CONNECTION}.remoteIpDetails.ipAddressV4`, '1.2.3.4\n'],
    [`${CONNECTION}.remoteIpDetails.ipAddressV4`, 'c2.example.com'],
    [`${CONNECTION}.remoteIpDetails.ipAddressV4`, '2001:db8::7'],
    [`${CONNECTION}.remoteIpDetails.ipAddressV4`, 3_325_256_711],
    [`${CONNECTION}.remoteIpDetails.ipAddressV4`, 'foo'],
    [`${CONNECTION}.remoteIpDetails.ipAddressV6`, '198.51.100.7'],
    [`${CONNECTION}.remoteIpDetails.ipAddressV6`, '::/0'],
    [`${CONNECTION}.remotePortDetails.port`, 65_536],
    [`${CONNECTION}.remotePortDetails.port`, -1],
    [`${CONNECTION}.remotePortDetails.port`, 44.5],
    [`${CONNECTION}.remotePortDetails.port`, '4444; reboot'],
    [`${CONNECTION}.remotePortDetails.port`, '99999'],
    [`${CONNECTION}.remotePortDetails.port`, '0x10'],
    [`${CONNECTION}.localNetworkInterface`, 'eni-1'],
    ['detail.service.runtimeDetails.process.pid', '4242'],
    ['detail.service.runtimeDetails.process.pid', 0],
    ['detail.service.runtimeDetails.process.pid', 1.5],
    ['detail.service.runtimeDetails.process.name', { evil: true }],
  ])('%s = %j', (path, value) => {
    const error = refusalOf(withValue(RUNTIME, path, value));

    expect(error.field).toBe(written(path));
    expect(error.message).toMatch(/^[^\n]*; expected [^\n]*$/);
  });

  it('quotes what came from outside, cut short', () => {
    const path = `${CONNECTION}.remoteIpDetails.ipAddressV4`;

    expect(refusalOf(withValue(C2, path, '1.2.3.4; reboot\n')).message).toBe(
      `${path}: is "1.2.3.4; reboot\\n"; expected a single IPv4 address`,
    );
    expect(refusalOf(withValue(C2, path, 'x'.repeat(100_000))).message.length).toBeLessThan(250);
  });
});
