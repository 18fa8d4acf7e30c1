/** A running execution, as whoever interprets the state machine hands it over. */
export interface StartedExecution {
  readonly result: Promise<unknown>;
  abort?(): void;
}

/** Runs one execution; called at the moment of StartExecution. */
export type ExecutionStarter = (execution: {
  readonly executionArn: string;
  readonly name: string;
  readonly stateMachineArn: string;
  readonly input: unknown;
}) => StartedExecution;
