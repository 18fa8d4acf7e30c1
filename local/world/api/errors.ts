import { ERROR_NAMES } from '../../../functions/core/errors.ts';
import { exportedClass, SDK, type ServiceName } from './sdk.ts';

/** A fault of the embedded world or of its use, never an answer of AWS. */
export class WorldFaultError extends Error {
  override readonly name = ERROR_NAMES.worldFault;
}

/** An error answer of an AWS API, by the code that the service documents. */
export class AwsError extends Error {
  override readonly name = 'AwsError';
  readonly code: string;
  readonly status: number;
  /** Members of the modelled error beside the message, e.g. `CancellationReasons`. */
  readonly members: Record<string, unknown>;

  constructor(code: string, message: string, options: { status?: number; members?: Record<string, unknown> } = {}) {
    super(message);
    this.code = code;
    this.status = options.status ?? STATUS_BY_CODE[code] ?? 400;
    this.members = options.members ?? {};
  }
}

/** HTTP status where it is not 400. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html */
const STATUS_BY_CODE: Record<string, number> = {
  InternalError: 500,
  InternalFailure: 500,
  InternalServerError: 500,
  InternalServiceError: 500,
  InternalServiceException: 500,
  InternalErrorException: 500,
  InsufficientInstanceCapacity: 500,
  RequestLimitExceeded: 503,
  ServiceUnavailable: 503,
  ServiceUnavailableException: 503,
  Unavailable: 503,
  UnauthorizedOperation: 403,
  AuthFailure: 403,
  AccessDenied: 403,
  AuthorizationErrorException: 403,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  NotFoundException: 404,
  DryRunOperation: 412,
};

/** The error as the SDK's deserializer would have thrown it. */
export function serviceException(service: ServiceName, error: AwsError): Error {
  const Base = SDK[service].Exception;
  const options = {
    message: error.message,
    $metadata: { httpStatusCode: error.status, requestId: '00000000-0000-0000-0000-000000000000' },
  };
  const Modelled = exportedClass(service, error.code);
  const exception =
    Modelled?.prototype instanceof Base
      ? (new Modelled(options) as Error)
      : new Base({ ...options, name: error.code, $fault: error.status >= 500 ? 'server' : 'client' });
  const isQuery = ['ec2', 'autoscaling', 'elb', 'elbv2', 's3', 'sns'].includes(service);
  return Object.assign(exception, isQuery ? { Code: WIRE_CODES[error.code] ?? error.code } : {}, error.members);
}

/** The query protocols name these errors otherwise on the wire; the SDK gives that name as `Code`. */
const WIRE_CODES: Record<string, string> = {
  AccessPointNotFoundException: 'LoadBalancerNotFound',
  InvalidEndPointException: 'InvalidInstance',
  InvalidParameterException: 'InvalidParameter',
  InvalidTargetException: 'InvalidTarget',
  LoadBalancerNotFoundException: 'LoadBalancerNotFound',
  TargetGroupNotFoundException: 'TargetGroupNotFound',
};

/** What the SDK's HTTP handler throws when no answer came in time (test/aws/time-outs.test.ts compares the two). */
export function timeoutError(seconds: number): Error {
  const message = `@smithy/node-http-handler - [ERROR] a request has exceeded the configured ${seconds * 1000} ms requestTimeout.`;
  return Object.assign(new Error(message), { name: 'TimeoutError', code: 'ETIMEDOUT' });
}
