import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bundledCommands } from '../../scripts/bundled-commands.ts';
import { parseTemplate, type Template } from '../../scripts/template.ts';
import { attributed } from './record/attribute.ts';
import { coverage, evaluate, ownCalls, refusedLoans, unmapped } from './support/evaluate.ts';
import { parameterSets, type Values } from './support/parameters.ts';
import { allPolicies } from './support/policies.ts';
import { type CallRecord, RECORDS, readRecords } from './support/records.ts';
import { staticProblems } from './support/static.ts';

const TEXT = readFileSync('template.yaml', 'utf8');
const records = ownCalls(readRecords(process.env[RECORDS] ?? '').records, await bundledCommands());

/** The template with a text in one resource replaced. */
function withChange(resource: string, from: string, to: string): Template {
  const start = TEXT.indexOf(`\n  ${resource}:\n`);
  const end = TEXT.slice(start + 1).search(/\n {2}\w+:\n/) + start + 1;
  const part = TEXT.slice(start, end);
  expect(part).toContain(from);
  return parseTemplate(`${TEXT.slice(0, start)}${part.replace(from, to)}${TEXT.slice(end)}`);
}

async function denied(template: Template, values: Values = {}, given: readonly CallRecord[] = records) {
  const answers = await evaluate({ source: template, deployed: template }, values, given);
  return answers.flatMap((answer) => answer.denied);
}

const wrong = (template: Template, values: Values = {}) => staticProblems(allPolicies(template, values));

describe('a right that is removed', () => {
  it('is missed, with the function, the action, the resource and the statement', async () => {
    const template = withChange(
      'DenyAtNaclRole',
      'Action: ec2:CreateNetworkAclEntry',
      'Action: ec2:DeleteNetworkAclEntry',
    );

    const problems = await denied(template);

    expect(problems).toContainEqual(
      'deny-at-nacl may not ec2:CreateNetworkAclEntry on arn:aws:ec2:eu-central-1:111122223333:network-acl/acl-00000000000000001: ' +
        'DenyAtNaclRole lacks {"Effect":"Allow","Action":"ec2:CreateNetworkAclEntry","Resource":"arn:aws:ec2:eu-central-1:111122223333:network-acl/*",' +
        '"Condition":{"StringEquals":{"ec2:Region":"eu-central-1"}}}',
    );
  });

  it('is missed where it is one that another service needs', async () => {
    const template = withChange('RestoreEvidenceRole', '                  - ec2:DescribeInternetGateways\n', '');

    const problems = await denied(template);

    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain('restore-evidence may not ec2:DescribeInternetGateways on *');
  });

  it('is missed where the stack has a key and nobody else', async () => {
    const template = withChange('FunctionBasicsPolicy', "'kms:Decrypt', ", '');
    const { 'a KMS key': key = {} } = parameterSets(template);

    expect(await denied(template)).toEqual([]);
    expect((await denied(template, key)).join()).toContain('report-case may not kms:Decrypt');
  });

  it.each(['amazonaws.com', 'amazonaws.com.cn'])(
    'is missed where the key of a stack in China is used by %s',
    async (domain) => {
      const service = `dynamodb.\${AWS::Region}.${domain}`;
      const template = withChange(
        'FunctionBasicsPolicy',
        `!Sub ${domain.endsWith('.cn') ? `'${service}'` : service}`,
        'x',
      );
      const { 'China and a KMS key': values = {} } = parameterSets(template);
      const read: CallRecord = { function: 'report-case', api: 'dynamodb:GetItem', options: [], asks: [] };

      expect(await denied(parseTemplate(TEXT), values, [read])).toEqual([]);
      expect((await denied(template, values, [read])).join()).toContain(
        `report-case may not kms:Decrypt on ${values['EncryptionKeyArn']}`,
      );
    },
  );

  it('is missed where an option alone needs it, and only with the option', async () => {
    const template = withChange(
      'DeleteSecurityGroupsRole',
      'Action: ec2:DeleteSecurityGroup',
      'Action: ec2:DeleteTags',
    );
    const { 'everything on': on = {} } = parameterSets(template);

    expect(await denied(template)).toEqual([]);
    expect((await denied(template, on)).join()).toContain('delete-security-groups may not ec2:DeleteSecurityGroup');
  });

  it('is missed in a bundle that could use it, though no recorded run did', async () => {
    const commands = new Map([['verify-cut', ['ec2:CreateNetworkAclEntry']]]);
    const { lent, missing } = coverage([{ folder: 'verify-cut' }], commands, records);

    const refused = await refusedLoans({ deployed: parseTemplate(TEXT) }, {}, lent);

    expect(missing).toEqual([]);
    expect(refused).toEqual([expect.stringContaining('verify-cut may not ec2:CreateNetworkAclEntry')]);
  });
});

