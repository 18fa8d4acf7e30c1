import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Route, RouteTarget, SubnetFacts } from '../../../functions/core/model.ts';
import { addressClass } from '../../../functions/core/network/addresses.ts';
import {
  compilePaths,
  pathTo,
  type RouteTableFacts,
  routeTableOf,
  type SubnetPaths,
} from '../../../functions/core/network/routes.ts';
import {
  AUTOMATIC_INTERFACE_TYPES,
  AUTOMATIC_PATHS,
  type AutomaticPath,
} from '../../../functions/core/network/tracking-data.ts';

const subnet: SubnetFacts = {
  id: 'subnet-1',
  vpcId: 'vpc-1',
  ownerId: null,
  cidrs: ['10.0.1.0/24', '2001:db8:0:1::/64'],
};

function route(destination: string, kind: RouteTarget['kind'], id = `${kind}-1`): Route {
  return { routeTableId: 'rtb-1', destination, target: { kind, id }, blackhole: false };
}

const local = [route('10.0.0.0/16', 'local', 'local'), route('2001:db8::/56', 'local', 'local')];
const open = [...local, route('0.0.0.0/0', 'internet-gateway', 'igw-1'), route('::/0', 'internet-gateway', 'igw-1')];
const hidden = [
  ...local,
  route('0.0.0.0/0', 'nat-gateway', 'nat-1'),
  route('::/0', 'egress-only-internet-gateway', 'eigw-1'),
];

function path(remoteAddress: string, paths: Partial<SubnetPaths> & { through?: AutomaticPath } = {}) {
  return pathTo({
    remoteAddress,
    family: remoteAddress.includes(':') ? 'ipv6' : 'ipv4',
    subnet,
    routes: open,
    ...paths,
  });
}

describe('routeTableOf', () => {
  const main: RouteTableFacts = { id: 'rtb-main', vpcId: 'vpc-1', main: true, subnetIds: [], routes: [] };
  const explicit: RouteTableFacts = { ...main, id: 'rtb-1', main: false, subnetIds: ['subnet-1'] };
  const elsewhere: RouteTableFacts = { ...main, id: 'rtb-else', vpcId: 'vpc-2' };

  it('prefers the explicit association, in any order', () => {
    expect(routeTableOf(subnet, [main, explicit])?.id).toBe('rtb-1');
    expect(routeTableOf(subnet, [explicit, main])?.id).toBe('rtb-1');
  });

  it('falls back to the main table of the same VPC', () => {
    expect(routeTableOf(subnet, [elsewhere, { ...explicit, subnetIds: ['subnet-2'] }, main])?.id).toBe('rtb-main');
    expect(routeTableOf(subnet, [elsewhere])).toBeNull();
  });
});

