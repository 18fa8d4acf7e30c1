import type { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import type { EC2Client } from '@aws-sdk/client-ec2';
import type { ElasticLoadBalancingClient } from '@aws-sdk/client-elastic-load-balancing';
import type { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { SFNClient } from '@aws-sdk/client-sfn';
import type { SNSClient } from '@aws-sdk/client-sns';
import type { SSMClient } from '@aws-sdk/client-ssm';
import type { CaseTable } from '../aws/case-table/table.ts';
import type { FileSearch } from '../aws/flow-log-bucket.ts';
import type { Config } from '../core/config.ts';
import type { Deadline } from './deadline.ts';

/** What a step says while it works; structured, one line each. */
export interface Log {
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
}

/** Reads flow logs in the bucket of the stack. */
export interface BucketReader {
  /** Gives each file of a log, oldest first, until the deadline, a moment in ms. */
  read(search: FileSearch, deadline: number, take: (text: string, key: string) => void): Promise<void>;
  /** Another look may be answered. */
  isPassing(error: unknown): boolean;
}

/** All that a step may use; wired by handler.ts from the environment, by the local runner from the embedded world. */
export interface Toolbox {
  readonly config: Config;
  readonly ec2: EC2Client;
  readonly ssm: SSMClient;
  readonly sfn: SFNClient;
  readonly logs: CloudWatchLogsClient;
  readonly sns: SNSClient;
  readonly scaling: AutoScalingClient;
  readonly elb: ElasticLoadBalancingV2Client;
  readonly classicElb: ElasticLoadBalancingClient;
  readonly cases: CaseTable;
  readonly log: Log;
  /** Clients that few runs of a step use: loaded when they are asked for. */
  later(): Promise<Pick<Toolbox, 'scaling' | 'elb' | 'classicElb'>>;
  /** The bucket of our own flow logs: its client is loaded when it is asked for. */
  bucket(): Promise<BucketReader>;
  now(): Date;
  /** When the work of this run ends: what is left of its time then is for saying what could not be done. */
  readonly deadline: Deadline;
  sleep(seconds: number): Promise<void>;
}

type Instrument = 'ec2' | 'ssm' | 'sfn' | 'logs' | 'sns' | 'scaling' | 'elb' | 'classicElb' | 'cases';

/**
 * The part of the toolbox that a step uses: its type says which services the function calls, and its bundle holds the
 * clients of those and no others.
 */
export type Tools<K extends Instrument | 'later' | 'bucket'> = Pick<
  Toolbox,
  'config' | 'log' | 'now' | 'deadline' | 'sleep' | K
>;
