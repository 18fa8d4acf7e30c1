import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { assessFlows } from '../../functions/assess-flows/step.ts';
import { checkHostCut } from '../../functions/check-host-cut/step.ts';
import type { DenyResult, Opened, Verifying } from '../../functions/core/case/record.ts';
import type { Config } from '../../functions/core/config.ts';
import { cutOnHost } from '../../functions/cut-on-host/step.ts';
import { deleteSecurityGroups } from '../../functions/delete-security-groups/step.ts';
import { denyAtNacl } from '../../functions/deny-at-nacl/step.ts';
import { prepareIsolation } from '../../functions/prepare-isolation/step.ts';
import { preserveEvidence } from '../../functions/preserve-evidence/step.ts';
import { releaseNacl } from '../../functions/release-nacl/step.ts';
import { reportExecution } from '../../functions/report-case/step.ts';
import { restoreEvidence } from '../../functions/restore-evidence/step.ts';
import { restoreExecution } from '../../functions/restore-instance/step.ts';
import { sealSubnet } from '../../functions/seal-subnet/step.ts';
import type { Toolbox } from '../../functions/shared/toolbox.ts';
import { swapSecurityGroups } from '../../functions/swap-security-groups/step.ts';
import { sweepCases } from '../../functions/sweep-cases/step.ts';
import { verifyCut } from '../../functions/verify-cut/step.ts';
import { withSeconds } from '../../local/step-deadline.ts';
import { folderOf, resourcesOf } from '../../scripts/template.ts';
import { type Bench, ids, onBench, shellWatched } from '../support/bench.ts';
import { trailEvent } from '../support/trail-event.ts';
import { PROJECT } from '../template/agreements.ts';

/** AWS never answers again but for the case table and the topic: there is not even a time-out. */
function nothingAnswers({ ec2, ssm, sfn, logs, scaling, elb, classicElb }: Toolbox): void {
  const never = () => () => new Promise(() => undefined);
  for (const client of [ec2, ssm, sfn, logs, scaling, elb, classicElb]) {
    const stack: { add(middleware: never, options: never): void } = client.middlewareStack;
    stack.add(never as never, { step: 'finalizeRequest', priority: 'low', name: 'nothingAnswers' } as never);
  }
}

const timeoutOf = (folder: string): number => {
  const found = resourcesOf(PROJECT.template, 'AWS::Serverless::Function').find(
    ([, resource]) => folderOf(resource) === folder,
  );
  return Number(found?.[1].Properties['Timeout']);
};

interface Ran {
  readonly seconds: number;
  /** What the step answered, or the error that it threw. */
  readonly outcome: unknown;
}

/** Runs a step with the time of its function. */
async function inItsTime({ world }: Bench, folder: string, step: () => Promise<unknown>): Promise<Ran> {
  const started = world.clock.now();
  const outcome = await withSeconds(timeoutOf(folder), step).catch((error: unknown) => error);
  return { seconds: world.clock.now() - started, outcome };
}

/** What the state machine has once Open and assess has ended, and before anything else has. */
const opened = ({ case: ref, assessment }: Verifying): Opened => ({ case: ref, assessment });

const SENT = {
  kind: 'pending',
  verb: 'cut',
  commandId: '00000000-0000-4000-8000-000000000000',
  deadline: '2027-01-01T00:00:00Z',
  lastPendingAt: '2026-01-01T00:00:00Z',
} as const;

const THROWN = { name: 'DeadlineError' };

const WHY: unknown = expect.stringContaining('DeadlineError: ');

type Case = readonly [folder: string, run: (tools: Toolbox, made: Verifying) => Promise<unknown>, says: object];

