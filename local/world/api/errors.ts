import { AutoScalingServiceException } from '@aws-sdk/client-auto-scaling';
import { CloudWatchLogsServiceException } from '@aws-sdk/client-cloudwatch-logs';
import { DynamoDBServiceException } from '@aws-sdk/client-dynamodb';
import { EC2ServiceException } from '@aws-sdk/client-ec2';
import { ElasticLoadBalancingServiceException } from '@aws-sdk/client-elastic-load-balancing';
import { ElasticLoadBalancingV2ServiceException } from '@aws-sdk/client-elastic-load-balancing-v2';
import { SFNServiceException } from '@aws-sdk/client-sfn';
import { SNSServiceException } from '@aws-sdk/client-sns';
import { SSMServiceException } from '@aws-sdk/client-ssm';
import { ERROR_NAMES } from '../../../functions/core/errors.ts';

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
  NotFoundException: 404,
  DryRunOperation: 412,
};

export type ServiceName = keyof typeof SERVICES;

/** The services that the world answers for, by the name of the SDK's client. */
const SERVICES = {
  ec2: { client: 'EC2Client', exception: EC2ServiceException },
  ssm: { client: 'SSMClient', exception: SSMServiceException },
  states: { client: 'SFNClient', exception: SFNServiceException },
  dynamodb: { client: 'DynamoDBClient', exception: DynamoDBServiceException },
  autoscaling: { client: 'AutoScalingClient', exception: AutoScalingServiceException },
  elbv2: { client: 'ElasticLoadBalancingV2Client', exception: ElasticLoadBalancingV2ServiceException },
  elb: { client: 'ElasticLoadBalancingClient', exception: ElasticLoadBalancingServiceException },
  logs: { client: 'CloudWatchLogsClient', exception: CloudWatchLogsServiceException },
  sns: { client: 'SNSClient', exception: SNSServiceException },
} as const;

/** `EC2Client` → `ec2`. */
export function serviceOfClient(clientName: string): ServiceName {
  for (const [name, { client }] of Object.entries(SERVICES)) {
    if (client === clientName) return name as ServiceName;
  }
  throw new WorldFaultError(`the embedded world has no service for ${clientName}`);
}

/** The error as the SDK's deserializer would have thrown it. */
export function serviceException(service: ServiceName, error: AwsError): Error {
  const Exception = SERVICES[service].exception;
  const exception = new Exception({
    name: error.code,
    message: error.message,
    $fault: error.status >= 500 ? 'server' : 'client',
    $metadata: { httpStatusCode: error.status, requestId: '00000000-0000-0000-0000-000000000000' },
  });
  const isQuery = ['ec2', 'autoscaling', 'elb', 'elbv2', 'sns'].includes(service);
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

/** What the SDK's HTTP handler throws when no answer came in time. */
export function timeoutError(seconds: number): Error {
  return Object.assign(new Error(`the request timed out after ${seconds} s without an answer`), { name: 'TimeoutError' });
}
