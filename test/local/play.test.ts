import { GetFindingsCommand, GuardDutyClient } from '@aws-sdk/client-guardduty';
import { StopExecutionCommand } from '@aws-sdk/client-sfn';
import { describe, expect, it } from 'vitest';
import type { Toolbox } from '../../functions/shared/toolbox.ts';
import { STARTED, stackTriggers, type Triggers } from '../../local/deployment.ts';
import { parseEpisode } from '../../local/episode.ts';
import { playEpisode } from '../../local/play.ts';
import { episodeJson, tellEpisode } from '../../local/print-episode.ts';
import type { SessionOptions } from '../../local/session.ts';
import type { World } from '../../local/toolbox.ts';
import { runInVirtualTime } from '../../local/world/clock.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { defaultWorld, ids, readEvent, refusedBy, shellAlone } from '../support/bench.ts';
import { NO_OWN_FLOW_LOG } from '../support/own-flow-log.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const event = { at: 0, event: finding };

interface Result {
  readonly verdict: string;
  readonly verdicts: readonly { readonly at: number; readonly verdict: string; readonly reason: string }[];
  readonly flows: readonly { readonly name: string; readonly malicious: boolean; readonly evidence: string }[];
  readonly timeline: readonly { readonly at: number; readonly state: string | null; readonly call: string }[];
  readonly calls: { readonly total: number; readonly beforeFirstCut: { readonly seconds: number } | null };
}

interface Printed {
  readonly steps: readonly {
    readonly at: number;
    readonly kind: string;
    readonly result?: Result;
    readonly outcomes?: readonly string[];
    readonly restore?: readonly { readonly item: string; readonly outcome: string }[];
    readonly restoreRefused?: string;
  }[];
  readonly flows: readonly {
    readonly name: string;
    readonly malicious: boolean;
    readonly truth: { readonly stoppedBy: string };
  }[];
  readonly messages: readonly { readonly at: number; readonly subject: string; readonly body: string }[];
  readonly world: WorldFile;
}

async function play(file: WorldFile, steps: readonly object[], options: SessionOptions = {}) {
  // The looks of the watch have tests of their own.
  const parameters = { WatchDays: '0', ...options.parameters };
  const config = { ...NO_OWN_FLOW_LOG, ...options.config };
  const played = await playEpisode(file, parseEpisode(steps), { ...options, parameters, config });
  const printed = JSON.parse(JSON.stringify(episodeJson(played))) as Printed;
  const results = printed.steps.map(({ result }) => result);
  return { played, printed, steps: printed.steps, results };
}

/** The same shell on the neighbour too. */
function twoShells(world: WorldFile): void {
  const [flow] = world.Flows;
  const eni = world.NetworkInterfaces.find(({ Attachment }) => Attachment?.InstanceId === ids.neighbour);
  if (flow === undefined || eni === undefined) throw new Error('the default world has lost a part');
  const LocalAddress = eni.PrivateIpAddress ?? '';
  world.Flows.push({
    ...structuredClone(flow),
    Name: "the neighbour's shell",
    NetworkInterfaceId: eni.NetworkInterfaceId,
    LocalAddress,
    RemoteAddress: '198.51.100.8',
  });
}

/** The case table answers nobody from that second on. */
function noTableFrom(world: World, second: number): void {
  world.interceptors.push({
    before: ({ service, at }) => {
      if (service === 'dynamodb' && at > second) throw refusedBy('AccessDeniedException')();
    },
  });
}

/** Somebody stops the first execution two seconds after its start. */
function stopping(): SessionOptions {
  let isFirst = true;
  return {
    prepare: (world, { sfn }) => {
      const stop = async (executionArn: string): Promise<void> => {
        await world.clock.sleep(2);
        await world.inState('a hand', () => sfn.send(new StopExecutionCommand({ executionArn })));
      };
      world.interceptors.push({
        after: ({ call, input }) => {
          if (call !== 'StartExecution' || !isFirst) return;
          isFirst = false;
          const { name, stateMachineArn = '' } = input as { name?: string; stateMachineArn?: string };
          stop(`${stateMachineArn.replace(':stateMachine:', ':execution:')}:${name}`).catch((error: unknown) => {
            throw error;
          });
        },
      });
    },
  };
}

