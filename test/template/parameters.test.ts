import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isolationRules } from '../../functions/core/network/isolation-rules.ts';
import { readConfig } from '../../functions/shared/environment.ts';
import { isMap, type Node, type NodeMap, type Parameter, resolve, resourcesOf } from '../../scripts/template.ts';
import { environmentOf, PROJECT, ruleMatches } from './agreements.ts';

const { template } = PROJECT;

const parameter = (name: string): Parameter => {
  const found = template.Parameters[name];
  if (found === undefined) throw new Error(`template.yaml has no parameter ${name}`);
  return found;
};
const patternOf = (name: string): RegExp => new RegExp(parameter(name).AllowedPattern ?? '(?!)');

const mapOf = (node: Node | undefined): NodeMap => (isMap(node) ? node : {});

describe('the address lists', () => {
  const lists = ['AgentEgress', 'AnalystIngress'] as const;

  const ipv4 = fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 32 })).map(([address, length]) => `${address}/${length}`);
  const ipv6 = fc.tuple(fc.ipV6(), fc.integer({ min: 1, max: 128 })).map(([address, length]) => `${address}/${length}`);
  const id = fc
    .tuple(fc.constantFrom('pl', 'sg'), fc.stringMatching(/^[0-9a-f]{17}$/))
    .map(([kind, hex]) => `${kind}-${hex}`);
  const isTaken = (list: string): boolean => {
    try {
      isolationRules({ agentEgress: list.split(',').filter((part) => part !== ''), analystIngress: [] });
      return true;
    } catch {
      return false;
    }
  };

  it.each(lists)('that the pattern of %s lets pass are those that the functions take', (name) => {
    const pattern = patternOf(name);
    fc.assert(
      fc.property(fc.stringMatching(pattern, { size: 'small' }), (list) => {
        expect(pattern.test(list)).toBe(true);
        expect(isTaken(list)).toBe(true);
      }),
    );
  });

  it.each(lists)('of networks, prefix lists and groups pass the pattern of %s', (name) => {
    fc.assert(
      fc.property(fc.array(fc.oneof(ipv4, ipv6, id), { maxLength: 8 }), (entries) => {
        // The dotted tail of RFC 4291 is an address too; nobody writes a network so.
        const list = entries.filter((entry) => !(entry.includes(':') && entry.includes('.'))).join(',');
        expect([patternOf(name).test(list), isTaken(list)]).toEqual([true, true]);
      }),
    );
  });

  it.each([
    '999.1.1.1/32',
    '10.0.0.0/33',
    '10.0.0.0/0',
    '10.0.0.1',
    '010.0.0.0/8',
    '10.0.0/8',
    '10.0.0.0/8,',
    ',10.0.0.0/8',
    '2001:db8::/129',
    '::/0',
    '2001:db8:::/48',
    '1:2:3:4:5:6:7/64',
    '1:2:3:4:5:6:7:8:9/64',
    'sg-123',
    '10.0.0.0/8 ',
  ])('do not take %j, at the deployment or at all', (list) => {
    expect(lists.map((name) => patternOf(name).test(list))).toEqual([false, false]);
  });
});

describe('the range of rule numbers', () => {
  it('is the same in either order, for no rule of a template can compare numbers', () => {
    const rangeOf = (AclFirstRule: string, AclLastRule: string) =>
      readConfig(environmentOf(template, 'DenyAtNaclFunction', { AclFirstRule, AclLastRule })).aclRuleNumbers;

    expect(rangeOf('50', '99')).toEqual({ first: 50, last: 99 });
    expect(rangeOf('99', '50')).toEqual({ first: 50, last: 99 });
  });
});

/** The longest text that a parameter lets through; a list of ids holds as many as its description says. */
function longest(name: string): string {
  const {
    AllowedValues = [],
    MaxLength,
    MaxValue,
    Type,
    Description = '',
  } = parameter(name) as Parameter & {
    readonly Description?: string;
  };
  const most = Number(/at most (\d+)/.exec(Description)?.[1]);
  if (Type === 'CommaDelimitedList') return Array.from({ length: most }, () => `vpc-${'0'.repeat(17)}`).join(',');
  if (MaxValue !== undefined) return String(MaxValue);
  if (AllowedValues.length > 0) return AllowedValues.map(String).reduce((a, b) => (a.length > b.length ? a : b));
  return 'x'.repeat(MaxLength ?? Number.NaN);
}

