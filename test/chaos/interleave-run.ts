import type { Restoring } from '../../functions/core/case/record.ts';
import { InputError } from '../../functions/core/errors.ts';
import type { Report } from '../../functions/core/report/report.ts';
import { type StartResult, startResponse } from '../../functions/start-response/step.ts';
import { readDefinition } from '../../local/definitions.ts';
import { type Around, runMachine } from '../../local/runner.ts';
import { runInVirtualTime } from '../../local/world/clock.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { createPhysics } from '../../local/world/physics.ts';
import { type Account, accountsOf, toolsOf } from './interleave-accounts.ts';
import type { FindingPlan, Plan } from './interleave-plan.ts';
import { createScheduler, diceOf, type Scheduler } from './interleave-scheduler.ts';
import { findingOf, instanceId, worldOf } from './interleave-world.ts';

/** What an execution said, and when. */
export interface Said {
  readonly account: number;
  readonly report: Report;
  readonly at: number;
}

/** One run as its rules see it: the world's truth, and everything that was said. */
export interface Run {
  readonly plan: Plan;
  readonly file: WorldFile;
  readonly accounts: readonly Account[];
  readonly said: readonly Said[];
  /** Findings that start-response has taken. */
  readonly sent: readonly FindingPlan[];
  /** When the early restore of an instance had put it back: what was said before is no claim about afterwards. */
  readonly restoredAt: ReadonlyMap<number, number>;
  readonly now: () => number;
  readonly truthOf: (flow: string) => { readonly lastPacketAt: number | null };
}

/** Looks at the run at its moments of rest; each answers with one sentence per broken promise. */
export interface Rules {
  /** The world is made and nothing has begun. */
  begin(run: Run): void;
  /** No execution and no restore runs. */
  atRest(run: Run): readonly string[];
  /** A restore of these instances is about to begin, or the run is about to end: what was said of them must be true up to now. */
  beforeRestore(run: Run, instances: readonly number[]): readonly string[];
  /** Everything was restored. */
  afterRestore(run: Run, results: readonly Restoring[]): readonly string[];
  /** What was broken in between. */
  breaches(): readonly string[];
}

export interface Outcome {
  readonly violations: readonly string[];
  readonly verdicts: readonly string[];
  readonly calls: number;
  readonly releases: number;
  readonly executions: number;
}

/** Lambda's own retries of an asynchronous invocation: a minute, then two, and then the dead-letter queue. */
const START_PAUSES = [60, 120] as const;
/** Long enough for a retransmission or a beat to show that a flow lives. */
const WATCH_SECONDS = 7200;

/** Runs a plan from the first finding to the last restore. */
export function runPlan(plan: Plan, rules: Rules, meddle?: (run: Run) => void): Promise<Outcome> {
  const file = worldOf(plan);
  return runInVirtualTime(file.Now, async (clock) => {
    const physics = createPhysics(file);
    const accounts = accountsOf(plan, file, clock, physics);
    const scheduler = createScheduler(diceOf(plan.schedule), plan.policy, plan.slow);
    const said: Said[] = [];
    const sent: FindingPlan[] = [];
    const restoredAt = new Map<number, number>();
    const violations: string[] = [];
    const run: Run = {
      plan,
      file,
      accounts,
      said,
      sent,
      restoredAt,
      now: () => clock.now(),
      truthOf: (flow) => {
        physics.advanceTo(clock.now());
        const found = physics.truthNow().find(({ name }) => name === flow);
        if (found === undefined) throw new Error(`the world has no flow ${flow}`);
        return found;
      },
    };
    const executions = listen(accounts, scheduler, said, violations, () => clock.now());
    const begin = async (finding: FindingPlan): Promise<void> => {
      const { instance, peer, at, wave: name } = finding;
      const account = accountOf(run, instance);
      await clock.sleep(at);
      // Of the second wave each is seen anew: what was restored meanwhile is news again.
      const seenAt = name === 'second' ? clock.now() : null;
      const event = findingOf(plan, instance, plan.peers[peer] ?? '', seenAt);
      const started = await start(account, scheduler, event, (seconds) => clock.sleep(seconds));
      if (typeof started === 'string') violations.push(started);
      else if (started.kind === 'nothing-to-do') violations.push(`a finding started nothing: ${started.report.reason}`);
      else sent.push(finding);
    };
    const restore = (instance: number, putBack: () => void = () => undefined): Promise<Restoring> =>
      restoreOf(run, scheduler, instance, putBack);
    const wave = (name: FindingPlan['wave']) =>
      Promise.all(plan.findings.filter((finding) => finding.wave === name).map(begin));
    const check = (broken: readonly string[]) => violations.push(...broken);

    rules.begin(run);
    meddle?.(run);
    await wave('first');
    await executions();
    check(rules.atRest(run));
    if (plan.findings.some((finding) => finding.wave === 'second')) {
      await clock.sleep(WATCH_SECONDS);
      const early = plan.restoredEarly.filter((instance) => hasActed(run, instance));
      check(rules.beforeRestore(run, early));
      const dice = diceOf(plan.schedule + 1);
      const [, results] = await Promise.all([
        wave('second'),
        Promise.all(
          early.map(async (instance) => {
            await clock.sleep(dice.next() * 4);
            return restore(instance, () => restoredAt.set(instance, clock.now()));
          }),
        ),
      ]);
      check(failuresIn(results));
      await executions();
      check(rules.atRest(run));
    }
    await clock.sleep(WATCH_SECONDS);
    const everyone = plan.instances.map((_, index) => index);
    check(rules.beforeRestore(run, everyone));
    const order = diceOf(plan.schedule + 2).shuffled(everyone.filter((instance) => hasActed(run, instance)));
    const results: Restoring[] = [];
    if (plan.restoreAtOnce) results.push(...(await Promise.all(order.map((instance) => restore(instance)))));
    else for (const instance of order) results.push(await restore(instance));
    check(failuresIn(results));
    check(rules.afterRestore(run, results));
    check(rules.breaches());
    return {
      violations,
      verdicts: said.map(({ report }) => report.verdict),
      calls: accounts.reduce((sum, { world }) => sum + world.calls().total, 0),
      releases: scheduler.releases(),
      executions: said.length,
    };
  });
}

