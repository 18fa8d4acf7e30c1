import { afterAll, beforeAll, describe } from 'vitest';
import { setDeleteOnTermination, tag } from '../../functions/aws/instance-attributes.ts';
import { register, type Target } from '../../functions/aws/load-balancers.ts';
import { setGroups } from '../../functions/aws/network-interfaces.ts';
import { createGroup } from '../../functions/aws/security-groups.ts';
import { CONTROLS } from '../../functions/controls/index.ts';
import type { ControlTools } from '../../functions/controls/subject.ts';
import { CASE_TAG } from '../../functions/core/case/evidence.ts';
import type { Recorded } from '../../functions/core/control.ts';
import { startMoto } from '../../scripts/moto-server.ts';
import { controlContract, type OnGround, unseenContract } from '../controls/contract.ts';
import type { Ground } from '../controls/ground.ts';
import { type Account, interfaceGround, listedGround, replacedGround } from '../controls/grounds.ts';
import { buildAccount, type Account as MotoAccount } from './support/account.ts';
import { type Clients, clientsAt, createFlowLogBucket } from './support/clients.ts';
import { functionEnvironment, toolboxOf } from './support/toolbox.ts';

const moto = await startMoto();
afterAll(() => moto?.stop());

/** What moto does not show, and the embedded world does. */
const UNSEEN: Readonly<Record<string, string>> = {
  'shutdown behaviour': 'moto takes a new shutdown behaviour and forgets it',
  'tracking timeouts': 'moto takes the timeouts and never tells them again',
};

const STRANGE: Readonly<Record<string, (tools: ControlTools, before: Recorded) => Promise<unknown>>> = {
  tags: ({ ec2, subject }) => tag(ec2, subject.instanceId, { [CASE_TAG]: 'mine' }),
  'target groups': ({ elb }, before) => register(elb, { ...(before as unknown as Target), port: 9999 }),
  'delete on termination': ({ ec2, subject }, before) =>
    setDeleteOnTermination(ec2, subject.instanceId, (before as unknown as { deviceName: string }).deviceName, true),
};

/** Whatever a story left, and whatever a stranger made of it, is as it was again. */
async function cleanUp({ control, tools, records }: Ground): Promise<void> {
  if (control.stays !== undefined) return;
  const hand = await tools();
  for (const before of (await records()).known) {
    await control.apply(hand, before).catch(() => undefined);
    await control.undo(hand, before).catch(() => undefined);
    const thing = control.shared?.(before);
    if (thing === undefined) continue;
    // No other story needs it.
    await hand.ledger?.leave(thing);
    await hand.ledger?.endUndo(thing);
  }
}

describe.skipIf(moto === null)('controls, over HTTP', () => {
  const clients: Clients = clientsAt(moto?.endpoint ?? '');
  let built: MotoAccount;
  let isolationGroup = '';
  let cases = 0;
  beforeAll(async () => {
    built = await buildAccount(clients);
    await createFlowLogBucket(clients);
    isolationGroup = (await createGroup(clients.ec2, built.vpcId, 'flowcut-isolation')) ?? '';
  });

  /** One account for all, and a case of its own for each story: what a story changes it gives back. */
  const onMoto =
    (ground: (account: Account) => Ground | Promise<Ground>): OnGround =>
    async (body) => {
      cases += 1;
      const caseId = `case-${String(cases).padStart(20, '0')}`;
      const environment = functionEnvironment({ FLOWCUT_OWN_FLOW_LOG: 'on' });
      const tools = { ...toolboxOf(clients, environment), sleep: () => Promise.resolve() };
      const story = await ground({ tools, caseId, instanceId: built.victim.instanceId, isolationGroup });
      try {
        await body(story);
      } finally {
        await cleanUp(story);
      }
    };

  const seen = CONTROLS.filter(({ name }) => UNSEEN[name] === undefined);
  describe.each(seen.map((control) => [control.name, control] as const))('%s', (name, control) => {
    controlContract(
      onMoto((account) => listedGround(control, account, STRANGE[name])),
      { stays: control.stays, diesAtChangesAlone: true },
    );
  });

  const unseen = CONTROLS.filter(({ name }) => UNSEEN[name] !== undefined);
  describe.each(unseen.map((control) => [control.name, control] as const))('%s', (name, control) => {
    unseenContract(
      onMoto((account) => listedGround(control, account)),
      UNSEEN[name] ?? '',
    );
  });

  describe('interface groups', () => {
    controlContract(
      onMoto((account) =>
        interfaceGround('groups', account, ({ ec2 }, { networkInterfaceId }) =>
          setGroups(ec2, networkInterfaceId, [account.isolationGroup, built.groups.web]),
        ),
      ),
      { diesAtChangesAlone: true },
    );
  });

  describe('tracking timeouts', () => {
    unseenContract(
      onMoto((account) => interfaceGround('timers', account, () => Promise.resolve())),
      UNSEEN['tracking timeouts'] ?? '',
    );
  });

  describe('replaced groups', () => {
    controlContract(
      onMoto(async (account) => {
        const groupId = await createGroup(clients.ec2, built.vpcId, `shop-old-${account.caseId}`);
        return replacedGround(account, groupId === null ? [] : [groupId]);
      }),
      { diesAtChangesAlone: true },
    );
  });
});
