import { describe, expect, it } from 'vitest';
import { parseEpisode } from '../../local/episode.ts';
import { ids, readEvent } from '../support/bench.ts';

const event = { at: 0, event: readEvent('guardduty-ec2-c2activity') };
const request = { at: 0, request: { instanceId: ids.instance } };
const restore = { at: 900, restore: { caseId: '$1', force: false } };
const by = 'arn:aws:sts::111122223333:assumed-role/ops/stranger';
const call = { service: 'ec2', api: 'StopInstances', input: { InstanceIds: [ids.instance] } };
const calls = { at: 60, calls: [call], by };
/** A finding that somebody has archived. */
const ignored = { at: 0, event: readEvent('guardduty-archived') };

describe('an episode', () => {
  it('is a list of steps, each of one kind and at its second', () => {
    const steps = parseEpisode([event, calls, request, restore].map((step, index) => ({ ...step, at: 10 * index })));

    expect(steps.map(({ at, kind, by: caller }) => [at, kind, caller])).toEqual([
      [0, 'event', null],
      [10, 'calls', by],
      [20, 'request', null],
      [30, 'restore', null],
    ]);
  });

  it('takes several steps of one second, and calls that come later than their step', () => {
    const later = { at: 0, calls: [{ ...call, at: 30 }] };

    expect(parseEpisode([event, request, later])).toHaveLength(3);
  });

  it('takes the command line for the mode of its requests, and leaves findings as they are', () => {
    const [first, second] = parseEpisode([request, event], 'observe');

    expect(first?.input).toEqual({ instanceId: ids.instance, mode: 'observe' });
    expect(second?.input).toEqual(event.event);
  });

  it('may speak of money', () => {
    const text = { ...request, request: { instanceId: ids.instance, reason: 'they want $5000' } };

    expect(parseEpisode([text])).toHaveLength(1);
  });

  it.each<[string, unknown, string, RegExp]>([
    ['no list', {}, 'episode', /not a list/],
    ['no step', [], 'episode', /no step/],
    ['a step that is no object', [event, null], 'episode[1]', /not an object/],
    ['a kind that is none', [{ at: 0, explode: {} }], 'episode[0]', /a step is one of event, request/],
    ['a kind that is misspelt', [{ at: 0, evnt: {} }], 'episode[0]', /did you mean event\?/],
    ['no kind', [{ at: 0 }], 'episode[0]', /does nothing/],
    ['two kinds', [{ ...event, ...request }], 'episode[0]', /both event and request/],
    ['no time', [{ event: event.event }], 'episode[0].at', /undefined is not a number of seconds/],
    ['a time before the beginning', [{ ...event, at: -1 }], 'episode[0].at', /-1 is not/],
    ['a time that is text', [{ ...event, at: '0' }], 'episode[0].at', /"0" is not/],
    [
      'a time out of order',
      [
        { ...event, at: 10 },
        { ...request, at: 5 },
      ],
      'episode[1].at',
      /before the step/,
    ],
    ['an approval', [event, { at: 1, decide: { caseId: '$1' } }], 'episode[1].decide', /nothing asks for an approval/],
    ['a caller of an event', [{ ...event, by }], 'episode[0].by', /goes with calls/],
    ['a caller that is no ARN', [{ ...calls, by: 'me' }], 'episode[0].by', /"me" is not the ARN/],
    ['an event that is a request', [{ at: 0, event: request.request }], 'episode[0].event', /is not an event/],
    ['a finding that cannot be read', [{ at: 0, event: { source: 'aws.s3' } }], 'episode[0].event.source', /aws.s3/],
    ['a bad request', [{ at: 0, request: { instanceId: 'i-1' } }], 'episode[0].request.instanceId', /i-1/],
    ['a request of nothing', [{ at: 0, request: 7 }], 'episode[0].request', /./],
    ['a request by a bad case', [{ at: 0, request: { caseId: 'x' } }], 'episode[0].request.caseId', /is not a case id/],
    ['a restore of a bad case', [{ at: 0, restore: { caseId: 'x' } }], 'episode[0].restore.caseId', /is not a case id/],
    ['a restore of nothing', [{ at: 0, restore: {} }], 'episode[0].restore.caseId', /./],
    ['calls that are no list', [{ at: 0, calls: call }], 'episode[0].calls', /not a list/],
    ['a call of no service', [{ at: 0, calls: [{ ...call, service: 'x' }] }], 'episode[0].calls[0].service', /not one/],
    ['a call before its step', [{ at: 5, calls: [{ ...call, at: 1 }] }], 'episode[0].calls[0].at', /before the step/],
    [
      'a call with a slip',
      [{ at: 5, calls: [{ ...call, inputs: {} }] }],
      'episode[0].calls[0]',
      /did you mean input\?/,
    ],
    [
      'the case of a later step',
      [restore, event],
      'episode[0].restore.caseId',
      /"\$1" names step 1, which is not before/,
    ],
    ['its own case', [event, { at: 1, restore: { caseId: '$2' } }], 'episode[1].restore.caseId', /not before this one/],
    ['the case of step 0', [event, { at: 1, restore: { caseId: '$0' } }], 'episode[1].restore.caseId', /not before/],
    ['the case of calls', [{ ...calls, at: 0 }, restore], 'episode[1].restore.caseId', /it is a step of calls/],
    [
      'the case of a restore',
      [event, restore, { at: 901, restore: { caseId: '$2' } }],
      'episode[2].restore.caseId',
      /it is a step of restore/,
    ],
    ['the case of what is ignored', [ignored, restore], 'episode[1].restore.caseId', /it will be ignored/],
    [
      'a property that is misspelt',
      [event, { at: 1, calls: [{ ...call, input: { InstanceIds: ['$1.denyRuleNumbr'] } }] }],
      'episode[1].calls[0].input.InstanceIds[0]',
      /did you mean denyRuleNumber\?/,
    ],
    [
      'a property among other words, of a step that opens no case',
      [
        { ...calls, at: 0 },
        { at: 1, request: { instanceId: ids.instance, reason: 'see $1.flowLogId' } },
      ],
      'episode[1].request.reason',
      /it is a step of calls/,
    ],
  ])('with %s is refused in one sentence that names the field', (_, json, field, sentence) => {
    expect(() => parseEpisode(json)).toThrow(
      expect.objectContaining({
        name: 'InputError',
        field,
        message: expect.stringMatching(sentence),
      }),
    );
  });
});