describe('pathTo', () => {
  it('takes the default route to a peer on the internet', () => {
    expect(path('198.51.100.7')).toEqual({
      kind: 'internet-gateway',
      routeTableId: 'rtb-1',
      destination: '0.0.0.0/0',
      targetId: 'igw-1',
      crossesSubnetBoundary: true,
      automaticallyTracked: false,
      through: null,
      because: 'it leaves (route 0.0.0.0/0 of rtb-1 to igw-1)',
    });
    expect(path('2600:1f18::1').destination).toBe('::/0');
  });

  it('asks no route table inside the subnet, where an ACL sees nothing', () => {
    for (const address of ['10.0.1.99', '2001:db8:0:1::99']) {
      expect(path(address, { routes: null })).toMatchObject({ kind: 'same-subnet', crossesSubnetBoundary: false });
    }
  });

  it('crosses the subnet boundary on its way to another subnet of the VPC', () => {
    for (const address of ['10.0.2.9', '2001:db8:0:2::9']) {
      expect(path(address)).toMatchObject({ kind: 'vpc', crossesSubnetBoundary: true, automaticallyTracked: false });
    }
  });

  it.each(['169.254.169.254', '169.254.169.253', 'fd00:ec2::254', 'fe80::1', '10.0.0.2'])(
    'knows %s as a service that no group and no ACL reaches',
    (address) => {
      expect(path(address)).toMatchObject({ kind: 'vpc-service', crossesSubnetBoundary: false });
    },
  );

  it('knows the resolver in the subnet as well', () => {
    expect(path('10.0.0.2', { subnet: { ...subnet, cidrs: ['10.0.0.0/24'] } }).kind).toBe('vpc-service');
    expect(path('10.0.0.3', { subnet: { ...subnet, cidrs: ['10.0.0.0/24'] } }).kind).toBe('same-subnet');
  });

  it('takes the most specific route', () => {
    const routes = [...open, route('198.51.100.0/24', 'transit-gateway'), route('198.51.0.0/16', 'vpc-peering')];
    expect(path('198.51.100.7', { routes }).kind).toBe('transit-gateway');
    expect(path('198.51.101.7', { routes }).kind).toBe('vpc-peering');
    const inspected = [...open, route('10.0.2.0/24', 'gateway-load-balancer-or-firewall-endpoint')];
    expect(path('10.0.2.9', { routes: inspected })).toMatchObject({ automaticallyTracked: true });
  });

  it.each<[RouteTarget['kind'], AutomaticPath | null]>([
    ['nat-gateway', 'nat-gateway'],
    ['egress-only-internet-gateway', 'egress-only-internet-gateway'],
    ['vpc-endpoint', 'dynamodb-gateway-endpoint'],
    ['gateway-load-balancer-or-firewall-endpoint', 'network-firewall-endpoint'],
    ['internet-gateway', null],
    ['vpc-peering', null],
    ['transit-gateway', null],
    ['virtual-private-gateway', null],
    ['network-interface', null],
    ['carrier-gateway', null],
    ['local-gateway', null],
    ['unknown', null],
  ])('through %s: automatically tracked by %s', (kind, through) => {
    const verdict = path('198.51.100.7', { routes: [...local, route('0.0.0.0/0', kind)] });
    expect(verdict).toMatchObject({
      kind,
      through,
      automaticallyTracked: through !== null,
      crossesSubnetBoundary: true,
    });
  });

  it('takes the word of a caller who knows what is in between', () => {
    expect(path('198.51.100.7', { through: 'network-load-balancer' })).toMatchObject({
      kind: 'internet-gateway',
      automaticallyTracked: true,
      through: 'network-load-balancer',
    });
    expect(path('10.0.1.99', { through: 'interface-endpoint' })).toMatchObject({
      kind: 'same-subnet',
      automaticallyTracked: true,
    });
  });

  it('finds no way where no route matches, or where the route is a black hole', () => {
    expect(path('198.51.100.7', { routes: local })).toMatchObject({ kind: 'no-route', destination: null });
    expect(path('198.51.100.7', { routes: [] }).kind).toBe('no-route');
    const routes = [{ ...route('0.0.0.0/0', 'nat-gateway', 'nat-9'), blackhole: true }];
    expect(path('198.51.100.7', { routes })).toMatchObject({
      kind: 'no-route',
      targetId: 'nat-9',
      automaticallyTracked: false,
    });
  });

  it('says unknown where the table or the subnet could not be read', () => {
    expect(path('198.51.100.7', { routes: null })).toMatchObject({ kind: 'unknown', crossesSubnetBoundary: true });
    // Without its ranges the peer may be in the same subnet, where a deny does nothing.
    expect(path('198.51.100.7', { subnet: { ...subnet, cidrs: [] } })).toMatchObject({
      kind: 'unknown',
      crossesSubnetBoundary: false,
    });
  });

  it('keeps the families apart', () => {
    expect(path('2600:1f18::1', { routes: [...local, route('0.0.0.0/0', 'internet-gateway')] }).kind).toBe('no-route');
    expect(path('2600:1f18::1', { routes: hidden }).kind).toBe('egress-only-internet-gateway');
  });
});

describe('routes with prefix lists', () => {
  const toEndpoint = route('pl-s3', 'vpc-endpoint', 'vpce-1');
  const toGateway = route('pl-offices', 'transit-gateway', 'tgw-1');
  const prefixLists = new Map([
    ['pl-s3', ['52.92.0.0/16', '3.5.0.0/16']],
    ['pl-offices', ['198.51.100.0/24', '10.9.0.0/16']],
  ]);

  it('match by the longest of their CIDRs', () => {
    const routes = [...open, toEndpoint, toGateway];
    expect(path('52.92.3.4', { routes, prefixLists })).toMatchObject({ kind: 'vpc-endpoint', destination: 'pl-s3' });
    expect(path('198.51.100.7', { routes, prefixLists })).toMatchObject({ kind: 'transit-gateway', targetId: 'tgw-1' });
    expect(path('203.0.113.7', { routes, prefixLists }).kind).toBe('internet-gateway');
    const narrower = [...routes, route('198.51.100.0/28', 'vpc-peering')];
    expect(path('198.51.100.7', { routes: narrower, prefixLists }).kind).toBe('vpc-peering');
  });

  it('yield to a CIDR of the same length', () => {
    const routes = [toGateway, route('198.51.100.0/24', 'nat-gateway')];
    expect(path('198.51.100.7', { routes, prefixLists }).kind).toBe('nat-gateway');
  });

  it('yield, like routes that a virtual private gateway propagates, to a static route', () => {
    const routes = [
      route('198.51.100.0/24', 'virtual-private-gateway'),
      route('198.51.100.0/24', 'nat-gateway'),
      toGateway,
    ];
    expect(path('198.51.100.7', { routes, prefixLists }).kind).toBe('nat-gateway');
  });

  it('leave it open where two lists of the same length lead elsewhere: AWS chooses at random', () => {
    const routes = [...open, toGateway, route('pl-other', 'vpc-peering', 'pcx-1')];
    const lists = new Map([...prefixLists, ['pl-other', ['198.51.100.0/24']]]);
    expect(path('198.51.100.7', { routes, prefixLists: lists })).toMatchObject({
      kind: 'unknown',
      because: 'it cannot be told which route decides its way: pl-offices to tgw-1 or pl-other to pcx-1',
    });
    const same = [...open, toGateway, route('pl-other', 'transit-gateway', 'tgw-1')];
    expect(path('198.51.100.7', { routes: same, prefixLists: lists }).kind).toBe('transit-gateway');
  });

  it('leave it open where their content is not known, unless a host route decides', () => {
    const routes = [...open, toGateway];
    expect(path('198.51.100.7', { routes })).toMatchObject({
      kind: 'unknown',
      routeTableId: 'rtb-1',
      crossesSubnetBoundary: true,
      automaticallyTracked: false,
    });
    const decided = [...routes, route('198.51.100.7/32', 'vpc-peering')];
    expect(path('198.51.100.7', { routes: decided }).kind).toBe('vpc-peering');
  });

  it('of gateway endpoints never hold a private peer, known or not', () => {
    const routes = [...open, toEndpoint];
    expect(path('10.0.2.9', { routes }).kind).toBe('vpc');
    expect(path('198.51.100.7', { routes }).kind).toBe('unknown');
  });

  it('leave automatic tracking certain where every way means it', () => {
    const routes = [...hidden, toEndpoint];
    expect(path('198.51.100.7', { routes })).toMatchObject({ kind: 'unknown', automaticallyTracked: true });
    expect(path('198.51.100.7', { routes: [...open, toEndpoint] }).automaticallyTracked).toBe(false);
  });
});

