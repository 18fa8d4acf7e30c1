import type { DefaultTimeouts, Family, GroupRule, KnownFlow, Opener, Protocol, TrackingTimeouts } from '../model.ts';
import { canonicalCidr } from './addresses.ts';
import type { PathVerdict } from './routes.ts';
import {
  DEFAULT_TIMEOUTS,
  LOAD_BALANCER_TIMEOUTS,
  NITRO_V6_FAMILIES,
  OTHER_PROTOCOL_TIMEOUT,
} from './tracking-data.ts';

/** What of a flow decides whether security groups track it. */
export type FlowKey = Pick<
  KnownFlow,
  'protocol' | 'family' | 'remoteAddress' | 'remotePort' | 'localPort' | 'openedBy'
>;

/**
 * Whether the security groups keep state for a flow. There is no API that tells: the verdict is computed from the rules and
 * routes as they are now, so it does not know of a flow that began under narrower rules. Only `untracked` means that a swap
 * of the groups ends the flow; `unknown` is to be treated as tracked.
 */
export interface TrackingVerdict {
  readonly kind: 'untracked' | 'tracked' | 'auto-tracked' | 'unknown';
  /** One sentence for a responder. */
  readonly because: string;
  /** Rules that decided, if rules did. */
  readonly ruleIds: readonly string[];
  /** Route that decided, if a route did. */
  readonly route: string | null;
  /** Idle timeout in force for this flow, in seconds; 0 where there is no entry to time out. */
  readonly timeoutSeconds: number;
  /** `fixed`: no setting of ours reaches it. */
  readonly timeoutFrom: 'interface' | 'instance type' | 'instance family' | 'fixed';
}

/** What is the same for every flow of one ENI. */
export interface InterfaceTracking {
  /** Rules of all groups of the ENI, merged; null = they could not be read. */
  readonly rules: readonly GroupRule[] | null;
  readonly timeouts: TrackingTimeouts;
  readonly instanceType: string | null;
  /** What EC2 says of the type; null or absent = it does not, so the table of families holds. */
  readonly defaultTimeouts?: DefaultTimeouts | null;
}

type Direction = GroupRule['direction'];
type Ported = 'tcp' | 'udp';
type Timer = Pick<TrackingVerdict, 'timeoutSeconds' | 'timeoutFrom'>;
type Finding = Pick<TrackingVerdict, 'kind' | 'because' | 'ruleIds'>;

/**
 * Verdicts by port: `verdict(i)` holds for the ports up to and including `lasts[i]`, `any()` where the port is not known.
 * Each is decided when it is first asked for: of the thousands of stretches that large groups make, flows touch few.
 */
interface PortTable {
  readonly lasts: readonly number[];
  readonly verdict: (index: number) => TrackingVerdict;
  readonly any: () => TrackingVerdict;
}

const LAST_PORT = 65_535;
const OPPOSITE = { ingress: 'egress', egress: 'ingress' } as const satisfies Record<Direction, Direction>;
const WORD = { ingress: 'inbound', egress: 'outbound' } as const satisfies Record<Direction, string>;

/** Only these two CIDRs are named. Prefix lists, group references and two halves of a /1 leave a flow tracked. */
const ALL_ADDRESSES = { ipv4: '0.0.0.0/0', ipv6: '::/0' } as const satisfies Record<Family, string>;

const NUMBERED: Readonly<Record<string, Protocol>> = { '1': 'icmp', '6': 'tcp', '17': 'udp', '58': 'icmpv6' };

/** Protocol by one name each: `"6"` and `"TCP"` are `tcp`. */
export function normalProtocol(protocol: Protocol): Protocol {
  const lower = protocol.toLowerCase();
  return NUMBERED[lower] ?? lower;
}

/**
 * The defaults of a type where EC2 does not tell them: "350 seconds for Nitrov6 instance types, excluding P6e-GB200. And 432000 seconds for other instance types".
 * A type that is not known has five days: waiting too long is safe.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html#connection-tracking-timeouts
 */
export function defaultTimeouts(instanceType: string | null): DefaultTimeouts {
  const family = instanceType?.split('.')[0] ?? '';
  const { tcpEstablishedSecondsOnNitroV6, tcpEstablishedSeconds, udpSeconds, udpStreamSeconds } = DEFAULT_TIMEOUTS;
  const onNitroV6 = NITRO_V6_FAMILIES.has(family);
  return {
    tcpEstablishedSeconds: onNitroV6 ? tcpEstablishedSecondsOnNitroV6 : tcpEstablishedSeconds,
    udpSeconds,
    udpStreamSeconds,
  };
}

