import { describe, expect, it } from 'vitest';
import { readTemplate, resourcesOf } from '../../scripts/template.ts';
import { parameterSets } from './support/parameters.ts';
import { allPolicies, functionsOf } from './support/policies.ts';
import { statementCount, staticProblems } from './support/static.ts';

const template = readTemplate();

describe.each(Object.entries(parameterSets(template)))('with %s', (_, values) => {
  it('every statement names actions that exist, on what they are done to, under conditions that a request brings', async () => {
    const policies = allPolicies(template, values);

    expect(statementCount(policies)).toBeGreaterThan(50);
    expect(await staticProblems(policies)).toEqual([]);
  });
});

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html: white space does not count. */
const LIMITS = { managed: 6144, inline: 10_240 };

describe('with 130 VPCs and everything on', () => {
  const vpcs = Array.from({ length: 130 }, (_, index) => `vpc-${String(index).padStart(17, '0')}`);
  const values = { ...parameterSets(template)['everything on'], VpcIds: vpcs.join(',') };

  it('no policy is longer than IAM takes', () => {
    const lengths = new Map<string, number>();
    for (const { name, document } of allPolicies(template, values)) {
      lengths.set(name, (lengths.get(name) ?? 0) + JSON.stringify(document).length);
    }
    const tooLong = [...lengths].filter(([name, length]) => {
      const { managed, inline } = LIMITS;
      return length > (template.Resources[name]?.Type === 'AWS::IAM::ManagedPolicy' ? managed : inline);
    });

    expect(lengths.get('VpcBorderPolicy')).toBeGreaterThan(5000);
    expect(tooLong).toEqual([]);
  });
});

describe('every role', () => {
  it('takes the permissions boundary and the path of the stack', () => {
    const roles = resourcesOf(template, 'AWS::IAM::Role');
    const lacking = roles.filter(
      ([, { Properties }]) =>
        !(JSON.stringify(Properties['PermissionsBoundary'])?.includes('"Ref":"PermissionsBoundary"') ?? false) ||
        !(JSON.stringify(Properties['Path'])?.includes('"Ref":"RolePath"') ?? false),
    );

    expect(roles.length).toBeGreaterThan(10);
    expect(lacking.map(([id]) => id)).toEqual([]);
  });

  it('of a function keeps to the border of the chosen VPCs', () => {
    const { 'VpcIds given': values = {} } = parameterSets(template);

    const outside = functionsOf(template, values).filter(
      ({ policies }) => !policies.some(({ name }) => name === 'VpcBorderPolicy'),
    );

    expect(outside.map(({ folder }) => folder)).toEqual([]);
  });
});
