import * as z from 'zod/mini';
import {
  accountId,
  anyAddress,
  expected,
  fields,
  flag,
  groupId,
  instanceId,
  integer,
  ipv4Address,
  ipv6Address,
  list,
  networkInterfaceId,
  plainText,
  port,
  printable,
  record,
  region,
  subnetId,
  text,
  vpcId,
} from './input-fields.ts';

/**
 * The fields of a GuardDuty finding that the response uses, strictly; every other field may be anything, null included.
 * Names as EventBridge sends them (camelCase).
 */

/** What every finding has, acted on or not. Ids are not looked into yet: those of AWS's own samples are not well-formed. */
export const findingHead = fields({
  id: printable(300),
  type: printable(200),
  severity: z.number(expected('a number')).check(z.nonnegative(expected('a number from 0 up'))),
  accountId: text,
  region: text,
  updatedAt: z.optional(printable(64)),
  resource: record,
  service: z.optional(
    fields({
      archived: z.optional(flag),
      count: z.optional(integer(0, Number.MAX_SAFE_INTEGER)),
      additionalInfo: z.optional(fields({ sample: z.optional(flag), value: z.optional(z.unknown()) })),
    }),
  ),
});

const networkInterface = fields({
  networkInterfaceId: z.optional(networkInterfaceId),
  subnetId: z.optional(subnetId),
  vpcId: z.optional(vpcId),
  securityGroups: z.optional(list(fields({ groupId: z.optional(groupId) }))),
  privateIpAddress: z.optional(ipv4Address),
  ipv6Addresses: z.optional(list(ipv6Address)),
});

/** Read apart, and only where the finding is about the instance. */
export const instanceDetails = fields({
  instanceId: z.optional(instanceId),
  networkInterfaces: z.optional(list(networkInterface)),
});

/** Both families may be there at once. */
const ipDetails = fields({ ipAddressV4: z.optional(ipv4Address), ipAddressV6: z.optional(ipv6Address) });
const portDetails = fields({ port: z.optional(port) });

const networkConnectionAction = fields({
  connectionDirection: z.optional(text),
  protocol: z.optional(text),
  remoteIpDetails: z.optional(ipDetails),
  remotePortDetails: z.optional(portDetails),
  localIpDetails: z.optional(ipDetails),
  localPortDetails: z.optional(portDetails),
  localNetworkInterface: z.optional(networkInterfaceId),
});

const portProbeAction = fields({
  portProbeDetails: z.optional(
    list(
      fields({
        remoteIpDetails: z.optional(ipDetails),
        localIpDetails: z.optional(ipDetails),
        localPortDetails: z.optional(portDetails),
      }),
    ),
  ),
});

const action = fields({
  actionType: z.optional(text),
  networkConnectionAction: z.optional(networkConnectionAction),
  portProbeAction: z.optional(portProbeAction),
  dnsRequestAction: z.optional(fields({ domain: z.optional(plainText(255)) })),
});

const runtimeDetails = fields({
  process: z.optional(
    fields({
      pid: z.optional(integer(1, 0xff_ff_ff_ff)),
      name: z.optional(plainText(256)),
      executablePath: z.optional(plainText(1024)),
    }),
  ),
});

/** No body of a real sequence has been seen in public; names are those of the API model, so nothing but ids is strict. */
const sequence = fields({
  resources: z.optional(
    list(
      fields({
        uid: text,
        resourceType: z.optional(text),
        name: z.nullish(text),
        accountId: z.nullish(accountId),
        region: z.nullish(region),
        data: z.nullish(
          fields({
            ec2Instance: z.nullish(fields({ ec2NetworkInterfaceUids: z.nullish(list(text)) })),
            ec2NetworkInterface: z.nullish(
              fields({
                subNetId: z.nullish(subnetId),
                vpcId: z.nullish(vpcId),
                securityGroups: z.nullish(list(fields({ groupId: z.nullish(groupId) }))),
              }),
            ),
          }),
        ),
      }),
    ),
  ),
  endpoints: z.optional(
    list(
      fields({
        id: text,
        ip: z.nullish(anyAddress),
        domain: z.nullish(plainText(255)),
        port: z.nullish(port),
        connection: z.nullish(fields({ direction: z.nullish(text) })),
      }),
    ),
  ),
  signals: z.optional(list(fields({ resourceUids: z.nullish(list(text)), endpointIds: z.nullish(list(text)) }))),
});

/** A finding on which someone may act. */
export const findingBody = fields({
  accountId,
  region,
  resource: fields({ resourceType: text, instanceDetails: z.optional(z.unknown()) }),
  service: z.optional(
    fields({
      action: z.optional(action),
      resourceRole: z.optional(text),
      runtimeDetails: z.optional(runtimeDetails),
      detection: z.nullish(fields({ sequence: z.nullish(sequence) })),
    }),
  ),
});

export type FindingHead = z.infer<typeof findingHead>;
export type FindingBody = z.infer<typeof findingBody>;
export type InstanceDetails = z.infer<typeof instanceDetails>;
export type FindingAction = z.infer<typeof action>;
export type IpDetails = z.infer<typeof ipDetails>;
export type Sequence = z.infer<typeof sequence>;
