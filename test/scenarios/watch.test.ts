import { StopExecutionCommand } from '@aws-sdk/client-sfn';
import { describe, expect, it } from 'vitest';
import { watchInterval } from '../../functions/core/case/watch.ts';
import { parseEpisode } from '../../local/episode.ts';
import { playEpisode } from '../../local/play.ts';
import { episodeJson } from '../../local/print-episode.ts';
import type { SessionOptions } from '../../local/session.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { ids, readEvent, shellAlone, shellWatched } from '../support/bench.ts';
import { NO_OWN_FLOW_LOG } from '../support/own-flow-log.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;
/** When the shell's instance is isolated, about, in seconds. */
const ISOLATED_AT = 10;
const finding = { at: 0, event: readEvent('guardduty-ec2-c2activity') };
const by = 'arn:aws:sts::111122223333:assumed-role/ops/stranger';

interface Given {
  readonly at: number;
  readonly verdict: string;
}

async function play(file: WorldFile, steps: readonly object[], options: SessionOptions = {}) {
  const played = await playEpisode(file, parseEpisode(steps), {
    ...options,
    config: { ...NO_OWN_FLOW_LOG, ...options.config },
  });
  const { steps: printed, messages } = JSON.parse(JSON.stringify(episodeJson(played))) as {
    steps: { result?: { verdicts: readonly Given[] } }[];
    messages: { at: number; subject: string; body: string }[];
  };
  const { session } = played;
  return {
    verdicts: printed[0]?.result?.verdicts ?? [],
    messages,
    /** Looks that the sweep has started, in seconds. */
    looks: session.world
      .timeline()
      .flatMap(({ at, state, call }) => (state === 'sweep-cases' && call === 'StartExecution' ? [at] : [])),
    timeline: session.world.timeline(),
    underWatch: session.world.partition('flowcut-cases', 'WATCH'),
    entries: (played.finalState as unknown as WorldFile).NetworkAcls.flatMap(({ Entries }) => Entries)
      .filter(({ RuleNumber, RuleAction }) => RuleNumber < 32_767 && RuleAction === 'deny')
      .map(({ Egress, CidrBlock }) => `${Egress ? 'out' : 'in'} ${CidrBlock}`)
      .sort(),
  };
}

/** A stranger takes away the deny of the peer, in both directions. */
const tamper = (at: number) => ({
  at,
  by,
  calls: [true, false].map((Egress) => ({
    service: 'ec2',
    api: 'DeleteNetworkAclEntry',
    input: { NetworkAclId: ids.acl, RuleNumber: '$1.denyRuleNumber', Egress },
  })),
});

/** The shell is still there when nothing holds it: a deny that is gone is a leak. */
const withoutHost = (world: WorldFile): void => {
  for (const host of world.Hosts) host.AgentAnswers = false;
};

const untold = (file: WorldFile): WorldFile => {
  file.Assumptions.TrailDeliverySeconds = null;
  return file;
};

/** Somebody stops the response's execution at this second. */
const stopping = (second: number): SessionOptions => {
  let isFirst = true;
  return {
    prepare: (world, { sfn }) => {
      world.interceptors.push({
        after: ({ call, input }) => {
          if (call !== 'StartExecution' || !isFirst) return;
          isFirst = false;
          const { name, stateMachineArn = '' } = input as { name?: string; stateMachineArn?: string };
          const executionArn = `${stateMachineArn.replace(':stateMachine:', ':execution:')}:${name}`;
          setTimeout(() => {
            world
              .inState('a hand', () => sfn.send(new StopExecutionCommand({ executionArn })))
              .catch((error: unknown) => {
                throw error;
              });
          }, second * 1000);
        },
      });
    },
  };
};

