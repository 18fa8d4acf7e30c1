import { describe, expect, it } from 'vitest';
import { caseReport, LEFT_OPEN, lastResorts, quietReport, undoText } from '../../../functions/core/report/report.ts';
import type { InterfaceStanding, Verdict, VerdictKind } from '../../../functions/core/verdict/verdict.ts';
import { caseFlowOf, theCase } from '../../support/incident.ts';

const isolated: InterfaceStanding = { id: 'eni-1', isolation: 'in-force', reason: null };

const verdictOf = (kind: VerdictKind): Verdict => ({
  kind,
  reason: 'because',
  basis: ['flow-log'],
  provenAt: null,
  nextProof: null,
  goesOn: [],
  flows: [
    {
      flow: caseFlowOf({ host: 'gone' }),
      named: true,
      blockedBy: 'deny',
      gone: true,
      dead: ['flow-log'],
      alive: false,
      evidence: 'observed',
    },
  ],
});

type Input = Parameters<typeof caseReport>[0];

const reportOf = (change: Partial<Input> = {}, kind: VerdictKind = 'contained') =>
  caseReport({
    document: theCase,
    verdict: verdictOf(kind),
    interfaces: [isolated],
    held: [{ aclId: 'acl-1', egress: true, cidr: '198.51.100.7/32', ruleNumber: 1, cases: [theCase.caseId] }],
    denied: new Set(),
    devices: [{ id: 'eni-1', deviceIndex: 0 }],
    notes: [],
    ...change,
  });

describe('the report of a case', () => {
  it('says the verdict, on whose word, what is held and how to undo it', () => {
    expect(reportOf()).toMatchObject({
      caseId: theCase.caseId,
      instanceId: theCase.instanceId,
      verdict: 'contained',
      reason: 'because',
      basis: ['flow-log'],
      held: [{ NetworkAclId: 'acl-1', RuleNumber: 1, Egress: true, Cidr: '198.51.100.7/32' }],
      skipped: [],
      lastResort: [],
      plan: [],
      undo: 'start the restore state machine with {"caseId": "case-0123456789abcdef0123"}',
    });
  });

  it('tells of each flow what tracks it, why, and what shows that it was cut', () => {
    expect(reportOf().flows).toEqual([
      {
        protocol: 'tcp',
        remoteAddress: '198.51.100.7',
        remotePort: 4444,
        localPort: 51_234,
        localAddress: '10.0.1.10',
        tracking: 'tracked',
        because: 'no inbound rule permits every port',
        evidence: 'observed',
      },
    ]);
  });

  it('always says what isolation does not reach, and what the request has to say', () => {
    const document = { ...theCase, request: { ...theCase.request, notes: ['the finding names a domain'] } };
    expect(reportOf({ document, notes: ['the network ACLs could not be read back'] }).leftOpen).toEqual([
      ...LEFT_OPEN,
      'the finding names a domain',
      'the network ACLs could not be read back',
    ]);
    expect(LEFT_OPEN).toEqual(expect.arrayContaining(['VPC DNS resolver', 'instance metadata']));
  });

  it('says what GuardDuty found, with its domains and processes', () => {
    const processes = [{ pid: 4242, name: 'bash', executablePath: null }];
    const document = { ...theCase, request: { ...theCase.request, domains: ['c2.example.com'], processes } };

    expect(reportOf({ document })).toMatchObject({
      finding: { ...theCase.request.finding, link: expect.stringContaining('fId=00c2a17e5f2b4d0c9a4be1d3f6a70801') },
      domains: ['c2.example.com'],
      processes,
    });
  });

  it('names what could not be done: interfaces, the host, denies', () => {
    const document = {
      ...theCase,
      host: { kind: 'unavailable', reason: 'no agent' } as const,
      denyRefusals: [
        { address: '10.0.1.99', aclId: null, reason: 'same subnet' },
        { address: '203.0.113.9', aclId: 'acl-1', reason: 'full' },
      ],
    };
    const interfaces: InterfaceStanding[] = [
      isolated,
      { id: 'eni-2', isolation: 'not-modifiable', reason: 'requester-managed' },
      { id: 'eni-3', isolation: 'failed', reason: null },
    ];
    expect(reportOf({ document, interfaces }).skipped).toEqual([
      { id: 'eni-2', reason: 'requester-managed' },
      { id: 'eni-3', reason: 'not isolated' },
      { id: 'i-0000000000000ab01', reason: 'no host cut: no agent' },
      { id: '10.0.1.99', reason: 'same subnet' },
      { id: '203.0.113.9 at acl-1', reason: 'full' },
    ]);
  });
});

describe('lastResorts', () => {
  const enis = [
    { id: 'eni-1', deviceIndex: 0 },
    { id: 'eni-2', deviceIndex: 1 },
  ];

  it.each(['leaking', 'not-proven'] as const)(
    'gives a person what is left when it is %s, least harmful first',
    (verdict) => {
      expect(lastResorts(verdict, 'i-1', enis)).toEqual([
        'detach the secondary interface eni-2',
        'stop the instance i-1 (ends every flow, loses its memory)',
        'seal its subnet, which cuts off every neighbour in it: start the state machine again with {"instanceId": "i-1", "seal": true}',
        "clone the subnet's network ACL with the denies first and associate the clone with the subnet",
      ]);
    },
  );

  it.each(['contained', 'held', 'planned', 'refused', 'ignored'] as const)('gives none when it is %s', (verdict) => {
    expect(lastResorts(verdict, 'i-1', enis)).toEqual([]);
  });
});

describe('the report of a case in which nothing was changed', () => {
  it('claims nothing and undoes nothing', () => {
    const report = quietReport({ caseId: 'note-1', instanceId: null, verdict: 'ignored', reason: 'a sample' });
    expect(report).toMatchObject({
      verdict: 'ignored',
      reason: 'a sample',
      basis: [],
      flows: [],
      held: [],
      plan: [],
      undo: null,
    });
  });

  it('carries the plan of a case that a person decides', () => {
    const plan = [{ change: 'a', why: 'b', alsoHits: 'c', undo: 'd', cuts: 'e' }];
    expect(quietReport({ caseId: 'case-1', instanceId: 'i-1', verdict: 'planned', reason: 'ask', plan }).plan).toBe(
      plan,
    );
  });
});

describe('undoText', () => {
  it('is what a person pastes into the console', () => {
    expect(undoText('case-1')).toContain('{"caseId": "case-1"}');
  });
});
