import { isRecord } from '../../../functions/core/intake/input-fields.ts';
import { normaliseGetFindings } from '../../../functions/core/intake/normalise-getfindings.ts';

const MADE_UP: readonly (readonly [RegExp, string])[] = [
  [/i-99999999/g, 'i-0000000000000ab01'],
  [/GeneratedFindingSubnetId\d*/g, 'subnet-00000000000000b01'],
  [/GeneratedFindingVPCId\d*|vpc-generatedvpcid\d*/g, 'vpc-00000000000000a01'],
  [/GeneratedFindingSecurityId\d*/g, 'sg-00000000000000c01'],
];

/** The finding in what was published: without its envelope, or the first of a list. */
export function findingIn(published: unknown): unknown {
  if (!isRecord(published)) return published;
  const { detail = published, details } = published;
  if (isRecord(detail) && Array.isArray(detail['findings'])) return detail['findings'][0];
  return details ?? detail;
}

/** A published finding as EventBridge would have sent it, had it been a real one: camelCase, enveloped, no marks of a sample. */
export function asIfReal(published: unknown): unknown {
  const text = MADE_UP.reduce(
    (json, [pattern, id]) => json.replaceAll(pattern, id),
    JSON.stringify(normaliseGetFindings(findingIn(published), 'finding')),
  );
  const detail = JSON.parse(text);
  if (isRecord(detail['service'])) {
    delete detail['service']['additionalInfo'];
    detail['service']['archived'] = false;
  }
  // Some publishers put other digits in place of their own.
  detail['accountId'] = '111122223333';
  detail['region'] ??= 'eu-central-1';
  return { source: 'aws.guardduty', 'detail-type': 'GuardDuty Finding', detail };
}
