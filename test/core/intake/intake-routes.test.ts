import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decide, type FindingRoute, ROUTE_GROUPS, routeOf } from '../../../functions/core/intake/finding-routes.ts';
import { intake } from '../../../functions/core/intake/intake.ts';
import { FINDINGS_PAGE, findingsPage } from '../../../scripts/findings-doc.ts';
import { readEvent, withValue } from './intake-events.ts';

const ROUTES: readonly FindingRoute[] = ROUTE_GROUPS.flatMap(({ routes }): readonly FindingRoute[] => routes);

const KINDS = {
  ISO: 'case',
  'ISO-ASK': 'ask',
  ASK: 'ask',
  EXPOSED: 'ignored',
  CRED: 'ignored',
  NOTIFY: 'ignored',
} as const;

describe('the routing table', () => {
  it('lists each type once', () => {
    const types = ROUTES.map(({ type }) => type);

    expect(new Set(types).size).toBe(types.length);
    expect(types).toHaveLength(119);
  });

  it('gives each row a reason without a full stop, for the middle of a sentence', () => {
    expect(ROUTES.filter(({ reason }) => !/^[^.\n]*[^.!\s]$/.test(reason))).toEqual([]);
  });

  it.each(ROUTES.map((route) => [route.type, route] as const))('routes %s by its row', (type, route) => {
    const event = readEvent('guardduty-ec2-c2activity');
    // The default finding: role TARGET, direction OUTBOUND.
    const fields = { resourceRole: 'TARGET', connectionDirection: 'OUTBOUND' };
    const decision = decide(route, fields);

    expect(routeOf(type)).toBe(route);
    expect(intake(withValue(event, 'detail.type', type))).toMatchObject({ kind: KINDS[decision.class], ...decision });
  });

  it('lets no type of a backup, an image or a domain of doubt isolate', () => {
    const isolating = ROUTES.filter((route) => route.class === 'ISO').map(({ type }) => type);

    expect(isolating.filter((type) => /!(?:Snapshot|AMI|RecoveryPoint)|Suspicious|Abused|Unusual/.test(type))).toEqual([
      'Backdoor:EC2/DenialOfService.UnusualProtocol',
    ]);
  });

  it('is what docs/findings.md shows', () => {
    expect(readFileSync(FINDINGS_PAGE, 'utf8')).toBe(findingsPage());
  });
});
