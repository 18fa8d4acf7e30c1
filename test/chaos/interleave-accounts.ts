import type { Config } from '../../functions/core/config.ts';
import type { Toolbox } from '../../functions/shared/toolbox.ts';
import { localConfig, localToolbox, type World } from '../../local/simulate.ts';
import type { SdkClient } from '../../local/world/api/middleware.ts';
import type { SecurityGroup } from '../../local/world/api/shapes.ts';
import { createEmbeddedWorld } from '../../local/world/embedded-world.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import type { WorldPhysics } from '../../local/world/physics.ts';
import type { WorldClock } from '../../local/world/state.ts';
import type { Plan } from './interleave-plan.ts';
import type { Scheduler } from './interleave-scheduler.ts';
import { accountId } from './interleave-world.ts';

/** More flow logs than so many at once take minutes to read and show nothing new. */
const FEW_FINDINGS = 3;

/** One account's responder: its view of the world, and its own case table. */
export interface Account {
  readonly index: number;
  readonly world: World;
  readonly config: Config;
}

/**
 * Several accounts in one VPC: subnets, ACLs and interfaces are one and the same, but each account sees and uses its own
 * security groups only.
 * https://docs.aws.amazon.com/vpc/latest/userguide/vpc-sharing.html ("Participants can't view, modify, or delete
 * security groups that belong to other participants or the VPC owner")
 */
export function accountsOf(plan: Plan, file: WorldFile, clock: WorldClock, physics: WorldPhysics): readonly Account[] {
  const views = plan.accounts === 1 ? [file] : viewsOf(plan, file);
  return views.map((view, index) => {
    const { isolationsPerHour, releaseDenies } = plan;
    return {
      index,
      world: createEmbeddedWorld(view, clock, physics),
      config: {
        ...localConfig(view),
        isolationsPerHour,
        releaseDenies,
        // It is about the denies: a sealed subnet needs none.
        sealSubnet: 'never',
        // Each account counts its flow logs from 1, and they stand in one list: those of two accounts would have the same ids.
        ownFlowLog: plan.accounts === 1 && plan.findings.length <= FEW_FINDINGS,
      },
    };
  });
}

function viewsOf(plan: Plan, file: WorldFile): readonly WorldFile[] {
  const all = file.SecurityGroups;
  const views = Array.from({ length: plan.accounts }, (_, index) => {
    const groups = all.filter(({ OwnerId }) => OwnerId === accountId(index));
    return { ...file, AccountId: accountId(index), SecurityGroups: groupsWithIdsOf(index, groups) };
  });
  // Packets meet the groups of every account.
  Object.defineProperty(file, 'SecurityGroups', {
    enumerable: true,
    get: () => views.flatMap((view) => [...view.SecurityGroups]),
  });
  return views;
}

/** Each account's API counts what it creates from 1: the ids that it makes of that must not meet. */
function groupsWithIdsOf(account: number, groups: readonly SecurityGroup[]): SecurityGroup[] {
  const own = [...groups];
  const push = own.push.bind(own);
  own.push = (...added) => {
    for (const group of added) group.GroupId = `${group.GroupId.slice(0, -1)}${account}`;
    return push(...added);
  };
  return own;
}

/** The clients of one Lambda invocation or execution, every call of theirs held by the scheduler. */
export function toolsOf({ world, config }: Account, scheduler: Scheduler): Toolbox {
  const tools = localToolbox(world, config);
  const { ec2, ssm, sfn, logs, sns, scaling, elb, classicElb, cases } = tools;
  const clients: readonly SdkClient[] = [ec2, ssm, sfn, logs, sns, scaling, elb, classicElb, cases.client];
  for (const client of clients) scheduler.hold(client);
  return tools;
}
