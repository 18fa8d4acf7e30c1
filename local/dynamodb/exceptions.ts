import * as dynamodb from '@aws-sdk/client-dynamodb';
import type { AwsError } from '../aws-error.ts';

/** The error as the SDK's deserializer would have thrown it. */
export function dynamoDbException(error: AwsError): Error {
  const $metadata = { httpStatusCode: error.status, requestId: '00000000-0000-0000-0000-000000000000' };
  const options = { message: error.message, $metadata };
  const Modelled = (dynamodb as unknown as Record<string, unknown>)[error.code];
  const isModelled = typeof Modelled === 'function' && Modelled.prototype instanceof dynamodb.DynamoDBServiceException;
  const exception = isModelled
    ? new (Modelled as new (given: object) => Error)(options)
    : new dynamodb.DynamoDBServiceException({
        ...options,
        name: error.code,
        $fault: error.status >= 500 ? 'server' : 'client',
      });
  return Object.assign(exception, error.members);
}
