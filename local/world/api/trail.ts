import { madeId } from './ids.ts';
import type { ServiceName } from './sdk.ts';
import { trailParameters } from './trail-parameters.ts';

/** What EventBridge delivers of a call that CloudTrail recorded. */
export interface TrailEvent {
  readonly version: '0';
  readonly id: string;
  readonly 'detail-type': 'AWS API Call via CloudTrail';
  readonly source: string;
  readonly account: string;
  readonly time: string;
  readonly region: string;
  readonly resources: readonly string[];
  readonly detail: Record<string, unknown>;
}

/** One management call, as it went. */
export interface TrailedCall {
  readonly service: ServiceName;
  readonly call: string;
  /** Which call of this API it was on the wire. */
  readonly number: number;
  readonly input: unknown;
  readonly output: unknown;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly time: string;
  readonly accountId: string;
  readonly region: string;
  readonly callerArn: string;
}

/** `source` of the event without `aws.`, and the host in `eventSource`. */
const SOURCES: Readonly<Record<ServiceName, string>> = {
  ec2: 'ec2',
  ssm: 'ssm',
  states: 'states',
  dynamodb: 'dynamodb',
  autoscaling: 'autoscaling',
  elbv2: 'elasticloadbalancing',
  elb: 'elasticloadbalancing',
  logs: 'logs',
  sns: 'sns',
  s3: 's3',
  guardduty: 'guardduty',
};

/** Reads are in no event, and what only touches data is in no trail of management events. */
const READS = /^(Describe|Get|List|Filter|Search|Lookup|Query|Scan|BatchGet|Test)/;
const DATA_CALLS: Partial<Record<ServiceName, RegExp>> = {
  dynamodb: /Item|Write|Execute/,
  sns: /^Publish/,
  s3: /Object/,
};

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html */
export function isTrailed(service: ServiceName, call: string): boolean {
  return !READS.test(call) && DATA_CALLS[service]?.test(call) !== true;
}

/** https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html */
export function trailEvent(call: TrailedCall): TrailEvent {
  const source = SOURCES[call.service];
  const uuid = (kind: string): string => uuidOf(kind, call.service, call.call, call.number);
  return {
    version: '0',
    id: uuid('event'),
    'detail-type': 'AWS API Call via CloudTrail',
    source: `aws.${source}`,
    account: call.accountId,
    time: call.time.replace(/\.\d+Z$/, 'Z'),
    region: call.region,
    resources: [],
    detail: {
      eventVersion: '1.11',
      userIdentity: userIdentity(call),
      eventTime: call.time.replace(/\.\d+Z$/, 'Z'),
      eventSource: `${source}.amazonaws.com`,
      eventName: call.call,
      awsRegion: call.region,
      sourceIPAddress: '192.0.2.10',
      userAgent: 'aws-sdk-js/3',
      requestParameters: trailParameters(call.service, call.call, call.input),
      responseElements: call.error === null ? responseElements(call, uuid('request')) : null,
      ...(call.error !== null && { errorCode: errorCode(call), errorMessage: call.error.message }),
      requestID: uuid('request'),
      eventID: uuid('record'),
      readOnly: false,
      eventType: 'AwsApiCall',
      managementEvent: true,
      recipientAccountId: call.accountId,
      eventCategory: 'Management',
    },
  };
}

/** EC2's error codes carry their service here. */
const errorCode = ({ service, error }: TrailedCall): string =>
  service === 'ec2' ? `Client.${error?.code}` : String(error?.code);

function responseElements({ service, call, output }: TrailedCall, requestId: string): unknown {
  const shown = trailParameters(service, call, output);
  const members = typeof shown === 'object' && shown !== null ? Object.entries(shown) : [];
  return members.length === 0 ? { requestId, _return: true } : { requestId, ...Object.fromEntries(members) };
}

/** https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html */
function userIdentity({ callerArn, time }: TrailedCall): Record<string, unknown> {
  const { accountId, resource } = partsOf(callerArn);
  const [kind, ...names] = resource.split('/');
  const principal = madeId('P', callerArn).slice(2).toUpperCase();
  if (kind === 'assumed-role') {
    const [role = '', session = ''] = names;
    return {
      type: 'AssumedRole',
      principalId: `AROA${principal}:${session}`,
      arn: callerArn,
      accountId,
      accessKeyId: `ASIA${principal}`,
      sessionContext: {
        sessionIssuer: {
          type: 'Role',
          principalId: `AROA${principal}`,
          arn: `arn:aws:iam::${accountId}:role/${role}`,
          accountId,
          userName: role,
        },
        attributes: { creationDate: time.replace(/\.\d+Z$/, 'Z'), mfaAuthenticated: 'false' },
      },
    };
  }
  if (kind === 'root') return { type: 'Root', principalId: accountId, arn: callerArn, accountId };
  return {
    type: 'IAMUser',
    principalId: `AIDA${principal}`,
    arn: callerArn,
    accountId,
    accessKeyId: `AKIA${principal}`,
    userName: names.at(-1) ?? '',
  };
}

/** `arn:aws:sts::account:resource` */
function partsOf(arn: string): { accountId: string; resource: string } {
  const [, , , , accountId = '', ...resource] = arn.split(':');
  return { accountId, resource: resource.join(':') };
}

function uuidOf(...parts: readonly unknown[]): string {
  const hex = `${madeId('u', 'trail', ...parts).slice(2)}${madeId('u', 'end', ...parts).slice(2)}`;
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
