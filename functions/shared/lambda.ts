import { Logger } from '@aws-lambda-powertools/logger';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { CaseTable } from '../aws/cases.ts';
import { CLIENT_SETTINGS } from '../aws/client-settings.ts';
import { readConfig } from './environment.ts';
import type { Tools } from './toolbox.ts';

const logger = new Logger({ serviceName: 'flowcut' });

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
      info: (message, fields = {}) => logger.info(message, { ...fields }),
      warn: (message, fields = {}) => logger.warn(message, { ...fields }),
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
      logger.error('the step failed', error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  };
}
