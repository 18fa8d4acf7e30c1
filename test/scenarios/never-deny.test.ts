import { describe, expect, it } from 'vitest';
import { readConfig } from '../../functions/shared/environment.ts';
import { defaultWorld, ids, readEvent } from '../support/bench.ts';
import { simulate } from '../support/own-flow-log.ts';
import { environmentOf, PROJECT } from '../template/agreements.ts';
import { withoutAgent } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');

describe('a peer that NeverDeny lists', () => {
  it('is denied by no ACL though the finding names it, and a tracked flow to it leaks and is told', async () => {
    const run = await simulate(withoutAgent(), finding, { parameters: { NeverDeny: '192.0.2.0/24,198.51.100.0/28' } });

    expect(run.timeline.filter(({ call }) => call === 'CreateNetworkAclEntry')).toEqual([]);
    expect(run.report.verdict).toBe('leaking');
    expect(JSON.stringify(run.report.skipped)).toContain('NeverDeny lists 198.51.100.0/28');
    const [shell] = run.file.Flows;
    expect(run.truth.get(shell?.Name ?? '')?.lastPacketAt).toBeGreaterThan(run.reportedAt);
  });

  it('leaves the denies of all other peers as they were', async () => {
    const run = await simulate(withoutAgent(), finding, { parameters: { NeverDeny: '192.0.2.0/24' } });

    expect(run.timeline.filter(({ call }) => call === 'CreateNetworkAclEntry')).toHaveLength(2);
    expect(run.report.verdict).toBe('held');
  });
});

describe('an instance that ExemptInstanceIds lists', () => {
  it.each([
    ['a finding', finding],
    ['a person', { instanceId: ids.instance, mode: 'contain', remoteAddresses: [ids.peer] }],
  ])('is not touched, whatever %s asks', async (_, input) => {
    const parameters = { ExemptInstanceIds: `i-0123456789abcdef0,${ids.instance}` };
    const before = JSON.stringify(defaultWorld().NetworkAcls);
    const run = await simulate(defaultWorld(), input, { parameters });

    expect(run.report.verdict).toBe('refused');
    expect(run.report.reason).toContain('ExemptInstanceIds');
    expect(JSON.stringify(run.file.NetworkAcls)).toBe(before);
    expect(run.timeline.filter(({ service, call }) => service === 'ec2' && !call.startsWith('Describe'))).toEqual([]);
  });
});

describe('an instance with the exempt tag', () => {
  it('is planned for a finding, and contained when a person asks', async () => {
    const tagged = () =>
      defaultWorld((world) => {
        world.Reservations[0]?.Instances[0]?.Tags?.push({ Key: 'flowcut:exempt', Value: 'false' });
      });
    const told = await simulate(tagged(), finding);

    expect(told.report.verdict).toBe('planned');
    expect(told.report.reason).toContain('tag flowcut:exempt');
    expect(told.timeline.filter(({ service, call }) => service === 'ec2' && !call.startsWith('Describe'))).toEqual([]);

    const asked = await simulate(tagged(), { instanceId: ids.instance, mode: 'contain', remoteAddresses: [ids.peer] });
    expect(asked.report.verdict).toBe('held');
  });
});

describe('lists that are no lists', () => {
  it.each([
    [{ NeverDeny: '198.51.100.7' }, 'FLOWCUT_NEVER_DENY'],
    [{ ExemptInstanceIds: 'web-1' }, 'FLOWCUT_EXEMPT_INSTANCE_IDS'],
  ])('are refused by the functions too: %j', (values, variable) => {
    expect(() => readConfig(environmentOf(PROJECT.template, 'AssessFlowsFunction', values))).toThrow(variable);
  });
});