describe('the watch over a case whose response has ended', () => {
  it('looks every 5 minutes in the first hour, every hour in the first day, every 6 hours later', async () => {
    const { looks, verdicts, messages } = await play(shellAlone(), [finding]);

    const pauses = looks.slice(1).map((at, index) => at - (looks[index] ?? 0));
    expect(looks[0]).toBeLessThan(700);
    for (const [index, pause] of pauses.entries()) {
      const interval = watchInterval((looks[index] ?? 0) - ISOLATED_AT);
      expect(pause).toBeGreaterThan(interval - 10);
      expect(pause).toBeLessThan(interval + 10);
    }
    // The world runs on for eleven days.
    expect(looks.at(-1)).toBeGreaterThan(10.5 * DAY);
    expect(looks.at(-1)).toBeLessThan(11.1 * DAY);
    expect(verdicts).toHaveLength(2 + looks.length);
    expect(new Set(verdicts.map(({ verdict }) => verdict))).toEqual(new Set(['held']));
    expect(messages).toHaveLength(2);
  });

  it('is over with a restore', async () => {
    const restore = { at: HOUR + 100, restore: { caseId: '$1', force: true } };
    const { looks, underWatch, verdicts } = await play(shellAlone(), [finding, restore]);

    expect(looks.length).toBeGreaterThan(8);
    expect(looks.filter((at) => at > restore.at)).toEqual([]);
    expect(verdicts.filter(({ at }) => at > restore.at)).toEqual([]);
    expect(underWatch).toEqual([]);
  });

  it('costs some hundred and fifty looks in a month, of some thirty calls each, and looks no more often than that', async () => {
    const call = { service: 'ec2', api: 'DescribeVpcs', input: {} };
    const { looks, timeline } = await play(shellAlone(), [finding, { at: 31 * DAY, by, calls: [call] }]);

    const month = looks.filter((at) => at < 30 * DAY);
    const calls = timeline.filter(({ at }) => at > HOUR && at < 30 * DAY).length;
    const later = month.filter((at) => at > HOUR).length;
    expect(month.length).toBeGreaterThan(140);
    expect(month.length).toBeLessThan(155);
    expect(calls / later).toBeLessThan(35);
  });

  it('is over after WatchDays: people hear it once, and the controls stay', async () => {
    const { looks, messages, entries, underWatch } = await play(shellAlone(), [finding], {
      parameters: { WatchDays: '1' },
    });

    const last = messages.at(-1);
    expect(messages).toHaveLength(3);
    expect(last?.at).toBeGreaterThanOrEqual(DAY);
    expect(last?.at).toBeLessThan(DAY + 6 * HOUR + 600);
    expect(last?.body).toContain('the watch of this case ends');
    expect(looks.at(-1)).toBeLessThanOrEqual(last?.at ?? 0);
    expect(entries).toEqual([`in ${ids.peer}/32`, `out ${ids.peer}/32`]);
    expect(underWatch).toEqual([]);
  });

  it('is none with WatchDays 0', async () => {
    const { looks, messages } = await play(shellAlone(), [finding], { parameters: { WatchDays: '0' } });

    expect(looks).toEqual([]);
    expect(messages).toHaveLength(2);
  });
});

describe('a stranger who takes a deny away', () => {
  it.each([
    ['by CloudTrail within a minute and a half', shellAlone(withoutHost), 2 * HOUR, 90],
    ['within an interval, where CloudTrail tells nothing', untold(shellAlone(withoutHost)), 2 * HOUR, HOUR + 60],
    [
      'within five minutes in the first hour, where CloudTrail tells nothing',
      untold(shellAlone(withoutHost)),
      1000,
      360,
    ],
  ])('is found %s: the deny is made again, and people hear of it once', async (_, file, at, seconds) => {
    const { timeline, messages, entries, verdicts } = await play(file, [finding, tamper(at)]);

    const again = timeline.filter(
      (entry) => entry.call === 'CreateNetworkAclEntry' && entry.outcome === 'ok' && entry.at > at,
    );
    expect(again).toHaveLength(2);
    expect(Math.max(...again.map((entry) => entry.at))).toBeLessThan(at + seconds);
    expect(entries).toEqual([`in ${ids.peer}/32`, `out ${ids.peer}/32`]);
    const later = verdicts.filter((given) => given.at > at);
    expect(later[0]?.verdict).toBe('leaking');
    expect(later[1]?.verdict).toBe('held');
    const told = messages.filter((message) => message.at > at);
    expect(told).toHaveLength(1);
    expect(told[0]?.body).toContain('made them again');
  });

  it('is found beside a response that sleeps until its proof, and the response goes on to it', async () => {
    const { timeline, messages, verdicts } = await play(shellWatched(withoutHost), [finding, tamper(2 * DAY)]);

    const again = timeline.filter((entry) => entry.call === 'CreateNetworkAclEntry' && entry.at > 2 * DAY);
    expect(again.map((entry) => entry.state)).toEqual(['Cut again', 'Cut again']);
    expect(Math.max(...again.map((entry) => entry.at))).toBeLessThan(2 * DAY + 90);
    expect(verdicts.at(-1)?.verdict).toBe('contained');
    expect(messages.at(-1)?.subject).toContain('contained');
    expect(messages.filter((message) => message.at > 2 * DAY)).toHaveLength(2);
  });
});

describe('a response that somebody stops', () => {
  it.each([3, 12, 60])('after %d s is gone on with by the sweep, within two ticks', async (second) => {
    const { looks, messages, verdicts, entries } = await play(shellAlone(), [finding], stopping(second));

    expect(looks[0]).toBeGreaterThan(second);
    expect(looks[0]).toBeLessThanOrEqual(610);
    expect(entries).toEqual([`in ${ids.peer}/32`, `out ${ids.peer}/32`]);
    expect(verdicts.length).toBeGreaterThan(looks.length - 1);
    // The end of the response that died, told by the look.
    const final = messages.filter(({ subject }) => !subject.includes('so far'));
    expect(final).toHaveLength(1);
    expect(final[0]?.at).toBeLessThan(800);
  });

  it('while it waits for its proof is gone on with until the proof', async () => {
    const { verdicts, messages } = await play(shellWatched(), [finding], stopping(HOUR));

    expect(verdicts.at(-1)?.verdict).toBe('contained');
    expect(messages.at(-1)?.subject).toContain('contained');
    expect(messages.filter(({ subject }) => subject.includes('contained') && !subject.includes('so far'))).toHaveLength(
      1,
    );
  });
});
