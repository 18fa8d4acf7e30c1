import { describe, expect, it } from 'vitest';
import { headStartOf } from '../../../functions/core/case/head-start.ts';

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
