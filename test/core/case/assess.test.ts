import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  assess,
  caseFlow,
  exemptByTag,
  flowClassifier,
  placeRefusal,
  planDenies,
  refusal,
  unmodifiable,
} from '../../../functions/core/case/assess.ts';
import { type CaseFlow, mayBeSameFlow } from '../../../functions/core/case/case.ts';
import type { Facts } from '../../../functions/core/case/facts.ts';
import type { KnownFlow } from '../../../functions/core/model.ts';
import {
  caseFlowOf,
  denyOf,
  theAcl,
  theConfig,
  theEni,
  theFacts,
  theRequest,
  theShell,
} from '../../support/incident.ts';

const withInstance = (change: Partial<Facts['instance']>): Facts => ({
  ...theFacts,
  instance: { ...theFacts.instance, ...change },
});

describe('refusal', () => {
  it('lets an ordinary instance be contained, a stopped one too', () => {
    expect(refusal(theRequest, theFacts, theConfig)).toBeNull();
    expect(refusal(theRequest, withInstance({ state: 'stopped' }), theConfig)).toBeNull();
  });

  it.each<[string, Facts, string]>([
    [
      'terminated',
      withInstance({ state: 'terminated' }),
      'instance i-0000000000000ab01 is terminated: there is nothing left to contain',
    ],
    [
      'about to be terminated',
      withInstance({ state: 'shutting-down' }),
      'instance i-0000000000000ab01 is shutting-down: there is nothing left to contain',
    ],
    [
      'of another account',
      withInstance({ accountId: '444455556666' }),
      'instance i-0000000000000ab01 belongs to account 444455556666, this responder acts in 111122223333',
    ],
  ])('refuses an instance that is %s', (_, facts, reason) => {
    expect(refusal(theRequest, facts, theConfig)).toBe(reason);
  });

  it('refuses an instance that the stack lists, and none for its tags', () => {
    const facts = withInstance({ tags: { 'flowcut:exempt': 'true' } });
    const listed = { ...theConfig, exemptInstanceIds: ['i-0000000000000ab01'] };
    expect(refusal(theRequest, facts, theConfig)).toBeNull();
    expect(refusal(theRequest, facts, listed)).toContain('ExemptInstanceIds');
  });

  it.each(['', 'true', 'false'])(
    'leaves an instance to a person that has the exempt tag with the value "%s"',
    (value) => {
      const facts = withInstance({ tags: { 'no-touch': value } });
      expect(exemptByTag(facts, { exemptTag: 'hands-off' })).toBeNull();
      expect(exemptByTag(facts, { exemptTag: 'no-touch' })).toContain('tag no-touch');
    },
  );

  it.each([
    [{ accountId: '444455556666' }, 'the finding is about account 444455556666, this responder acts in 111122223333'],
    [{ region: 'eu-west-1' }, 'the finding is about Region eu-west-1, this responder acts in eu-central-1'],
  ])('refuses a finding about another place: %j', (change, reason) => {
    const request = { ...theRequest, ...change };
    expect(placeRefusal(request, theConfig)).toBe(reason);
    expect(refusal(request, theFacts, theConfig)).toBe(reason);
  });

  it('takes a request that names no place as one for here', () => {
    expect(placeRefusal({ ...theRequest, accountId: null, region: null }, theConfig)).toBeNull();
  });
});

describe('unmodifiable', () => {
  it.each([
    [{}, null],
    [{ interfaceType: 'efa' }, null],
    [{ requesterManaged: true }, 'requester-managed: only the AWS service that made it can change it'],
    [{ operator: 'eks.amazonaws.com' }, 'operated by eks.amazonaws.com: only its operator can change it'],
    [{ interfaceType: 'branch' }, 'branch interface of a container service: its groups are not ours to change'],
    [{ interfaceType: 'trunk' }, 'trunk interface of a container service: its groups are not ours to change'],
  ])('%j: %s', (change, reason) => {
    expect(unmodifiable({ ...theEni, ...change })).toBe(reason);
  });
});

