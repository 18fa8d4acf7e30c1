import { beforeAll, describe, expect, it } from 'vitest';
import type { VerdictKind } from '../../../functions/core/verdict/verdict.ts';
import { parseWorld } from '../../../local/world/parse-world.ts';
import { groupOf } from './build-groups.ts';
import { buildWorld } from './build-world.ts';
import { interfaceId } from './ids.ts';
import { type Incident, PLAIN, PLAIN_SUBNET } from './incident.ts';
import { RESPONSE_PROPERTIES } from './properties.ts';
import { type Run, run } from './run.ts';
import { watch } from './watch.ts';

/** Names of the promises that a run breaks. */
const broken = (result: Run): string[] =>
  Object.entries(RESPONSE_PROPERTIES).flatMap(([name, property]) => (property(result).length > 0 ? [name] : []));

const saying = (result: Run, verdict: VerdictKind): Run => ({
  ...result,
  simulation: { ...result.simulation, report: { ...result.simulation.report, verdict } },
});

const NOTHING_REACHES: Incident = { ...PLAIN, agent: 'not registered', subnets: [{ ...PLAIN_SUBNET, acl: 'full' }] };
const EDIT = { service: 'ec2', call: 'ModifyNetworkInterfaceAttribute', number: 1, at: 0 } as const;

describe('the promises', () => {
  let leak: Run;
  let plain: Run;

  beforeAll(async () => {
    leak = await run(NOTHING_REACHES);
    plain = await run({ ...PLAIN, flowLogs: 'vpc' });
  });

  it('are kept by a response that tells the truth', () => {
    expect(leak.simulation.report.verdict).toBe('leaking');
    expect(plain.simulation.report.verdict).toBe('contained');
    expect([...broken(leak), ...broken(plain)]).toEqual([]);
  });

  it.each(['contained', 'held'] as const)('notice a leak that is called %s', (verdict) => {
    expect(broken(saying(leak, verdict))).toEqual(expect.arrayContaining(['blockedAsSaid']));
  });

  it('notice a malicious flow behind contained that the report does not name', () => {
    const silent = { ...leak.simulation, report: { ...leak.simulation.report, flows: [] } };
    expect(broken(saying({ ...leak, simulation: silent }, 'contained'))).toContain('containedIsAll');
  });

  it('notice false alarm', () => {
    expect(broken(saying(plain, 'leaking'))).toEqual(['leakingIsReal']);
  });

  it('notice an interface that is not isolated', () => {
    expect(broken({ ...plain, after: plain.before })).toEqual(['isolatedAsSaid']);
  });

  it('notice a deny that is reported and does not stand', () => {
    expect(broken({ ...plain, aclsAfter: plain.aclsBefore })).toEqual(['heldStands']);
  });
});

describe('the watch over every call', () => {
  const world = parseWorld(buildWorld({ ...PLAIN, isolationGroup: 'with a rule' }));
  const [eni] = world.NetworkInterfaces;
  const [acl] = world.NetworkAcls;

  it('notices groups that permit more than those that were found', () => {
    const watching = watch(world, () => []);
    if (eni !== undefined) eni.Groups = [{ GroupId: groupOf('web') }, ...eni.Groups];
    world.SecurityGroups[0]?.IpPermissions.push({ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] });
    watching.after?.({ ...EDIT, input: {} });
    expect(watching.breaches.join()).toContain('is more open than it was found');
  });

  it('notices an ACL that got an allow or lost an entry', () => {
    const watching = watch(world, () => []);
    const entry = acl?.Entries.pop();
    if (entry !== undefined) acl?.Entries.push({ ...entry, RuleNumber: 7, RuleAction: 'allow' });
    watching.after?.({ ...EDIT, input: {} });
    expect(watching.breaches.join()).toMatch(/got an allow.*lost what was there/);
  });

  it('notices groups that are changed before they were recorded', () => {
    const watching = watch(world, () => []);
    watching.before?.({ ...EDIT, input: { NetworkInterfaceId: interfaceId(0), Groups: [] } });
    expect(watching.breaches.join()).toContain('the case table holds null');
  });
});
