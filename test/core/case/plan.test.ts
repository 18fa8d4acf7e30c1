import { describe, expect, it } from 'vitest';
import { assess } from '../../../functions/core/case/assess.ts';
import { describePlan } from '../../../functions/core/case/plan.ts';
import { theFacts as facts, theConfig, theEni, theRequest } from '../../support/incident.ts';

const theFacts = { ...facts, surroundings: null };
const { flows, denies } = assess(theRequest, theFacts, theConfig);

describe('describePlan', () => {
  it('names each change in the order in which it would be made, with why, what else it hits and how it is undone', () => {
    const plan = describePlan(theFacts, flows, denies);
    expect(plan.map(({ change }) => change).slice(0, 4)).toEqual([
      'deny 198.51.100.7/32 inbound as rule 1 of acl-1',
      'deny 198.51.100.7/32 outbound as rule 1 of acl-1',
      'on the host of i-0000000000000ab01: list and close every established flow, deny 198.51.100.7 in its firewall',
      'eni-1: replace sg-1 by a group without rules; idle timeouts to 60/60/30 s',
    ]);
    for (const change of plan) for (const text of Object.values(change)) expect(text).not.toBe('');
  });

  it('says which subnets a deny hits', () => {
    const acls = theFacts.acls.map((acl) => ({ ...acl, subnetIds: ['subnet-1', 'subnet-2'] }));
    expect(describePlan({ ...theFacts, acls }, flows, denies)[0]?.alsoHits).toContain('subnet-1, subnet-2');
  });

  it('leaves out a deny that stands already', () => {
    const standing = denies.map((deny) => ({ ...deny, ruleNumber: null }));
    expect(describePlan(theFacts, flows, standing).filter(({ change }) => change.startsWith('deny'))).toEqual([]);
  });

  it('names and counts the denies beyond a limit in one change', () => {
    const many = ['203.0.113.1/32', '203.0.113.2/32'].flatMap((cidr) => denies.map((deny) => ({ ...deny, cidr })));
    const changes = describePlan(theFacts, flows, many, 1).map(({ change }) => change);
    expect(changes.slice(0, 2)).toEqual([
      'deny 203.0.113.1/32 inbound as rule 1 of acl-1',
      '3 more denies, of 203.0.113.1/32, 203.0.113.2/32, at acl-1',
    ]);
    expect(changes[2]).toContain('on the host');
  });

  it('says of an interface that is not ours that it stays as it is, and why', () => {
    const interfaces = [theEni, { ...theEni, id: 'eni-2', requesterManaged: true }];
    const plan = describePlan({ ...theFacts, interfaces }, flows, denies);
    expect(plan.find(({ change }) => change.startsWith('eni-2'))).toMatchObject({
      change: 'eni-2: left as it is',
      why: 'requester-managed: only the AWS service that made it can change it',
      alsoHits: 'nothing',
      undo: 'nothing to undo',
    });
  });

  it('names no address for the host firewall where no flow is known', () => {
    expect(describePlan(theFacts, [], [])[0]?.change).toBe(
      'on the host of i-0000000000000ab01: list and close every established flow',
    );
  });
});

describe('describePlan, of what is cleaned up', () => {
  const config = { deleteReplacedGroups: true, releaseDenies: 'after-proof' } as const;
  const changesOf = (more: object) => describePlan({ ...theFacts, ...more }, flows, denies).map(({ change }) => change);

  it('says nothing where it is not opted in', () => {
    const off = { deleteReplacedGroups: false, releaseDenies: 'never' } as const;
    expect(changesOf({ config: off })).toEqual(changesOf({}));
  });

  it('says that denies are released on proof, and which group is deleted', () => {
    expect(changesOf({ config }).slice(-2)).toEqual([
      expect.stringContaining('the denies are removed again'),
      expect.stringMatching(/^security group sg-1: deleted once/),
    ]);
  });

  it('says of a group that somebody else uses that it is kept, and for whom', () => {
    const groupUsers = [{ networkInterfaceId: 'eni-9', instanceId: 'i-9', groupIds: ['sg-1'] }];
    const surroundings = { neighbours: [], groupUsers };
    expect(changesOf({ config, surroundings }).at(-1)).toBe('security group sg-1: kept, for it is used by i-9');
  });
});
