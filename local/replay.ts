import { parseCalls, type ReplayedCall, replayCalls } from './calls.ts';
import { printedFlows, printedMessages, resultFlows } from './result.ts';
import { truthText } from './tell.ts';
import type { World } from './toolbox.ts';
import { runInVirtualTime } from './world/clock.ts';
import { createEmbeddedWorld } from './world/embedded-world.ts';
import type { WorldFile } from './world/parse-world.ts';
import { createPhysics } from './world/physics.ts';
import type { FlowTruth } from './world/truth.ts';

export interface Replay {
  readonly truth: ReadonlyMap<string, FlowTruth>;
  readonly timeline: readonly { at: number; state: string | null; call: string; outcome: string }[];
  readonly calls: object;
  readonly messages: World['messages'];
  readonly finalState: Record<string, unknown>;
}

/** The world's physics alone: calls at their times, no responder. */
export function replay(file: WorldFile, calls: readonly ReplayedCall[]): Promise<Replay> {
  return runInVirtualTime(file.Now, async (clock) => {
    const physics = createPhysics(file);
    const world = createEmbeddedWorld(file, clock, physics);
    await replayCalls(world, calls);
    const timeline = world.timeline();
    const finalState = world.snapshot();
    return {
      timeline,
      calls: world.calls(),
      messages: world.messages,
      finalState,
      truth: new Map(physics.truth().map((entry) => [entry.name, entry])),
    };
  });
}

/** `--calls`: the same object as a response prints, with no verdict. */
export async function replayCallsFile(file: WorldFile, json: unknown, asJson: boolean): Promise<string> {
  const result = await replay(file, parseCalls(json));
  const flows = printedFlows(resultFlows({ file, truth: result.truth, report: { flows: [] } })).map((flow) => ({
    ...flow,
    because: 'no responder ran',
  }));
  if (asJson) {
    return JSON.stringify(
      {
        verdict: null,
        reason: 'calls were replayed without the responder',
        basis: [],
        provenAt: null,
        verdicts: [],
        flows,
        skipped: [],
        held: [],
        leftOpen: [],
        lastResort: [],
        timeline: result.timeline.map(({ at, state, call, outcome }) => ({ at, state, call, outcome })),
        calls: result.calls,
        messages: printedMessages(result.messages),
        world: result.finalState,
      },
      null,
      2,
    );
  }
  return [
    'Calls replayed without the responder',
    ...result.timeline.map((entry) => `  t = ${entry.at} s  ${entry.call}: ${entry.outcome}`),
    ...flows.map((flow) => `  ${flow.name}: ${truthText(flow.truth)}`),
  ].join('\n');
}
