import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Family, GroupRule, Opener, TrackingTimeouts } from '../../../functions/core/model.ts';
import type { PathVerdict } from '../../../functions/core/network/routes.ts';
import {
  classifyFlow,
  compileTracking,
  defaultTimeouts,
  type FlowKey,
  normalProtocol,
} from '../../../functions/core/network/tracking.ts';
import {
  AUTOMATIC_PATHS,
  AUTOMATIC_TRACKING_SOURCE,
  type AutomaticPath,
  DEFAULT_TIMEOUTS,
  NITRO_V6_FAMILIES,
  NITRO_V6_SOURCES,
  TIMEOUT_LIMITS,
  TIMEOUT_SOURCE,
} from '../../../functions/core/network/tracking-data.ts';

const NOTHING_SET: TrackingTimeouts = { tcpEstablishedSeconds: null, udpSeconds: null, udpStreamSeconds: null };

const viaInternetGateway: PathVerdict = {
  kind: 'internet-gateway',
  routeTableId: 'rtb-1',
  destination: '0.0.0.0/0',
  targetId: 'igw-1',
  crossesSubnetBoundary: true,
  automaticallyTracked: false,
  through: null,
  because: 'it leaves (route 0.0.0.0/0 of rtb-1 to igw-1)',
};

const viaNat: PathVerdict = {
  ...viaInternetGateway,
  kind: 'nat-gateway',
  targetId: 'nat-1',
  automaticallyTracked: true,
  through: 'nat-gateway',
  because: 'it leaves through a NAT gateway',
};

const through = (path: AutomaticPath): PathVerdict => ({
  ...viaInternetGateway,
  automaticallyTracked: true,
  through: path,
});

const theShell: FlowKey = {
  protocol: 'tcp',
  family: 'ipv4',
  remoteAddress: '198.51.100.7',
  remotePort: 4444,
  localPort: 51_234,
  openedBy: 'instance',
};

const aVisit: FlowKey = { ...theShell, remotePort: 50_000, localPort: 80, openedBy: 'remote' };

const cidr = (value: string): GroupRule['peer'] => ({
  kind: 'cidr',
  cidr: value,
  family: value.includes(':') ? 'ipv6' : 'ipv4',
});

const allOut: GroupRule = {
  ruleId: 'sgr-out4',
  groupId: 'sg-1',
  direction: 'egress',
  protocol: '-1',
  fromPort: null,
  toPort: null,
  peer: cidr('0.0.0.0/0'),
};
const allOut6: GroupRule = { ...allOut, ruleId: 'sgr-out6', peer: cidr('::/0') };
const allIn: GroupRule = { ...allOut, ruleId: 'sgr-in4', direction: 'ingress' };
const http: GroupRule = { ...allIn, ruleId: 'sgr-http', protocol: 'tcp', fromPort: 80, toPort: 80 };
const http6: GroupRule = { ...http, ruleId: 'sgr-http6', peer: cidr('::/0') };
const ssh: GroupRule = { ...http, ruleId: 'sgr-ssh', fromPort: 22, toPort: 22, peer: cidr('203.0.113.1/32') };
const ping: GroupRule = { ...allIn, ruleId: 'sgr-ping', protocol: 'icmp' };

/** The group of the example in the EC2 User Guide, "Amazon EC2 security group connection tracking". */
const documented = [ssh, http, http6, ping, allOut, allOut6];

interface Situation {
  readonly rules: readonly GroupRule[] | null;
  readonly flow?: Partial<FlowKey>;
  readonly path?: PathVerdict;
  readonly timeouts?: Partial<TrackingTimeouts>;
  readonly instanceType?: string | null;
}

function classify({
  rules,
  flow = {},
  path = viaInternetGateway,
  timeouts = {},
  instanceType = 'm7i.large',
}: Situation) {
  return classifyFlow({
    flow: { ...theShell, ...flow },
    rules,
    path,
    timeouts: { ...NOTHING_SET, ...timeouts },
    instanceType,
  });
}

