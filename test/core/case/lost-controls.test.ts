import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lostControls, withRetaken } from '../../../functions/core/case/lost-controls.ts';
import type { InterfaceStanding } from '../../../functions/core/verdict/verdict.ts';
import { theCase, theEni } from '../../support/incident.ts';

const NOW = Date.parse('2026-01-16T10:00:00Z');
const ago = (hours: number): string => new Date(NOW - hours * 3_600_000).toISOString();
const BUCKET = 'arn:aws:s3:::flow-logs';
const config = { vpcIds: [], ownFlowLog: true, flowLogBucketArn: BUCKET };

const standing = (change: Partial<InterfaceStanding> = {}): InterfaceStanding => ({
  id: theEni.id,
  isolation: 'in-force',
  reason: null,
  ...change,
});

const seen = (change: Partial<InterfaceStanding> = {}) => ({
  interfaces: [theEni],
  standings: [standing(change)],
  flowLogs: [],
});

const GROUPS = `${theEni.id} groups`;
const SEAL = `seal of ${theEni.subnetId}`;
const sealed = { ...theCase, evidence: [{ item: SEAL, outcome: 'done' as const }] };

describe('what is lost of a case', () => {
  it.each([
    ['nothing where all is in force', theCase, seen(), []],
    ['the isolation of an interface that has other groups', theCase, seen({ isolation: 'failed' }), [GROUPS]],
    ['nothing of an interface that nobody may change', theCase, seen({ isolation: 'not-modifiable' }), []],
    [
      'nothing where no interface could be read',
      theCase,
      { interfaces: [], standings: [standing()], flowLogs: [] },
      [],
    ],
    ['the seal of a subnet that has another ACL', sealed, seen(), [SEAL]],
    ['nothing of a seal that stands', sealed, seen({ sealed: true }), []],
    ['no seal that was never taken', theCase, seen({ sealed: false }), []],
  ] as const)('is %s', (_, document, found, again) => {
    expect(lostControls(document, found, config, NOW)).toEqual({ again, left: [] });
  });

  it('is the flow log that watches an interface, once reads would show it', () => {
    const at = (seconds: number) => Date.parse(theCase.isolatedAt ?? '') + seconds * 1000;
    const item = `flow log of ${theEni.id}`;
    const watched = { ...theCase, evidence: [{ item, outcome: 'done' as const }] };
    expect(lostControls(watched, seen(), config, at(301)).again).toEqual([item]);
    expect(lostControls(watched, seen(), config, at(299)).again).toEqual([]);
    expect(lostControls(theCase, seen(), config, at(301)).again).toEqual([]);
    expect(lostControls(watched, { ...seen(), flowLogs: null }, config, at(301)).again).toEqual([]);
    expect(lostControls(watched, seen(), { ...config, ownFlowLog: false }, at(301)).again).toEqual([]);
  });

  it('is not what lies in a VPC where nothing may be changed', () => {
    expect(
      lostControls(theCase, seen({ isolation: 'failed' }), { ...config, vpcIds: ['vpc-other'] }, NOW).again,
    ).toEqual([]);
  });

  it('is left to people once it was lost three times within a day', () => {
    const times = [ago(23), ago(2), ago(1)].map((at) => ({ item: GROUPS, at }));
    const lost = seen({ isolation: 'failed' });
    expect(lostControls({ ...theCase, retaken: times }, lost, config, NOW)).toEqual({ again: [], left: [GROUPS] });
    const apart = [ago(49), ago(25), ago(1)].map((at) => ({ item: GROUPS, at }));
    expect(lostControls({ ...theCase, retaken: apart }, lost, config, NOW).again).toEqual([GROUPS]);
    const others = times.map(({ at }) => ({ item: 'eni-9 groups', at }));
    expect(lostControls({ ...theCase, retaken: others }, lost, config, NOW).again).toEqual([GROUPS]);
  });

  it('is taken again three times within any day at most, however often it is lost', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 12 * 60 }), { maxLength: 60 }), (minutes) => {
        let document = theCase;
        let now = NOW;
        const taken: number[] = [];
        for (const pause of minutes) {
          now += pause * 60_000;
          if (lostControls(document, seen({ isolation: 'failed' }), config, now).again.length === 0) continue;
          taken.push(now);
          document = withRetaken(document, [GROUPS], new Date(now).toISOString());
        }
        for (const first of taken) {
          expect(taken.filter((at) => at >= first && at - first < 86_400_000).length).toBeLessThanOrEqual(3);
        }
      }),
    );
  });
});
