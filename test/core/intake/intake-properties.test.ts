import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../../functions/core/errors.ts';
import type { Intake } from '../../../functions/core/intake/intake-types.ts';
import { parseAddress } from '../../../functions/core/network/addresses.ts';
import { eventNames, type Json, outcomeOf, readEvent, withValue } from './intake-events.ts';

function instancesOf(result: Intake | InputError): string[] {
  if (result instanceof InputError) return [];
  switch (result.kind) {
    case 'case':
      return [result.request.instanceId];
    case 'ask':
      return result.requests.map(({ instanceId }) => instanceId);
    case 'ignored':
      return result.instanceId === null ? [] : [result.instanceId];
    default:
      return result satisfies never;
  }
}

function isCase(result: Intake | InputError): boolean {
  return !(result instanceof InputError) && result.kind === 'case';
}

/** An error must be one sentence; an outcome has no message. */
function oneLine(result: Intake | InputError): boolean {
  return !(result instanceof InputError) || /^[^\n\r]{1,1000}$/.test(result.message);
}

type Keys = readonly (string | number)[];

function pathsIn(value: Json, path: Keys = []): Keys[] {
  if (typeof value !== 'object' || value === null) return [path];
  const below = Array.isArray(value)
    ? value.flatMap((item, index) => pathsIn(item, [...path, index]))
    : Object.entries(value).flatMap(([key, item]) => pathsIn(item, [...path, key]));
  return [path, ...below];
}

type Mutation = { kind: 'drop' } | { kind: 'retype'; value: Json } | { kind: 'rename'; to: (key: string) => string };

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.constant<Mutation>({ kind: 'drop' }),
  fc
    .constantFrom<Json>(null, 5, -1, '5', '', 'text', [], {}, [null], { toString: 5 })
    .map((value): Mutation => ({ kind: 'retype', value })),
  fc
    .constantFrom<(key: string) => string>(
      (key) => key.charAt(0).toUpperCase() + key.slice(1),
      (key) => `${key}s`,
      (key) => key.toLowerCase(),
      () => '__proto__',
    )
    .map((to): Mutation => ({ kind: 'rename', to })),
);

function mutateAt(value: Json, [key, ...rest]: Keys, change: Mutation): Json {
  if (typeof value !== 'object' || value === null || key === undefined) return value;
  const entries = Object.entries(value).flatMap(([name, item]): [string, Json][] => {
    if (name !== String(key)) return [[name, item]];
    if (rest.length > 0) return [[name, mutateAt(item, rest, change)]];
    if (change.kind === 'drop') return [];
    return change.kind === 'retype' ? [[name, change.value]] : [[change.to(name), item]];
  });
  return Array.isArray(value) ? entries.map(([, item]) => item) : Object.fromEntries(entries);
}

const withoutAt = (event: Json, path: string): Json => mutateAt(event, path.split('.'), { kind: 'drop' });

/** What alone keeps a finding from being a case: without its mark, an archived finding is one like any other. */
const DECISIVE = ['detail.service', 'detail.service.archived'];

const mutated = fc.constantFrom(...eventNames()).chain((name) => {
  const event = readEvent(name);
  const paths = pathsIn(event).filter((path) => name !== 'guardduty-archived' || !DECISIVE.includes(path.join('.')));
  const changes = fc.array(fc.tuple(fc.constantFrom(...paths), mutation), { minLength: 1, maxLength: 3 });
  return changes.map((list) => ({
    name,
    input: list.reduce<Json>((current, [path, change]) => mutateAt(current, path, change), event),
  }));
});

describe('intake', () => {
  it('answers any JSON with an outcome or an InputError of one line', () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.object()), (input) => {
        const result = outcomeOf(input);

        expect(result).toBeInstanceOf(InputError);
        expect(oneLine(result)).toBe(true);
      }),
    );
  });

  it('answers any finding in an envelope with an outcome or an InputError', () => {
    const envelope = { source: 'aws.guardduty', 'detail-type': 'GuardDuty Finding' };

    fc.assert(
      fc.property(fc.jsonValue(), (detail) => {
        expect(outcomeOf({ ...envelope, detail })).toBeInstanceOf(InputError);
      }),
    );
  });

  it('never acts more, or on another instance, after a part of a sample was dropped, renamed or given another type', () => {
    fc.assert(
      fc.property(mutated, ({ name, input }) => {
        const original = outcomeOf(readEvent(name));
        const result = outcomeOf(input);

        expect(isCase(result) && !isCase(original)).toBe(false);
        expect(instancesOf(original)).toEqual(expect.arrayContaining(instancesOf(result)));
        expect(oneLine(result)).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });

  /** Null and "" are no more than absent there. */
  const NAMING = ['id', 'type', 'severity', 'accountId', 'region', 'resource.instanceDetails.instanceId'];

  it.each(eventNames().filter((name) => name.startsWith('guardduty-')))(
    'takes null and "" for absent, wherever they stand in %s, but where the finding is named',
    (name) => {
      const event = readEvent(name);
      const paths = pathsIn(event)
        .map((path) => path.join('.'))
        .filter((path) => path.startsWith('detail.') && !NAMING.includes(path.slice('detail.'.length)));
      const said = (input: Json) => {
        const result = outcomeOf(input);
        return result instanceof InputError ? result.message : result;
      };

      expect(paths.length).toBeGreaterThan(20);
      for (const path of paths) {
        const absent = said(withoutAt(event, path));
        expect([path, said(withValue(event, path, null))]).toEqual([path, absent]);
        expect([path, said(withValue(event, path, ''))]).toEqual([path, absent]);
      }
    },
  );

  it('takes every IPv4 address, and nothing else, for an IPv4 address', () => {
    const path = 'detail.service.action.networkConnectionAction.remoteIpDetails.ipAddressV4';
    const event = readEvent('guardduty-ec2-c2activity');
    const other = fc
      .oneof(fc.string(), fc.domain(), fc.ipV6(), fc.ipV4Extended())
      .filter((written) => written !== '' && parseAddress(written)?.family !== 'ipv4');

    fc.assert(
      fc.property(fc.ipV4(), other, (address, notAddress) => {
        expect(outcomeOf(withValue(event, path, address))).toMatchObject({
          kind: 'case',
          request: { flows: [{ remoteAddress: address }] },
        });
        expect(outcomeOf(withValue(event, path, notAddress))).toBeInstanceOf(InputError);
      }),
    );
  });

  it('never refuses a finding for the text that an attacker chose', () => {
    const process = 'detail.service.runtimeDetails.process';
    const runtime = readEvent('guardduty-runtime-c2activity');
    const domain = readEvent('guardduty-ec2-c2activity-dns');

    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 5000 }), (text) => {
        const named = withValue(withValue(runtime, `${process}.name`, text), `${process}.executablePath`, text);
        const asked = withValue(domain, 'detail.service.action.dnsRequestAction.domain', text);

        expect([outcomeOf(named), outcomeOf(asked)]).toMatchObject([{ kind: 'case' }, { kind: 'case' }]);
        expect(JSON.stringify([outcomeOf(named), outcomeOf(asked)])).not.toMatch(/\\n|\\u00|\u{202e}/u);
      }),
    );
  });
});
