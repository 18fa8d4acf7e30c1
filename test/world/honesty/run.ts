import { DEFAULT_HOST_OPTIONS } from '../../../functions/core/host/host-options.ts';
import { type Simulation, type SimulationOptions, simulate } from '../../../local/simulate.ts';
import type { WorldFile } from '../../../local/world/parse-world.ts';
import { type Snapshot, takeSnapshot } from '../../../local/world/physics/snapshot.ts';
import { parseQuietWorld } from '../../support/quiet-agents.ts';
import { buildRequest } from './build-request.ts';
import { buildWorld } from './build-world.ts';
import type { Incident } from './incident.ts';
import { aclLines, groupLines, watch } from './watch.ts';

/** An incident, what the response to it did and said, and what was true. */
export interface Run {
  readonly incident: Incident;
  readonly simulation: Simulation;
  /** The network before and after, as packets see it. */
  readonly before: Snapshot;
  readonly after: Snapshot;
  readonly aclsBefore: ReadonlyMap<string, readonly string[]>;
  readonly aclsAfter: ReadonlyMap<string, readonly string[]>;
  readonly groupsBefore: ReadonlyMap<string, string>;
  readonly groupsAfter: ReadonlyMap<string, string>;
  readonly breaches: readonly string[];
}

/** Runs the response to an incident, with `restore: true` and what undoes it. */
export async function run(incident: Incident, { restore = false } = {}): Promise<Run> {
  const file: WorldFile = parseQuietWorld(buildWorld(incident));
  const before = takeSnapshot(file, 0);
  const aclsBefore = aclLines(file);
  const groupsBefore = groupLines(file);
  let breaches: readonly string[] = [];
  const options: SimulationOptions = {
    parameters: { WatchDays: String(incident.watchDays) },
    ...(restore && { restore: { force: true } }),
    config: {
      sealSubnet: incident.seal === 'never' ? 'never' : 'when-alone',
      ownFlowLog: incident.ownFlowLog,
      hostOptions: { ...DEFAULT_HOST_OPTIONS, survivors: incident.host.survivors },
    },
    prepare: (world) => {
      const watching = watch(file, () => world.dumpTable());
      breaches = watching.breaches;
      world.interceptors.push(watching);
    },
  };
  const simulation = await simulate(file, buildRequest(incident), options);
  return {
    incident,
    simulation,
    before,
    after: takeSnapshot(file, 0),
    aclsBefore,
    aclsAfter: aclLines(file),
    groupsBefore,
    groupsAfter: groupLines(file),
    breaches,
  };
}
