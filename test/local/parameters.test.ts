import { describe, expect, it } from 'vitest';
import { parseParameters } from '../../local/parameters.ts';
import { simulate } from '../../local/simulate.ts';
import { localConfig, readParameters, stackConfig, stackTemplate } from '../../local/stack.ts';
import { defaultWorld, ids, readEvent, shellAlone } from '../support/bench.ts';

const PLACE = { AccountId: '111122223333', Region: 'eu-central-1', NaclEntryQuota: 20 };
const finding = readEvent('guardduty-ec2-c2activity');

describe('a file of parameters', () => {
  it('takes every default of the template', () => {
    const defaults = Object.fromEntries(
      Object.entries(stackTemplate().Parameters).map(([name, { Default = '' }]) => [name, Default]),
    );

    expect(Object.keys(readParameters(defaults))).toEqual(Object.keys(stackTemplate().Parameters));
  });

  it('takes numbers as texts and as numbers', () => {
    expect(readParameters({ AclFirstRule: 10, AclLastRule: '20' })).toEqual({ AclFirstRule: '10', AclLastRule: '20' });
  });

  it.each<[unknown, string]>([
    [null, 'parameters'],
    [[], 'parameters'],
    [{ Mod: 'contain' }, 'parameters.Mod'],
    [{ 'M\node': 'contain' }, 'parameters["M\\node"]'],
    [{ __proto__x: 1 }, 'parameters.__proto__x'],
    [{ toString: 'x' }, 'parameters.toString'],
    [{ Mode: 'destroy' }, 'parameters.Mode'],
    [{ Mode: true }, 'parameters.Mode'],
    [{ VpcIds: ['vpc-00000000000000a01'] }, 'parameters.VpcIds'],
    [{ VpcIds: 'vpc-00000000000000a01,*,x' }, 'parameters.VpcIds'],
    [{ AclFirstRule: 0 }, 'parameters.AclFirstRule'],
    [{ AclFirstRule: 40_000 }, 'parameters.AclFirstRule'],
    [{ AclFirstRule: 'ten' }, 'parameters.AclFirstRule'],
    [{ AclFirstRule: '0x10' }, 'parameters.AclFirstRule'],
    [{ AnalystIngress: '203.0.113.9/32\n' }, 'parameters.AnalystIngress'],
    [{ AnalystIngress: '0.0.0.0/0' }, 'parameters.AnalystIngress'],
    [{ ExemptTag: '' }, 'parameters.ExemptTag'],
    [{ ExemptTag: 'x'.repeat(129) }, 'parameters.ExemptTag'],
    [{ LogRetentionDays: 31 }, 'parameters.LogRetentionDays'],
  ])('that is %j is refused by its name', (json, field) => {
    expect(() => readParameters(json)).toThrow(expect.objectContaining({ name: 'InputError', field }));
  });

  it('names the parameter that was meant, and what it takes', () => {
    expect(() => readParameters({ VpcIdz: '*' })).toThrow('did you mean VpcIds?');
    expect(() => readParameters({ VpcIds: 'my-vpc' })).toThrow('"my-vpc" does not fit; it has to be VPC ids, or *');
  });

  it('may ask for none of the measures that are to come, and is refused where it asks for one', () => {
    expect(readParameters({ Mode: 'contain', OwnFlowLog: 'off', VerifyFindings: 'off' })).toEqual({ Mode: 'contain' });
    expect(() => readParameters({ SealSubnet: 'when-alone' })).toThrow(
      'parameters.SealSubnet: "when-alone" asks for what this version does not do; it takes "never" alone',
    );
  });

  it('is held to the lengths of the template too', () => {
    const template = { Parameters: { Name: { Type: 'String', MinLength: 2, MaxLength: 3 } } };

    expect(parseParameters(template, { Name: 'abc' })).toEqual({ Name: 'abc' });
    expect(() => parseParameters(template, { Name: 'a' })).toThrow('parameters.Name: "a" is too short');
    expect(() => parseParameters(template, { Name: 'abcd' })).toThrow('parameters.Name: "abcd" is too long');
  });
});

describe('what parameters mean', () => {
  it('is what the stack gives its functions', () => {
    const config = stackConfig(PLACE, {
      Mode: 'contain',
      HostSurvivors: 'kill',
      AclFirstRule: '10',
      AnalystIngress: '203.0.113.9/32',
      DeleteReplacedGroups: 'true',
      IsolationsPerHour: '3',
    });

    expect(config).toMatchObject({
      accountId: PLACE.AccountId,
      region: PLACE.Region,
      defaultMode: 'contain',
      hostOptions: { survivors: 'kill' },
      aclRuleNumbers: { first: 10 },
      openings: { analystIngress: ['203.0.113.9/32'] },
      deleteReplacedGroups: true,
      isolationsPerHour: 3,
      hostDocuments: { linux: 'flowcut-LinuxDocument', windows: 'flowcut-WindowsDocument' },
      topicArn: 'arn:aws:sns:eu-central-1:111122223333:flowcut',
      respondStateMachineArn: 'arn:aws:states:eu-central-1:111122223333:stateMachine:flowcut-respond',
    });
  });

  it('is the default of the template where nothing is chosen; a local run contains all the same', () => {
    expect(stackConfig(PLACE, {}).defaultMode).toBe('observe');
    expect(localConfig(PLACE)).toEqual({ ...stackConfig(PLACE, {}), defaultMode: 'contain' });
  });

  it("takes the world's quota of ACL entries, unless one is chosen", () => {
    const small = { ...PLACE, NaclEntryQuota: 6 };

    expect(localConfig(small).aclEntriesPerDirection).toBe(6);
    expect(localConfig(small, { AclEntryQuota: '12' }).aclEntriesPerDirection).toBe(12);
  });

  it.each([
    [{ AclFirstRule: '0' }, 'parameters.AclFirstRule'],
    [{ AgentEgress: '10.0.0.999' }, 'parameters.AgentEgress'],
    [{ HostCutBudgetSeconds: '45.5' }, 'parameters.HostCutBudgetSeconds'],
  ])('is refused by name where the functions refuse it: %j', (parameters, field) => {
    expect(() => stackConfig(PLACE, parameters)).toThrow(expect.objectContaining({ name: 'InputError', field }));
  });

  it.each<[string, Parameters<typeof simulate>[2], unknown, string]>([
    ['the stack observes', { parameters: { Mode: 'observe' } }, finding, 'planned'],
    ['--mode contains', { parameters: { Mode: 'observe' }, mode: 'contain' }, finding, 'held'],
    ['a request contains', { parameters: { Mode: 'observe' } }, { mode: 'contain' }, 'held'],
    ['--mode observes', { mode: 'observe' }, { mode: 'contain' }, 'planned'],
  ])('for the mode: %s', async (_, options, input, verdict) => {
    const request = { instanceId: ids.instance, remoteAddresses: [ids.peer], ...(input as object) };

    const run = await simulate(shellAlone(), input === finding ? finding : request, options);

    expect(run.report.verdict).toBe(verdict);
  });

  it('for a finding: the rule of the stack takes it or leaves it', async () => {
    const left = await simulate(defaultWorld(), finding, { parameters: { FindingTypePrefixes: 'Trojan:' } });
    const taken = await simulate(defaultWorld(), finding, { parameters: { FindingTypePrefixes: 'Backdoor:' } });

    expect(left.report).toMatchObject({ verdict: 'ignored', instanceId: ids.instance });
    expect(left.calls.total).toBe(0);
    expect(taken.report.verdict).not.toBe('ignored');
  });
});
