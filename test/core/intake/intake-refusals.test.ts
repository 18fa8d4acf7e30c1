import { describe, expect, it } from 'vitest';
import { type Json, readEvent, refusalOf, withValue } from './intake-events.ts';

const INSTANCE = 'i-0000000000000ab01';
const C2 = readEvent('guardduty-ec2-c2activity');
const CONNECTION = 'detail.service.action.networkConnectionAction';

/** As Security Hub writes a finding of GuardDuty, in short. */
const SECURITY_HUB = {
  SchemaVersion: '2018-10-08',
  Id: 'arn:aws:guardduty:eu-central-1:111122223333:detector/d4b040365221be2b/finding/00c2a17e5f2b4d0c9a4be1d3f6a70801',
  ProductArn: 'arn:aws:securityhub:eu-central-1::product/aws/guardduty',
  AwsAccountId: '111122223333',
  Types: ['TTPs/Command and Control/Backdoor:EC2-C&CActivity.B'],
  Resources: [{ Type: 'AwsEc2Instance', Id: `arn:aws:ec2:eu-central-1:111122223333:instance/${INSTANCE}` }],
};

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
    ['a finding of Security Hub', SECURITY_HUB, 'input', 'Security Hub'],
    ['findings of Security Hub', { Findings: [SECURITY_HUB] }, 'input', 'Security Hub'],
    ['a finding of Security Hub by its version alone', { SchemaVersion: '2018-10-08' }, 'input', 'Security Hub'],
    [
      'an event of Security Hub',
      {
        source: 'aws.securityhub',
        'detail-type': 'Security Hub Findings - Imported',
        detail: { findings: [SECURITY_HUB] },
      },
      'detail',
      'Security Hub',
    ],
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
  const RUNTIME = readEvent('guardduty-runtime-c2activity');
  const written = (path: string): string => path.replaceAll(/\.(\d+)/g, '[$1]');

  const NAMING = [
    'detail.id',
    'detail.type',
    'detail.severity',
    'detail.accountId',
    'detail.region',
    'detail.resource.instanceDetails.instanceId',
  ];

  it.each(NAMING)('null and "" in %s', (path) => {
    for (const [blank, says] of [
      [null, 'is null'],
      ['', 'is ""'],
    ] as const) {
      const error = refusalOf(withValue(RUNTIME, path, blank));

      expect(error.field).toBe(written(path));
      expect(error.message).toContain(says);
    }
  });

  it.each(REQUIRED)('a finding without %s', (path) => {
    expect(refusalOf(withValue(RUNTIME, path, undefined)).message).toContain(`${path}: is missing`);
  });

  it('an acting finding that names neither a resource type nor an instance', () => {
    const nameless = withValue(C2, 'detail.resource.instanceDetails', undefined);

    expect(refusalOf(withValue(nameless, 'detail.resource.resourceType', undefined)).field).toBe(
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
    ['detail.service.runtimeDetails.process.pid', '4242'],
    ['detail.service.runtimeDetails.process.pid', 0],
    ['detail.service.runtimeDetails.process.pid', 1.5],
    ['detail.service.runtimeDetails.process.name', { evil: true }],
  ])('%s = %j', (path, value) => {
    const error = refusalOf(withValue(RUNTIME, path, value));

    expect(error.field).toBe(written(path));
    expect(error.message).toMatch(/^[^\n]*; expected [^\n]*$/);
  });

  it('a finding of Security Hub, with the place of the one that it was made from', () => {
    const command =
      'get-findings --region eu-central-1 --detector-id d4b040365221be2b --finding-ids 00c2a17e5f2b4d0c9a4be1d3f6a70801';

    expect(refusalOf(SECURITY_HUB).message).toContain(command);
    expect(refusalOf({ instanceId: INSTANCE, finding: SECURITY_HUB })).toMatchObject({
      field: 'finding',
      message: expect.stringContaining(command),
    });
  });

  it.each(['arn:aws:inspector2:eu-central-1:111122223333:finding/0', 'detector/a/finding/b; reboot', 5, undefined])(
    'a finding of Security Hub whose Id %j is none of GuardDuty, and pastes nothing of it',
    (Id) => {
      const { message } = refusalOf({ ...SECURITY_HUB, Id });

      expect(message).toContain('its Id is the ARN of the GuardDuty finding');
      expect(message).not.toMatch(/inspector|reboot|get-findings/);
    },
  );

  it('quotes what came from outside, cut short', () => {
    const path = `${CONNECTION}.remoteIpDetails.ipAddressV4`;

    expect(refusalOf(withValue(C2, path, '1.2.3.4; reboot\n')).message).toBe(
      `${path}: is "1.2.3.4; reboot\\n"; expected a single IPv4 address`,
    );
    expect(refusalOf(withValue(C2, path, 'x'.repeat(100_000))).message.length).toBeLessThan(250);
  });
});