const nameOf = ({ userIdentity }: Record<string, unknown>): unknown => (userIdentity as { arn: unknown }).arn;

const detectorOf = (event: unknown): string =>
  (event as { readonly detail: { readonly service: { readonly detectorId: string } } }).detail.service.detectorId;

const ask = (at: number, remoteAddress: string, instanceId: string = ids.instance) => ({
  at,
  request: { instanceId, remoteAddresses: [remoteAddress] },
});

describe('the steps of an episode', () => {
  it('run while others still do, each with calls of its own', async () => {
    const { results, printed } = await play(shellAlone(twoShells), [event, ask(1, '198.51.100.8', ids.neighbour)]);

    const [first, second] = results;
    expect(second?.timeline[0]?.at).toBeLessThan(first?.timeline.at(-1)?.at ?? 0);
    expect([first, second].map((one) => one?.calls.total)).toEqual([first, second].map((one) => one?.timeline.length));
    expect(second?.calls.beforeFirstCut?.seconds).toBeLessThan(3);
    expect(printed.flows.map(({ name, truth }) => [name, truth.stoppedBy === null])).toEqual([
      ['reverse shell', false],
      ["the neighbour's shell", false],
    ]);
  });

  it('join one case: both tell its last verdict, and every verdict', async () => {
    const { results, played } = await play(shellAlone(), [event, ask(300, ids.peer)]);

    const [first, second] = results;
    expect(played.steps.map(({ run }) => run.caseId())).toEqual([played.steps[0]?.run.caseId(), expect.any(String)]);
    expect(first?.verdicts).toEqual(second?.verdicts);
    expect(first?.verdicts.length).toBeGreaterThan(2);
    expect(first?.verdict).toBe(first?.verdicts.at(-1)?.verdict);
    expect([...(first?.verdicts ?? [])].sort((a, b) => a.at - b.at)).toEqual(first?.verdicts);
  });

  it('begin at their second to the millisecond', async () => {
    const { results } = await play(shellAlone(), [ask(40.5, ids.peer)]);

    expect(results[0]?.timeline[0]?.at).toBeCloseTo(40.7, 6);
  });

  it('tell the same in two runs, to the last call', async () => {
    const steps = [event, ask(1, '198.51.100.8', ids.neighbour), { at: 200, restore: { caseId: '$1', force: true } }];
    const [once, twice] = [await play(defaultWorld(twoShells), steps), await play(defaultWorld(twoShells), steps)];

    expect(JSON.stringify(twice.printed)).toBe(JSON.stringify(once.printed));
  });

  it('of a finding below the bar come to one word each', async () => {
    const { results, steps } = await play(shellAlone(), [event, { at: 1, event: readEvent('guardduty-archived') }]);

    expect(results[1]).toMatchObject({ verdict: 'ignored', verdicts: [{ verdict: 'ignored' }], calls: { total: 0 } });
    expect(steps.map(({ kind }) => kind)).toEqual(['event', 'event']);
  });
});

