import { describe, expect, it } from 'vitest';
import { isTrail, readTrail, touchedCases, UNDOING_CALLS } from '../../../functions/core/case/trail.ts';
import type { WatchedCase } from '../../../functions/core/case/watch.ts';
import { matches } from '../../../scripts/event-pattern.ts';
import {
  isMap,
  type Node,
  type NodeMap,
  type Resource,
  readTemplate,
  resolve,
  resourcesOf,
} from '../../../scripts/template.ts';
import { trailEvent } from '../../support/trail-event.ts';

const PLACE = { accountId: '111122223333', region: 'eu-central-1' };
const ACL = 'acl-00000000000000d01';

const idsOf = (change: object) => [...(readTrail(trailEvent(change), PLACE)?.ids ?? [])].sort();

const watched = (caseId: string, ...touches: readonly string[]): WatchedCase => ({
  caseId,
  from: '2026-01-15T10:00:00.000Z',
  due: '2026-01-15T16:00:00.000Z',
  execution: null,
  wakesAt: null,
  look: null,
  wokenAt: null,
  isPending: false,
  touches,
});

/** A list in a list in a list. */
const deep = (depth: number): unknown => (depth === 0 ? ACL : [deep(depth - 1)]);

describe('what CloudTrail tells', () => {
  it('names what the call is about, wherever in the request it stands', () => {
    expect(idsOf({})).toEqual([ACL]);
    expect(
      idsOf({
        requestParameters: {
          networkInterfaceId: 'eni-00000000000000e01',
          groupSet: { items: [{ groupId: 'sg-00000000000000c01' }] },
        },
        responseElements: { DeleteFlowLogsRequest: { FlowLogId: { content: 'fl-00000000000000f01', tag: 1 } } },
      }),
    ).toEqual(['eni-00000000000000e01', 'fl-00000000000000f01', 'sg-00000000000000c01']);
  });

  it.each<[string, unknown]>([
    ['a tick of the schedule', { 'detail-type': 'Scheduled Event', detail: {} }],
    ['a read', trailEvent({ eventName: 'DescribeNetworkAcls' })],
    ['a call of another service', trailEvent({ eventSource: 'iam.amazonaws.com' })],
    ['a call that was refused', trailEvent({ errorCode: 'Client.UnauthorizedOperation' })],
    ['a call in another Region', trailEvent({ awsRegion: 'us-east-1' })],
    ['a call in another account', trailEvent({ recipientAccountId: '999988887777' })],
    ['a name that every object has', trailEvent({ eventName: 'constructor' })],
    ['no detail', { 'detail-type': 'AWS API Call via CloudTrail' }],
    ['a detail that is a list', { 'detail-type': 'AWS API Call via CloudTrail', detail: [trailEvent().detail] }],
    ['nothing', null],
    ['text', 'AWS API Call via CloudTrail'],
  ])('counts for nothing where it is %s', (_, event) => {
    expect(readTrail(event, PLACE)).toBeNull();
  });

  it('is told from a tick', () => {
    expect(isTrail(trailEvent())).toBe(true);
    expect(isTrail({ 'detail-type': 'Scheduled Event' })).toBe(false);
    expect(isTrail(undefined)).toBe(false);
  });

  it.each<[string, unknown]>([
    ['an id with more behind it', `${ACL} or sg-00000000000000c01`],
    ['an id on a line of its own', `\n${ACL}`],
    ['a letter that is none of a number', 'acl-0000000000000000g'],
    ['a request that is a number', 42],
    ['a request without end', deep(40)],
    ['a request that names the world', [...Array.from({ length: 5000 }, () => 'x'), ACL]],
  ])('takes no id from %s', (_, value) => {
    expect(idsOf({ requestParameters: { networkAclId: value } })).toEqual([]);
  });

  it('touches the cases that have one of its ids, and no other', () => {
    const touched = readTrail(trailEvent(), PLACE);
    if (touched === null) throw new Error('the event was not read');
    const cases = [
      watched('one', ACL),
      watched('two', 'eni-00000000000000e01', ACL),
      watched('three', 'acl-00000000000000d02'),
    ];

    expect(touchedCases(touched, cases).map(({ caseId }) => caseId)).toEqual(['one', 'two']);
  });

  it('touches every case where it gives a subnet another ACL: no id of the call is one that a case has', () => {
    const touched = readTrail(
      trailEvent({
        eventName: 'ReplaceNetworkAclAssociation',
        requestParameters: { associationId: 'aclassoc-00000000000000001' },
      }),
      PLACE,
    );
    if (touched === null) throw new Error('the event was not read');

    expect(touchedCases(touched, [watched('one', ACL), watched('two')])).toHaveLength(2);
  });
});

describe('the rule for what CloudTrail tells', () => {
  const template = readTemplate();
  const mapOf = (node: Node | undefined): NodeMap => (isMap(node) ? node : {});
  const events = mapOf(template.Resources['SweepCasesFunction']?.Properties['Events']);
  const pattern = mapOf(resolve(template, mapOf(mapOf(events['Change'])['Properties'])['Pattern'] ?? null));
  const by = (sessionContext: object | undefined) =>
    ({
      ...trailEvent({ userIdentity: { type: 'AssumedRole', ...(sessionContext && { sessionContext }) } }),
    }) as NodeMap;
  const issuer = (userName: string) => ({ sessionIssuer: { type: 'Role', userName } });

  it('takes the calls that the sweep knows', () => {
    expect(mapOf(pattern['detail'])['eventName']).toEqual(UNDOING_CALLS);
    expect(matches(pattern, by(issuer('ops')))).toBe(true);
    expect(matches(pattern, { ...by(issuer('ops')), source: 'aws.iam' })).toBe(false);
  });

  it('takes what a user does, who has no role', () => {
    expect(matches(pattern, by(undefined))).toBe(true);
    expect(matches(pattern, by({}))).toBe(true);
  });

  it('leaves out every role of the stack that may make one of the calls, and no other', () => {
    const undoing = UNDOING_CALLS.map((call) => `"ec2:${call}"`);
    const mayUndo = ({ Properties }: Resource) =>
      undoing.some((action) => JSON.stringify(Properties['Policies'] ?? null).includes(action));
    const roles = resourcesOf(template, 'AWS::IAM::Role').filter(([, role]) => mayUndo(role));
    const left = resourcesOf(template, 'AWS::IAM::Role').filter(([id]) => !matches(pattern, by(issuer(`<${id}>`))));

    expect(roles.length).toBeGreaterThan(5);
    expect(left.map(([id]) => id).sort()).toEqual(roles.map(([id]) => id).sort());
  });

  it('holds, with the longest names of roles, what EventBridge takes', () => {
    // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html; a name of a role has 64 characters.
    expect(JSON.stringify(pattern).replaceAll(/<\w+>/g, 'r'.repeat(64)).length).toBeLessThanOrEqual(2048);
  });
});
