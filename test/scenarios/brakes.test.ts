import { DeleteItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { setGroups } from '../../functions/aws/network-interfaces.ts';
import type { Toolbox } from '../../functions/shared/toolbox.ts';
import { simulate } from '../../local/simulate.ts';
import { defaultWorld, ids, readEvent } from '../support/bench.ts';
import { inEpisode } from '../support/episode.ts';
import { laterFinding, neighbourFinding, worldOf } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const contain = (instanceId: string) => ({ instanceId, mode: 'contain', remoteAddresses: [ids.peer] });
const HOUR = 3600;

const switchKey = { pk: { S: 'SETTINGS' }, sk: { S: 'MODE' } };
const setSwitch = ({ cases }: Toolbox, mode: string) =>
  cases.client.send(new PutItemCommand({ TableName: cases.name, Item: { ...switchKey, mode: { S: mode } } }));
const removeSwitch = ({ cases }: Toolbox) =>
  cases.client.send(new DeleteItemCommand({ TableName: cases.name, Key: switchKey }));

describe('the cap on new isolations', () => {
  it('makes a plan of the next instance in the VPC, says why, and changes nothing', async () => {
    await inEpisode(
      defaultWorld(),
      async ({ send, state }) => {
        const [first] = await send(finding);
        expect(first?.verdict).toBe('held');
        const before = state();
        const [second] = await send(neighbourFinding());
        expect(second).toMatchObject({
          verdict: 'planned',
          instanceId: ids.neighbour,
          reason: expect.stringMatching(new RegExp(`^cap reached: 1 new isolations in ${ids.vpc}.*person`)),
          held: [],
          undo: null,
        });
        expect(second?.plan.length).toBeGreaterThan(2);
        expect(state()).toBe(before);
      },
      { isolationsPerHour: 1 },
    );
  });

  it('has places of their own for findings of severity 7 and above, whatever flood of others came first', async () => {
    const ofSeverity = (severity: number): unknown => {
      const event = structuredClone(neighbourFinding()) as { detail: { severity: number } };
      event.detail.severity = severity;
      return event;
    };
    await inEpisode(
      defaultWorld(),
      async ({ send }) => {
        const [medium] = await send(ofSeverity(5));
        expect(medium?.verdict).toBe('held');
        const [high] = await send(finding);
        expect(high).toMatchObject({ verdict: 'held', instanceId: ids.instance });
      },
      { isolationsPerHour: 1 },
    );
  });

  it('holds for the hour: in the next one the same case acts on a later occurrence', async () => {
    await inEpisode(
      defaultWorld(),
      async ({ send, ask, world }) => {
        await send(finding);
        const [held] = await send(neighbourFinding());
        expect(held?.verdict).toBe('planned');
        await world.clock.sleep(HOUR);
        const report = await ask({ caseId: held?.caseId });
        expect(report).toMatchObject({ caseId: held?.caseId, verdict: 'held' });
      },
      { isolationsPerHour: 1 },
    );
  });

  it('does not count what a person asks for', async () => {
    await inEpisode(
      defaultWorld(),
      async ({ send, ask }) => {
        await send(finding);
        expect((await ask(contain(ids.neighbour))).verdict).toBe('held');
      },
      { isolationsPerHour: 1 },
    );
  });

  it('counts a case once, however many findings it has', async () => {
    await inEpisode(
      defaultWorld(),
      async ({ send }) => {
        await send(finding);
        for (const peer of ['203.0.113.7', '203.0.113.8', '203.0.113.9']) {
          const [report] = await send(laterFinding(peer));
          expect(report?.held.map(({ Cidr }) => Cidr)).toContain(`${peer}/32`);
        }
        const [other] = await send(neighbourFinding());
        expect(other?.verdict).toBe('held');
      },
      { isolationsPerHour: 2 },
    );
  });

  it('of none makes a plan of everything', async () => {
    const run = await simulate(defaultWorld(), finding, { config: { isolationsPerHour: 0 } });
    expect(run.report).toMatchObject({ verdict: 'planned', reason: expect.stringContaining('cap reached: 0') });
    expect(run.calls.byApi['CreateNetworkAclEntry']).toBeUndefined();
    expect(run.truth.get('reverse shell')?.stoppedBy).toBeNull();
  });

  it('lets as many through as there are places when all come at once', async () => {
    await inEpisode(
      defaultWorld(),
      async ({ begin, settle }) => {
        await Promise.all([finding, neighbourFinding()].map(begin));
        const reports = await settle();
        expect(reports).toHaveLength(2);
        expect(reports.filter(({ verdict }) => verdict === 'planned')).toHaveLength(1);
      },
      { isolationsPerHour: 1 },
    );
  });
});

describe('the switch in the case table', () => {
  it.each([
    ['a finding', finding],
    ['a manual request', contain(ids.instance)],
  ])('at observe makes a plan of %s and changes nothing', async (_, input) => {
    const file = worldOf('auto-scaling-member');
    const before = JSON.stringify({ ...file, Faults: [] });
    const run = await simulate(file, input, {
      prepare: (world, tools) => {
        // The write is under way before the response has opened its case.
        world.inState('operator', () => setSwitch(tools, 'observe')).catch(expect.unreachable);
      },
    });
    expect(run.report).toMatchObject({ verdict: 'planned', reason: expect.stringContaining('the switch'), undo: null });
    expect(run.report.plan.length).toBeGreaterThan(2);
    expect(JSON.stringify({ ...run.finalState, Faults: [] })).toBe(before);
    const calls = new Set(run.timeline.map(({ call }) => call));
    const records = ['GetItem', 'PutItem', 'UpdateItem', 'Query', 'StartExecution', 'Publish'];
    expect([...calls].filter((call) => !call.startsWith('Describe') && !records.includes(call))).toEqual([]);
  });

  it('at contain turns no observe request into a containment', async () => {
    await inEpisode(defaultWorld(), async ({ ask, tools, state }) => {
      const before = state();
      await setSwitch(tools, 'contain');
      expect((await ask({ instanceId: ids.instance, mode: 'observe' })).verdict).toBe('planned');
      expect(state()).toBe(before);
    });
  });

  it('lets the same case act once it is taken away', async () => {
    await inEpisode(defaultWorld(), async ({ send, ask, tools }) => {
      await setSwitch(tools, 'observe');
      const [planned] = await send(finding);
      expect(planned?.verdict).toBe('planned');
      await removeSwitch(tools);
      const report = await ask(contain(ids.instance));
      expect(report).toMatchObject({ verdict: 'held', caseId: planned?.caseId });
    });
  });

  it('uses up none of the places of the hour', async () => {
    await inEpisode(
      defaultWorld(),
      async ({ send, tools }) => {
        await setSwitch(tools, 'observe');
        await send(neighbourFinding());
        await removeSwitch(tools);
        const [report] = await send(finding);
        expect(report?.verdict).toBe('held');
      },
      { isolationsPerHour: 1 },
    );
  });
});

it('what a brake held back is restored to what was found when it was let go, not to what the plan saw', async () => {
  const file = defaultWorld((world) => {
    const [web] = world.SecurityGroups;
    if (web) world.SecurityGroups.push({ ...structuredClone(web), GroupId: ids.second, GroupName: 'shop-second' });
  });
  await inEpisode(file, async ({ send, ask, restore, tools }) => {
    await setSwitch(tools, 'observe');
    await send(finding);
    await setGroups(tools.ec2, ids.eni, [ids.second]);
    await removeSwitch(tools);
    const { caseId } = await ask(contain(ids.instance));
    await restore(caseId, true);
    const eni = file.NetworkInterfaces.find(({ NetworkInterfaceId }) => NetworkInterfaceId === ids.eni);
    expect(eni?.Groups.map(({ GroupId }) => GroupId)).toEqual([ids.second]);
  });
});