describe("somebody else's calls in an episode", () => {
  const by = 'arn:aws:sts::111122223333:assumed-role/ops/stranger';
  const deny = { NetworkAclId: ids.acl, RuleNumber: '$1.denyRuleNumber', Egress: true };
  const lift = { at: 60, by, calls: [{ service: 'ec2', api: 'DeleteNetworkAclEntry', input: deny }] };

  it('lift a deny of the case, and the verdict notices', async () => {
    const [alone, disturbed] = [await play(shellAlone(), [event]), await play(shellAlone(), [event, lift])];

    expect(alone.results[0]?.verdict).toBe('held');
    expect(disturbed.steps[1]?.outcomes).toEqual(['ok']);
    const made = (episode: typeof alone) =>
      episode.results[0]?.timeline.filter(({ call }) => call === 'CreateNetworkAclEntry').length ?? 0;
    expect(made(disturbed)).toBe(made(alone) + 1);
    expect(disturbed.results[0]?.timeline.filter(({ call }) => call === 'DeleteNetworkAclEntry')).toEqual([]);
  });

  it('name what the responder made, and are told how each ended', async () => {
    const read = (input: object) => ({ service: 'ec2', api: 'DescribeSecurityGroups', input });
    const calls = [
      read({ GroupIds: ['$1.isolationGroupId'] }),
      read({ GroupIds: ['sg-00000000000000fff'] }),
      { service: 'host', api: 'closeSockets', input: { InstanceId: ids.instance, RemoteAddress: ids.peer } },
      { service: 'ec2', api: 'DeleteFlowLogs', input: { FlowLogIds: ['$1.flowLogId'] } },
      { service: 'states', api: 'StopExecution', input: { executionArn: 'arn:of:nobody' } },
    ];

    const { steps, played } = await play(shellAlone(), [event, { at: 60, calls }]);

    const caseId = played.steps[0]?.run.caseId();
    expect(steps[1]?.outcomes).toEqual([
      'ok',
      expect.stringMatching(/^InvalidGroup\.NotFound: /),
      'ok',
      expect.stringMatching(
        new RegExp(`^not made: "\\$1.flowLogId" names nothing: ${caseId} has no flowLogId at 60\\.`),
      ),
      expect.stringMatching(/^ExecutionDoesNotExist: /),
    ]);
  });

  it('come one after another, a later one at its own second', async () => {
    const read = { service: 'ec2', api: 'DescribeInstances', input: {} };
    const { played } = await play(shellAlone(), [{ at: 10, calls: [read, read, { ...read, at: 30 }] }]);

    expect(played.session.world.timeline().map(({ at }) => at)).toEqual([10.2, 10.4, 30.2]);
  });
});

describe('what others learn of an episode', () => {
  const by = 'arn:aws:sts::111122223333:assumed-role/ops/stranger';
  const stop = { service: 'ec2', api: 'StopInstances', input: { InstanceIds: [ids.neighbour] } };
  const pattern = { source: ['aws.ec2'], 'detail-type': ['AWS API Call via CloudTrail'] };

  it('are the calls of strangers, by name, once CloudTrail tells of them; never those of the responder', async () => {
    const heard: { readonly at: number; readonly detail: Record<string, unknown> }[] = [];
    const triggers: Triggers = {
      ...stackTriggers({ AccountId: '111122223333', Region: 'eu-central-1' }, {}),
      functions: {
        ...STARTED,
        look: {
          step: (tools: Toolbox, { detail }: { readonly detail: Record<string, unknown> }) =>
            Promise.resolve(heard.push({ at: tools.now().getTime(), detail })),
        },
      },
    };
    const rules = [...triggers.rules, { folder: 'look', retries: 2, pattern }];

    const { played } = await play(shellAlone(), [event, { at: 500, by, calls: [stop] }, { at: 500, calls: [stop] }], {
      triggers: { ...triggers, rules },
    });

    const began = Date.parse(played.file.Now);
    expect(heard.map(({ at, detail }) => [(at - began) / 1000, detail['eventName'], nameOf(detail)])).toEqual([
      [560.2, 'StopInstances', by],
      [560.2, 'StopInstances', 'arn:aws:iam::111122223333:user/somebody'],
    ]);
  });

  it('is that GuardDuty knows a finding that is played', async () => {
    const { played } = await play(shellAlone(), [event]);
    const { file, world } = played.session;
    const { id } = (finding as { readonly detail: { readonly id: string } }).detail;

    // Another virtual time, for the call takes some.
    const found = await runInVirtualTime(file.Now, () => {
      const guardDuty = world.attach(new GuardDutyClient({}));
      return guardDuty.send(new GetFindingsCommand({ DetectorId: detectorOf(finding), FindingIds: [id] }));
    });

    expect(found.Findings?.map((one) => one.Id)).toEqual([id]);
  });
});

