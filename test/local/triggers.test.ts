import { describe, expect, it } from 'vitest';
import { deliver } from '../../local/deliveries.ts';
import {
  type NextDue,
  rateSeconds,
  STARTED,
  type StartedFunction,
  stackTriggers,
  type Triggers,
} from '../../local/deployment.ts';
import { newRun, openSession, type Session } from '../../local/session.ts';
import { stackTemplate } from '../../local/stack.ts';
import { playTriggers } from '../../local/triggers.ts';
import { runInVirtualTime } from '../../local/world/clock.ts';
import { folderOf, isMap, type NodeMap, resourcesOf } from '../../scripts/template.ts';
import { readEvent, shellAlone } from '../support/bench.ts';

const PLACE = { AccountId: '111122223333', Region: 'eu-central-1' };
const DAY = 86_400;

/** A stack with one function that a schedule or a rule starts. */
const started = (step: StartedFunction['step'], given: Partial<Triggers> = {}, nextDue?: NextDue): Triggers => ({
  rules: [],
  schedules: [],
  ...given,
  functions: { look: { step, ...(nextDue && { nextDue }) } },
});

const every = (everySeconds: number): Pick<Triggers, 'schedules'> => ({
  schedules: [{ name: 'LookEvery', folder: 'look', everySeconds, retries: 2, input: { detail: {} } }],
});

function inStack<T>(triggers: Triggers, body: (session: Session) => Promise<T>): Promise<T> {
  const file = shellAlone();
  return runInVirtualTime(file.Now, (clock) => body(openSession(file, clock, { triggers })));
}

describe('what starts functions by itself', () => {
  it('is read from the template: the rule of the findings, with its retries', () => {
    const { rules } = stackTriggers(PLACE, {});

    expect(rules.map(({ folder, retries }) => [folder, retries])).toContainEqual(['start-response', 2]);
    expect(rules.find(({ folder }) => folder === 'start-response')?.pattern).toMatchObject({
      source: ['aws.guardduty'],
    });
  });

  it('has a function behind it here, whatever the template starts', () => {
    const folders = resourcesOf(stackTemplate(), 'AWS::Serverless::Function')
      .filter(([, { Properties }]) => isMap(Properties['Events']))
      .map(([, resource]) => folderOf(resource));

    expect(Object.keys(STARTED).sort()).toEqual([...new Set(folders)].sort());
  });

  it.each([
    ['rate(5 minutes)', 300],
    ['rate(1 minute)', 60],
    ['rate(2 hours)', 7200],
    ['rate(1 day)', DAY],
  ])('at %s comes every %d seconds', (expression, seconds) => {
    expect(rateSeconds(expression)).toBe(seconds);
  });

  it.each(['cron(0 9 * * ? *)', 'rate(0 minutes)', 'rate(5 weeks)', ''])('at %j is refused', (expression) => {
    expect(() => rateSeconds(expression)).toThrow('rate(5 minutes)');
  });
});

