import { bucketReader } from '../../../functions/shared/bucket-reader.ts';
import { readConfig } from '../../../functions/shared/environment.ts';
import type { Toolbox } from '../../../functions/shared/toolbox.ts';
import { ACCOUNT, BUCKET, type Clients, REGION, TABLE } from './clients.ts';

/** The environment that a deployment gives its functions; moto's topic and state machine in place of the stack's. */
export function functionEnvironment(over: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    AWS_REGION: REGION,
    FLOWCUT_ACCOUNT_ID: ACCOUNT,
    FLOWCUT_TABLE: TABLE,
    FLOWCUT_MODE: 'contain',
    FLOWCUT_LINUX_DOCUMENT: 'flowcut-host-linux',
    FLOWCUT_WINDOWS_DOCUMENT: 'flowcut-host-windows',
    FLOWCUT_OWN_FLOW_LOG: 'off',
    FLOWCUT_FLOW_LOG_BUCKET: `arn:aws:s3:::${BUCKET}`,
    FLOWCUT_TOPIC_ARN: `arn:aws:sns:${REGION}:${ACCOUNT}:flowcut`,
    FLOWCUT_RESPOND_STATE_MACHINE_ARN: `arn:aws:states:${REGION}:${ACCOUNT}:stateMachine:flowcut-respond`,
    ...over,
  };
}

/** What the handlers would wire in such an environment, with clients that talk to moto. */
export function toolboxOf({ dynamodb, s3, ...clients }: Clients, environment = functionEnvironment()): Toolbox {
  return {
    ...clients,
    later: () => Promise.resolve(clients),
    bucket: () => Promise.resolve(bucketReader(s3)),
    config: readConfig(environment),
    cases: { client: dynamodb, name: TABLE },
    log: { info: () => undefined, warn: () => undefined },
    now: () => new Date(),
    deadline: () => Number.POSITIVE_INFINITY,
    sleep: (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000)),
  };
}