describe('flowClassifier', () => {
  const second = {
    ...theEni,
    id: 'eni-2',
    groupIds: ['sg-2'],
    privateAddresses: ['10.0.1.11'],
    ipv6Addresses: [],
    deviceIndex: 1,
  };
  const open = theFacts.rules?.flatMap((rule) => [
    { ...rule, groupId: 'sg-2', fromPort: null, toPort: null, protocol: '-1' },
  ]);
  const twoEnis: Facts = {
    ...theFacts,
    interfaces: [theEni, second],
    rules: [...(theFacts.rules ?? []), ...(open ?? [])],
  };
  const classify = (facts: Facts, change: Partial<KnownFlow> = {}) => flowClassifier(facts)({ ...theShell, ...change });

  it('classifies by the groups of the ENI that has the local address', () => {
    expect(classify(twoEnis)).toMatchObject({ interfaceIds: ['eni-1'], tracking: { kind: 'tracked' } });
    expect(classify(twoEnis, { localAddress: '10.0.1.11' })).toMatchObject({
      interfaceIds: ['eni-2'],
      tracking: { kind: 'untracked' },
    });
  });

  it('believes the address before the ENI that the finding names, and the ENI where nobody holds the address', () => {
    expect(classify(twoEnis, { networkInterfaceId: 'eni-2' }).interfaceIds).toEqual(['eni-1']);
    expect(classify(twoEnis, { networkInterfaceId: 'eni-2', localAddress: '172.17.0.2' }).interfaceIds).toEqual([
      'eni-2',
    ]);
    expect(classify(twoEnis, { networkInterfaceId: 'eni-2', localAddress: null }).interfaceIds).toEqual(['eni-2']);
  });

  it('looks a peer in the VPC up in that VPC alone, whatever range it is of', () => {
    const balancer = { vpcId: 'vpc-1', interfaceType: 'network_load_balancer' };
    const elsewhere = { vpcId: 'vpc-9', interfaceType: 'interface' };
    const [table] = theFacts.routeTables ?? [];
    const local = { routeTableId: 'rtb-1', target: { kind: 'local', id: 'local' }, blackhole: false } as const;
    const routes = [...(table?.routes ?? []), { ...local, destination: '2001:db8:1::/56' }];
    const facts: Facts = { ...twoEnis, routeTables: table ? [{ ...table, routes }] : null };
    for (const remoteAddress of ['10.0.7.7', '2001:db8:1::99']) {
      const of = (...holders: readonly { vpcId: string; interfaceType: string }[]) =>
        classify({ ...facts, peers: new Map([[remoteAddress, holders]]) }, { localAddress: '10.0.1.11', remoteAddress })
          .tracking.kind;
      expect(of(balancer, elsewhere)).toBe('auto-tracked');
      expect(of(elsewhere, balancer)).toBe('auto-tracked');
      expect(of({ ...balancer, vpcId: 'vpc-9' })).not.toBe('auto-tracked');
    }
  });

  it('knows nothing of an untracked flow inside the VPC where the holder of the address could not be read', () => {
    const inside = { localAddress: '10.0.1.11', remoteAddress: '10.0.7.7' };
    expect(classify(twoEnis, inside).tracking.kind).toBe('untracked');
    expect(classify({ ...twoEnis, peers: null }, inside).tracking).toMatchObject({
      kind: 'unknown',
      timeoutSeconds: 432_000,
    });
    expect(classify({ ...twoEnis, peers: null }, { localAddress: '10.0.1.11' }).tracking.kind).toBe('untracked');
  });

  it('takes the most cautious verdict of all ENIs where the flow may be on any', () => {
    for (const change of [
      { localAddress: null },
      { localAddress: '10.9.9.9' },
      { networkInterfaceId: 'eni-gone', localAddress: null },
    ]) {
      expect(classify(twoEnis, change)).toMatchObject({
        interfaceIds: ['eni-1', 'eni-2'],
        tracking: { kind: 'tracked' },
      });
    }
  });

  it('crosses a boundary only if it does so from every ENI that may carry it', () => {
    const subnets = [...theFacts.subnets, { id: 'subnet-2', vpcId: 'vpc-1', ownerId: null, cidrs: ['10.0.2.0/24'] }];
    const apart: Facts = {
      ...twoEnis,
      subnets,
      interfaces: [theEni, { ...second, subnetId: 'subnet-2', privateAddresses: ['10.0.2.11'] }],
    };
    expect(classify(apart, { localAddress: null, remoteAddress: '10.0.2.99' }).crossesSubnetBoundary).toBe(false);
    expect(classify(apart, { remoteAddress: '10.0.2.99' }).crossesSubnetBoundary).toBe(true);
  });

  it('knows nothing where the rules could not be read, and waits as for the longest timer', () => {
    expect(classify({ ...theFacts, rules: null }).tracking).toMatchObject({ kind: 'unknown', timeoutSeconds: 432_000 });
  });

  it('knows nothing of an untracked flow whose routes could not be read', () => {
    const facts = { ...twoEnis, routeTables: null };
    expect(classify(facts, { localAddress: '10.0.1.11' }).tracking.kind).toBe('unknown');
  });

  it("knows that a peer is a load balancer by its ENI's type, and which routes a prefix list holds", () => {
    const peers = new Map([['10.0.7.7', [{ vpcId: 'vpc-1', interfaceType: 'network_load_balancer' }]]]);
    expect(
      classify({ ...twoEnis, peers }, { localAddress: '10.0.1.11', remoteAddress: '10.0.7.7' }).tracking.kind,
    ).toBe('auto-tracked');
    const [table] = theFacts.routeTables ?? [];
    const viaNat = {
      routeTableId: 'rtb-1',
      destination: 'pl-1',
      target: { kind: 'nat-gateway', id: 'nat-1' },
      blackhole: false,
    } as const;
    const routeTables = table && [{ ...table, routes: [...table.routes, viaNat] }];
    const facts: Facts = { ...twoEnis, routeTables: routeTables ?? null };
    const prefixLists = new Map([['pl-1', ['198.51.100.0/24']]]);
    expect(classify({ ...facts, prefixLists }, { localAddress: '10.0.1.11' }).tracking.kind).toBe('auto-tracked');
    expect(classify(facts, { localAddress: '10.0.1.11' }).tracking.kind).toBe('unknown');
  });

  it('takes what came in for automatically tracked where the instance stands behind a network load balancer', () => {
    const behind: Facts = { ...twoEnis, inFront: 'network-load-balancer' };
    const visit = { localAddress: '10.0.1.11', openedBy: 'remote' } as const;
    expect(classify(twoEnis, visit).tracking.kind).toBe('untracked');
    expect(classify(behind, visit).tracking.kind).toBe('auto-tracked');
    expect(classify(behind, { ...visit, openedBy: 'unknown' }).tracking.kind).toBe('auto-tracked');
    expect(classify(behind, { ...visit, openedBy: 'instance' }).tracking.kind).toBe('untracked');
  });

  it('throws where there is no ENI to carry a flow', () => {
    expect(() => classify({ ...theFacts, interfaces: [] })).toThrow('without network interfaces');
  });
});