const fixed = (timeoutSeconds: number): Timer => ({ timeoutSeconds, timeoutFrom: 'fixed' });

function longest(first: Timer, ...rest: readonly Timer[]): Timer {
  return rest.reduce((a, b) => (b.timeoutSeconds > a.timeoutSeconds ? b : a), first);
}

/** What an ENI is set to, else the default of the instance type. Whether a UDP flow is a stream is not known: the longer. */
function timersOf({
  timeouts,
  instanceType,
  defaultTimeouts: told = null,
}: InterfaceTracking): Record<Ported | 'unknown', Timer> {
  const defaults = told ?? defaultTimeouts(instanceType);
  const timeoutFrom = told === null ? 'instance family' : 'instance type';
  const timer = (set: number | null, otherwise: number): Timer =>
    set === null ? { timeoutSeconds: otherwise, timeoutFrom } : { timeoutSeconds: set, timeoutFrom: 'interface' };
  const tcp = timer(timeouts.tcpEstablishedSeconds, defaults.tcpEstablishedSeconds);
  const udp = longest(
    timer(timeouts.udpStreamSeconds, defaults.udpStreamSeconds),
    timer(timeouts.udpSeconds, defaults.udpSeconds),
  );
  return { tcp, udp, unknown: longest(tcp, udp, fixed(OTHER_PROTOCOL_TIMEOUT)) };
}

function permitsAll(rule: GroupRule, family: Family): boolean {
  return (
    rule.peer.kind === 'cidr' &&
    rule.peer.family === family &&
    // Reading a network costs more than all else here, and no other length can be all addresses.
    rule.peer.cidr.endsWith('/0') &&
    canonicalCidr(rule.peer.cidr)?.cidr === ALL_ADDRESSES[family]
  );
}

function permitsSome(rule: GroupRule, family: Family): boolean {
  return rule.peer.kind !== 'cidr' || rule.peer.family === family;
}

/** Ports that a rule opens for the protocol; null = none. Half a range is no range. */
function portsOf(rule: GroupRule, protocol: Ported): { readonly first: number; readonly last: number } | null {
  const ofRule = normalProtocol(rule.protocol);
  if (ofRule === '-1' || ofRule === 'all') return { first: 0, last: LAST_PORT };
  if (ofRule !== protocol) return null;
  if (rule.fromPort === null && rule.toPort === null) return { first: 0, last: LAST_PORT };
  if (rule.fromPort === null || rule.toPort === null || rule.fromPort > rule.toPort) return null;
  return { first: Math.max(0, rule.fromPort), last: Math.min(LAST_PORT, rule.toPort) };
}

/** The first few of many, for a sentence. */
function named(ruleIds: readonly string[]): string {
  const rest = ruleIds.length - 3;
  const some = ruleIds.slice(0, 3).join(', ');
  return `${ruleIds.length === 1 ? 'rule' : 'rules'} ${some}${rest > 0 ? ` and ${rest} more` : ''}`;
}

/**
 * "If a security group rule permits TCP or UDP flows for all traffic (0.0.0.0/0 or ::/0) and there is a corresponding rule
 * in the other direction that permits all response traffic (0.0.0.0/0 or ::/0) for any port (0-65535), then that flow of
 * traffic is not tracked, unless it is part of an automatically tracked connection."
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html#untracked-connections
 */
function findingFor(
  opens: readonly string[],
  narrow: readonly string[],
  response: string | undefined,
  direction: Direction,
  family: Family,
): Finding {
  const all = ALL_ADDRESSES[family];
  const [open] = opens;
  const back = WORD[OPPOSITE[direction]];
  if (open !== undefined && response !== undefined) {
    const because = `${WORD[direction]} rule ${open} permits it for ${all} and ${back} rule ${response} permits every port for ${all}, so the groups keep no state for it`;
    return { kind: 'untracked', because, ruleIds: [open, response] };
  }
  if (open !== undefined) {
    const because = `${WORD[direction]} rule ${open} permits it for ${all}, but no ${back} rule permits every port (0-65535) for ${all}`;
    return { kind: 'tracked', because, ruleIds: [open] };
  }
  if (narrow.length > 0) {
    const because = `${WORD[direction]} ${named(narrow)} ${narrow.length === 1 ? 'permits' : 'permit'} it, but not for ${all}`;
    return { kind: 'tracked', because, ruleIds: narrow };
  }
  return { kind: 'tracked', because: `no ${WORD[direction]} rule permits it for ${all}`, ruleIds: [] };
}

/**
 * What follows where the flow may be any of several: untracked only if every possibility is, tracked if none is,
 * otherwise unknown.
 */
