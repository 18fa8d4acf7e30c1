import { describe, expect, it } from 'vitest';
import type { RestoreItem } from '../../functions/core/case/record.ts';
import { liftedText, restoredText, tell } from '../../functions/shared/timeline.ts';
import { startResponse } from '../../functions/start-response/step.ts';
import { readDefinition } from '../../local/definitions.ts';
import { isEvent } from '../../local/requests.ts';
import { type Around, runMachine } from '../../local/runner.ts';
import { localConfig, localToolbox, simulate, type World } from '../../local/simulate.ts';
import { runInVirtualTime } from '../../local/world/clock.ts';
import { createEmbeddedWorld } from '../../local/world/embedded-world.ts';
import { createPhysics } from '../../local/world/physics.ts';
import { deployedFolders } from '../../scripts/bundled-commands.ts';
import { type ChaosWorld, DEFAULT_WORLD, OTHER_WORLDS } from '../chaos/worlds.ts';
import { defaultWorld, ids, onBench, readEvent, refusedBy } from '../support/bench.ts';

type Table = readonly Record<string, unknown>[];

const entriesOf = (table: Table): readonly string[] =>
  table.flatMap(({ sk, step, what }) => (String(sk).startsWith('TIME#') ? [`${String(step)}: ${String(what)}`] : []));

const stepsOf = (table: Table) => [...new Set(entriesOf(table).map((entry) => entry.split(':')[0] ?? ''))].sort();

const finding = readEvent('guardduty-ec2-c2activity');

describe('the timeline of a case', () => {
  it('has an entry of every function that is deployed, after a response and its restore', async () => {
    const { table } = await simulate(defaultWorld(), finding, { restore: { force: true } });
    expect(stepsOf(table)).toEqual(deployedFolders());
    expect(entriesOf(table).filter((entry) => /: .{10}/.exec(entry) === null)).toEqual([]);
  });

  it.each([DEFAULT_WORLD, ...OTHER_WORLDS].map((world) => [world.name, world] as const))(
    'is no longer for a step that is run twice: %s',
    async (_, world) => {
      const { added, table } = await everyStepTwice(world);
      expect(added).toEqual([]);
      expect(entriesOf(table).length).toBeGreaterThan(10);
    },
    60_000,
  );

  it('says why a restore was refused and who started it, and names no step that would have given anything back', async () => {
    const silent = defaultWorld((file) => {
      file.InstanceInformationList = [];
    });
    const { table } = await simulate(silent, finding, { restore: { force: false } });
    expect(entriesOf(table).filter((entry) => entry.startsWith('restore-evidence'))).toEqual([]);
    expect(entriesOf(table)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(
          /^restore-instance: refused: the socket of the flow to 198\.51\.100\.7 may still be open/,
        ),
        expect.stringMatching(
          /^report-restore: refused: the socket of the flow to .*; started by execution local-\d+; its StartExecution in CloudTrail/,
        ),
        expect.stringMatching(/^cut-on-host: Systems Manager took no command for the host: InvalidInstanceId/),
      ]),
    );
  });

  it('says what was planned, and what was refused', async () => {
    const planned = await simulate(defaultWorld(), finding, { mode: 'observe' });
    expect(entriesOf(planned.table)).toEqual([
      expect.stringMatching(/^start-response: taken: Backdoor:EC2\/C&CActivity\.B/),
      expect.stringMatching(/^assess-flows: a plan was made: observe mode/),
      expect.stringMatching(/^report-case: final report, planned: observe mode/),
    ]);
    const refused = await simulate(defaultWorld(), finding, { parameters: { ExemptInstanceIds: ids.instance } });
    expect(entriesOf(refused.table)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^assess-flows: refused: .*exempt/)]),
    );
  });

  it('shows nothing that a terminal would not show', () =>
    onBench(defaultWorld(), async (bench) => {
      await tell(bench.tools, 'case-1', 'a-step', 'the host said \u001b[2J\u202e');
      expect(entriesOf(bench.world.dumpTable())).toEqual(['a-step: the host said \ufffd[2J\ufffd']);
    }));

  it.each(['assess-flows', 'swap-security-groups', 'verify-cut'])(
    'stops no response where %s cannot write it',
    (step) =>
      onBench(defaultWorld(), async (bench) => {
        bench.fail(
          ({ call, input }) => call === 'PutItem' && JSON.stringify(input).includes(`#${step}`),
          refusedBy('AccessDeniedException'),
        );
        expect((await bench.contain(finding)).verdict?.kind).toBe('held');
        expect(stepsOf(bench.world.dumpTable())).not.toContain(step);
      }),
  );
});

/** A response and its restore, in which every function runs twice on its input; what the second runs have added. */
function everyStepTwice(chaos: ChaosWorld): Promise<{ readonly added: readonly string[]; readonly table: Table }> {
  const file = chaos.file();
  return runInVirtualTime(file.Now, async (clock) => {
    const world: World = createEmbeddedWorld(file, clock, createPhysics(file));
    const tools = localToolbox(world, { ...localConfig(file), ...chaos.config });
    const added: string[] = [];
    const around: Around = async (_state, name, run) => {
      const first = await run();
      // It has not ended: run again, it goes on.
      if ((first as { kind?: unknown }).kind === 'pending') return first;
      const own = () => entriesOf(world.dumpTable()).filter((entry) => entry.startsWith(`${name}:`));
      const before = own();
      const result = await run();
      added.push(...own().slice(before.length));
      return result;
    };
    const run = (name: 'respond' | 'restore', input: unknown) =>
      runMachine(readDefinition(name), input, tools, { around });
    const executions: ReturnType<typeof run>[] = [];
    world.onStartExecution = ({ input }) => {
      executions.push(run('respond', input));
      return { result: Promise.resolve(null) };
    };
    if (isEvent(chaos.input)) await around('Start', 'start-response', () => startResponse(tools, chaos.input));
    else executions.push(run('respond', chaos.input));
    await Promise.all(executions);
    const document = world.dumpTable().find(({ sk }) => sk === 'CASE');
    await run('restore', { caseId: String(document?.['pk']).slice('CASE#'.length), force: true });
    return { added, table: world.dumpTable() };
  });
}

describe('the words for a restore', () => {
  const groups: RestoreItem = { item: 'eni-1 groups', outcome: 'restored' };

  it('are the same for a run that finds it put back', () => {
    expect(restoredText([groups])).toBe('as it was found: eni-1 groups');
    expect(restoredText([{ ...groups, outcome: 'already' }])).toBe('as it was found: eni-1 groups');
    expect(liftedText([{ item: 'acl-1 rule 1', outcome: 'restored' }], ['acl-1'])).toBe(liftedText([], ['acl-1']));
  });

  it('name what is not as it was found, with the reason', () => {
    const other: RestoreItem = { item: 'eni-2 groups', outcome: 'drifted', detail: 'found sg-9' };
    expect(restoredText([groups, other])).toBe('as it was found: eni-1 groups; eni-2 groups: drifted (found sg-9)');
  });

  it('do not say that a deny is lifted which could not be', () => {
    const failed: RestoreItem = { item: 'acl-1 rule 1', outcome: 'failed', detail: 'AccessDenied' };
    expect(liftedText([failed], ['acl-1'])).toBe('acl-1 rule 1: failed (AccessDenied)');
  });
});
