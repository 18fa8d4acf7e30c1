import { AwsError } from '../errors.ts';

/** A required parameter. */
export function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) {
    throw new AwsError('MissingParameter', `The request must contain the parameter ${name}`);
  }
  return value;
}

export function invalidValue(name: string, value: unknown, why: string): AwsError {
  return new AwsError('InvalidParameterValue', `Value (${String(value)}) for parameter ${name} is invalid. ${why}`);
}

/** Only the owner of a resource in a shared VPC may change it. https://docs.aws.amazon.com/vpc/latest/userguide/vpc-sharing.html */
export function requireOwner(accountId: string, ownerId: string | undefined, action: string): void {
  if (ownerId !== undefined && ownerId !== accountId) {
    throw new AwsError(
      'UnauthorizedOperation',
      `You are not authorized to perform this operation. ${action} is for the owner.`,
    );
  }
}
