import type { Config } from '../../functions/core/config.ts';
import { type Simulation, type SimulationOptions, simulate as simulateAsDeployed } from '../../local/simulate.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';

/**
 * What tests begin with that are not about the flow log of our own: their worlds say themselves who watches. Those that are give
 * `ownFlowLog: true`.
 */
export const NO_OWN_FLOW_LOG = { ownFlowLog: false } as const satisfies Partial<Config>;

/** The looks of the watch have tests of their own: elsewhere a run ends with its response, or with its restore. */
const NO_WATCH = { watchDays: 0 } as const satisfies Partial<Config>;

/** A run of the response, with no flow log of our own and no watch after it unless the configuration says so. */
export const simulate = (file: WorldFile, input: unknown, options: SimulationOptions = {}): Promise<Simulation> =>
  simulateAsDeployed(file, input, {
    ...options,
    config: {
      ...(options.parameters?.['OwnFlowLog'] === undefined && NO_OWN_FLOW_LOG),
      ...(options.parameters?.['WatchDays'] === undefined && NO_WATCH),
      ...options.config,
    },
  });
