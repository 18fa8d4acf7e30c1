import { InputError, quote } from '../errors.ts';
import { intakeFinding } from './finding-intake.ts';
import { describe, isRecord } from './input-fields.ts';
import type { Intake } from './intake-types.ts';
import { intakeManual } from './manual-request.ts';
import { securityHubIn, securityHubText } from './security-hub.ts';

const SOURCE = 'aws.guardduty';
const DETAIL_TYPE = 'GuardDuty Finding';
const EVENT = `an EventBridge event of source "${SOURCE}" and detail-type "${DETAIL_TYPE}"`;
const MANUAL = 'a manual request such as {"instanceId": "i-..."}';

/** What people hand over instead, told by a key that only it has; first match counts. */
const OTHER_SHAPES = [
  { keys: ['Records'], what: 'is wrapped (SNS, SQS or Lambda records); unwrap it first' },
  { keys: ['Message', 'MessageId', 'TopicArn'], what: 'is an SNS notification; unwrap its Message first' },
  { keys: ['body', 'receiptHandle', 'Body', 'ReceiptHandle'], what: 'is an SQS message; unwrap its body first' },
  { keys: ['findings', 'Findings'], what: 'is a list of findings; put one of them in "finding" of a manual request' },
  {
    keys: ['Type', 'Resource', 'Service'],
    what: 'is a finding as GetFindings prints it (PascalCase); put it in "finding" of a manual request',
  },
  {
    keys: ['type', 'resource', 'service'],
    what: 'is a finding without its EventBridge envelope; put it in "finding" of a manual request',
  },
] as const satisfies readonly { readonly keys: readonly string[]; readonly what: string }[];

const ENVELOPE_KEYS = ['detail', 'detail-type', 'source'] as const;

const hasAny = (input: Readonly<Record<string, unknown>>, keys: readonly string[]): boolean =>
  keys.some((key) => Object.hasOwn(input, key));

function requireText(input: Readonly<Record<string, unknown>>, field: string, wanted: string): void {
  if (input[field] !== wanted) throw new InputError(field, `${describe(input[field])}; expected ${quote(wanted)}`);
}

const FINDING = 'one GuardDuty finding in the camelCase of EventBridge';

/** Before anything else is said of it: a key of its own that is missing is not what is wrong with it. */
function refuseSecurityHub(value: unknown, field: string): void {
  const finding = securityHubIn(value);
  if (finding !== null) throw new InputError(field, securityHubText(finding));
}

function intakeEvent(event: Readonly<Record<string, unknown>>): Intake {
  refuseSecurityHub(event.detail, 'detail');
  requireText(event, 'source', SOURCE);
  requireText(event, 'detail-type', DETAIL_TYPE);
  const { detail } = event;
  if (typeof detail === 'string')
    throw new InputError('detail', `is text; expected ${FINDING}, not its JSON in a string`);
  if (!isRecord(detail)) throw new InputError('detail', `${describe(detail)}; expected ${FINDING}`);
  if (Object.keys(detail).length === 0) throw new InputError('detail', `is empty; expected ${FINDING}`);
  if (hasAny(detail, ['findings', 'Findings']))
    throw new InputError('detail', `is a list of findings; expected ${FINDING}`);
  if (hasAny(detail, ['Type', 'Id', 'AccountId', 'Resource', 'Service'])) {
    throw new InputError('detail', `has the PascalCase keys of GetFindings; expected ${FINDING}`);
  }
  return intakeFinding(detail, { root: 'detail', keys: 'camelCase' });
}

/**
 * Turns whatever arrives into what becomes of it, or throws {@link InputError}. The two shapes of input are never guessed
 * from their contents: an EventBridge envelope is an event, a top-level `instanceId` is a person's request.
 *
 * @example intake({ instanceId: 'i-0000000000000ab01', remoteAddresses: ['198.51.100.7'], mode: 'contain' })
 */
export function intake(input: unknown): Intake {
  if (!isRecord(input)) {
    const what = typeof input === 'string' ? 'is text' : describe(input);
    throw new InputError('input', `${what}; expected ${EVENT} or ${MANUAL}`);
  }
  refuseSecurityHub(input, 'input');
  const isEvent = hasAny(input, ENVELOPE_KEYS);
  if (isEvent && Object.hasOwn(input, 'instanceId')) {
    throw new InputError(
      'instanceId',
      'stands beside the keys of an event; give an event or a manual request, not both',
    );
  }
  if (isEvent) return intakeEvent(input);
  if (Object.hasOwn(input, 'instanceId')) return intakeManual(input);
  const other = OTHER_SHAPES.find(({ keys }) => hasAny(input, keys));
  if (other !== undefined) throw new InputError('input', `${other.what}; expected ${EVENT} or ${MANUAL}`);
  if (Object.keys(input).length === 0) throw new InputError('input', `is empty; expected ${EVENT} or ${MANUAL}`);
  return intakeManual(input);
}
