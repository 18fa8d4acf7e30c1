import type { Logger } from '@aws-lambda-powertools/logger';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { CaseTable } from '../aws/case-table/table.ts';
import { CLIENT_SETTINGS, LAST_SECONDS, RESERVE_SECONDS } from '../aws/client-settings.ts';
import { within } from './deadline.ts';
import { readConfig } from './environment.ts';
import type { Tools } from './toolbox.ts';

let logger: Promise<Logger> | null = null;
const unsaid: Promise<void>[] = [];

/** Most runs say nothing before the first cut: the logger is read when there is something to say. */
function say(level: 'info' | 'warn' | 'error', message: string, fields: object = {}): void {
  logger ??= import('@aws-lambda-powertools/logger').then((library) => new library.Logger({ serviceName: 'flowcut' }));
  unsaid.push(logger.then((given) => given[level](message, { ...fields })));
}

/** When Lambda ends the run at hand, as a moment in ms: an execution environment has one at a time. */
let endsAt = Number.POSITIVE_INFINITY;

const deadline = (): number => endsAt - RESERVE_SECONDS * 1000;

/** A client for the work of a step: what is left of the function's time behind its deadline is not spent on it. */
export const timely = <C extends Parameters<typeof within>[0]>(client: C): C => within(client, deadline);

/** A client for saying what came of a step, in the reserve too; only the very end is not spent on it. */
export const toTheLast = <C extends Parameters<typeof within>[0]>(client: C): C =>
  within(client, () => endsAt - LAST_SECONDS * 1000);

/** What every step has at hand, from the environment of the function. */
export function commonTools(): Tools<'cases'> {
  const cases: CaseTable = {
    client: toTheLast(new DynamoDBClient(CLIENT_SETTINGS)),
    name: process.env.FLOWCUT_TABLE ?? 'flowcut-cases',
  };
  return {
    config: readConfig(process.env),
    cases,
    log: {
      info: (message, fields) => say('info', message, fields),
      warn: (message, fields) => say('warn', message, fields),
    },
    now: () => new Date(),
    deadline,
    sleep: (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000)),
  };
}

/** The part of Lambda's context object that is used. https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html */
interface Context {
  getRemainingTimeInMillis(): number;
}

/** A step as a Lambda handler: errors are logged and rethrown, for one that is only logged reads as success. */
export function handlerOf<I, O>(step: (input: I) => Promise<O>): (input: I, context: Context) => Promise<O> {
  return async (input, context) => {
    try {
      endsAt = Date.now() + context.getRemainingTimeInMillis();
      return await step(input);
    } catch (error) {
      say('error', 'the step failed', { error: error instanceof Error ? error : new Error(String(error)) });
      throw error;
    } finally {
      // Lambda freezes the process when the answer is given.
      await Promise.allSettled(unsaid.splice(0));
    }
  };
}
