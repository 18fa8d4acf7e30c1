import { type Dice, diceOf, type Policy, type SlowApi } from './interleave-scheduler.ts';

/** What several findings at once have in common. */
export const FAMILIES = ['one instance', 'one peer', 'one subnet', 'several subnets', 'shared VPC'] as const;
export type Family = (typeof FAMILIES)[number];

export interface InstancePlan {
  /** Index of the account that owns it. */
  readonly account: number;
  readonly subnet: number;
  /** A second interface in the same subnet, with its groups in an order of its own. */
  readonly secondInterface: boolean;
  readonly agent: 'honest' | 'slow' | 'silent' | 'none' | 'kills processes only' | 'hides' | 'claims success';
  /** A flow that no finding names, to a server that other instances talk to as well. */
  readonly secondStage: boolean;
}

export interface FindingPlan {
  readonly instance: number;
  /** Index of the peer. */
  readonly peer: number;
  /** Seconds after the beginning of its wave. */
  readonly at: number;
  /** `second`: arrives while cases of the first wave are being restored. */
  readonly wave: 'first' | 'second';
}

/** One run, drawn from its seed. */
export interface Plan {
  readonly seed: number;
  readonly family: Family;
  /** Findings. */
  readonly n: number;
  readonly policy: Policy;
  readonly slow: SlowApi;
  readonly accounts: number;
  readonly subnets: number;
  /** Subnet i has ACL i, or all share one. */
  readonly oneAcl: boolean;
  readonly instances: readonly InstancePlan[];
  readonly peers: readonly string[];
  readonly findings: readonly FindingPlan[];
  readonly isolationsPerHour: number;
  readonly releaseDenies: 'never' | 'after-proof';
  readonly flowLog: boolean;
  /** Cases of the first wave that are restored while the second wave arrives. */
  readonly restoredEarly: readonly number[];
  readonly restoreAtOnce: boolean;
  /** Seed of the scheduler. */
  readonly schedule: number;
}

const AGENTS: readonly InstancePlan['agent'][] = [
  ...Array.from({ length: 10 }, () => 'honest' as const),
  'slow',
  'silent',
  'none',
  'kills processes only',
  'hides',
  'claims success',
];

/** Every third one is an IPv6 address: both families share the rule numbers and have quotas of their own. */
const peerAddress = (index: number): string =>
  index % 3 === 2 ? `2001:db8:ffff::${(index + 1).toString(16)}` : `198.51.100.${index + 1}`;

/** The second stage that unnamed flows go to. */
export const SECOND_STAGE = '203.0.113.77';

const ACCOUNTS_IN_SHARED_VPC = 3;

/** A flow that goes on under the eyes of a flow log, for the days that such a response takes, costs too much to watch. */
const UNDER_A_FLOW_LOG: readonly InstancePlan['agent'][] = ['honest', 'kills processes only'];

function instanceOf(dice: Dice, family: Family, index: number, subnets: number, flowLog: boolean): InstancePlan {
  return {
    // Every account has one.
    account: family === 'shared VPC' ? index % ACCOUNTS_IN_SHARED_VPC : 0,
    subnet: dice.below(subnets),
    secondInterface: dice.chance(0.2),
    agent: dice.pick(flowLog ? UNDER_A_FLOW_LOG : AGENTS),
    secondStage: dice.chance(0.3),
  };
}

/** Draws a run. The same seed, family and n give the same plan. */
export function planOf(family: Family, n: number, seed: number): Plan {
  const dice = diceOf(Math.imul(seed, 2_654_435_761) ^ Math.imul(n, 40_503) ^ FAMILIES.indexOf(family));
  const isOne = family === 'one instance';
  const subnets = family === 'several subnets' || family === 'shared VPC' ? 2 + dice.below(3) : 1;
  // Release waits for five days on the word of the flow log: the smaller worlds do.
  const flowLog = n <= 8 && dice.chance(0.15);
  const instances = Array.from({ length: isOne ? 1 : n }, (_, index) =>
    instanceOf(dice, family, index, subnets, flowLog),
  );
  // More peers than an ACL has room for in some runs, and few that several share in others.
  const peerCount = family === 'one peer' ? 1 : dice.pick([n, n, Math.ceil(n / 3), Math.min(n, 12)]);
  const peers = dice.shuffled(Array.from({ length: peerCount }, (_, index) => peerAddress(index)));
  const over = dice.pick([0, 0.5, 4, 12]);
  const hasSecondWave = dice.chance(0.5);
  // Restores begin within four seconds of the second wave and need as long again before they lift a deny.
  const late = dice.next() * 6;
  const findings = Array.from({ length: n }, (_, index): FindingPlan => {
    const wave = hasSecondWave && index > 0 && dice.chance(0.5) ? 'second' : 'first';
    const at = dice.next() * over + (wave === 'second' ? late : 0);
    return { instance: isOne ? 0 : index, peer: index % peerCount, at, wave };
  });
  // Some arrive twice, and some about an instance that is being restored.
  const again = findings.filter(() => dice.chance(0.15)).map((one) => ({ ...one, at: dice.next() * over }));
  const early = [...new Set(findings.filter(({ wave }) => wave === 'first').map(({ instance }) => instance))];
  // All of them in some runs: then the last case lets go of a deny while another is about to join it.
  const share = dice.pick([0.5, 1]);
  const restoredEarly = hasSecondWave ? early.filter(() => dice.chance(share)) : [];
  const whileRestored = restoredEarly
    .filter(() => dice.chance(0.2))
    .map((instance): FindingPlan => ({ instance, peer: dice.below(peerCount), at: dice.next() * 20, wave: 'second' }));
  return {
    seed,
    family,
    n,
    policy: dice.pick(['uniform', 'priorities']),
    slow: dice.pick([
      null,
      'DeleteNetworkAclEntry',
      'DeleteNetworkAclEntry',
      'CreateNetworkAclEntry',
      'TransactWriteItems',
      'UpdateItem',
    ]),
    accounts: family === 'shared VPC' ? ACCOUNTS_IN_SHARED_VPC : 1,
    subnets,
    oneAcl: dice.chance(0.6),
    instances,
    peers,
    findings: [...findings, ...again, ...whileRestored],
    isolationsPerHour: dice.chance(0.2) ? 10 : 1000,
    releaseDenies: flowLog && dice.chance(0.7) ? 'after-proof' : 'never',
    flowLog,
    restoredEarly,
    restoreAtOnce: dice.chance(0.5),
    schedule: dice.below(2 ** 31),
  };
}
