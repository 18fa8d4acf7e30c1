import type { DescribeInstanceTypesCommandInput } from '@aws-sdk/client-ec2';
import { timersOf } from '../../physics/timers.ts';
import type { ApiContext, Handlers } from '../context.ts';
import { AwsError } from '../errors.ts';

const LOOKS = /^[a-z0-9-]+\.[a-z0-9-]+$/;

/** As EC2 words it; the world has every type that looks like one. */
function unknownTypes(types: readonly string[]): AwsError {
  return new AwsError(
    'InvalidInstanceType',
    `The following supplied instance types do not exist: [${types.join(', ')}]`,
  );
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html, as far as the network goes. */
function describeInstanceTypes(_context: ApiContext, input: DescribeInstanceTypesCommandInput): object {
  const types: readonly string[] = input.InstanceTypes ?? [];
  if (types.length === 0) throw new AwsError('InvalidParameterValue', 'The world lists no instance types: name them.');
  if (types.length > 100) throw new AwsError('InvalidParameterValue', 'At most 100 instance types may be named.');
  const odd = types.filter((type) => !LOOKS.test(type));
  if (odd.length > 0) throw unknownTypes(odd);
  return {
    InstanceTypes: [...new Set(types)].map((type) => {
      const { tcp, udp, udpStream } = timersOf(type, undefined);
      const ConnectionTrackingConfiguration = {
        DefaultTcpEstablishedTimeout: tcp,
        DefaultUdpTimeout: udp,
        DefaultUdpStreamTimeout: udpStream,
      };
      return { InstanceType: type, NetworkInfo: { ConnectionTrackingConfiguration } };
    }),
  };
}

export const instanceTypeHandlers: Handlers = { DescribeInstanceTypes: describeInstanceTypes };