describe("AWS's own examples", () => {
  it('tracks SSH from one address', () => {
    const flow = { ...aVisit, remoteAddress: '203.0.113.1', localPort: 22 };
    expect(classify({ rules: documented, flow })).toMatchObject({ kind: 'tracked', ruleIds: ['sgr-ssh'] });
  });

  it('does not track HTTP from everywhere', () => {
    expect(classify({ rules: documented, flow: aVisit })).toEqual({
      kind: 'untracked',
      because:
        'inbound rule sgr-http permits it for 0.0.0.0/0 and outbound rule sgr-out4 permits every port for 0.0.0.0/0, so the groups keep no state for it',
      ruleIds: ['sgr-http', 'sgr-out4'],
      route: null,
      timeoutSeconds: 0,
      timeoutFrom: 'fixed',
    });
    const flow6: FlowKey = { ...aVisit, family: 'ipv6', remoteAddress: '2001:db8::7' };
    expect(classify({ rules: documented, flow: flow6 })).toMatchObject({
      kind: 'untracked',
      ruleIds: ['sgr-http6', 'sgr-out6'],
    });
  });

  it('always tracks ICMP', () => {
    expect(
      classify({ rules: documented, flow: { ...aVisit, protocol: 'icmp', localPort: null, remotePort: null } }).kind,
    ).toBe('tracked');
  });

  it('tracks every IPv4 flow, port 80 included, once the outbound rule for IPv4 is gone, and IPv6 as before', () => {
    const rules = documented.filter((rule) => rule !== allOut);
    expect(classify({ rules, flow: aVisit })).toMatchObject({ kind: 'tracked', ruleIds: ['sgr-http'] });
    expect(classify({ rules, flow: { ...aVisit, family: 'ipv6' } }).kind).toBe('untracked');
  });

  it('tracks the shell that an ordinary group lets out', () => {
    expect(classify({ rules: documented })).toMatchObject({
      kind: 'tracked',
      because:
        'outbound rule sgr-out4 permits it for 0.0.0.0/0, but no inbound rule permits every port (0-65535) for 0.0.0.0/0',
      ruleIds: ['sgr-out4'],
      timeoutSeconds: 432_000,
      timeoutFrom: 'instance family',
    });
  });
});

