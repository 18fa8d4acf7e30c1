import * as z from 'zod/mini';
import {
  accountId,
  anyAddress,
  expected,
  fields,
  flag,
  groupId,
  hint,
  instanceId,
  integer,
  ipv4Address,
  ipv6Address,
  list,
  members,
  networkInterfaceId,
  orElse,
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
 * The fields of a GuardDuty finding that the response uses; every other field may be anything. What is null or empty is taken
 * out before (blank-fields.ts). What says who and what is cut is strict. A hint that is not well-formed is dropped: it only
 * chooses what is read first, and EC2 answers for all of it. Names as EventBridge sends them (camelCase).
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
  subnetId: hint(subnetId),
  vpcId: hint(vpcId),
  securityGroups: members(fields({ groupId: hint(groupId) })),
});

/** Read apart, and only where the finding is about the instance. */
export const instanceDetails = fields({
  instanceId: z.optional(instanceId),
  networkInterfaces: members(networkInterface),
});

/** Both families may be there at once. */
const ipDetails = fields({ ipAddressV4: z.optional(ipv4Address), ipAddressV6: z.optional(ipv6Address) });
const ownIpDetails = fields({ ipAddressV4: hint(ipv4Address), ipAddressV6: hint(ipv6Address) });
const portDetails = fields({ port: z.optional(port) });

const networkConnectionAction = fields({
  connectionDirection: z.optional(text),
  protocol: z.optional(text),
  remoteIpDetails: z.optional(ipDetails),
  remotePortDetails: z.optional(portDetails),
  localIpDetails: hint(ownIpDetails),
  localPortDetails: z.optional(portDetails),
  localNetworkInterface: hint(networkInterfaceId),
});

const portProbeAction = fields({
  portProbeDetails: z.optional(
    list(
      fields({
        remoteIpDetails: z.optional(ipDetails),
        localIpDetails: hint(ownIpDetails),
        localPortDetails: z.optional(portDetails),
      }),
    ),
  ),
});

/** What was seen. */
export const findingAction = fields({
  actionType: z.optional(text),
  networkConnectionAction: z.optional(networkConnectionAction),
  portProbeAction: z.optional(portProbeAction),
  dnsRequestAction: z.optional(fields({ domain: z.optional(plainText(255)) })),
});

/** What Runtime Monitoring says of the host. */
export const findingRuntime = fields({
  process: z.optional(
    fields({
      pid: z.optional(integer(1, 0xff_ff_ff_ff)),
      name: z.optional(plainText(256)),
      executablePath: z.optional(plainText(1024)),
    }),
  ),
});

/**
 * No body of a real sequence has been seen in public; names are those of the API model. Nothing is strict: one odd member must
 * not hide the instances that the others name.
 */
const sequence = fields({
  resources: members(
    fields({
      uid: hint(text),
      resourceType: hint(text),
      name: hint(text),
      accountId: hint(accountId),
      region: hint(region),
      data: hint(
        fields({
          ec2Instance: hint(fields({ ec2NetworkInterfaceUids: members(text) })),
          ec2NetworkInterface: hint(
            fields({
              subNetId: hint(subnetId),
              vpcId: hint(vpcId),
              securityGroups: members(fields({ groupId: hint(groupId) })),
            }),
          ),
        }),
      ),
    }),
  ),
  endpoints: members(
    fields({
      id: hint(text),
      /** null = it is no address. */
      ip: orElse(z.nullish(anyAddress), null),
      domain: hint(plainText(255)),
      port: hint(port),
      connection: hint(fields({ direction: hint(text) })),
    }),
  ),
  signals: members(fields({ type: hint(text), resourceUids: members(text), endpointIds: members(text) })),
});

/** The sequence of a finding, whatever stands there. */
export const findingSequence = hint(sequence);

/** A finding on which someone may act. */
export const findingBody = fields({
  accountId,
  region,
  resource: fields({ resourceType: z.optional(text), instanceDetails: z.optional(z.unknown()) }),
  service: z.optional(
    fields({
      action: z.optional(findingAction),
      resourceRole: z.optional(text),
      runtimeDetails: z.optional(findingRuntime),
    }),
  ),
});

export type FindingHead = z.infer<typeof findingHead>;
export type FindingBody = z.infer<typeof findingBody>;
export type InstanceDetails = z.infer<typeof instanceDetails>;
export type FindingAction = z.infer<typeof findingAction>;
export type IpDetails = z.infer<typeof ipDetails>;
export type Sequence = z.infer<typeof sequence>;
export type RuntimeDetails = z.infer<typeof findingRuntime>;