describe('what AWS sets a limit to', () => {
  // https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
  const ENVIRONMENT_BYTES = 4096;
  // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
  const EVENT_PATTERN_CHARACTERS = 2048;
  // Without white space. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
  const MANAGED_POLICY_CHARACTERS = 6144;

  const usedInEnvironment = (id: string): string[] => {
    const variables = JSON.stringify([
      template.Globals['Function'],
      template.Resources[id]?.Properties['Environment'] ?? null,
    ]);
    return Object.keys(template.Parameters).filter(
      (name) => variables.includes(`"${name}"`) || variables.includes(`\${${name}}`),
    );
  };

  // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
  const withLongestNames = (value: string): string =>
    value.replace(/<(.*?)>/g, (_, id: string) =>
      'r'.repeat(template.Resources[id]?.Type === 'AWS::S3::Bucket' ? 63 : 255),
    );

  it.each(resourcesOf(template, 'AWS::Serverless::Function').map(([id]) => id))(
    'holds the environment of %s, whatever the parameters are',
    (id) => {
      const values = Object.fromEntries(usedInEnvironment(id).map((name) => [name, longest(name)]));
      // The longest stack name, and of its resources the longest names and ARNs.
      const environment = environmentOf(template, id, {
        ...values,
        'AWS::StackName': 's'.repeat(128),
        'AWS::Region': 'ap-southeast-99',
      });
      const bytes = Object.entries(environment).reduce(
        (sum, [name, value]) => sum + name.length + Buffer.byteLength(withLongestNames(value)),
        0,
      );

      expect(usedInEnvironment(id)).toContain('AgentEgress');
      expect(bytes).toBeGreaterThan(1000);
      expect(bytes).toBeLessThanOrEqual(ENVIRONMENT_BYTES);
    },
  );

  it("holds the rule's pattern, with the longest list of prefixes", () => {
    const [first, ...others] = Array.from({ length: 16 }, (_, index) => `Trojan:EC2/${index}`);
    const used = [first, ...others].join(',').length;
    const FindingTypePrefixes = [
      `${first}${'x'.repeat(Number(parameter('FindingTypePrefixes').MaxLength) - used)}`,
      ...others,
    ].join(',');
    const events = mapOf(template.Resources['StartResponseFunction']?.Properties['Events']);
    const pattern = resolve(template, mapOf(mapOf(events['Finding'])['Properties'])['Pattern'] ?? null, {
      FindingTypePrefixes,
    });

    expect(FindingTypePrefixes).toHaveLength(Number(parameter('FindingTypePrefixes').MaxLength));
    expect(JSON.stringify(pattern).length).toBeLessThanOrEqual(EVENT_PATTERN_CHARACTERS);
  });

  const sizes = (VpcIds: string) =>
    resourcesOf(template, 'AWS::IAM::ManagedPolicy').map(([id, { Properties }]) => {
      const values = {
        VpcIds,
        EncryptionKeyArn: `arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-${'0'.repeat(32)}`,
        'AWS::Region': 'us-gov-west-1',
        'AWS::Partition': 'aws-us-gov',
      };
      const document = JSON.stringify(resolve(template, Properties['PolicyDocument'] ?? null, values));
      return { id, characters: document.replaceAll(/<[\w.]+>/g, 'r'.repeat(140)).length };
    });

  it('holds the policies, with as many VPCs as the parameter says', () => {
    const tooLarge = sizes(longest('VpcIds')).filter(({ characters }) => characters > MANAGED_POLICY_CHARACTERS);

    expect(longest('VpcIds').split(',').length).toBeGreaterThan(20);
    expect(tooLarge).toEqual([]);
  });
});