describe('a schedule', () => {
  it('ticks as long as something goes on, and for as long as the world runs on', () =>
    inStack(
      started((tools) => Promise.resolve(ticks.push(tools.now().getTime())), every(3600)),
      async (session) => {
        ticks.length = 0;
        const playing = playTriggers(session);
        await session.activity.track(session.world.clock.sleep(2 * DAY));
        await playing.untilQuiet();

        const began = Date.parse(session.file.Now);
        expect(ticks.slice(0, 3).map((at) => (at - began) / 1000)).toEqual([3600, 7200, 10_800]);
        expect((ticks.at(-1) ?? 0) - began).toBe((2 + 11) * DAY * 1000);
      },
    ));

  it('leaves out the ticks at which nothing is due, and those that come once the world has run on', () => {
    const looked: number[] = [];
    let looks = 0;
    const dueAt: NextDue = ({ now }) => {
      looks += 1;
      return [450, 7 * DAY, 10 * DAY, 30 * DAY].find((due) => due > now) ?? null;
    };
    const step: StartedFunction['step'] = (tools) => Promise.resolve(looked.push(tools.now().getTime()));
    return inStack(started(step, every(300), dueAt), async (session) => {
      const playing = playTriggers(session);
      await playing.untilQuiet();

      const began = Date.parse(session.file.Now);
      expect(looked.map((at) => (at - began) / 1000)).toEqual([600, 7 * DAY, 10 * DAY]);
      expect(looks).toBeLessThan(20);
    });
  });

  it('is asked again when something happens', () => {
    const looked: number[] = [];
    let due: number | null = null;
    const step: StartedFunction['step'] = (tools) => {
      due = null;
      return Promise.resolve(looked.push(tools.now().getTime()));
    };
    return inStack(
      started(step, every(300), () => due),
      async (session) => {
        const playing = playTriggers(session);
        await session.activity.track(
          session.world.clock.sleep(1000).then(() => {
            due = 1000;
          }),
        );
        await playing.untilQuiet();

        expect(looked.map((at) => (at - Date.parse(session.file.Now)) / 1000)).toEqual([1200]);
      },
    );
  });

  it('goes on at its next tick after a failure', () => {
    let calls = 0;
    const step: StartedFunction['step'] = () => {
      calls += 1;
      return calls === 1 ? Promise.reject(new Error('not now')) : Promise.resolve(null);
    };
    return inStack(
      started(step, every(300), ({ now }) => (now < 600 ? now : null)),
      async (session) => {
        await playTriggers(session).untilQuiet();

        expect(calls).toBe(2);
        expect(session.world.clock.now()).toBe(600);
      },
    );
  });
});

const ticks: number[] = [];

describe('an event', () => {
  const pattern: NodeMap = {
    source: ['aws.ec2'],
    'detail-type': ['AWS API Call via CloudTrail'],
    detail: { eventName: ['DeleteNetworkAclEntry'], userIdentity: { arn: [{ prefix: 'arn:aws:sts:' }] } },
  };
  const rule = { rules: [{ folder: 'look', retries: 2, pattern }] };
  const trail = (eventName: string) => ({
    source: 'aws.ec2',
    'detail-type': 'AWS API Call via CloudTrail',
    detail: { eventName, userIdentity: { arn: 'arn:aws:sts::111122223333:assumed-role/ops/stranger' } },
  });

  it('reaches the function of every rule that it matches, and no other', async () => {
    const seen: unknown[] = [];
    const step: StartedFunction['step'] = (_tools, event) => Promise.resolve(seen.push(event));
    await inStack(started(step, rule), async (session) => {
      await deliver(session, trail('DeleteNetworkAclEntry'));
      await deliver(session, trail('CreateNetworkAclEntry'));
      await deliver(session, readEvent('guardduty-ec2-c2activity'));
    });

    expect(seen).toEqual([trail('DeleteNetworkAclEntry')]);
  });

  it('is tried again after a minute and after two more, and then lies in the dead-letter queue', async () => {
    const at: number[] = [];
    const failing: StartedFunction['step'] = (tools) => {
      at.push(tools.now().getTime());
      return Promise.reject(new Error('no'));
    };
    await inStack(started(failing, rule), async (session) => {
      const [delivery] = await deliver(session, trail('DeleteNetworkAclEntry'));

      expect(delivery).toMatchObject({ kind: 'dead-letter', error: { message: 'no' } });
      expect(at.map((one) => (one - Date.parse(session.file.Now)) / 1000)).toEqual([0, 60, 180]);
    });
  });

  it('is tried no more often than its function says', async () => {
    let calls = 0;
    const failing: StartedFunction['step'] = () => {
      calls += 1;
      return Promise.reject(new Error('no'));
    };
    const once = { rules: [{ folder: 'look', retries: 0, pattern }] };

    await inStack(started(failing, once), (session) => deliver(session, trail('DeleteNetworkAclEntry')));

    expect(calls).toBe(1);
  });
});

describe('a run', () => {
  it('is named after its first case', async () => {
    const run = newRun('step 1');
    expect(run.caseId()).toBeNull();

    run.belongTo('case-0123456789abcdef0123');
    run.belongTo('case-aaaaaaaaaaaaaaaaaaaa');

    await run.named;
    expect(run.caseId()).toBe('case-0123456789abcdef0123');
  });
});
