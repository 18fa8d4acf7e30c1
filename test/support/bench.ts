import { readFileSync } from 'node:fs';
import { assessFlows } from '../../functions/assess-flows/step.ts';
import { readCase } from '../../functions/aws/case-table/cases.ts';
import { checkHostCut } from '../../functions/check-host-cut/step.ts';
import type { CaseDocument } from '../../functions/core/case/case.ts';
import type { HostResult, IsolationResult, Opened, Verifying } from '../../functions/core/case/record.ts';
import type { Config } from '../../functions/core/config.ts';
import { cutOnHost } from '../../functions/cut-on-host/step.ts';
import { denyAtNacl } from '../../functions/deny-at-nacl/step.ts';
import type { Toolbox } from '../../functions/shared/toolbox.ts';
import { swapSecurityGroups } from '../../functions/swap-security-groups/step.ts';
import { verifyCut } from '../../functions/verify-cut/step.ts';
import { localConfig, localToolbox, type World } from '../../local/simulate.ts';
import type { CallInfo } from '../../local/world/api/middleware.ts';
import { runInVirtualTime } from '../../local/world/clock.ts';
import { createEmbeddedWorld } from '../../local/world/embedded-world.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { createPhysics } from '../../local/world/physics.ts';
import { NO_OWN_FLOW_LOG } from './own-flow-log.ts';
import { parseQuietWorld } from './quiet-agents.ts';

/** One instance with a reverse shell and a neighbour in its subnet; ids that tests speak of. */
export const ids = {
  instance: 'i-0000000000000ab01',
  neighbour: 'i-0000000000000ab02',
  eni: 'eni-00000000000000e01',
  secondEni: 'eni-00000000000000e03',
  vpc: 'vpc-00000000000000a01',
  subnet: 'subnet-00000000000000b01',
  acl: 'acl-00000000000000d01',
  web: 'sg-00000000000000c01',
  second: 'sg-00000000000000c02',
  peer: '198.51.100.7',
} as const;

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const DEFAULT_WORLD = read('local/worlds/default.json');

/** The world of the default incident, changed by hand before it is read. */
export function defaultWorld(change: (world: WorldFile) => void = () => undefined): WorldFile {
  const world = JSON.parse(DEFAULT_WORLD) as WorldFile;
  change(world);
  return parseQuietWorld(world);
}

/** The reverse shell alone, so that a verdict can be contained. */
export const shellAlone = (change: (world: WorldFile) => void = () => undefined): WorldFile =>
  defaultWorld((world) => {
    world.Flows = world.Flows.filter(({ Malicious }) => Malicious);
    change(world);
  });

/** The reverse shell alone, watched by a flow log of its VPC. */
export const shellWatched = (change: (world: WorldFile) => void = () => undefined): WorldFile =>
  shellAlone((world) => {
    world.FlowLogs = [{ ResourceId: ids.vpc, DeliverySeconds: 300 }];
    change(world);
  });

export function readEvent(name: string): unknown {
  return JSON.parse(read(`events/${name}.json`));
}

/** Gives the VPC IPv6 and the instance a second interface, with two groups in an order that is not theirs by id. */
export function twoInterfaces(world: WorldFile): void {
  const [first] = world.NetworkInterfaces;
  const [group] = world.SecurityGroups;
  const [vpc] = world.Vpcs;
  const [subnet] = world.Subnets;
  if (!first || !group || !vpc || !subnet) throw new Error('the default world has lost a part');
  Object.assign(vpc, { Ipv6CidrBlockAssociationSet: [{ Ipv6CidrBlock: '2001:db8:10::/56' }] });
  Object.assign(subnet, { Ipv6CidrBlockAssociationSet: [{ Ipv6CidrBlock: '2001:db8:10:1::/64' }] });
  first.Ipv6Addresses = [{ Ipv6Address: '2001:db8:10:1::10' }];
  world.SecurityGroups.push({ ...structuredClone(group), GroupId: ids.second, GroupName: 'shop-second' });
  world.NetworkInterfaces.push({
    ...structuredClone(first),
    NetworkInterfaceId: ids.secondEni,
    PrivateIpAddress: '10.0.1.11',
    PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: '10.0.1.11' }],
    Ipv6Addresses: [{ Ipv6Address: '2001:db8:10:1::11' }],
    Groups: [
      { GroupId: ids.second, GroupName: 'shop-second' },
      { GroupId: ids.web, GroupName: 'shop-web' },
    ],
    Attachment: {
      AttachmentId: 'eni-attach-00000000000000e03',
      InstanceId: ids.instance,
      DeviceIndex: 1,
      Status: 'attached',
    },
  });
}