describe('a resource that is too narrow', () => {
  it('is found where another account shares its security groups', async () => {
    const changed = withChange('RestoreInstanceRole', ':*:security-group/*', ':111122223333:security-group/*');

    expect((await denied(changed)).join()).toContain(
      'restore-instance may not ec2:ModifyNetworkInterfaceAttribute on arn:aws:ec2:eu-central-1:444455556666:security-group/',
    );
  });
});

describe('an attribute that no function sets', () => {
  it('is denied, whatever else is allowed', async () => {
    const record = (name: string): CallRecord => ({
      function: 'preserve-evidence',
      api: 'ec2:ModifyInstanceAttribute',
      options: [],
      asks: [
        {
          action: 'ec2:ModifyInstanceAttribute',
          resource: 'arn:aws:ec2:eu-central-1:111122223333:instance/i-00000000000000001',
          context: { 'ec2:Attribute': name },
        },
      ],
    });

    expect(await denied(parseTemplate(TEXT), {}, [record('DisableApiStop')])).toEqual([]);
    expect((await denied(parseTemplate(TEXT), {}, [record('userData')])).join()).toContain(
      'the statement NoOtherInstanceAttributes of PreserveEvidenceRole denies it',
    );
  });
});

describe('a wrong condition key', () => {
  it('is found in the reference and by the calls', async () => {
    const key = "'aws:ResourceTag/flowcut:purpose'";
    const changed = withChange('PrepareIsolationRole', key, "'aws:RequestTag/flowcut:purpose'");

    expect(await wrong(changed)).toEqual([
      'EmptyIsolationGroup of PrepareIsolationRole: ec2:RevokeSecurityGroupEgress on security-group brings no aws:RequestTag/flowcut:purpose',
      'EmptyIsolationGroup of PrepareIsolationRole: ec2:RevokeSecurityGroupIngress on security-group brings no aws:RequestTag/flowcut:purpose',
    ]);
    expect((await denied(changed)).join()).toContain(
      'the nearest is EmptyIsolationGroup of PrepareIsolationRole, whose condition on aws:RequestTag/flowcut:purpose does not hold',
    );
  });

  it('of a denial is found too, which would deny everything', async () => {
    const { 'VpcIds given': values = {} } = parameterSets(parseTemplate(TEXT));
    const changed = withChange('VpcBorderPolicy', 'ec2:Vpc:', 'ec2:VpcID:');

    expect((await wrong(changed, values)).join()).toContain(
      'ec2:CreateNetworkAclEntry on network-acl brings no ec2:VpcID',
    );
    expect((await denied(changed, values)).join()).toContain(
      'the statement StayInChosenVpcs of VpcBorderPolicy denies it',
    );
  });

  it('whose value is another one is found by the calls', async () => {
    const changed = withChange(
      'PreserveEvidenceRole',
      "'ec2:CreateAction': CreateSnapshots",
      "'ec2:CreateAction': CreateSnapshot",
    );

    expect((await denied(changed)).join()).toContain(
      'the nearest is TagSnapshots of PreserveEvidenceRole, whose condition on ec2:CreateAction does not hold',
    );
  });
});

