import type { ReportedFlow } from '../functions/core/report/report.ts';
import type { Played, PlayedStep } from './play.ts';
import { printedFlows, printedMessages, type ResultParts, resultFlows, resultOf } from './result.ts';
import { bullet, duration, flowLines, restoredLines, resultLines, section } from './tell.ts';
import type { RestoredAt, Told } from './told.ts';
import { toldOf } from './told.ts';

/** When restores began that were not refused, the first of each case. */
function restoredAt({ steps }: Played): RestoredAt {
  const begun = steps.flatMap(({ outcome }) => {
    if (outcome.kind !== 'restored' || outcome.restored.kind === 'failed') return [];
    const { restore } = outcome.restored;
    return restore.kind === 'refused' ? [] : [[restore.caseId, outcome.begunAt] as const];
  });
  return new Map(begun.reverse());
}

type RespondedStep = PlayedStep & { readonly outcome: { readonly kind: 'responded' } };

const hasResponded = (played: PlayedStep): played is RespondedStep => played.outcome.kind === 'responded';

function toldOfStep(played: Played, { run, outcome }: RespondedStep): Told {
  return toldOf(played.session, run, outcome.responded, restoredAt(played));
}

/** What a step came to, with the calls of its own executions. */
function partsOf(played: Played, step: RespondedStep): ResultParts & { readonly reportedAt: number } {
  const { world } = played.session;
  return {
    ...toldOfStep(played, step),
    calls: sinceStep(world.calls(step.run.name), step.step.at),
    timeline: world.timeline(step.run.name),
    reportedAt: step.outcome.responded.endedAt,
  };
}

/** How long the first cut took is counted from the step, as it is from the event where there is but one. */
function sinceStep(calls: ResultParts['calls'], at: number): ResultParts['calls'] {
  const { beforeFirstCut: first } = calls;
  if (first === null) return calls;
  return { ...calls, beforeFirstCut: { ...first, seconds: Math.round((first.seconds - at) * 1000) / 1000 } };
}

function stepJson(played: Played, one: PlayedStep): object {
  const { at, kind } = one.step;
  if (hasResponded(one)) return { at, kind, result: resultOf(played, partsOf(played, one)) };
  const { outcome } = one;
  if (outcome.kind === 'called') return { at, kind, outcomes: outcome.outcomes };
  if (outcome.kind === 'restored' && outcome.restored.kind === 'ended') {
    const { restore, items } = outcome.restored;
    return restore.kind === 'refused' ? { at, kind, restoreRefused: restore.reason } : { at, kind, restore: items };
  }
  return {
    at,
    kind,
    restoreRefused: outcome.kind === 'restored' && 'reason' in outcome.restored ? outcome.restored.reason : '',
  };
}

/** What every case says of flows; what was said last comes first. */
function reportedFlows(played: Played): readonly ReportedFlow[] {
  const flows = played.steps
    .filter(hasResponded)
    .reverse()
    .flatMap((step) => toldOfStep(played, step).report.flows);
  return [
    ...new Map(
      flows.map((flow) => [
        [flow.protocol, flow.remoteAddress, flow.remotePort, flow.localAddress, flow.localPort].join(),
        flow,
      ]),
    ).values(),
  ];
}

/** The one object that `--json` prints of an episode. */
export function episodeJson(played: Played): object {
  return {
    steps: played.steps.map((step) => stepJson(played, step)),
    flows: printedFlows(resultFlows({ ...played, report: { flows: reportedFlows(played) } })),
    messages: printedMessages(played.session.world.messages),
    world: played.finalState,
  };
}

function stepLines(played: Played, one: PlayedStep, index: number): readonly string[] {
  const { at, kind } = one.step;
  const title = `== step ${index + 1}, t = ${duration(at)}: ${kind} ==`;
  if (hasResponded(one)) return [title, ...resultLines(played, partsOf(played, one)), ''];
  const { outcome } = one;
  if (outcome.kind === 'called') return [title, ...outcome.outcomes.map(bullet), ''];
  if (outcome.kind !== 'restored') return [title];
  const { restored } = outcome;
  if (restored.kind === 'failed') return [title, bullet(`failed: ${restored.reason}`), ''];
  if (restored.restore.kind === 'refused') return [title, bullet(`refused: ${restored.restore.reason}`), ''];
  return [title, ...restoredLines(restored.items), ''];
}

/** An episode, for a person. */
export function tellEpisode(played: Played): string {
  const flows = resultFlows({ ...played, report: { flows: reportedFlows(played) } });
  return [
    ...played.steps.flatMap((step, index) => stepLines(played, step, index)),
    ...section('Every flow of the world', flows.flatMap(flowLines)).slice(1),
  ].join('\n');
}
