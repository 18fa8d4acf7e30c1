import { parseCalls, type ReplayedCall, replayCalls } from './calls.ts';
import { truthText } from './tell.ts';
import { runInVirtualTime } from './world/clock.ts';
import { createEmbeddedWorld } from './world/embedded-world.ts';
import type { WorldFile } from './world/parse-world.ts';
import { createPhysics } from './world/physics.ts';
import type { FlowTruth } from './world/truth.ts';

export interface Replay {
  readonly truth: ReadonlyMap<string, FlowTruth>;
  readonly timeline: readonly { at: number; state: string | null; call: string; outcome: string }[];
  readonly calls: object;
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
      finalState,
      truth: new Map(physics.truth().map((entry) => [entry.name, entry])),
    };
  });
}

/** `--calls`: the same object as a response prints, with no verdict. */
export async function replayCallsFile(file: WorldFile, json: unknown, asJson: boolean): Promise<string> {
  const result = await replay(file, parseCalls(json));
  const flows = file.Flows.filter((flow) => flow.Malicious).map((flow) => ({
    name: flow.Name,
    protocol: flow.Protocol,
    remoteAddress: flow.RemoteAddress,
    remotePort: flow.RemotePort,
    localPort: flow.LocalPort,
    tracking: 'unknown',
    because: 'no responder ran',
    evidence: 'unproven',
    truth: truthOf(result.truth.get(flow.Name)),
  }));
  if (asJson) {
    return JSON.stringify(
      {
        verdict: null,
        reason: 'calls were replayed without the responder',
        basis: [],
        flows,
        skipped: [],
        held: [],
        leftOpen: [],
        lastResort: [],
        timeline: result.timeline.map(({ at, state, call, outcome }) => ({ at, state, call, outcome })),
        calls: result.calls,
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

function truthOf(truth: FlowTruth | undefined) {
  return truth === undefined
    ? null
    : { lastPacketAt: truth.lastPacketAt, stoppedBy: truth.stoppedBy, revivedAt: truth.revivedAt };
}