/** Every step that a state machine calls, and the sweep, on a case that is contained: what it says when nothing answers any more. */
const STEPS: readonly Case[] = [
  ['assess-flows', (tools, { case: { caseId } }) => assessFlows(tools, { caseId }), THROWN],
  ['deny-at-nacl', (tools, made) => denyAtNacl(tools, opened(made)), { kind: 'waiting', made: 0 }],
  ['cut-on-host', (tools, made) => cutOnHost(tools, opened(made)), { kind: 'unavailable', reason: WHY }],
  ['check-host-cut', (tools, made) => checkHostCut(tools, { ...opened(made), host: SENT }), { kind: 'pending' }],
  ['prepare-isolation', (tools, made) => prepareIsolation(tools, opened(made)), { kind: 'failed', reason: WHY }],
  ['swap-security-groups', (tools, made) => swapSecurityGroups(tools, opened(made)), THROWN],
  ['preserve-evidence', (tools, made) => preserveEvidence(tools, opened(made)), { kind: 'done', done: 0, failed: 9 }],
  ['seal-subnet', (tools, made) => sealSubnet(tools, opened(made)), { kind: 'not-sealed', reason: WHY }],
  ['verify-cut', (tools, made) => verifyCut(tools, made), { kind: 'not-proven', next: { kind: 'wait' } }],
  ['release-nacl', (tools, made) => releaseNacl(tools, made), { kind: 'kept' }],
  ['delete-security-groups', (tools, made) => deleteSecurityGroups(tools, made), { items: [{ outcome: WHY }] }],
  [
    'report-case',
    (tools, record) => reportExecution(tools, { record, execution: 'arn:aws:states:local' }),
    { verdict: 'not-proven', leftOpen: expect.arrayContaining([WHY]) },
  ],
  [
    'restore-instance',
    (tools, { case: { caseId } }) =>
      restoreExecution(tools, { request: { caseId }, execution: 'arn:aws:states:local' }),
    THROWN,
  ],
  [
    'restore-evidence',
    (tools, { case: { caseId } }) => {
      const restore = { kind: 'restored', caseId, instanceId: ids.instance, items: [], host: null } as const;
      return restoreEvidence(tools, { restore });
    },
    THROWN,
  ],
  ['sweep-cases', (tools) => sweepCases(tools, trailEvent()), THROWN],
];

const EVERYTHING: Partial<Config> = { releaseDenies: 'after-proof', deleteReplacedGroups: true };

describe('a step to which nothing answers any more', () => {
  it.each(STEPS)('%s ends within the time of its function and says so', async (folder, step, says) => {
    const { seconds, outcome } = await onBench(
      shellWatched(),
      async (bench) => {
        const made = await bench.contain();
        nothingAnswers(bench.tools);
        return inItsTime(bench, folder, () => step(bench.tools, made));
      },
      EVERYTHING,
    );

    expect(outcome).toMatchObject(says);
    expect(seconds).toBeLessThan(timeoutOf(folder) - 1);
  });

  it('that reports tells people all the same', async () => {
    const { before, messages } = await onBench(shellWatched(), async (bench) => {
      const record = await bench.contain();
      nothingAnswers(bench.tools);
      const before = bench.world.messages.length;
      await inItsTime(bench, 'report-case', () => reportExecution(bench.tools, { record, execution: 'arn:aws:x' }));
      return { before, messages: bench.world.messages };
    });

    expect(messages.slice(before)).toEqual([expect.objectContaining({ message: WHY })]);
  });

  it('that preserves evidence notes for each measure why it was not taken', async () => {
    const evidence = await onBench(shellWatched(), async (bench) => {
      const made = await bench.contain();
      nothingAnswers(bench.tools);
      await inItsTime(bench, 'preserve-evidence', () => preserveEvidence(bench.tools, opened(made)));
      return (await bench.document(made.case.caseId)).evidence;
    });

    expect(evidence.map(({ outcome, reason }) => ({ outcome, reason }))).toEqual(
      Array.from({ length: 9 }, () => ({ outcome: 'failed', reason: WHY })),
    );
  });

  it('leaves a deny that the next run finds and makes', async () => {
    const { first, second, entries } = await onBench(shellWatched(), async (bench) => {
      const made = await bench.open();
      let isOut = true;
      bench.tools.ec2.middlewareStack.add((next) => (given) => (isOut ? new Promise(() => undefined) : next(given)), {
        step: 'finalizeRequest',
        priority: 'low',
        name: 'outage',
      });
      const { outcome } = await inItsTime(bench, 'deny-at-nacl', () => denyAtNacl(bench.tools, made));
      isOut = false;
      const lateDenies = outcome as DenyResult;
      const second = await denyAtNacl(bench.tools, { ...made, cut: { deny: lateDenies } as never, lateDenies });
      return { first: outcome, second, entries: bench.entries() };
    });

    expect([first, second]).toMatchObject([{ kind: 'waiting' }, { kind: 'done', made: 2, refused: 0 }]);
    expect(entries).toEqual(expect.arrayContaining([`in 1 deny -1 ${ids.peer}/32`, `out 1 deny -1 ${ids.peer}/32`]));
  });

  it('is each one that calls more than the case table and the topic, but for the one that Lambda tries again', () => {
    const works = (folder: string) => readFileSync(`functions/${folder}/handler.ts`, 'utf8').includes('timely(');
    const called = PROJECT.folders.filter((folder) => works(folder) && folder !== 'start-response');

    expect(STEPS.map(([folder]) => folder).sort()).toEqual([...called].sort());
  });
});
