/** Idle timeouts of the connection tracking of one ENI, in seconds. */
export interface Timers {
  readonly tcp: number;
  /** One way, or one request and one response. */
  readonly udp: number;
  readonly udpStream: number;
  /** ICMP and all other protocols. */
  readonly other: number;
}

/** Not configurable. */
export const OTHER_TIMER = 600;
/** What is left of an entry through which a RST or FIN went. */
export const CLOSE_TIMER = 10;

const DEFAULT_TIMERS: Timers = { tcp: 432_000, udp: 30, udpStream: 180, other: OTHER_TIMER };
const NITRO_V6_TCP = 350;

/**
 * Instance families of Nitro v6, whose TCP default is 350 s (but P6e-GB200 keeps 432,000 s).
 * https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-nitro-instances.html and the tables beside it, 2026-11.
 */
const NITRO_V6_FAMILIES = new Set(
  [
    'm8a m8azn m8gb m8gn m8i m8ib m8id m8idb m8idn m8i-flex m8in m8ine m9g m9gd',
    'c8a c8gb c8gn c8i c8ib c8id c8i-flex c8in c9g c9gd',
    'r8a r8gb r8gn r8i r8ib r8id r8idb r8idn r8i-flex r8in r9g r9gd x8aedz x8i',
    'i8ge g7 g7e p6-b200 p6-b300 hpc8a',
  ].flatMap((line) => line.split(' ')),
);

export function timersOf(
  instanceType: string | undefined,
  configured: { TcpEstablishedTimeout?: number; UdpTimeout?: number; UdpStreamTimeout?: number } | undefined,
): Timers {
  const family = instanceType?.split('.')[0] ?? '';
  const tcp = NITRO_V6_FAMILIES.has(family) ? NITRO_V6_TCP : DEFAULT_TIMERS.tcp;
  return {
    tcp: configured?.TcpEstablishedTimeout ?? tcp,
    udp: configured?.UdpTimeout ?? DEFAULT_TIMERS.udp,
    udpStream: configured?.UdpStreamTimeout ?? DEFAULT_TIMERS.udpStream,
    other: OTHER_TIMER,
  };
}
