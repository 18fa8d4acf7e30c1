import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  askedAddresses,
  type BeforeInterface,
  beforeOf,
  type CaseDocument,
  caseIdOf,
  executionNameOf,
  flowId,
  foundAnew,
  isClosing,
  isKnownFlow,
  isNamedFlow,
  mayBeSameFlow,
  mergeRequests,
  modeOf,
  noteIdOf,
  restorableTimeouts,
  withAcls,
  withRefusals,
} from '../../../functions/core/case/case.ts';
import { SHORTEST_TIMEOUTS } from '../../../functions/core/case/expiry.ts';
import type { CaseRequest } from '../../../functions/core/intake/intake-types.ts';
import type { KnownFlow, TrackingTimeouts } from '../../../functions/core/model.ts';
import { caseFlowOf, theBefore, theCase, theEni, theRequest, theShell } from '../../support/incident.ts';

const key = { accountId: '111122223333', region: 'eu-central-1', instanceId: 'i-0000000000000ab01', generation: 1 };

/** https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html */
const EXECUTION_NAME = /^[^\s<>{}[\]?*"#%\\^|~`$&,;:/\p{Cc}]{1,80}$/u;

const anyFlow: fc.Arbitrary<KnownFlow> = fc.record({
  protocol: fc.constantFrom('tcp', 'udp', 'icmp', '47', 'unknown'),
  family: fc.constantFrom('ipv4' as const, 'ipv6' as const),
  remoteAddress: fc.oneof(fc.ipV4(), fc.ipV6()),
  remotePort: fc.option(fc.nat(65_535)),
  localAddress: fc.option(fc.ipV4()),
  localPort: fc.option(fc.nat(65_535)),
  openedBy: fc.constantFrom('instance' as const, 'remote' as const, 'unknown' as const),
  networkInterfaceId: fc.constant(null),
  source: fc.constantFrom('finding' as const, 'request' as const),
});
const anyRequest: fc.Arbitrary<CaseRequest> = fc
  .record({
    flows: fc.array(anyFlow, { maxLength: 4 }),
    updatedAt: fc.constantFrom('', '2026-01-15T09:00:00Z', '2026-01-15T10:00:00Z', '2026-01-15T16:00:00Z'),
    pids: fc.uniqueArray(fc.nat(5), { maxLength: 3 }),
    domains: fc.uniqueArray(fc.constantFrom('a.example', 'b.example')),
  })
  .map(({ flows, updatedAt, pids, domains }) => ({
    ...theRequest,
    flows: [...new Map(flows.map((flow) => [flowId(flow), flow])).values()],
    finding: theRequest.finding && { ...theRequest.finding, updatedAt },
    processes: pids.map((pid) => ({ pid, name: null, executablePath: null })),
    domains,
  }));

describe('caseIdOf', () => {
  it('is the same for the same instance and generation, and another for anything else', () => {
    const others = [
      { ...key, generation: 2 },
      { ...key, instanceId: 'i-0000000000000ab02' },
      { ...key, region: 'eu-west-1' },
      { ...key, accountId: '444455556666' },
    ];
    expect(caseIdOf({ ...key })).toBe(caseIdOf(key));
    expect(new Set([key, ...others].map(caseIdOf)).size).toBe(5);
    expect(caseIdOf(key)).toMatch(/^case-[0-9a-f]{20}$/);
  });

  it('suits the host script, which names its firewall table by it', () => {
    expect(caseIdOf(key)).toMatch(/^[a-z0-9-]{1,64}$/);
  });
});

describe('noteIdOf', () => {
  it('follows the finding, or what is said where there is none', () => {
    expect(noteIdOf(theRequest.finding, 'a')).toBe(noteIdOf(theRequest.finding, 'b'));
    expect(noteIdOf(null, 'a')).not.toBe(noteIdOf(null, 'b'));
    expect(noteIdOf(null, 'a\nb')).toMatch(/^note-[0-9a-f]{20}$/);
  });
});

describe('executionNameOf', () => {
  it('keeps within the limits of Step Functions, whatever the flows', () => {
    fc.assert(
      fc.property(anyRequest, fc.constantFrom('open' as const, 'reported' as const), (request, status) => {
        expect(executionNameOf({ caseId: caseIdOf(key), status }, request)).toMatch(EXECUTION_NAME);
      }),
      { numRuns: 200 },
    );
  });

  it('is the same for the same event, whatever the order of its flows', () => {
    const shuffled = anyRequest.chain((request) =>
      fc
        .shuffledSubarray([...request.flows], { minLength: request.flows.length })
        .map((flows) => [request, { ...request, flows }] as const),
    );
    fc.assert(
      fc.property(shuffled, ([request, other]) => {
        expect(executionNameOf(theCase, other)).toBe(executionNameOf(theCase, request));
      }),
      { numRuns: 200 },
    );
  });

  it('is another for a new peer, and for another case', () => {
    const name = executionNameOf(theCase, theRequest);
    const more = { ...theRequest, flows: [...theRequest.flows, { ...theShell, remoteAddress: '203.0.113.9' }] };
    expect(executionNameOf(theCase, more)).not.toBe(name);
    expect(executionNameOf({ ...theCase, caseId: caseIdOf(key) }, theRequest)).not.toBe(name);
  });

  it('is another for a later occurrence only once the case is reported', () => {
    const later = {
      ...theRequest,
      finding: theRequest.finding && { ...theRequest.finding, updatedAt: '2026-01-15T16:00:00Z' },
    };
    expect(executionNameOf(theCase, later)).toBe(executionNameOf(theCase, theRequest));
    const reported = { ...theCase, status: 'reported' } as const;
    expect(executionNameOf(reported, later)).not.toBe(executionNameOf(reported, theRequest));
  });
});

describe('ids of cases, notes, executions and flows', () => {
  const second = { ...theRequest, flows: [{ ...theShell, remoteAddress: '203.0.113.9' }, theShell] };
  const reported = { ...theCase, status: 'reported' } as const;

  it.each<[string, () => string, string]>([
    ['a case', () => caseIdOf(key), 'case-aa3517d658738e23bcfb'],
    ['the note of a finding', () => noteIdOf(theRequest.finding, 'a'), 'note-274d5acf7c39a6c5d78f'],
    ['a note without a finding', () => noteIdOf(null, 'a'), 'note-ca978112ca1bbdcafac2'],
    ['an execution', () => executionNameOf(theCase, second), `${theCase.caseId}-512dc0eada48`],
    ['an execution of an occurrence', () => executionNameOf(reported, second), `${theCase.caseId}-a4285b23d349`],
    [
      'an execution without a finding',
      () => executionNameOf(reported, { ...second, finding: null }),
      `${theCase.caseId}-512dc0eada48`,
    ],
    ['a flow', () => flowId(theShell), 'tcp 10.0.1.10:51234 198.51.100.7:4444'],
    [
      'a flow of which only the peer is known',
      () => flowId({ ...theShell, localAddress: null, localPort: null, remotePort: null }),
      'tcp *:* 198.51.100.7:*',
    ],
  ])('stay what they are, for cases outlive a deployment: %s', (_, idOf, known) => {
    expect(idOf()).toBe(known);
  });
});

describe('mayBeSameFlow', () => {
  it('says so of a flow and itself, and either way round', () => {
    fc.assert(
      fc.property(anyFlow, anyFlow, (a, b) => {
        expect(mayBeSameFlow(a, a)).toBe(true);
        expect(mayBeSameFlow(a, b)).toBe(mayBeSameFlow(b, a));
      }),
      { numRuns: 300 },
    );
  });

  it.each<[Partial<KnownFlow>, boolean]>([
    [{}, true],
    [{ remotePort: null, localPort: null, localAddress: null, protocol: 'unknown' }, true],
    [{ remoteAddress: '198.51.100.8' }, false],
    [{ remotePort: 4445 }, false],
    [{ localPort: 51_235 }, false],
    [{ localAddress: '10.0.1.11' }, false],
    [{ protocol: 'udp' }, false],
    [{ openedBy: 'remote', source: 'host', networkInterfaceId: 'eni-9' }, true],
  ])('%j: %s', (change, same) => {
    expect(mayBeSameFlow(theShell, { ...theShell, ...change })).toBe(same);
    expect(mayBeSameFlow({ ...theShell, ...change }, theShell)).toBe(same);
  });
});

describe('isKnownFlow', () => {
  const vague: KnownFlow = { ...theShell, localAddress: null, localPort: null, remotePort: null };

  it.each<[string, KnownFlow, boolean]>([
    ['itself', theShell, true],
    ['one to the same peer of which no port is known', vague, true],
    ['one to another peer of which no port is known', { ...vague, remoteAddress: '203.0.113.9' }, false],
    ['one from another port', { ...theShell, localPort: 51_999 }, false],
    ['one of which the local port is known', { ...theShell, remotePort: null }, false],
    ['one of which the remote port is known', { ...theShell, localPort: null }, false],
  ])('%s: %s', (_, flow, is) => {
    expect(isKnownFlow(flow, [caseFlowOf()])).toBe(is);
  });

  it('is by one of which nobody knows the local end, of the same protocol and port of the peer', () => {
    const known = [caseFlowOf({ localAddress: null, localPort: null })];

    expect(isKnownFlow(theShell, known)).toBe(true);
    expect(isKnownFlow({ ...theShell, localAddress: '172.17.0.5' }, known)).toBe(true);
    expect(isKnownFlow({ ...theShell, remotePort: 443 }, known)).toBe(false);
    expect(isKnownFlow({ ...theShell, protocol: 'udp' }, known)).toBe(false);
    expect(isKnownFlow({ ...theShell, remoteAddress: '203.0.113.9' }, known)).toBe(false);
  });

  it('is no naming: what the host alone has listed is news where somebody names it', () => {
    expect(isNamedFlow(theShell, [caseFlowOf({ named: false })])).toBe(false);
    expect(isNamedFlow(theShell, [caseFlowOf({ named: true })])).toBe(true);
  });

  it('is of no flow where the case knows none', () => {
    expect(isKnownFlow(theShell, [])).toBe(false);
  });
});

describe('askedAddresses', () => {
  it('are those of the flows that a person named', () => {
    const asked: KnownFlow = { ...theShell, remoteAddress: '10.0.2.9', source: 'request' };
    expect(askedAddresses({ ...theRequest, flows: [theShell, asked] })).toEqual(new Set(['10.0.2.9']));
  });
});

describe('isClosing', () => {
  it.each<[CaseDocument['status'], boolean]>([
    ['open', false],
    ['reported', false],
    ['restoring', true],
    ['restored', true],
  ])('of a case that is %s: %s', (status, closing) => {
    expect(isClosing({ ...theCase, status })).toBe(closing);
  });
});

describe('withRefusals', () => {
  const refusal = { address: '198.51.100.7', aclId: 'acl-1', reason: 'no room' };

  it('keeps one reason for a peer and an ACL, the newest, and all else', () => {
    const other = { ...refusal, aclId: 'acl-2' };
    const neither = { ...refusal, address: '203.0.113.9', aclId: null };
    const document = { ...theCase, denyRefusals: [refusal, other] };
    expect(withRefusals(document, [{ ...refusal, reason: 'no number' }, neither])).toEqual({
      ...theCase,
      denyRefusals: [{ ...refusal, reason: 'no number' }, other, neither],
    });
  });
});

describe('beforeOf', () => {
  it('is what a restore puts back, as it was found', () => {
    const type = { instanceType: 'm6i.large', defaultTimeouts: null };
    expect(beforeOf(theEni, type, theBefore.recordedAt)).toEqual(theBefore);
  });

  it('keeps what EC2 said of the type, which a restore writes where nothing was set', () => {
    const defaultTimeouts = { tcpEstablishedSeconds: 1200, udpSeconds: 31, udpStreamSeconds: 171 };
    const before = beforeOf(theEni, { instanceType: 'm6i.large', defaultTimeouts }, theBefore.recordedAt);
    expect(before).toEqual({ ...theBefore, defaultTimeouts });
    const nothing = { tcpEstablishedSeconds: null, udpSeconds: null, udpStreamSeconds: null };
    expect(restorableTimeouts({ ...before, timeouts: nothing })).toEqual(defaultTimeouts);
    expect(restorableTimeouts({ ...theBefore, timeouts: nothing }).tcpEstablishedSeconds).toBe(432_000);
    expect(restorableTimeouts({ ...before, timeouts: { ...nothing, udpSeconds: 45 } }).udpSeconds).toBe(45);
  });
});

describe('mergeRequests', () => {
  const second: KnownFlow = { ...theShell, remoteAddress: '203.0.113.9' };
  const next: CaseRequest = {
    ...theRequest,
    finding: theRequest.finding && { ...theRequest.finding, updatedAt: '2026-01-15T16:00:00Z', count: 2 },
    flows: [second],
    processes: [{ pid: 4242, name: 'bash', executablePath: null }],
    domains: ['c2.example'],
    notes: ['a note'],
    hints: { vpcIds: ['vpc-1'], subnetIds: [], groupIds: [] },
  };

  it('keeps every peer, process, domain, note and hint of both', () => {
    expect(mergeRequests(theRequest, next)).toMatchObject({
      flows: [theShell, second],
      processes: next.processes,
      domains: ['c2.example'],
      notes: ['a note'],
      hints: next.hints,
      finding: { count: 2 },
    });
  });

  it('keeps the highest severity, and what each finding rests on', () => {
    const dns: CaseRequest = { ...theRequest, flows: [], domains: ['c2.example'], severity: 5, domainOnly: true };
    const runtime: CaseRequest = { ...dns, severity: 8, byRuntime: true };

    expect(mergeRequests(dns, dns)).toMatchObject({ severity: 5, domainOnly: true, byRuntime: false });
    expect(mergeRequests(dns, runtime)).toMatchObject({ severity: 8, domainOnly: true, byRuntime: true });
    expect(mergeRequests(runtime, dns)).toMatchObject({ severity: 8, domainOnly: true, byRuntime: true });
    expect(mergeRequests(dns, theRequest)).toMatchObject({ severity: 8, domainOnly: false, byRuntime: false });
  });

  it('asks nothing of a case of before these were kept', () => {
    const { severity: _severity, domainOnly: _domainOnly, byRuntime: _byRuntime, ...old } = theRequest;

    expect(mergeRequests(old, old)).toMatchObject({ severity: null, domainOnly: false, byRuntime: false });
  });

  it('keeps the newer finding when they come out of order', () => {
    expect(mergeRequests(next, theRequest).finding).toEqual(next.finding);
  });

  it("lets a person's mode and reason count, a finding's silence not", () => {
    const asked = { ...next, origin: 'manual', mode: 'contain', reason: 'seen by a person', finding: null } as const;
    expect(mergeRequests(theRequest, asked)).toMatchObject({
      mode: 'contain',
      reason: 'seen by a person',
      finding: theRequest.finding,
    });
    expect(mergeRequests(asked, theRequest)).toMatchObject({ mode: 'contain', reason: 'seen by a person' });
    expect(mergeRequests(asked, { ...asked, mode: null, reason: null })).toMatchObject({
      mode: 'contain',
      reason: 'seen by a person',
    });
  });

  it('keeps the instance type that was named last', () => {
    const typed = (hints: object): CaseRequest => ({ ...theRequest, hints: { ...theRequest.hints, ...hints } });
    const [older, newer, none] = [typed({ instanceType: 'm5.large' }), typed({ instanceType: 'm6i.large' }), typed({})];
    expect(mergeRequests(older, newer).hints.instanceType).toBe('m6i.large');
    expect(mergeRequests(older, none).hints.instanceType).toBe('m5.large');
    expect(mergeRequests(none, none).hints).not.toHaveProperty('instanceType');
  });

  it('keeps hints of every kind of both, each once', () => {
    const hinted = (n: number): CaseRequest => ({
      ...theRequest,
      hints: {
        vpcIds: ['vpc-0', `vpc-${n}`],
        subnetIds: ['subnet-0', `subnet-${n}`],
        groupIds: ['sg-0', `sg-${n}`],
      },
    });
    expect(mergeRequests(hinted(1), hinted(2)).hints).toEqual({
      vpcIds: ['vpc-0', 'vpc-1', 'vpc-2'],
      subnetIds: ['subnet-0', 'subnet-1', 'subnet-2'],
      groupIds: ['sg-0', 'sg-1', 'sg-2'],
    });
  });

  it('keeps what each says of the processes and notes, each once', () => {
    const first: CaseRequest = {
      ...theRequest,
      processes: [{ pid: 1, name: 'first', executablePath: null }],
      notes: ['a note', 'the first'],
    };
    const merged = mergeRequests(first, {
      ...next,
      processes: [{ pid: 1, name: 'second', executablePath: null }, ...next.processes],
    });
    expect(merged.processes).toEqual([...first.processes, ...next.processes]);
    expect(merged.notes).toEqual(['a note', 'the first']);
  });

  it('keeps the finding that stands where another was seen at the same moment', () => {
    const twin = { ...theRequest, finding: theRequest.finding && { ...theRequest.finding, count: 9 } };
    expect(mergeRequests(theRequest, twin).finding).toEqual(theRequest.finding);
    expect(mergeRequests({ ...theRequest, finding: null }, twin).finding).toEqual(twin.finding);
  });

  it("is a person's once a person has asked, and takes no mode from a finding", () => {
    const asked = { ...next, origin: 'manual', mode: 'observe' } as const;
    expect(mergeRequests(theRequest, next).origin).toBe('finding');
    expect(mergeRequests(theRequest, asked).origin).toBe('manual');
    expect(mergeRequests(asked, theRequest)).toMatchObject({ origin: 'manual', mode: null });
  });

  it.each([
    [null, null, null],
    [null, 'contain', 'contain'],
    [null, 'observe', null],
    ['contain', null, 'contain'],
    ['contain', 'contain', 'contain'],
    ['contain', 'observe', 'contain'],
    ['observe', null, null],
    ['observe', 'contain', 'contain'],
    ['observe', 'observe', 'observe'],
  ] as const)('keeps "contain" and no look: %s and then %s is %s', (known, asked, mode) => {
    expect(mergeRequests({ ...theRequest, mode: known }, { ...next, origin: 'manual', mode: asked }).mode).toBe(mode);
  });

  it('keeps every port that is named for the host, and of each option the newer choice', () => {
    const onHost = (host: NonNullable<CaseRequest['host']>): CaseRequest => ({ ...theRequest, host });
    const first = onHost({ ports: [22, 4444], options: { survivors: 'stop', sessions: 'stop' } });
    const newer = onHost({ ports: [4444, 8080], options: { survivors: 'kill' } });
    expect(mergeRequests(first, newer).host).toEqual({
      ports: [22, 4444, 8080],
      options: { survivors: 'kill', sessions: 'stop' },
    });
    expect(mergeRequests(first, theRequest).host).toEqual(first.host);
    expect(mergeRequests(theRequest, newer).host).toEqual(newer.host);
    expect(mergeRequests(theRequest, theRequest)).not.toHaveProperty('host');
  });

  it('is the union, comes to the same in any order, and brings nothing the second time', () => {
    const ids = (request: CaseRequest) => request.flows.map(flowId).sort();
    fc.assert(
      fc.property(anyRequest, anyRequest, (a, b) => {
        const merged = mergeRequests(a, b);
        expect(ids(merged)).toEqual([...new Set([...ids(a), ...ids(b)])].sort());
        expect(mergeRequests(merged, b)).toEqual(merged);
        expect(mergeRequests(merged, a)).toEqual(merged);
        const other = mergeRequests(b, a);
        expect(ids(other)).toEqual(ids(merged));
        expect(new Set(other.domains)).toEqual(new Set(merged.domains));
        expect(new Set(other.processes.map(({ pid }) => pid))).toEqual(new Set(merged.processes.map(({ pid }) => pid)));
        expect(other.finding?.updatedAt).toBe(merged.finding?.updatedAt);
      }),
      { numRuns: 300 },
    );
  });
});

describe('withAcls', () => {
  const deny = { aclId: 'acl-2', egress: true, cidr: '198.51.100.7/32', ruleNumber: 1 };

  it('adds the ACLs of denies, and gives back the same document where there is no new one', () => {
    expect(withAcls(theCase, [deny, { ...deny, egress: false }]).aclIds).toEqual(['acl-1', 'acl-2']);
    expect(withAcls(theCase, [{ ...deny, aclId: 'acl-1' }])).toBe(theCase);
    expect(withAcls(theCase, [])).toBe(theCase);
  });
});

describe('modeOf', () => {
  it("is the request's own, otherwise the configured one", () => {
    expect(modeOf({ ...theRequest, mode: 'observe' }, 'contain')).toBe('observe');
    expect(modeOf(theRequest, 'contain')).toBe('contain');
  });
});

describe('foundAnew', () => {
  const OURS = ['sg-isolation'];
  const none = { tcpEstablishedSeconds: null, udpSeconds: null, udpStreamSeconds: null };
  const set = { tcpEstablishedSeconds: 900, udpSeconds: 40, udpStreamSeconds: 100 };
  const state = (groupIds: readonly string[], timeouts: TrackingTimeouts = none): BeforeInterface => ({
    networkInterfaceId: 'eni-1',
    vpcId: 'vpc-1',
    subnetId: 'subnet-1',
    groupIds,
    timeouts,
    instanceType: 'm6i.large',
    recordedAt: '2026-01-15T10:00:00.000Z',
  });
  const known = state(['sg-a', 'sg-b']);
  const later = { recordedAt: '2026-01-17T10:00:00.000Z' };

  it.each<[string, BeforeInterface]>([
    ['as it was found', known],
    ['isolated', state(OURS, SHORTEST_TIMEOUTS)],
    ['isolated, with a group that somebody has added', state(['sg-x', ...OURS], SHORTEST_TIMEOUTS)],
    ["given back, with the family's defaults", state(['sg-a', 'sg-b'], restorableTimeouts(known))],
  ])('is no news: %s', (_, found) => {
    expect(foundAnew(known, { ...found, ...later }, OURS)).toBeNull();
  });

  it.each<[string, readonly string[]]>([
    ['another group', ['sg-c']],
    ['one of two', ['sg-a']],
    ['one more', ['sg-a', 'sg-b', 'sg-c']],
    ['another order', ['sg-b', 'sg-a']],
    ['another second', ['sg-a', 'sg-c']],
  ])('keeps what was found before: %s', (_, groupIds) => {
    const news = foundAnew(known, { ...state(groupIds), ...later }, OURS);
    const { recordedAt, timeouts } = known;
    expect(news).toEqual({
      ...state(groupIds),
      ...later,
      earlier: [{ groupIds: ['sg-a', 'sg-b'], timeouts, recordedAt }],
    });
    const again = news && foundAnew(news, { ...state(['sg-z']), recordedAt: '2026-01-19T10:00:00.000Z' }, OURS);
    expect(again?.earlier?.map((one) => one.groupIds)).toEqual([groupIds, ['sg-a', 'sg-b']]);
  });

  it('takes timeouts that somebody has set, and the groups of before where those are ours', () => {
    expect(foundAnew(known, { ...state(OURS, set), ...later }, OURS)).toMatchObject({
      groupIds: ['sg-a', 'sg-b'],
      timeouts: set,
    });
  });
});
