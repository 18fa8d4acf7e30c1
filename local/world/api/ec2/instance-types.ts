import type { DescribeInstanceTypesCommandInput } from '@aws-sdk/client-ec2';
import { isNitro } from '../../physics/nitro.ts';
import { timersOf } from '../../physics/timers.ts';
import type { ApiContext, Handlers } from '../context.ts';
import { AwsError } from '../errors.ts';
import { page } from '../paging.ts';
import { allInstances } from './find.ts';

const MOST_TYPES = 100;

/** What the world knows of a type: its hypervisor and the tracking timers that its interfaces have by default. */
function shown(InstanceType: string): object {
  const timers = timersOf(InstanceType, undefined);
  return {
    InstanceType,
    CurrentGeneration: isNitro(InstanceType),
    Hypervisor: isNitro(InstanceType) ? 'nitro' : 'xen',
    NetworkInfo: {
      ConnectionTrackingConfiguration: {
        DefaultTcpEstablishedTimeout: timers.tcp,
        DefaultUdpTimeout: timers.udp,
        DefaultUdpStreamTimeout: timers.udpStream,
      },
    },
  };
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html */
function describeInstanceTypes({ state }: ApiContext, input: DescribeInstanceTypesCommandInput): object {
  const asked: readonly string[] | undefined = input.InstanceTypes;
  const here = allInstances(state).flatMap((instance) => instance.InstanceType ?? []);
  const names = [...new Set(asked ?? here)];
  if (names.length > MOST_TYPES)
    throw new AwsError('InvalidParameterValue', `At most ${MOST_TYPES} types can be given.`);
  const unknown = names.filter((name) => !/^[a-z0-9-]+\.[a-z0-9-]+$/.test(name));
  if (unknown.length > 0) {
    throw new AwsError(
      'InvalidInstanceType',
      `The following supplied instance types do not exist: [${unknown.join(', ')}]`,
    );
  }
  const { items, nextToken } = page(names, input.MaxResults, input.NextToken);
  return { InstanceTypes: items.map(shown), NextToken: nextToken };
}

export const instanceTypeHandlers: Handlers = { DescribeInstanceTypes: describeInstanceTypes };