function whichever(possible: readonly TrackingVerdict[], unsure: string, timer: Timer): TrackingVerdict {
  const untracked = possible.filter(({ kind }) => kind === 'untracked');
  const decided = untracked.length === possible.length ? 'untracked' : 'unknown';
  const kind = untracked.length === 0 && possible.every((verdict) => verdict.kind === 'tracked') ? 'tracked' : decided;
  const ruleIds = [...new Set(possible.flatMap((verdict) => verdict.ruleIds))].sort();
  const because = {
    untracked: `${unsure}, and it is untracked either way (${named(ruleIds)})`,
    tracked: `${unsure}, and it is tracked either way: ${possible[0]?.because}`,
    unknown: `${unsure}, and it is tracked one way and untracked another`,
  }[kind];
  return finish({ kind, because, ruleIds }, timer);
}

function finish(finding: Finding, timer: Timer): TrackingVerdict {
  return { ...finding, route: null, ...(finding.kind === 'untracked' ? fixed(0) : timer) };
}

/** Cuts the ports into the stretches in which the same rules match, each of which is decided at most once. */
function portTable(
  rules: readonly GroupRule[],
  direction: Direction,
  protocol: Ported,
  family: Family,
  timer: Timer,
): PortTable {
  const inForce = rules.flatMap((rule) => {
    const ports = portsOf(rule, protocol);
    if (ports === null || !permitsSome(rule, family)) return [];
    return [{ id: rule.ruleId, direction: rule.direction, all: permitsAll(rule, family), ...ports }];
  });
  const opening = inForce.filter((rule) => rule.direction === direction);
  const response = inForce.find(
    (rule) => rule.direction !== direction && rule.all && rule.first === 0 && rule.last === LAST_PORT,
  );
  const edges = opening.flatMap(({ first, last }) => [first - 1, last]).filter((edge) => edge >= 0 && edge < LAST_PORT);
  const lasts = [...new Set([...edges, LAST_PORT])].sort((a, b) => a - b);
  const decide = (index: number): TrackingVerdict => {
    const port = lasts[index] ?? LAST_PORT;
    const matching = opening.filter(({ first, last }) => first <= port && port <= last);
    const opens = matching.filter(({ all }) => all).map(({ id }) => id);
    const narrow = matching.filter(({ all }) => !all).map(({ id }) => id);
    return finish(findingFor(opens, narrow, response?.id, direction, family), timer);
  };
  const decided: TrackingVerdict[] = [];
  const verdict = (index: number): TrackingVerdict => {
    decided[index] ??= decide(index);
    return decided[index];
  };
  let unsure: TrackingVerdict | null = null;
  const any = (): TrackingVerdict => {
    unsure ??=
      lasts.length === 1
        ? verdict(0)
        : whichever(
            lasts.map((_, index) => verdict(index)),
            'its port is not known',
            timer,
          );
    return unsure;
  };
  return { lasts, verdict, any };
}

/** A table in which every port has one verdict. */
function sameForAll(verdict: TrackingVerdict): PortTable {
  return { lasts: [LAST_PORT], verdict: () => verdict, any: () => verdict };
}

function atPort({ lasts, verdict, any }: PortTable, port: number | null): TrackingVerdict {
  if (port === null || port < 0 || port > LAST_PORT) return any();
  let low = 0;
  let high = lasts.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((lasts[middle] ?? LAST_PORT) < port) low = middle + 1;
    else high = middle;
  }
  return verdict(low);
}

function alwaysTracked(protocol: Protocol): TrackingVerdict {
  const because =
    protocol === 'icmp' || protocol === 'icmpv6'
      ? // "ICMP traffic is always tracked." Its timer is not documented; the one of the other protocols is our cautious choice.
        `ICMP is always tracked; AWS does not say for how long, so the ${OTHER_PROTOCOL_TIMEOUT} s of other protocols are assumed`
      : `a flow that is neither TCP nor UDP is tracked by address and protocol number for ${OTHER_PROTOCOL_TIMEOUT} s`;
  return { kind: 'tracked', because, ruleIds: [], route: null, ...fixed(OTHER_PROTOCOL_TIMEOUT) };
}

const ICMP = alwaysTracked('icmp');
const OTHER = alwaysTracked('other');

/**
 * "For TCP/UDP connections through Network Load Balancers, all connections are tracked. Idle timeout value for TCP flows
 * is 350secs and UDP flows is 120 secs, and varies from interface level timeout values."
 */
