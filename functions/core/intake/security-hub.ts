import { isRecord } from './input-fields.ts';

/** The version of Security Hub's own format; GuardDuty's findings have a SchemaVersion too, "2.0". */
const ASFF_VERSION = '2018-10-08';
const KEYS: readonly string[] = ['ProductArn', 'AwsAccountId', 'GeneratorId'];

/** `arn:aws:guardduty:us-east-1:111122223333:detector/<detector>/finding/<finding>` */
const GUARDDUTY_ID =
  /^arn:[a-z-]+:guardduty:([a-z0-9-]{1,30}):[0-9]{12}:detector\/([0-9a-f]{1,64})\/finding\/([0-9a-f]{1,64})$/;

/**
 * Is this, or does it list, what people copy from Security Hub? https://docs.aws.amazon.com/guardduty/latest/ug/securityhub-integration.html
 * (with an example).
 */
export function isSecurityHub(value: unknown): value is Readonly<Record<string, unknown>> {
  return isRecord(value) && (value.SchemaVersion === ASFF_VERSION || KEYS.some((key) => Object.hasOwn(value, key)));
}

/** The one sentence for it: whose format it is, and where the GuardDuty finding is that flowcut reads. */
export function securityHubText(finding: Readonly<Record<string, unknown>>): string {
  const what = "is a Security Hub finding (ASFF), not GuardDuty's own";
  const { Id: id } = finding;
  const [, region, detector, guardDutyId] = (typeof id === 'string' && GUARDDUTY_ID.exec(id)) || [];
  if (guardDutyId === undefined) return `${what}; where GuardDuty made it, its Id is the ARN of the GuardDuty finding`;
  return `${what}, which is ${guardDutyId} in the GuardDuty console of ${region}, or from "aws guardduty get-findings --region ${region} --detector-id ${detector} --finding-ids ${guardDutyId}"`;
}

/** The first finding of Security Hub in a value: the value itself, or one of its list of findings. */
export function securityHubIn(value: unknown): Readonly<Record<string, unknown>> | null {
  if (isSecurityHub(value)) return value;
  if (!isRecord(value)) return null;
  const list = value.Findings ?? value.findings;
  return Array.isArray(list) ? (list.find(isSecurityHub) ?? null) : null;
}