function accountOf({ plan, accounts }: Run, instance: number): Account {
  const account = accounts[plan.instances[instance]?.account ?? 0];
  if (account === undefined) throw new Error(`instance ${instance} has no account`);
  return account;
}

/** A case that was only planned, or joined by nobody, has nothing to put back. */
function hasActed(run: Run, instance: number): boolean {
  return run.said.some(({ report }) => report.instanceId === instanceId(instance) && report.undo !== null);
}

/** Runs the executions that start-response starts; the answer waits until none of them runs any more. */
function listen(
  accounts: readonly Account[],
  scheduler: Scheduler,
  said: Said[],
  violations: string[],
  now: () => number,
): () => Promise<void> {
  const running: Promise<unknown>[] = [];
  let count = 0;
  for (const account of accounts) {
    account.world.onStartExecution = ({ name, input }) => {
      count += 1;
      const result = scheduler
        .as(`execution ${count}`, () => runMachine(readDefinition('respond'), input, toolsOf(account, scheduler)))
        .then(({ output, error }) => {
          const report = (output as { report?: Report } | null)?.report;
          if (report === undefined) violations.push(`the execution ${name} failed: ${error?.name} ${error?.cause}`);
          else said.push({ account: account.index, report, at: now() });
          return output;
        });
      running.push(result);
      return { result };
    };
  }
  return async () => {
    for (let done = 0; done < running.length; ) {
      done = running.length;
      await Promise.all(running);
    }
  };
}

/** start-response as Lambda runs it: an event that fails three times lies in the dead-letter queue, and that is a broken promise. */
async function start(
  account: Account,
  scheduler: Scheduler,
  event: unknown,
  sleep: (seconds: number) => Promise<void>,
): Promise<StartResult | string> {
  for (const pause of [...START_PAUSES, null]) {
    try {
      return await scheduler.as(`start ${Math.random()}`, () => startResponse(toolsOf(account, scheduler), event));
    } catch (error) {
      if (error instanceof InputError) throw error;
      if (pause === null) return `an event is in the dead-letter queue: ${String(error)}`;
      await sleep(pause);
    }
  }
  throw new Error('unreachable');
}

async function restoreOf(run: Run, scheduler: Scheduler, instance: number, putBack: () => void): Promise<Restoring> {
  const account = accountOf(run, instance);
  const input = { instanceId: instanceId(instance), force: true };
  const around: Around = async (_state, name, step) => {
    const result = await step();
    if (name === 'restore-instance') putBack();
    return result;
  };
  const { output, error } = await scheduler.as(`restore ${instance}`, () =>
    runMachine(readDefinition('restore'), input, toolsOf(account, scheduler), { around }),
  );
  if (output === null) throw new Error(`the restore of ${input.instanceId} failed: ${error?.name} ${error?.cause}`);
  return output as unknown as Restoring;
}

/** A restore that fails at an item leaves it to a person: nobody has meddled here, so none may. */
function failuresIn(results: readonly Restoring[]): readonly string[] {
  return results.flatMap(({ restore, evidence }) => {
    if (restore.kind === 'refused') return [`a forced restore was refused: ${restore.reason}`];
    const items = [...restore.items, ...(evidence?.items ?? [])];
    return items
      .filter(({ outcome }) => outcome === 'failed')
      .map(({ item, detail }) => `the restore of ${restore.instanceId} failed at ${item}: ${detail}`);
  });
}