describe('over all tables', () => {
  const anyRoute = fc
    .record({
      destination: fc.oneof(
        fc.constantFrom('0.0.0.0/0', '::/0', '10.0.0.0/16', '198.51.100.0/24', '198.51.100.7/32', 'pl-1', 'pl-2'),
        fc.tuple(fc.ipV4(), fc.nat(32)).map(([ip, length]) => `${ip}/${length}`),
      ),
      kind: fc.constantFrom<RouteTarget['kind']>(
        'local',
        'internet-gateway',
        'nat-gateway',
        'vpc-endpoint',
        'transit-gateway',
      ),
      blackhole: fc.boolean(),
    })
    .map(({ destination, kind, blackhole }) => ({ ...route(destination, kind), blackhole }));
  const tables = fc.uniqueArray(anyRoute, { maxLength: 6, selector: ({ destination }) => destination });
  const peers = fc.oneof(fc.constantFrom('198.51.100.7', '10.0.1.9', '10.0.2.9', '2600::1'), fc.ipV4(), fc.ipV6());
  const lists = fc.constantFrom(
    new Map<string, string[]>(),
    new Map([
      ['pl-1', ['198.51.100.0/24']],
      ['pl-2', ['0.0.0.0/1']],
    ]),
  );

  it('the order of the routes changes no kind', () => {
    fc.assert(
      fc.property(tables, peers, lists, (routes, peer, prefixLists) => {
        const { kind, automaticallyTracked } = path(peer, { routes, prefixLists });
        expect(path(peer, { routes: [...routes].reverse(), prefixLists })).toMatchObject({
          kind,
          automaticallyTracked,
        });
      }),
    );
  });

  it('compiled once, the answers are those of one peer at a time', () => {
    fc.assert(
      fc.property(tables, fc.array(peers, { maxLength: 5 }), lists, (routes, addresses, prefixLists) => {
        const compiled = compilePaths({ subnet, routes, prefixLists });
        for (const remoteAddress of addresses) {
          expect(compiled({ remoteAddress })).toEqual(path(remoteAddress, { routes, prefixLists }));
        }
      }),
    );
  });

  it('whatever cannot be decided is not taken for decided: a list that turns out to hold the peer changes only unknowns', () => {
    fc.assert(
      fc.property(tables, peers, (routes, remoteAddress) => {
        // Lists of gateway endpoints hold public ranges only; these here do not.
        fc.pre(addressClass(remoteAddress).kind === 'public');
        const before = path(remoteAddress, { routes });
        const after = path(remoteAddress, {
          routes,
          prefixLists: new Map([
            ['pl-1', ['198.51.100.0/24']],
            ['pl-2', ['0.0.0.0/1']],
          ]),
        });
        expect(['unknown', after.kind]).toContain(before.kind);
      }),
    );
  });
});

describe('AUTOMATIC_INTERFACE_TYPES', () => {
  it('names paths of the list', () => {
    for (const name of Object.values(AUTOMATIC_INTERFACE_TYPES)) expect(AUTOMATIC_PATHS).toHaveProperty(name);
    expect(AUTOMATIC_INTERFACE_TYPES['interface']).toBeUndefined();
  });
});