describe('which rules leave a flow untracked', () => {
  const responses = { ...allIn, protocol: 'tcp', fromPort: 0, toPort: 65_535 } as const satisfies GroupRule;
  it.each<[string, readonly GroupRule[], 'untracked' | 'tracked']>([
    ['everything both ways', [allOut, allIn], 'untracked'],
    ['all TCP ports both ways', [{ ...responses, ruleId: 'o', direction: 'egress' }, responses], 'untracked'],
    ['its port out, all ports in', [{ ...allOut, protocol: 'tcp', fromPort: 4444, toPort: 4444 }, allIn], 'untracked'],
    ['protocol 6 by number', [allOut, { ...responses, protocol: '6' }], 'untracked'],
    ['TCP without ports', [allOut, { ...responses, fromPort: null, toPort: null }], 'untracked'],
    ['rules of two groups', [allOut, { ...allIn, groupId: 'sg-2' }], 'untracked'],
    ['responses but for port 0', [allOut, { ...responses, fromPort: 1 }], 'tracked'],
    ['responses on high ports', [allOut, { ...responses, fromPort: 1024 }], 'tracked'],
    [
      'responses in two halves of the ports',
      [allOut, { ...responses, ruleId: 'a', toPort: 1023 }, { ...responses, ruleId: 'b', fromPort: 1024 }],
      'tracked',
    ],
    ['responses of the other protocol', [allOut, { ...responses, protocol: 'udp' }], 'tracked'],
    ['responses of the other family', [allOut, { ...allIn, peer: cidr('::/0') }], 'tracked'],
    ['only the other family', [allOut6, { ...allIn, peer: cidr('::/0') }], 'tracked'],
    ['another port out', [{ ...allOut, protocol: 'tcp', fromPort: 443, toPort: 443 }, allIn], 'tracked'],
    [
      'two halves of the addresses',
      [
        { ...allOut, ruleId: 'a', peer: cidr('0.0.0.0/1') },
        { ...allOut, ruleId: 'b', peer: cidr('128.0.0.0/1') },
        allIn,
      ],
      'tracked',
    ],
    ['a prefix list', [{ ...allOut, peer: { kind: 'prefix-list', prefixListId: 'pl-1' } }, allIn], 'tracked'],
    ['a group', [{ ...allOut, peer: { kind: 'group', groupId: 'sg-1' } }, allIn], 'tracked'],
    [
      'responses from a prefix list',
      [allOut, { ...allIn, peer: { kind: 'prefix-list', prefixListId: 'pl-1' } }],
      'tracked',
    ],
    [
      'mapped addresses',
      [{ ...allOut, peer: { kind: 'cidr', family: 'ipv4', cidr: '::ffff:0:0/96' } }, allIn],
      'tracked',
    ],
    ['half a port range', [{ ...allOut, protocol: 'tcp', fromPort: 4444, toPort: null }, allIn], 'tracked'],
    ['no way out', [allIn], 'tracked'],
    ['no rules at all', [], 'tracked'],
  ])('%s: %s', (_, rules, kind) => {
    expect(classify({ rules }).kind).toBe(kind);
  });

  it('asks the remote port of a flow that the instance opened, and the local port of one that it accepted', () => {
    const rules = [http, allOut];
    expect(classify({ rules, flow: { openedBy: 'remote', localPort: 80, remotePort: 1 } }).kind).toBe('untracked');
    expect(classify({ rules, flow: { openedBy: 'remote', localPort: 1, remotePort: 80 } }).kind).toBe('tracked');
    const outward = [{ ...http, direction: 'egress' as const }, allIn];
    expect(classify({ rules: outward, flow: { openedBy: 'instance', localPort: 1, remotePort: 80 } }).kind).toBe(
      'untracked',
    );
    expect(classify({ rules: outward, flow: { openedBy: 'instance', localPort: 80, remotePort: 1 } }).kind).toBe(
      'tracked',
    );
  });

  it('treats UDP as TCP, with its own rules', () => {
    expect(classify({ rules: [allOut, allIn], flow: { protocol: 'udp' } }).kind).toBe('untracked');
    expect(classify({ rules: [http, allOut], flow: { ...aVisit, protocol: 'udp' } }).kind).toBe('tracked');
  });

  it('names the narrow rules, a few of many', () => {
    const rules = ['a', 'b', 'c', 'd', 'e'].map((ruleId) => ({ ...ssh, ruleId }));
    const verdict = classify({ rules, flow: { ...aVisit, localPort: 22 } });
    expect(verdict.because).toBe('inbound rules a, b, c and 2 more permit it, but not for 0.0.0.0/0');
    expect(verdict.ruleIds).toEqual(['a', 'b', 'c', 'd', 'e']);
  });
});