describe('planDenies', () => {
  const plan = (flows: readonly CaseFlow[], facts: Facts = theFacts, config = theConfig) =>
    planDenies(flows, facts, config, askedFor(flows));
  const askedFor = (flows: readonly CaseFlow[]) =>
    new Set(flows.filter(({ source }) => source === 'request').map(({ remoteAddress }) => remoteAddress));

  it('wants two entries for a peer: in and out, below the allow, the single address', () => {
    expect(plan([caseFlowOf()])).toEqual({
      denies: [
        { aclId: 'acl-1', egress: false, cidr: '198.51.100.7/32', ruleNumber: 1, highestNumber: 99 },
        { aclId: 'acl-1', egress: true, cidr: '198.51.100.7/32', ruleNumber: 1, highestNumber: 99 },
      ],
      refusals: [],
    });
  });

  it('wants a /128 for an IPv6 peer', () => {
    const { denies } = plan([caseFlowOf({ family: 'ipv6', remoteAddress: '2001:db8::7', localAddress: null })]);
    expect(denies.map(({ cidr }) => cidr)).toEqual(['2001:db8::7/128', '2001:db8::7/128']);
  });

  it('wants two entries for two flows to one peer, numbers of their own for two peers', () => {
    const twice = plan([caseFlowOf(), caseFlowOf({ localPort: 50_000 })]);
    expect(twice.denies).toHaveLength(2);
    const two = plan([caseFlowOf(), caseFlowOf({ remoteAddress: '203.0.113.9' })]);
    expect(two.denies.map(({ egress, ruleNumber }) => [egress, ruleNumber])).toEqual([
      [false, 1],
      [true, 1],
      [false, 2],
      [true, 2],
    ]);
  });

  it('says without a number that an entry covers the peer already', () => {
    const acl = { ...theAcl, entries: [...theAcl.entries, denyOf('198.51.100.0/24', 50, true)] };
    expect(plan([caseFlowOf()], { ...theFacts, acls: [acl] }).denies.map(({ ruleNumber }) => ruleNumber)).toEqual([
      1,
      null,
    ]);
  });

  it('denies at one ACL once for two ENIs behind it, at two for two', () => {
    const interfaces = [theEni, { ...theEni, id: 'eni-2', subnetId: 'subnet-2' }];
    const flow = caseFlowOf({ interfaceIds: ['eni-1', 'eni-2'] });
    const facts = { ...theFacts, interfaces };
    const shared = plan([flow], { ...facts, acls: [{ ...theAcl, subnetIds: ['subnet-1', 'subnet-2'] }] });
    expect(shared.denies).toHaveLength(2);
    const apart = plan([flow], { ...facts, acls: [theAcl, { ...theAcl, id: 'acl-2', subnetIds: ['subnet-2'] }] });
    expect(apart.denies.map(({ aclId }) => aclId)).toEqual(['acl-1', 'acl-1', 'acl-2', 'acl-2']);
  });

  it('gives named peers the room when there is little', () => {
    const entries = [
      ...theAcl.entries,
      ...[true, false].flatMap((egress) =>
        Array.from({ length: 17 }, (_, i) => denyOf(`192.0.2.${i}/32`, i + 1, egress)),
      ),
    ];
    const flows = [caseFlowOf({ named: false, seenAlive: true, remoteAddress: '203.0.113.9' }), caseFlowOf()];
    const { denies, refusals } = plan(flows, { ...theFacts, acls: [{ ...theAcl, entries }] });
    expect(denies.map(({ cidr, ruleNumber }) => [cidr, ruleNumber])).toEqual([
      ['198.51.100.7/32', 18],
      ['198.51.100.7/32', 18],
    ]);
    expect(refusals.map(({ address, reason }) => [address, reason])).toEqual([
      ['203.0.113.9', 'acl-1 has no room for another inbound ipv4 entry (quota 20, the default deny included)'],
      ['203.0.113.9', 'acl-1 has no room for another outbound ipv4 entry (quota 20, the default deny included)'],
    ]);
  });

  it('gives flows that the instance opened the room before those that others opened', () => {
    const unnamed = (remoteAddress: string, openedBy: CaseFlow['openedBy']) =>
      caseFlowOf({ named: false, seenAlive: true, remoteAddress, openedBy, source: 'flow-log' });
    const { denies } = plan([
      unnamed('192.0.2.1', 'remote'),
      unnamed('192.0.2.2', 'unknown'),
      unnamed('192.0.2.3', 'instance'),
    ]);
    expect(denies.filter(({ egress }) => egress).map(({ cidr }) => cidr)).toEqual([
      '192.0.2.3/32',
      '192.0.2.2/32',
      '192.0.2.1/32',
    ]);
  });

  it.each<[string, Partial<CaseFlow>, Partial<Facts>, string]>([
    [
      'a peer in the same subnet',
      { crossesSubnetBoundary: false, remoteAddress: '10.0.1.99' },
      {},
      'the peer is in the same subnet, where a network ACL never sees the packets',
    ],
    [
      'a private peer that a finding names',
      { remoteAddress: '10.99.7.7' },
      {},
      '10.99.7.7 is a private address (RFC 1918) and denied only where a person names it',
    ],
    [
      'an address of the VPC that a finding names',
      { remoteAddress: '10.0.7.7' },
      {},
      'the peer is an address of the VPC: a deny would cut a neighbour off, so only a person asks for it',
    ],
    [
      'what may be the DNS resolver of a VPC whose routes are not known',
      { remoteAddress: '10.20.0.2', source: 'request' },
      { routeTables: null },
      "the address may be its DNS resolver's",
    ],
    [
      'the metadata service',
      { remoteAddress: '169.254.169.254' },
      {},
      '169.254.169.254 is never denied: the instance metadata service',
    ],
    ["a raw socket's peer, which is any", { remoteAddress: '0.0.0.0', source: 'host' }, {}, '0.0.0.0 is never denied'],
    [
      'a peer behind an ACL of another account',
      {},
      { acls: [{ ...theAcl, ownerId: '444455556666' }] },
      'network ACL acl-1 belongs to account 444455556666, which alone can edit it',
    ],
    ['a peer behind an ACL that could not be read', {}, { acls: [] }, 'no network ACL could be read for subnet-1'],
    [
      'a peer where rule 1 is an allow',
      {},
      { acls: [{ ...theAcl, entries: theAcl.entries.map((entry) => ({ ...entry, ruleNumber: 1 })) }] },
      'no number below it is free',
    ],
  ])('refuses %s and says why', (_, change, facts, reason) => {
    const { denies, refusals } = plan([caseFlowOf(change)], { ...theFacts, ...facts });
    expect(denies).toEqual([]);
    expect(refusals.length).toBeGreaterThan(0);
    for (const refused of refusals) {
      expect(refused.address).toBe(change.remoteAddress ?? '198.51.100.7');
      expect(refused.reason).toContain(reason);
    }
  });

  it('denies a private peer where a person asks for it by address', () => {
    const flow = caseFlowOf({ source: 'request', remoteAddress: '10.0.7.7' });
    expect(plan([flow]).denies).toHaveLength(2);
    expect(plan([{ ...flow, remoteAddress: '169.254.169.254' }]).denies).toEqual([]);
    expect(plan([{ ...flow, crossesSubnetBoundary: false }]).denies).toEqual([]);
  });

  it('goes on with the other peers after one that is refused, and with the other direction', () => {
    const flows = [caseFlowOf({ remoteAddress: '10.0.7.7' }), caseFlowOf()];
    expect(plan(flows).denies).toHaveLength(2);
    const entries = theAcl.entries.map((entry) => ({ ...entry, ruleNumber: entry.egress ? 1 : 100 }));
    const oneWay = plan([caseFlowOf()], { ...theFacts, acls: [{ ...theAcl, entries }] });
    expect(oneWay.denies.map(({ egress }) => egress)).toEqual([false]);
    expect(oneWay.refusals).toHaveLength(1);
  });

  it('denies what is named or was seen alive, two peers at most on the word of the host alone', () => {
    const peers = (count: number, net: string, change: Partial<CaseFlow>) =>
      Array.from({ length: count }, (_, i) =>
        caseFlowOf({ remoteAddress: `${net}.${i + 1}`, source: 'host', ...change }),
      );
    const wide = { ...theConfig, aclEntriesPerDirection: 40 };
    const flows = [
      ...peers(6, '192.0.2', { named: false, host: 'gone' }),
      ...peers(5, '198.51.100', { named: false, host: 'open', seenAlive: true }),
      ...peers(4, '198.18.0', { named: false, seenAlive: true, source: 'flow-log', remotePort: 443, spared: true }),
      ...peers(4, '203.0.113', { named: false, seenAlive: true, source: 'flow-log' }),
    ];
    const { denies, refusals } = plan(flows, theFacts, wide);
    const denied = denies.filter(({ egress }) => egress).map(({ cidr }) => cidr);
    expect(denied.filter((cidr) => cidr.startsWith('192.0.2.'))).toHaveLength(0);
    expect(denied.filter((cidr) => cidr.startsWith('198.51.100.'))).toHaveLength(2);
    expect(denied.filter((cidr) => cidr.startsWith('198.18.0.'))).toHaveLength(0);
    expect(denied.filter((cidr) => cidr.startsWith('203.0.113.'))).toHaveLength(4);
    expect(refusals.map(({ address }) => address)).toEqual(['198.51.100.3', '198.51.100.4', '198.51.100.5']);
  });

  it('never wants a number at or above an allow that matches, one twice, or more than the quota', () => {
    const entry = fc.record({
      ruleNumber: fc.integer({ min: 1, max: 12 }),
      egress: fc.boolean(),
      action: fc.constantFrom('allow' as const, 'deny' as const),
      cidr: fc.constantFrom('0.0.0.0/0', '198.51.100.0/24', '192.0.2.0/24', '203.0.113.9/32'),
      protocol: fc.constantFrom('-1', 'tcp'),
    });
    const entries = fc.uniqueArray(entry, { maxLength: 16, selector: (one) => `${one.egress} ${one.ruleNumber}` });
    const peers = fc.uniqueArray(fc.constantFrom('198.51.100.7', '203.0.113.9', '192.0.2.1', '192.0.2.2'), {
      minLength: 1,
    });
    fc.assert(
      fc.property(entries, peers, (drawn, addresses) => {
        const acl = {
          ...theAcl,
          entries: drawn.map((one) => ({ ...one, family: 'ipv4' as const, fromPort: null, toPort: null })),
        };
        const { denies } = plan(
          addresses.map((remoteAddress) => caseFlowOf({ remoteAddress })),
          { ...theFacts, acls: [acl] },
          { ...theConfig, aclEntriesPerDirection: 10 },
        );
        const made = denies.filter(({ ruleNumber }) => ruleNumber !== null);
        const places = [...acl.entries, ...made].map(({ egress, ruleNumber }) => `${egress} ${ruleNumber}`);
        expect(new Set(places).size).toBe(places.length);
        for (const { egress, ruleNumber, cidr } of made) {
          const allows = acl.entries.filter(
            (one) =>
              one.egress === egress &&
              one.action === 'allow' &&
              (one.cidr === '0.0.0.0/0' || cidr.startsWith(one.cidr.split('.').slice(0, 3).join('.'))),
          );
          const matching = allows.filter((one) => (one.cidr.endsWith('/32') ? one.cidr === cidr : true));
          expect(matching.every((one) => (ruleNumber ?? 0) < one.ruleNumber)).toBe(true);
          expect([...acl.entries, ...made].filter((one) => one.egress === egress).length).toBeLessThanOrEqual(
            Math.max(9, acl.entries.filter((one) => one.egress === egress).length),
          );
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('assess', () => {
  it('classifies and names every flow of the request, and plans its denies', () => {
    const { flows, denies, refusals } = assess(theRequest, theFacts, theConfig);
    expect(flows).toEqual([
      expect.objectContaining({
        id: 'tcp 10.0.1.10:51234 198.51.100.7:4444',
        named: true,
        host: null,
        interfaceIds: ['eni-1'],
        tracking: expect.objectContaining({ kind: 'tracked' }),
      }),
    ]);
    expect(denies).toHaveLength(2);
    expect(refusals).toEqual([]);
  });

  it('takes the local end of a container for what the finding does not say of the interface', () => {
    const inContainer = { ...theShell, localAddress: '172.17.0.5', localPort: 40_000 };
    const another = { ...inContainer, localAddress: '172.17.0.6' };
    const { flows } = assess({ ...theRequest, flows: [inContainer, another] }, theFacts, theConfig);

    expect(flows).toMatchObject([{ id: 'tcp *:* 198.51.100.7:4444', localAddress: null, localPort: null }]);
    expect(mayBeSameFlow(flows[0] ?? theShell, { ...theShell, source: 'host' })).toBe(true);
  });

  it.each<[string, Partial<KnownFlow>]>([
    ['an address of the interface', {}],
    ['what a person or the host says', { source: 'host', localAddress: '172.17.0.5' }],
    ['an address of a family of which the interface has none', { family: 'ipv6', localAddress: '2001:db8:1::99' }],
  ])('keeps the local end that is %s', (_, change) => {
    const flow = { ...theShell, ...change };
    const facts = { ...theFacts, interfaces: [{ ...theEni, ipv6Addresses: [] }] };

    expect(assess({ ...theRequest, flows: [flow] }, facts, theConfig).flows).toMatchObject([flow]);
  });

  it('plans nothing where no ENI could be read', () => {
    expect(assess(theRequest, { ...theFacts, interfaces: [] }, theConfig)).toEqual({
      flows: [],
      denies: [],
      refusals: [],
    });
  });

  it('gives a flow its identity and its classification', () => {
    const known = { named: false, process: 'sshd', host: 'open' } as const;
    expect(caseFlow(theShell, flowClassifier(theFacts), known)).toMatchObject({
      ...theShell,
      ...known,
      crossesSubnetBoundary: true,
    });
  });
});
