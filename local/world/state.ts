/**
 * The seams inside the embedded world: `state` is what the AWS APIs show, `physics` is what packets and hosts really do.
 * `api/` answers SDK calls from the state and tells physics of every change; physics never calls an API.
 */

import type { FlowLog } from './api/shapes.ts';

/** The world's clock: seconds since the event's arrival, virtual. */
export interface WorldClock {
  now(): number;
  /** ISO time of a moment, from the world's `Now`. */
  iso(seconds: number): string;
  sleep(seconds: number): Promise<void>;
}

/** What physics must be told and can be asked. All times in seconds since the event's arrival. */
export interface Physics {
  /** Process everything on the wire and on the hosts up to `seconds`. */
  advanceTo(seconds: number): void;
  /** Groups, group rules, ACLs, routes, ENI timeouts or attachments changed now: packets see it after PropagationSeconds. */
  networkChanged(): void;
  /** An instance was stopped or terminated now: its sockets are gone, without a FIN. */
  instanceStopped(instanceId: string): void;
  /**
   * Hand a command to the host's agent now (SSM SendCommand with one of flowcut's documents): it runs when the agent fetches
   * it, which it can for so many seconds.
   * `done(at)` tells what the agent has answered by then: null = nothing yet (InProgress).
   */
  sendCommand(command: {
    instanceId: string;
    documentName: string;
    parameters: Record<string, string[]>;
    deliverySeconds: number;
  }): {
    answer(at: number): { status: 'Success' | 'Failed'; responseCode: number; stdout: string; stderr: string } | null;
    cancel(at: number): void;
  };
  /**
   * Records of a flow log about an ENI that are delivered by `at`, in the log's format, ascending by start; without a log,
   * those of the one that covers the ENI and delivers soonest.
   */
  flowLogRecords(
    networkInterfaceId: string,
    fromSeconds: number,
    toSeconds: number,
    at: number,
    log?: FlowLog,
  ): string[];
}