describe('what is not known', () => {
  it('is unknown when the rules could not be read', () => {
    for (const protocol of ['tcp', 'udp', 'unknown']) {
      for (const openedBy of ['instance', 'remote', 'unknown'] as const) {
        expect(classify({ rules: null, flow: { protocol, openedBy } })).toMatchObject({
          kind: 'unknown',
          because: 'the rules of its groups could not be read',
        });
      }
    }
  });

  it.each<[string, readonly GroupRule[], string]>([
    ['both ways', [allOut, allIn], 'untracked'],
    ['neither way', [], 'tracked'],
    ['one way only', [http, allOut], 'unknown'],
  ])('with an unknown opener, untracked %s is %s', (_, rules, kind) => {
    expect(classify({ rules, flow: { ...aVisit, openedBy: 'unknown' } }).kind).toBe(kind);
  });

  it.each<[string, readonly GroupRule[], string]>([
    ['a rule for all ports', [allOut, allIn], 'untracked'],
    ['no rule', [], 'tracked'],
    ['a rule for one port', [http, allOut], 'unknown'],
  ])('with an unknown port, %s means %s', (_, rules, kind) => {
    expect(classify({ rules, flow: { ...aVisit, localPort: null } }).kind).toBe(kind);
    expect(classify({ rules, flow: { ...aVisit, localPort: 70_000 } }).kind).toBe(kind);
  });

  it('never takes a flow of unknown protocol for untracked: it may be ICMP', () => {
    expect(classify({ rules: [allOut, allIn], flow: { protocol: 'unknown' } }).kind).toBe('unknown');
    expect(classify({ rules: [], flow: { protocol: 'unknown' } })).toMatchObject({
      kind: 'tracked',
      timeoutSeconds: 432_000,
    });
  });

  it.each(['unknown', 'no-route'] as const)('is unknown where the rules say untracked and the path is %s', (kind) => {
    const path: PathVerdict = { ...viaInternetGateway, kind };
    expect(classify({ rules: [allOut, allIn], path })).toMatchObject({ kind: 'unknown', timeoutSeconds: 432_000 });
    expect(classify({ rules: [allOut], path }).kind).toBe('tracked');
  });

  it('does not promise that a group swap cuts a service of the VPC', () => {
    const path: PathVerdict = { ...viaInternetGateway, kind: 'vpc-service' };
    expect(classify({ rules: [allOut, allIn], path }).kind).toBe('unknown');
  });
});

describe('automatically tracked paths', () => {
  it('are tracked whatever the rules, read or not, and name the route', () => {
    for (const rules of [[allOut, allIn], [], null]) {
      for (const openedBy of ['instance', 'remote', 'unknown'] as const) {
        expect(classify({ rules, path: viaNat, flow: { openedBy } })).toMatchObject({
          kind: 'auto-tracked',
          because: 'automatically tracked whatever the rules: it leaves through a NAT gateway',
          ruleIds: [],
          route: 'rtb-1 0.0.0.0/0 nat-1',
          timeoutSeconds: 432_000,
        });
      }
    }
  });

  it('keep the fixed timers of a Network Load Balancer, whatever the interface says', () => {
    const path = through('network-load-balancer');
    const timeouts = { tcpEstablishedSeconds: 60, udpStreamSeconds: 60 };
    expect(classify({ rules: [], path, timeouts })).toMatchObject({ timeoutSeconds: 350, timeoutFrom: 'fixed' });
    expect(classify({ rules: [], path, timeouts, flow: { protocol: 'udp' } })).toMatchObject({ timeoutSeconds: 120 });
    expect(classify({ rules: [], path: viaNat, timeouts })).toMatchObject({
      timeoutSeconds: 432_000,
      timeoutFrom: 'instance family',
    });
  });

  it('say nothing of a route where none is known', () => {
    const path: PathVerdict = { ...viaNat, routeTableId: null, destination: null, targetId: null };
    expect(classify({ rules: [], path, flow: { protocol: 'unknown' } })).toMatchObject({
      kind: 'auto-tracked',
      route: null,
    });
  });
});

