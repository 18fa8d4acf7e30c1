import { describe, expect, it } from 'vitest';
import { headStartOf, namedByInput } from '../../../functions/core/case/head-start.ts';

const input = {
  caseId: 'case-0123456789abcdef0123',
  instanceId: 'i-0000000000000ab01',
  hints: {
    vpcIds: ['vpc-00000000000000a01'],
    subnetIds: ['subnet-00000000000000b01'],
    groupIds: ['sg-00000000000000c01'],
  },
};

describe('headStartOf', () => {
  it('takes the instance and the ids', () => {
    expect(headStartOf(input)).toEqual({ instanceId: input.instanceId, hints: input.hints });
  });

  it('takes the instance type, where it looks like one', () => {
    const typed = (instanceType: unknown) => headStartOf({ ...input, hints: { ...input.hints, instanceType } })?.hints;
    expect(typed('m8i-flex.large')).toEqual({ ...input.hints, instanceType: 'm8i-flex.large' });
    for (const odd of [null, 7, '', 'large', 'm5.large;']) expect(typed(odd)).toEqual(input.hints);
  });

  it.each<[string, unknown]>([
    ['a case id alone', { caseId: input.caseId }],
    ['no object', 'i-0000000000000ab01'],
    ['null', null],
    ['what is no instance id', { ...input, instanceId: 'i-0 and more' }],
    ['hints that are none', { ...input, hints: null }],
    ['hints that are text', { ...input, hints: 'vpc-00000000000000a01' }],
  ])('finds none in %s', (_, given) => {
    expect(headStartOf(given)).toBeNull();
  });

  it('leaves out what is no id, and what is no list', () => {
    const hints = { vpcIds: ['vpc-00000000000000a01', 'subnet-00000000000000b01', 7, 'vpc-*'], groupIds: 'sg-1' };
    expect(headStartOf({ ...input, hints })?.hints).toEqual({
      vpcIds: ['vpc-00000000000000a01'],
      subnetIds: [],
      groupIds: [],
    });
  });

  it('takes so many ids of one kind and no more', () => {
    const vpcIds = Array.from({ length: 50 }, (_, index) => `vpc-${String(index).padStart(8, '0')}`);
    expect(headStartOf({ ...input, hints: { vpcIds } })?.hints.vpcIds).toEqual(vpcIds.slice(0, 20));
  });
});

describe('namedByInput', () => {
  const { instanceId } = input;
  const peers = ['198.51.100.7', '2001:db8::7'];

  it.each<[string, unknown, ReturnType<typeof namedByInput>]>([
    ["a person's request", { instanceId, remoteAddresses: peers, mode: 'contain' }, { instanceId, peers }],
    [
      'the input that a finding has started with',
      { ...input, hints: { ...input.hints, peers } },
      { instanceId, peers },
    ],
    ['an instance alone', { instanceId }, { instanceId, peers: [] }],
    ['a case alone', { caseId: input.caseId }, { instanceId: null, peers: [] }],
    ['hints without peers', input, { instanceId, peers: [] }],
    ['what is no object', 'i-0000000000000ab01', { instanceId: null, peers: [] }],
    ['nothing', null, { instanceId: null, peers: [] }],
    ['an instance id that is none', { instanceId: 'i-0 and more' }, { instanceId: null, peers: [] }],
    ['addresses that are no list', { instanceId, remoteAddresses: peers[0] }, { instanceId, peers: [] }],
    ['hints that are none', { instanceId, hints: null }, { instanceId, peers: [] }],
    [
      'one address twice, and what is none',
      { instanceId, remoteAddresses: [peers[0], '2001:DB8::7', '10.0.0.300', 7, null], hints: { peers: [peers[1]] } },
      { instanceId, peers },
    ],
  ])('reads %s', (_, given, named) => {
    expect(namedByInput(given)).toEqual(named);
  });

  it('takes so many peers and no more', () => {
    const remoteAddresses = Array.from({ length: 50 }, (_, index) => `198.51.100.${index}`);
    expect(namedByInput({ instanceId, remoteAddresses }).peers).toEqual(remoteAddresses.slice(0, 20));
  });
});
