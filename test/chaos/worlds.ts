import { readFileSync } from 'node:fs';
import type { Config } from '../../functions/core/config.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { NO_OWN_FLOW_LOG } from '../support/own-flow-log.ts';
import { parseQuietWorld } from '../support/quiet-agents.ts';
import { buildRequest } from '../world/honesty/build-request.ts';
import { buildWorld } from '../world/honesty/build-world.ts';
import { NAMED_WORLDS } from '../world/honesty/named-worlds.ts';

/** A world, what sets the response off in it, and how the stack is configured. */
export interface ChaosWorld {
  readonly name: string;
  /** A fresh copy each time: a run changes it. */
  readonly file: () => WorldFile;
  readonly input: unknown;
  readonly config: Partial<Config>;
  /** Look after each call that nothing is more open than it was found; not where the stack opens or deletes groups itself. */
  readonly isWatched: boolean;
}

const readJson = (path: string): unknown => JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8'));

const FINDING = readJson('events/guardduty-ec2-c2activity.json');

function fromFile(
  name: string,
  world: 'default' | 'alone-in-subnet' | 'auto-scaling-member' | 'spot-instance',
  config: Partial<Config> = {},
  change: (file: WorldFile) => void = () => undefined,
): ChaosWorld {
  const file = (): WorldFile => {
    const given = readJson(`local/worlds/${world}.json`) as WorldFile;
    change(given);
    return parseQuietWorld(given);
  };
  const isWatched = config.openings === undefined && config.deleteReplacedGroups !== true;
  return { name, file, input: FINDING, config: { ...NO_OWN_FLOW_LOG, ...config }, isWatched };
}

function named(name: string, config: Partial<Config> = {}): ChaosWorld {
  const found = NAMED_WORLDS.find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no world named "${name}"`);
  const { incident } = found;
  return {
    name,
    file: () => parseQuietWorld(buildWorld(incident)),
    input: buildRequest(incident),
    // Most have a subnet to themselves, and are about other controls than the seal.
    config: { ...NO_OWN_FLOW_LOG, sealSubnet: 'never', ...config },
    isWatched: true,
  };
}

/** A named world with no flow log but our own, whose timers end within minutes: few looks, and each file is read. */
function withOwnFlowLog(name: string): ChaosWorld {
  const { file, ...world } = named(name, { ownFlowLog: true });
  return { ...world, name: 'Nitro v6, a flow log of our own and no agent', file: () => ({ ...file(), FlowLogs: [] }) };
}

/** Nobody but the instance uses its group, so that it can be deleted. */
function neighbourApart(file: WorldFile): void {
  for (const eni of file.NetworkInterfaces.slice(1)) {
    eni.Groups = [{ GroupId: 'sg-00000000000000c00', GroupName: 'default' }];
  }
}

/** The shell alone, an honest host, and a flow log that sees it fall silent: both prove it dead. */
function watchedShell(file: WorldFile): void {
  file.Flows = file.Flows.filter(({ Malicious }) => Malicious);
  file.FlowLogs = [{ ResourceId: 'vpc-00000000000000a01', DeliverySeconds: 300 }];
}

/** The incident of the demo: every point of it is tried in every run. */
export const DEFAULT_WORLD = fromFile('the default incident', 'default');

/** The others; a sample of each in a short run, everything in a long one. */
export const OTHER_WORLDS: readonly ChaosWorld[] = [
  fromFile('an Auto Scaling member', 'auto-scaling-member'),
  fromFile('an Auto Scaling member, detached', 'auto-scaling-member', { autoScaling: 'detach' }),
  fromFile('a Spot instance', 'spot-instance'),
  fromFile('an instance alone in its subnet', 'alone-in-subnet'),
  fromFile('replaced groups are deleted', 'default', { deleteReplacedGroups: true }, (file) => {
    neighbourApart(file);
    watchedShell(file);
  }),
  fromFile('an isolation group with openings', 'default', {
    openings: { agentEgress: ['10.0.9.0/28'], analystIngress: ['10.0.8.7/32'] },
  }),
  fromFile('denies that are released after proof', 'default', { releaseDenies: 'after-proof' }, watchedShell),
  named('Nitro v6, a flow log and no agent', { releaseDenies: 'after-proof' }),
  named('a flow log and a host that hides a shell that wakes on day 2', { releaseDenies: 'after-proof' }),
  withOwnFlowLog('Nitro v6, a flow log and no agent'),
  named('behind a NAT gateway, no agent'),
  named('two ENIs, a shell over IPv6 on the second'),
  named('a second ENI that its requester manages'),
  named('a full ACL'),
  named('a peer in the same subnet'),
  named('an untracked shell'),
  named('a host that prints garbage'),
  named('an attacker with root'),
  named('a second shell that the finding does not name'),
  named('a bare request and an honest host'),
  named('an agent that says Online and never answers'),
];
