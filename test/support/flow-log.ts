import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { DEFAULT_LOG_FORMAT } from '../../functions/core/verdict/log-format.ts';

/** A format as DescribeFlowLogs writes it. */
export const formatText = (...names: readonly string[]): string => names.map((name) => `\${${name}}`).join(' ');

/** Fields of the default format, in their order. */
export const DEFAULT_FIELDS: readonly string[] = [...DEFAULT_LOG_FORMAT.placeOf.keys()];

interface Found {
  readonly output: { events?: { message?: string; timestamp?: number }[] };
}

/** Changes or leaves out (null) what a search of the log finds, line by line, as it comes from the world. */
export function rewriteLines(
  logs: CloudWatchLogsClient,
  rewrite: (line: string, startSeconds: number) => string | null,
): void {
  logs.middlewareStack.add(
    (next) => async (given) => {
      const answer = await next(given);
      const { output } = answer as unknown as Found;
      output.events = (output.events ?? []).flatMap((event) => {
        const message = rewrite(event.message ?? '', (event.timestamp ?? 0) / 1000);
        return message === null ? [] : [{ ...event, message }];
      });
      return answer;
    },
    { step: 'initialize', name: 'rewriteLines' },
  );
}
