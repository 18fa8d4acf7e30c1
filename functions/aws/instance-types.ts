import { DescribeInstanceTypesCommand, type EC2Client } from '@aws-sdk/client-ec2';
import type { DefaultTimeouts } from '../core/model.ts';
import { defaultTimeouts } from '../core/network/tracking.ts';

/** Types do not change: what EC2 said of one holds for as long as the client lives. */
const known = new WeakMap<EC2Client, Map<string, DefaultTimeouts>>();

/** Seconds, or null where EC2 does not say. */
const seconds = (value: number | undefined): number | null =>
  value !== undefined && Number.isInteger(value) && value > 0 ? value : null;

/**
 * The tracking timeouts that hold on an instance type where its ENIs have none set; null = EC2 does not say. What it says in
 * part is completed from the table of families.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DefaultConnectionTrackingConfiguration.html
 */
export async function defaultTimeoutsOf(ec2: EC2Client, instanceType: string): Promise<DefaultTimeouts | null> {
  const cache = known.get(ec2) ?? new Map<string, DefaultTimeouts>();
  known.set(ec2, cache);
  const before = cache.get(instanceType);
  if (before !== undefined) return before;
  const input = { InstanceTypes: [instanceType] } as DescribeInstanceTypesCommand['input'];
  const { InstanceTypes = [] } = await ec2.send(new DescribeInstanceTypesCommand(input));
  const told = InstanceTypes.find(({ InstanceType }) => InstanceType === instanceType)?.NetworkInfo
    ?.ConnectionTrackingConfiguration;
  const tcp = seconds(told?.DefaultTcpEstablishedTimeout);
  const udp = seconds(told?.DefaultUdpTimeout);
  const stream = seconds(told?.DefaultUdpStreamTimeout);
  if (tcp === null && udp === null && stream === null) return null;
  const table = defaultTimeouts(instanceType);
  const defaults = {
    tcpEstablishedSeconds: tcp ?? table.tcpEstablishedSeconds,
    udpSeconds: udp ?? table.udpSeconds,
    udpStreamSeconds: stream ?? table.udpStreamSeconds,
  };
  cache.set(instanceType, defaults);
  return defaults;
}
