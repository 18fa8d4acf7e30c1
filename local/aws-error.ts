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