describe('a restore in an episode', () => {
  it('puts back what the case changed; the result stays the verdict from before it', async () => {
    const { results, steps, printed } = await play(shellAlone(), [
      event,
      { at: 300, restore: { caseId: '$1', force: true } },
      ask(600, ids.peer),
    ]);

    const [first, , third] = results;
    expect(steps[1]?.restore).toContainEqual({ item: `${ids.eni} groups`, outcome: 'restored' });
    expect(first?.verdict).toBe('held');
    expect(first?.verdicts.every(({ at }) => at < 300)).toBe(true);
    expect(third?.verdicts.every(({ at }) => at > 600)).toBe(true);
    expect(printed.world.NetworkInterfaces[0]?.Groups).not.toMatchObject([{ GroupId: ids.web }]);
  });

  it('that begins while the response still runs leaves that with its earlier verdict', async () => {
    const { results, steps } = await play(shellAlone(), [event, { at: 60, restore: { caseId: '$1', force: true } }]);

    const [first] = results;
    expect(steps[1]?.restore?.length).toBeGreaterThan(0);
    expect(first?.verdicts.map(({ at }) => at > 60)).toEqual([false, true]);
    expect(first?.verdict).toBe(first?.verdicts[0]?.verdict);
  });

  it('that is refused says why, and the case goes on', async () => {
    const silent = (world: WorldFile): void => {
      world.InstanceInformationList = [];
    };
    const { results, steps } = await play(shellAlone(silent), [
      event,
      { at: 60, restore: { caseId: '$1', force: false } },
    ]);

    expect(steps[1]).toEqual({ at: 60, kind: 'restore', restoreRefused: expect.stringContaining('"force": true') });
    expect(results[0]?.verdict).toBe(results[0]?.verdicts.at(-1)?.verdict);
    expect(results[0]?.verdicts.at(-1)?.at).toBeGreaterThan(60);
  });

  it('of a step that has opened no case says so', async () => {
    const elsewhere = { at: 0, request: { instanceId: ids.instance, region: 'eu-west-1' } };
    const { results, steps } = await play(shellAlone(), [elsewhere, { at: 60, restore: { caseId: '$1' } }]);

    expect(results[0]?.verdict).toBe('refused');
    expect(steps[1]?.restoreRefused).toBe('"$1" names step 1, which has opened no case');
  });

  it('waits for the case of a step that is only being opened', async () => {
    const { steps } = await play(shellAlone(), [event, { at: 0, restore: { caseId: '$1', force: true } }]);

    // It has come to the case, which has not changed anything yet.
    expect(steps[1]?.restoreRefused).toBe('this case has changed nothing: there is nothing to restore');
  });

  it('of a case that nobody has is refused as input', async () => {
    const none = { at: 0, restore: { caseId: 'case-0123456789abcdef0123' } };

    await expect(play(shellAlone(), [none])).rejects.toMatchObject({
      name: 'InputError',
      field: 'episode[0].restore.caseId',
    });
  });

  it('that fails says so', async () => {
    const { steps } = await play(shellAlone(), [event, { at: 600, restore: { caseId: '$1', force: true } }], {
      prepare: (world) => noTableFrom(world, 600),
    });

    expect(steps[1]?.restore).toBeUndefined();
    expect(steps[1]?.restoreRefused).toMatch(/^the restore ended before it could report .*; start it again$/);
  });
});