function automatically(path: PathVerdict, protocol: Ported | 'unknown', timer: Timer): TrackingVerdict {
  const route = path.destination === null ? null : `${path.routeTableId} ${path.destination} ${path.targetId}`;
  const balanced = path.through === 'network-load-balancer' && protocol !== 'unknown';
  return {
    kind: 'auto-tracked',
    because: `automatically tracked whatever the rules: ${path.because}`,
    ruleIds: [],
    route,
    ...(balanced ? fixed(LOAD_BALANCER_TIMEOUTS[protocol]) : timer),
  };
}

/** Rules make the flow untracked, but that holds only on a path that is known not to be tracked automatically. */
function offPath(verdict: TrackingVerdict, path: PathVerdict, timer: Timer): TrackingVerdict {
  if (verdict.kind !== 'untracked') return verdict;
  if (path.kind === 'vpc-service') {
    return { ...verdict, ...timer, kind: 'unknown', because: `security groups do not cut it: ${path.because}` };
  }
  if (path.kind !== 'unknown' && path.kind !== 'no-route') return verdict;
  return {
    ...verdict,
    ...timer,
    kind: 'unknown',
    because: `the rules leave it untracked, but its path may be tracked automatically: ${path.because}`,
  };
}

/**
 * Decides every combination of opener, family, protocol and stretch of ports at most once, so that a flow costs one
 * look-up.
 *
 * @example
 * const classify = compileTracking({ rules, timeouts: eni.timeouts, instanceType: 'm7i.large' });
 * classify(flow, pathTo({ remoteAddress: flow.remoteAddress, family: flow.family, subnet, routes })).kind;
 */
export function compileTracking(facts: InterfaceTracking): (flow: FlowKey, path: PathVerdict) => TrackingVerdict {
  const timers = timersOf(facts);
  const { rules } = facts;
  // Groups list their rules in no order; sorted, the same rules give the same words.
  const sorted =
    rules === null ? null : [...rules].sort((a, b) => Number(a.ruleId > b.ruleId) - Number(a.ruleId < b.ruleId));
  const unread = (timer: Timer) =>
    finish({ kind: 'unknown', because: 'the rules of its groups could not be read', ruleIds: [] }, timer);
  const byRules = (family: Family) => {
    const table = (opener: 'instance' | 'remote', protocol: Ported): PortTable =>
      sorted === null
        ? sameForAll(unread(timers[protocol]))
        : portTable(sorted, opener === 'instance' ? 'egress' : 'ingress', protocol, family, timers[protocol]);
    return {
      tcp: { instance: table('instance', 'tcp'), remote: table('remote', 'tcp') },
      udp: { instance: table('instance', 'udp'), remote: table('remote', 'udp') },
    };
  };
  const tables = { ipv4: byRules('ipv4'), ipv6: byRules('ipv6') } as const satisfies Record<Family, unknown>;
  const eitherWay = new Map<TrackingVerdict, Map<TrackingVerdict, TrackingVerdict>>();

  const ported = (flow: FlowKey, protocol: Ported): TrackingVerdict => {
    const { instance, remote } = tables[flow.family][protocol];
    if (flow.openedBy === 'instance') return atPort(instance, flow.remotePort);
    if (flow.openedBy === 'remote') return atPort(remote, flow.localPort);
    flow.openedBy satisfies Exclude<Opener, 'instance' | 'remote'>;
    const out = atPort(instance, flow.remotePort);
    const back = atPort(remote, flow.localPort);
    const known = eitherWay.get(out) ?? new Map<TrackingVerdict, TrackingVerdict>();
    eitherWay.set(out, known);
    const both =
      known.get(back) ??
      (sorted === null ? out : whichever([out, back], 'it is not known which side opened it', timers[protocol]));
    known.set(back, both);
    return both;
  };

  return (flow, path) => {
    const protocol = normalProtocol(flow.protocol);
    if (protocol === 'tcp' || protocol === 'udp') {
      if (path.automaticallyTracked) return automatically(path, protocol, timers[protocol]);
      return offPath(ported(flow, protocol), path, timers[protocol]);
    }
    if (protocol !== 'unknown') return protocol === 'icmp' || protocol === 'icmpv6' ? ICMP : OTHER;
    if (path.automaticallyTracked) return automatically(path, 'unknown', timers.unknown);
    if (sorted === null) return unread(timers.unknown);
    return whichever([ported(flow, 'tcp'), ported(flow, 'udp'), ICMP], 'its protocol is not known', timers.unknown);
  };
}

/** {@link compileTracking} for a single flow. */
export function classifyFlow({
  flow,
  path,
  ...facts
}: InterfaceTracking & { readonly flow: FlowKey; readonly path: PathVerdict }): TrackingVerdict {
  return compileTracking(facts)(flow, path);
}