describe('idle timeouts', () => {
  it.each<[string, number, string]>([
    ['m7i.large', 432_000, 'instance family'],
    ['m8g.large', 432_000, 'instance family'],
    ['c8g.metal-48xl', 432_000, 'instance family'],
    ['t3.micro', 432_000, 'instance family'],
    ['p6e-gb200.36xlarge', 432_000, 'instance family'],
    ['q1.large', 432_000, 'instance family'],
    ['m8i.large', 350, 'instance family'],
    ['m8i-flex.large', 350, 'instance family'],
    ['c8i.metal-96xl', 350, 'instance family'],
    ['r8gn.xlarge', 350, 'instance family'],
    ['p6-b200.48xlarge', 350, 'instance family'],
  ])('an established TCP flow on %s lasts %i s by %s', (instanceType, timeoutSeconds, timeoutFrom) => {
    expect(classify({ rules: [], instanceType })).toMatchObject({ timeoutSeconds, timeoutFrom });
    expect(defaultTimeouts(instanceType).tcpEstablishedSeconds).toBe(timeoutSeconds);
  });

  it('takes five days for a type that is not known', () => {
    expect(classify({ rules: [], instanceType: null }).timeoutSeconds).toBe(432_000);
  });

  it('believes what the interface is set to upwards only: it may have been lowered since the flow was opened', () => {
    expect(classify({ rules: [], timeouts: { tcpEstablishedSeconds: 60 } }).timeoutSeconds).toBe(432_000);
    expect(classify({ rules: [], instanceType: 'm8i.large', timeouts: { tcpEstablishedSeconds: 3600 } })).toMatchObject(
      {
        timeoutSeconds: 3600,
        timeoutFrom: 'interface',
      },
    );
  });

  it('takes the longer UDP timer, as it cannot be told whether a flow is a stream', () => {
    const flow = { protocol: 'udp' };
    expect(classify({ rules: [], flow })).toMatchObject({ timeoutSeconds: 180, timeoutFrom: 'instance family' });
    expect(classify({ rules: [], flow, timeouts: { udpSeconds: 60, udpStreamSeconds: 60 } }).timeoutSeconds).toBe(180);
    expect(classify({ rules: [], flow, timeouts: { udpSeconds: 30 } }).timeoutSeconds).toBe(180);
  });

  it.each(['icmp', 'icmpv6', '1', '47', '50', 'gre'])('tracks protocol %s for 600 s', (protocol) => {
    expect(classify({ rules: [allOut, allIn], flow: { protocol } })).toMatchObject({
      kind: 'tracked',
      timeoutSeconds: 600,
      timeoutFrom: 'fixed',
    });
  });
});