describe('findings of other accounts', () => {
  const own = PROJECT.events.get('guardduty-ec2-c2activity.json') as NodeMap;
  const foreign = { ...own, detail: { ...mapOf(own['detail']), accountId: '999988887777' } };

  it('start nothing unless a parameter says so', () => {
    expect([own, foreign].map((event) => ruleMatches(PROJECT, event))).toEqual([true, false]);
    expect([own, foreign].map((event) => ruleMatches(PROJECT, event, { FindingAccounts: 'every' }))).toEqual([
      true,
      true,
    ]);
  });
});

describe('names', () => {
  it('of documents are not fixed: one that the account has would stop the stack', () => {
    const documents = resourcesOf(template, 'AWS::SSM::Document');

    expect(documents.length).toBe(2);
    expect(documents.filter(([, { Properties }]) => 'Name' in Properties)).toEqual([]);
  });

  it('of the dashboard differ from Region to Region', () => {
    const nameIn = (region: string) =>
      resolve(template, template.Resources['Dashboard']?.Properties['DashboardName'] ?? null, {
        'AWS::Region': region,
      });

    expect(nameIn('eu-central-1')).toBe('flowcut-eu-central-1');
    expect(nameIn('us-east-1')).not.toBe(nameIn('eu-central-1'));
  });

  it('of the rule are not guessed by the policy of its queue', () => {
    const { PolicyDocument } = template.Resources['DeadLetterQueuePolicy']?.Properties ?? {};

    expect(JSON.stringify(resolve(template, PolicyDocument ?? null))).toContain(
      '"ArnEquals":{"aws:SourceArn":"<StartResponseFunctionFinding.Arn>"}',
    );
  });
});

describe('containment that is switched off', () => {
  const alarmIn = (Mode: string) =>
    mapOf(resolve(template, template.Resources['ObservingAlarm']?.Properties ?? null, { Mode }));

  it('is told: the alarm has no data, and observing makes that the alarm', () => {
    expect(alarmIn('observe')['TreatMissingData']).toBe('breaching');
    expect(alarmIn('contain')['TreatMissingData']).toBe('notBreaching');
    expect(alarmIn('observe')).toMatchObject({
      AlarmActions: ['<NotificationTopic>'],
      OKActions: ['<NotificationTopic>'],
    });
  });

  it('stands among the outputs', () => {
    expect(resolve(template, template.Outputs['Mode'] ?? null, { Mode: 'contain' })).toMatchObject({
      Value: 'contain',
    });
  });
});

describe('the processor', () => {
  it('is that of the parameter', () => {
    const globals = mapOf(template.Globals['Function']);

    expect(resolve(template, globals['Architectures'] ?? null, {})).toEqual(['arm64']);
    expect(resolve(template, globals['Architectures'] ?? null, { Architecture: 'x86_64' })).toEqual(['x86_64']);
  });
});

describe('partitions', () => {
  it('without a public console get no links, and the others do', () => {
    const links = Object.entries(template.Outputs).filter(([name]) => name.endsWith('Console'));
    const has = (partition: string) =>
      resolve(template, template.Conditions['HasConsole'] ?? null, { 'AWS::Partition': partition });

    expect(links.map(([, output]) => mapOf(output)['Condition'])).toEqual(links.map(() => 'HasConsole'));
    expect(['aws', 'aws-cn', 'aws-us-gov', 'aws-eusc', 'aws-iso', 'aws-iso-b'].map(has)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
    ]);
  });

  it('of China know services by either domain where the key is asked', () => {
    const policy = (partition: string, region: string) =>
      JSON.stringify(
        resolve(template, template.Resources['FunctionBasicsPolicy']?.Properties ?? null, {
          EncryptionKeyArn: 'arn:aws-cn:kms:cn-north-1:111122223333:key/1',
          'AWS::Partition': partition,
          'AWS::Region': region,
        }),
      );

    expect(policy('aws-cn', 'cn-north-1')).toContain(
      '"dynamodb.cn-north-1.amazonaws.com","sns.cn-north-1.amazonaws.com","dynamodb.cn-north-1.amazonaws.com.cn"',
    );
    expect(policy('aws', 'eu-central-1')).not.toContain('.com.cn');
  });
});
