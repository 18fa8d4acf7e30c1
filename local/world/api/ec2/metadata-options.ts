import type { ModifyInstanceMetadataOptionsCommandInput } from '@aws-sdk/client-ec2';
import type { ApiContext, Handlers } from '../context.ts';
import type { Instance } from '../shapes.ts';
import { findInstance } from './find.ts';
import { refuseManaged } from './managed.ts';
import { invalidValue, required } from './require.ts';

/** Until the change reaches the instance. */
const PENDING_SECONDS = 5;

const DEFAULTS = {
  State: 'applied',
  HttpTokens: 'optional',
  HttpPutResponseHopLimit: 1,
  HttpEndpoint: 'enabled',
  HttpProtocolIpv6: 'disabled',
  InstanceMetadataTags: 'disabled',
};

const CHOICES = {
  HttpTokens: ['optional', 'required'],
  HttpEndpoint: ['enabled', 'disabled'],
  HttpProtocolIpv6: ['enabled', 'disabled'],
  InstanceMetadataTags: ['enabled', 'disabled'],
} as const;

/** What DescribeInstances says of the metadata service of an instance. */
export const metadataOptionsOf = (instance: Instance): Record<string, unknown> => ({
  ...DEFAULTS,
  ...instance.MetadataOptions,
});

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceMetadataOptions.html: pending, then applied. */
function modifyInstanceMetadataOptions(context: ApiContext, input: ModifyInstanceMetadataOptionsCommandInput): object {
  const { state, later, now } = context;
  const instance = findInstance(state, required(input.InstanceId, 'InstanceId'));
  refuseManaged(instance);
  const change = { ...chosen(input), ...hopLimit(input) };
  if (Object.keys(change).length === 0) {
    throw invalidValue('metadataOptions', 'none', 'No change was specified for any attribute.');
  }
  const options = { ...metadataOptionsOf(instance), ...change, State: 'pending' };
  instance.MetadataOptions = options;
  later(now + PENDING_SECONDS, () => {
    if (instance.MetadataOptions === options) instance.MetadataOptions = { ...options, State: 'applied' };
  });
  return { InstanceId: instance.InstanceId, InstanceMetadataOptions: options };
}

function chosen(input: ModifyInstanceMetadataOptionsCommandInput): Record<string, string> {
  const given = Object.entries(CHOICES).flatMap(([name, values]) => {
    const value: string | undefined = input[name as keyof typeof CHOICES];
    if (value === undefined) return [];
    if (!values.some((one) => one === value)) throw invalidValue(name, value, `Expecting ${values.join(' or ')}.`);
    return [[name, value] as const];
  });
  return Object.fromEntries(given);
}

function hopLimit({
  HttpPutResponseHopLimit: limit,
}: ModifyInstanceMetadataOptionsCommandInput): Record<string, number> {
  if (limit === undefined) return {};
  if (!Number.isInteger(limit) || limit < 1 || limit > 64) {
    throw invalidValue('HttpPutResponseHopLimit', limit, 'Expecting 1 to 64.');
  }
  return { HttpPutResponseHopLimit: limit };
}

export const metadataOptionHandlers: Handlers = { ModifyInstanceMetadataOptions: modifyInstanceMetadataOptions };