export interface Bench {
  readonly world: World;
  readonly file: WorldFile;
  readonly tools: Toolbox;
  /** The world in the file's shapes, as text: equal before and after = nothing was changed. */
  state(): string;
  /** Entries of the default ACL, as `in 1 deny -1 198.51.100.7/32`. */
  entries(): readonly string[];
  groupsOf(networkInterfaceId: string): readonly string[];
  interfaceOf(networkInterfaceId: string): WorldFile['NetworkInterfaces'][number];
  /** Calls of one API that reached the world so far. */
  calls(api: string): number;
  /** Makes the world refuse calls that `which` picks, before or after they had their effect. */
  fail(which: (call: CallInfo) => boolean, error: () => Error, when?: 'before' | 'after'): void;
  document(caseId: string): Promise<CaseDocument>;
  /** Opens and assesses, as the first state does. */
  open(input?: unknown): Promise<Opened>;
  /** Sends the host cut and looks until it is answered or given up. */
  cutHost(opened: Opened): Promise<HostResult>;
  /** The whole response, one step after another, up to the verdict. */
  contain(input?: unknown): Promise<Verifying>;
  /** What was sent to one API so far. */
  inputsOf(api: string): readonly unknown[];
}

/** Steps by hand against the embedded world, through real SDK clients and in virtual time. */
export function onBench<T>(
  file: WorldFile,
  body: (bench: Bench) => Promise<T>,
  config: Partial<Config> = {},
): Promise<T> {
  return runInVirtualTime(file.Now, (clock) => {
    const world: World = createEmbeddedWorld(file, clock, createPhysics(file));
    const tools = localToolbox(world, { ...localConfig(file), ...NO_OWN_FLOW_LOG, ...config });
    const interfaceOf = (id: string) => {
      const eni = file.NetworkInterfaces.find((one) => one.NetworkInterfaceId === id);
      if (eni === undefined) throw new Error(`${id} is not in the world`);
      return eni;
    };
    const sent: CallInfo[] = [];
    world.interceptors.push({ before: (call) => sent.push(call) });
    const open = (input: unknown = { instanceId: ids.instance, remoteAddresses: [ids.peer] }) =>
      assessFlows(tools, input);
    const cutHost = async (opened: Opened): Promise<HostResult> => {
      let host = await cutOnHost(tools, opened);
      while (host.kind === 'pending') {
        await tools.sleep(1);
        host = await checkHostCut(tools, { ...opened, host });
      }
      return host;
    };
    return body({
      world,
      file,
      tools,
      interfaceOf,
      state: () => JSON.stringify(world.snapshot()),
      entries: () =>
        file.NetworkAcls.flatMap((acl) => (acl.NetworkAclId === ids.acl ? acl.Entries : []))
          .filter((entry) => entry.RuleNumber < 32_767)
          .map(
            (entry) =>
              `${entry.Egress ? 'out' : 'in'} ${entry.RuleNumber} ${entry.RuleAction} ${entry.Protocol} ${entry.CidrBlock ?? entry.Ipv6CidrBlock}`,
          )
          .sort(),
      groupsOf: (id) => interfaceOf(id).Groups.map(({ GroupId }) => GroupId),
      calls: (api) => world.calls().byApi[api] ?? 0,
      fail: (which, error, when = 'before') => {
        world.interceptors.push({
          [when]: (call: CallInfo) => {
            if (which(call)) throw error();
          },
        });
      },
      document: async (caseId) => {
        const document = await readCase(tools.cases, caseId);
        if (document === null) throw new Error(`${caseId} is not in the case table`);
        return document;
      },
      open,
      cutHost,
      contain: async (input) => {
        const opened = await open(input);
        const [, host] = await Promise.all([denyAtNacl(tools, opened), cutHost(opened)]);
        if (host.kind === 'answered') await denyAtNacl(tools, { ...opened, host });
        const swapped = await swapSecurityGroups(tools, opened);
        await tools.sleep(swapped.settleSeconds);
        const isolation = isolationOf(swapped);
        let verdict = await verifyCut(tools, { ...opened, isolation });
        while (verdict.next.kind === 'wait' || verdict.next.kind === 'tell-and-wait') {
          await tools.sleep(verdict.next.seconds);
          verdict = await verifyCut(tools, { ...opened, isolation, verdict });
        }
        return { ...opened, isolation, verdict };
      },
      inputsOf: (api) => sent.flatMap(({ call, input }) => (call === api ? [input] : [])),
    });
  });
}

/** What the isolation leaves in the record where nothing beside the swap was done. */
export const isolationOf = (swap: IsolationResult): NonNullable<Verifying['isolation']> => ({
  swap,
  evidence: { kind: 'done', done: 0, failed: 0 },
  lateDenies: { kind: 'done', made: 0, refused: 0 },
});

/** The tools of another process in the same world, whose calls of one EC2 API take longer on their way. */
export function slowTools({ world, file }: Pick<Bench, 'world' | 'file'>, api: string, seconds: number): Toolbox {
  const tools = localToolbox(world, { ...localConfig(file), ...NO_OWN_FLOW_LOG });
  tools.ec2.middlewareStack.add(
    (next, { commandName }) =>
      async (given) => {
        if (commandName === `${api}Command`) await world.clock.sleep(seconds);
        return next(given);
      },
    { step: 'initialize' },
  );
  return tools;
}

/** An answer of AWS that the SDK does not try again. */
export const refusedBy = (code: string) => () =>
  Object.assign(new Error(`${code}: by the test`), { name: code, Code: code });
