/**
 * What AWS publishes as lists, with page and the month in which a copy of it was read. Lists age: a row that is missing here must lead to the cautious answer
 * (tracked, the longer timer), never to the convenient one.
 */

export interface ListSource {
  readonly page: string;
  readonly readOn: string;
}

export const AUTOMATIC_TRACKING_SOURCE = {
  page: 'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html#automatic-tracking',
  readOn: '2026-11',
} as const satisfies ListSource;

/**
 * "Connections made through the following are automatically tracked, even if the security group configuration does not
 * otherwise require tracking." Until 2023 the list also named Gateway Load Balancers and transit gateway attachments;
 * it does not any more.
 */
export const AUTOMATIC_PATHS = {
  'egress-only-internet-gateway': 'an egress-only internet gateway',
  'global-accelerator': 'Global Accelerator',
  'nat-gateway': 'a NAT gateway',
  'network-firewall-endpoint': 'a Network Firewall endpoint',
  'network-load-balancer': 'a Network Load Balancer',
  'interface-endpoint': 'an interface endpoint (PrivateLink)',
  'lambda-hyperplane-interface': 'a Hyperplane network interface of Lambda',
  'dynamodb-gateway-endpoint': 'a gateway endpoint of DynamoDB',
} as const satisfies Record<string, string>;

export type AutomaticPath = keyof typeof AUTOMATIC_PATHS;

/**
 * `InterfaceType` of the ENI that holds a peer's address, where that type means an automatically tracked path.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html
 */
export const AUTOMATIC_INTERFACE_TYPES: Readonly<Record<string, AutomaticPath>> = {
  global_accelerator_managed: 'global-accelerator',
  lambda: 'lambda-hyperplane-interface',
  nat_gateway: 'nat-gateway',
  natGateway: 'nat-gateway',
  network_load_balancer: 'network-load-balancer',
  vpc_endpoint: 'interface-endpoint',
};

export const TIMEOUT_SOURCE = {
  page: 'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html#connection-tracking-timeouts',
  readOn: '2026-11',
} as const satisfies ListSource;

/** Seconds. What an ENI may be set to. */
export const TIMEOUT_LIMITS = {
  tcpEstablishedSeconds: { min: 60, max: 432_000 },
  udpSeconds: { min: 30, max: 60 },
  udpStreamSeconds: { min: 60, max: 180 },
} as const;

/** Seconds. What holds where nothing is set. */
export const DEFAULT_TIMEOUTS = {
  tcpEstablishedSeconds: 432_000,
  tcpEstablishedSecondsOnNitroV6: 350,
  udpSeconds: 30,
  udpStreamSeconds: 180,
} as const;

/** Seconds. Flows through a Network Load Balancer: fixed, whatever the ENI says. */
export const LOAD_BALANCER_TIMEOUTS = { tcp: 350, udp: 120 } as const;

/** Seconds. "For protocols other than TCP, UDP, or ICMP, only the IP address and protocol number is tracked", for 600 s. */
export const OTHER_PROTOCOL_TIMEOUT = 600;

export const NITRO_V6_SOURCES = [
  { page: 'https://docs.aws.amazon.com/ec2/latest/instancetypes/gp.html#gp_summary', readOn: '2026-11' },
  { page: 'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa.html#efa-instance-types', readOn: '2026-11' },
  { page: 'https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-nitro-instances.html', readOn: '2026-11' },
] as const satisfies readonly ListSource[];

/**
 * Instance families on Nitro v6 (the part of the type before the dot). Not on it, though close in name: m8g, c8g, r8g,
 * x8g, i8g and their `d` variants (Nitro v5). P6e-GB200 keeps the five days by AWS's own exception. A family that is not
 * listed is taken to have five days: waiting too long is safe.
 */
export const NITRO_V6_FAMILIES: ReadonlySet<string> = new Set(
  [
    'm8a m8azn m8gb m8gn m8i m8i-flex m8ib m8id m8idb m8idn m8in m8ine m9g m9gd',
    'c8a c8gb c8gn c8i c8i-flex c8ib c8id c8in c9g c9gd',
    'r8a r8gb r8gn r8i r8i-flex r8ib r8id r8idb r8idn r8in r9g r9gd x8aedz x8i',
    'i8ge g7 g7e p6-b200 p6-b300 hpc8a',
  ].flatMap((families) => families.split(' ')),
);
