import type { Logger } from '@aws-lambda-powertools/logger';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { CaseTable } from '../aws/case-table/table.ts';
import { CLIENT_SETTINGS } from '../aws/client-settings.ts';
import { readConfig } from './environment.ts';
import type { Tools } from './toolbox.ts';

let logger: Promise<Logger> | null = null;
const unsaid: Promise<void>[] = [];

/** Most runs say nothing before the first cut: the logger is read when there is something to say. */
function say(level: 'info' | 'warn' | 'error', message: string, fields: object = {}): void {
  logger ??= import('@aws-lambda-powertools/logger').then((library) => new library.Logger({ serviceName: 'flowcut' }));
  unsaid.push(logger.then((given) => given[level](message, { ...fields })));
}

/** What every step has at hand, from the environment of the function. */
export function commonTools(): Tools<'cases'> {
  const cases: CaseTable = {
    client: new DynamoDBClient(CLIENT_SETTINGS),
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
    sleep: (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000)),
  };
}

/** A step as a Lambda handler: errors are logged and rethrown, for one that is only logged reads as success. */
export function handlerOf<I, O>(step: (input: I) => Promise<O>): (input: I) => Promise<O> {
  return async (input) => {
    try {
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