describe('what is printed of an episode', () => {
  it('is every flow of the world, innocent ones too, and every message', async () => {
    const { printed } = await play(defaultWorld(), [event, { at: 600, restore: { caseId: '$1', force: true } }]);

    expect(Object.keys(printed)).toEqual(['steps', 'flows', 'messages', 'world']);
    expect(printed.flows.map(({ name, malicious }) => [name, malicious])).toEqual([
      ['reverse shell', true],
      ['a customer', false],
    ]);
    expect(printed.messages.map((message) => Object.keys(message))).toEqual(
      printed.messages.map(() => ['at', 'subject', 'body']),
    );
    // So far, at the end, and of the restore.
    expect(printed.messages.map(({ at }) => at > 600)).toEqual([false, false, true]);
  });

  it('is a result without world and messages for an event, and no more than its part for the others', async () => {
    const { steps } = await play(defaultWorld(), [
      event,
      { at: 100, calls: [] },
      { at: 600, restore: { caseId: '$1', force: true } },
    ]);

    expect(steps.map((step) => Object.keys(step))).toEqual([
      ['at', 'kind', 'result'],
      ['at', 'kind', 'outcomes'],
      ['at', 'kind', 'restore'],
    ]);
    expect(Object.keys(steps[0]?.result ?? {}).filter((key) => key === 'world' || key === 'messages')).toEqual([]);
  });

  it('tells a person of every step', async () => {
    const { played } = await play(defaultWorld(), [
      event,
      { at: 1, event: readEvent('guardduty-archived') },
      { at: 60, calls: [{ service: 'ec2', api: 'DescribeInstances', input: {} }] },
      { at: 600, restore: { caseId: '$1', force: true } },
    ]);

    const told = tellEpisode(played).split('\n');

    expect(told.filter((line) => line.startsWith('=='))).toEqual([
      '== step 1, t = 0 s: event ==',
      '== step 2, t = 1 s: event ==',
      '== step 3, t = 60 s: calls ==',
      '== step 4, t = 10 min: restore ==',
    ]);
    const second = told.slice(
      told.indexOf('== step 2, t = 1 s: event =='),
      told.indexOf('== step 3, t = 60 s: calls =='),
    );
    expect(second.filter((line) => /Flows|shell|customer/.test(line))).toEqual([]);
    expect(told.filter((line) => line.includes('a customer (innocent)')).length).toBeGreaterThan(0);
  });
});

describe('a deployed stack in the world', () => {
  it('is told of an execution that somebody stops, and its case is taken over by the next finding', async () => {
    const later = structuredClone(finding) as { detail: { updatedAt: string } };
    later.detail.updatedAt = '2026-01-15T10:30:00.000Z';

    const { results } = await play(shellAlone(), [event, { at: 2400, event: later }], stopping());

    expect(results[0]?.timeline.some(({ state }) => state === 'Verify')).toBe(false);
    expect(results[1]?.timeline.some(({ state }) => state === 'Verify')).toBe(true);
    expect(results.map((result) => result?.verdict)).toEqual(['held', 'held']);
  });

  it('leaves an execution that is stopped without a report, where there is no watch: the flow goes on, for all that is known', async () => {
    const { results } = await play(shellAlone(), [event], stopping());

    expect(results[0]?.verdicts).toEqual([
      { at: expect.any(Number), verdict: 'leaking', reason: expect.stringContaining('ended before it could report') },
    ]);
    expect(results[0]?.verdict).toBe('leaking');
  });

  it('starts each function once in its own time, where the world says how long that takes', async () => {
    const slow = shellAlone((world) => Object.assign(world, { FunctionStartSeconds: 4 }));
    const [plain, delayed] = [await play(shellAlone(), [event]), await play(slow, [event])];

    const seconds = (run: typeof plain) => run.results[0]?.calls.beforeFirstCut?.seconds ?? 0;
    // start-response, assess-flows and the first of those that cut.
    expect(seconds(delayed) - seconds(plain)).toBeCloseTo(12, 3);
  });

  it('puts an event that cannot be started into the dead-letter queue after a minute and two more', async () => {
    const file = shellAlone((world) => {
      world.Faults = [{ Api: 'StartExecution', Call: '1+', Error: 'AccessDenied' }];
    });

    const { results, played } = await play(file, [event]);

    expect(results[0]?.verdict).toBe('leaking');
    expect(results[0]?.verdicts).toHaveLength(1);
    expect(results[0]?.verdicts[0]?.reason).toContain('dead-letter queue');
    const tries = played.session.world.timeline().filter(({ call }) => call === 'StartExecution');
    expect(tries.map(({ at }) => Math.floor(at / 60))).toEqual([0, 1, 3]);
  });
});