describe('a wrong resource type', () => {
  it('is found in the reference and by the calls', async () => {
    const changed = withChange('DenyAtNaclRole', ':network-acl/*', ':acl/*');

    expect(await wrong(changed)).toEqual([
      'Deny of DenyAtNaclRole: ec2:CreateNetworkAclEntry is done to network-acl, and none is named',
      'Deny of DenyAtNaclRole: none of its actions is done to arn:aws:ec2:eu-central-1:111122223333:acl/*',
    ]);
    expect((await denied(changed)).join()).toContain('deny-at-nacl may not ec2:CreateNetworkAclEntry');
  });
});

describe('what does not exist', () => {
  it('is no action', async () => {
    const changed = withChange(
      'DenyAtNaclRole',
      'Action: ec2:CreateNetworkAclEntry',
      'Action: ec2:CreateNetworkAclEntries',
    );

    expect(await wrong(changed)).toContain('Deny of DenyAtNaclRole: there is no action ec2:CreateNetworkAclEntries');
  });

  it('is a resource of an action that knows none', async () => {
    const changed = withChange('DenyAtNaclRole', "Resource: '*'", "Resource: 'arn:aws:ec2:*:*:network-acl/*'");

    expect(await wrong(changed)).toContain(
      'Look of DenyAtNaclRole: ec2:DescribeNetworkAcls knows no resource, so it must be on *',
    );
  });
});

describe('what a test does in the middle of a step', () => {
  it('is not the function’s, whose bundle cannot do it', () => {
    const record = (api: string): CallRecord => ({ function: 'cut-on-host', api, options: [], asks: [] });
    const bundles = new Map([['cut-on-host', ['ssm:SendCommand', 'auto-scaling:EnterStandby']]]);

    const own = ownCalls(['ssm:SendCommand', 'autoscaling:EnterStandby', 'dynamodb:UpdateItem'].map(record), bundles);

    expect(own.map(({ api }) => api)).toEqual(['ssm:SendCommand', 'autoscaling:EnterStandby']);
  });
});

describe('what later work brings', () => {
  it('is a sentence where nothing says what IAM is asked', async () => {
    const record = { function: 'verify-cut', api: 'ec2:CreateFlowLogs', options: [], asks: null };

    expect(await unmapped([record])).toEqual([
      'nothing says what IAM is asked when ec2:CreateFlowLogs is called: add it to ASKS in test/iam/support/asks.ts',
    ]);
  });

  it('is asked about by itself where the action knows no resource', async () => {
    const record = { function: 'verify-cut', api: 'ec2:DescribeVpcs', options: [], asks: null };

    expect(await unmapped([record])).toEqual([]);
    expect(await denied(parseTemplate(TEXT), {}, [record])).toEqual([
      expect.stringContaining('verify-cut may not ec2:DescribeVpcs on *'),
    ]);
  });

  it('is a sentence where a bundle can do what no recorded run does', () => {
    const commands = new Map([['verify-cut', ['guardduty:GetFindings']]]);

    expect(coverage([{ folder: 'verify-cut' }], commands, records).missing).toEqual([
      'verify-cut can call guardduty:GetFindings, and no recorded run does: add one to test/iam/worlds',
    ]);
  });

  it('is known by its folder, whatever its step is called', () => {
    const source = 'export async function sweep(tools: Toolbox): Promise<void> {}\nexport const LIMIT = 3;\n';

    const code = attributed(source, '/somewhere/functions/watch-cases/step.ts') ?? '';

    expect(code).toContain('export async function own_sweep(tools: Toolbox)');
    expect(code).toContain('export const sweep = asFunction("watch-cases", own_sweep);');
    expect(attributed(source, '/somewhere/functions/shared/paced.ts')).toBeNull();
  });
});