describe('the lists', () => {
  it('name their pages', () => {
    for (const { page, readOn } of [AUTOMATIC_TRACKING_SOURCE, TIMEOUT_SOURCE, ...NITRO_V6_SOURCES]) {
      expect(page).toMatch(/^https:\/\/docs\.aws\.amazon\.com\//);
      expect(readOn).toMatch(/^\d{4}-\d{2}$/);
    }
  });

  it('hold the eight automatically tracked paths of today', () => {
    expect(Object.keys(AUTOMATIC_PATHS)).toHaveLength(8);
  });

  it('keep families in the form of an instance type, and P6e-GB200 out', () => {
    for (const family of NITRO_V6_FAMILIES) expect(family).toMatch(/^[a-z]+\d+[a-z]*(-[a-z0-9]+)?$/);
    expect(NITRO_V6_FAMILIES.has('p6e-gb200')).toBe(false);
  });

  it('keep the defaults within the limits', () => {
    for (const name of ['tcpEstablishedSeconds', 'udpSeconds', 'udpStreamSeconds'] as const) {
      const { min, max } = TIMEOUT_LIMITS[name];
      expect(DEFAULT_TIMEOUTS[name]).toBeGreaterThanOrEqual(min);
      expect(DEFAULT_TIMEOUTS[name]).toBeLessThanOrEqual(max);
    }
  });
});

describe('over all rules and flows', () => {
  const family = fc.constantFrom<Family>('ipv4', 'ipv6');
  const port = fc.oneof(fc.constantFrom(0, 22, 80, 443, 4444, 65_535), fc.nat(65_535));
  const ports = fc.oneof(
    fc.constant({ fromPort: null, toPort: null }),
    fc.constant({ fromPort: 0, toPort: 65_535 }),
    fc.tuple(port, port).map(([a, b]) => ({ fromPort: Math.min(a, b), toPort: Math.max(a, b) })),
  );
  const narrowPeer = fc.oneof(
    fc.constantFrom(
      cidr('0.0.0.0/1'),
      cidr('203.0.113.0/24'),
      cidr('198.51.100.7/32'),
      cidr('::/1'),
      cidr('2001:db8::/32'),
    ),
    fc.constant<GroupRule['peer']>({ kind: 'prefix-list', prefixListId: 'pl-1' }),
    fc.constant<GroupRule['peer']>({ kind: 'group', groupId: 'sg-2' }),
  );
  const openPeer = fc.constantFrom(cidr('0.0.0.0/0'), cidr('::/0'));
  const ruleTo = (peer: fc.Arbitrary<GroupRule['peer']>): fc.Arbitrary<GroupRule> =>
    fc
      .record({
        ruleId: fc.integer({ min: 0, max: 1e9 }).map((n) => `sgr-${n}`),
        groupId: fc.constantFrom('sg-1', 'sg-2'),
        direction: fc.constantFrom('ingress' as const, 'egress' as const),
        protocol: fc.constantFrom('-1', 'tcp', 'udp', '6', 'icmp', '47'),
        range: ports,
        peer,
      })
      .map(({ range, ...rule }) => ({ ...rule, ...range }));
  // Without a thumb on the scale hardly any flow would be untracked.
  const wideOpen = ruleTo(openPeer).map((rule) => ({ ...rule, protocol: '-1', fromPort: null, toPort: null }));
  const rules = fc.uniqueArray(fc.oneof(wideOpen, ruleTo(openPeer), ruleTo(narrowPeer)), {
    maxLength: 8,
    selector: ({ ruleId }) => ruleId,
  });
  const flow: fc.Arbitrary<FlowKey> = fc.record({
    protocol: fc.constantFrom('tcp', 'tcp', 'tcp', 'udp', 'udp', 'icmp', 'icmpv6', '47', 'unknown'),
    family,
    remoteAddress: fc.constant('198.51.100.7'),
    remotePort: fc.option(port),
    localPort: fc.option(port),
    openedBy: fc.constantFrom<Opener>('instance', 'remote', 'unknown'),
  });
  const path = fc.constantFrom<PathVerdict>(
    viaInternetGateway,
    viaNat,
    { ...viaInternetGateway, kind: 'unknown' },
    { ...viaInternetGateway, kind: 'same-subnet', crossesSubnetBoundary: false },
  );
  const kindOf = (flowKey: FlowKey, merged: readonly GroupRule[], way = viaInternetGateway) =>
    classify({ rules: merged, flow: flowKey, path: way }).kind;

  /** The rule as AWS writes it, port by port, with no thought for speed. */
  function untrackedAsWritten(key: FlowKey, merged: readonly GroupRule[]): boolean {
    const all = key.family === 'ipv4' ? '0.0.0.0/0' : '::/0';
    const permits = (direction: string, from: number, to: number) =>
      merged.some((rule) => {
        if (rule.direction !== direction || rule.peer.kind !== 'cidr' || rule.peer.cidr !== all) return false;
        if (rule.protocol === '-1') return true;
        if (normalProtocol(rule.protocol) !== key.protocol) return false;
        return (rule.fromPort ?? 0) <= from && to <= (rule.toPort ?? 65_535);
      });
    const opened = (by: 'instance' | 'remote'): boolean => {
      const [way, back] = by === 'instance' ? ['egress', 'ingress'] : ['ingress', 'egress'];
      const asked = by === 'instance' ? key.remotePort : key.localPort;
      const edges = merged.flatMap((rule) => [
        (rule.fromPort ?? 0) - 1,
        rule.fromPort ?? 0,
        rule.toPort ?? 0,
        (rule.toPort ?? 0) + 1,
      ]);
      const all16 = [0, 65_535, ...edges].filter((edge) => edge >= 0 && edge <= 65_535);
      return permits(back, 0, 65_535) && (asked === null ? all16 : [asked]).every((one) => permits(way, one, one));
    };
    if (key.protocol !== 'tcp' && key.protocol !== 'udp') return false;
    return key.openedBy === 'unknown' ? opened('instance') && opened('remote') : opened(key.openedBy);
  }

  it('calls untracked exactly what the rule as written does', () => {
    fc.assert(
      fc.property(flow, rules, (key, merged) => {
        expect(kindOf(key, merged) === 'untracked').toBe(untrackedAsWritten(key, merged));
      }),
      { numRuns: 2000 },
    );
  });

  it('a rule that is not for all addresses changes no verdict', () => {
    fc.assert(
      fc.property(flow, rules, ruleTo(narrowPeer), path, (key, merged, extra, way) => {
        expect(kindOf(key, [...merged, extra], way)).toBe(kindOf(key, merged, way));
      }),
    );
  });

  it('another rule never makes an untracked flow tracked', () => {
    fc.assert(
      fc.property(flow, rules, ruleTo(openPeer), (key, merged, extra) => {
        const wasUntracked = kindOf(key, merged) === 'untracked';
        expect(!wasUntracked || kindOf(key, [...merged, extra]) === 'untracked').toBe(true);
      }),
    );
  });

  it('rules of one family say nothing of the other', () => {
    fc.assert(
      fc.property(flow, rules, ruleTo(openPeer), (key, merged, extra) => {
        fc.pre(extra.peer.kind === 'cidr' && extra.peer.family !== key.family);
        expect(classify({ rules: [...merged, extra], flow: key })).toEqual(classify({ rules: merged, flow: key }));
      }),
    );
  });

  it('ICMP and the other protocols are tracked under any rules', () => {
    fc.assert(
      fc.property(flow, rules, (key, merged) => {
        fc.pre(!['tcp', 'udp', 'unknown'].includes(key.protocol));
        expect(kindOf(key, merged)).toBe('tracked');
      }),
    );
  });

  it('the order of the rules changes nothing, not even a word', () => {
    fc.assert(
      fc.property(flow, rules, path, fc.integer(), (key, merged, way, seed) => {
        const shuffled = [...merged]
          .sort((a, b) => ((a.ruleId.length * seed) % 7) - ((b.ruleId.length * seed) % 5))
          .reverse();
        expect(classify({ rules: shuffled, flow: key, path: way })).toEqual(
          classify({ rules: merged, flow: key, path: way }),
        );
      }),
    );
  });

  it('an automatically tracked path never leaves a flow untracked, nor does an unknown one', () => {
    fc.assert(
      fc.property(flow, rules, (key, merged) => {
        expect(kindOf(key, merged, viaNat)).not.toBe('untracked');
        expect(kindOf(key, merged, { ...viaInternetGateway, kind: 'unknown' })).not.toBe('untracked');
      }),
    );
  });

  it('compiled once and used for many flows, the answers are those of one flow at a time', () => {
    fc.assert(
      fc.property(fc.option(rules), fc.array(fc.tuple(flow, path), { maxLength: 10 }), (merged, flows) => {
        const facts = { rules: merged, timeouts: NOTHING_SET, instanceType: 'm7i.large' };
        const compiled = compileTracking(facts);
        for (const [key, way] of flows)
          expect(compiled(key, way)).toEqual(classifyFlow({ ...facts, flow: key, path: way }));
      }),
    );
  });

  it('every verdict has a sentence, and a timer unless it is untracked', () => {
    fc.assert(
      fc.property(flow, fc.option(rules), path, (key, merged, way) => {
        const { kind, because, timeoutSeconds } = classify({ rules: merged, flow: key, path: way });
        expect(because).toMatch(/^[a-zA-Z].*[^.]$/);
        expect(timeoutSeconds > 0).toBe(kind !== 'untracked');
      }),
    );
  });
});
