import type { Opened } from '../core/case/record.ts';
import { isRecord } from '../core/intake/input-fields.ts';
import { type AssessTools, assessFlows } from './step.ts';

/**
 * What the state machine passes: its input as it is, and the ARN of its execution, so that the sweep can ask how it stands.
 * Takes a bare input as well: by hand there is no execution.
 */
export function assessExecution(tools: AssessTools, request: unknown): Promise<Opened> {
  if (!isRecord(request) || !('input' in request && 'execution' in request)) return assessFlows(tools, request);
  const { input, execution } = request;
  return assessFlows(tools, input, typeof execution === 'string' ? execution : null);
}
