import { describe } from 'vitest';
import { setDeleteOnTermination, tag } from '../../functions/aws/instance-attributes.ts';
import { register, type Target } from '../../functions/aws/load-balancers.ts';
import { setGroups, setTimeouts } from '../../functions/aws/network-interfaces.ts';
import { createOwnFlowLog, type OwnFlowLog } from '../../functions/aws/own-flow-logs.ts';
import { autoScaling } from '../../functions/controls/auto-scaling.ts';
import { flowLogWitness } from '../../functions/controls/flow-log-witness.ts';
import { CONTROLS } from '../../functions/controls/index.ts';
import type { ControlTools } from '../../functions/controls/subject.ts';
import { CASE_TAG } from '../../functions/core/case/evidence.ts';
import type { Config } from '../../functions/core/config.ts';
import type { Recorded } from '../../functions/core/control.ts';
import { ensureIsolationGroup, GROUP_SECONDS } from '../../functions/shared/isolation-group.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { neighbourApart, worldOf } from '../scenarios/worlds.ts';
import { type Bench, defaultWorld, ids, onBench } from '../support/bench.ts';
import { controlContract, type OnGround } from './contract.ts';
import type { Ground } from './ground.ts';
import { type Account, interfaceGround, listedGround, replacedGround } from './grounds.ts';

const onWorld =
  (
    file: () => WorldFile,
    ground: (account: Account, bench: Bench) => Ground | Promise<Ground>,
    config: Partial<Config> = {},
  ): OnGround =>
  (body) =>
    onBench(
      file(),
      async (bench) => {
        const isolationGroup = await ensureIsolationGroup(bench.tools, ids.vpc, GROUP_SECONDS.swap);
        const account = {
          tools: bench.tools,
          caseId: 'case-0123456789abcdef0123',
          instanceId: ids.instance,
          isolationGroup,
        };
        await body(await ground(account, bench));
      },
      config,
    );

/** Somebody deletes our flow log, and makes one like it that is not the case's. */
async function replaced(tools: ControlTools, before: Recorded): Promise<void> {
  await flowLogWitness.undo(tools, before as Parameters<typeof flowLogWitness.undo>[1]);
  await createOwnFlowLog(tools.ec2, { ...(before as unknown as OwnFlowLog), caseId: 'case-of-a-stranger' });
}

/** What somebody else may make of a thing, beside undoing it. */
const STRANGE: Readonly<Record<string, (tools: ControlTools, before: Recorded) => Promise<unknown>>> = {
  'own flow log': replaced,
  tags: ({ ec2, subject }) => tag(ec2, subject.instanceId, { [CASE_TAG]: 'mine' }),
  'target groups': ({ elb }, before) => register(elb, { ...(before as unknown as Target), port: 9999 }),
  'delete on termination': ({ ec2, subject }, before) =>
    setDeleteOnTermination(ec2, subject.instanceId, (before as unknown as { deviceName: string }).deviceName, true),
};

describe.each(CONTROLS.map((control) => [control.name, control] as const))(
  '%s, in the embedded world',
  (name, control) => {
    controlContract(
      onWorld(
        () => worldOf('auto-scaling-member'),
        (account) => listedGround(control, account, STRANGE[name]),
        { ownFlowLog: true },
      ),
      { stays: control.stays },
    );
  },
);

describe('Auto Scaling group, detached, in the embedded world', () => {
  controlContract(
    onWorld(
      () => worldOf('auto-scaling-member'),
      (account) => listedGround(autoScaling, account),
      { autoScaling: 'detach' },
    ),
  );
});

describe('interface groups, in the embedded world', () => {
  controlContract(
    onWorld(
      () => defaultWorld(),
      (account) =>
        interfaceGround('groups', account, ({ ec2 }, { networkInterfaceId }) =>
          setGroups(ec2, networkInterfaceId, [account.isolationGroup, ids.web]),
        ),
    ),
  );
});

describe('tracking timeouts, in the embedded world', () => {
  controlContract(
    onWorld(
      () => defaultWorld(),
      (account) =>
        interfaceGround('timers', account, ({ ec2 }, { networkInterfaceId }) =>
          setTimeouts(ec2, networkInterfaceId, {
            tcpEstablishedSeconds: 999,
            udpSeconds: null,
            udpStreamSeconds: null,
          }),
        ),
    ),
  );
});

describe('replaced groups, in the embedded world', () => {
  controlContract(
    onWorld(
      () => defaultWorld(neighbourApart),
      async (account) => {
        await setGroups(account.tools.ec2, ids.eni, [account.isolationGroup]);
        return replacedGround(account, [ids.web]);
      },
    ),
  );
});
