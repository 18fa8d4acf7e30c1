import { SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { mockClient } from 'aws-sdk-client-mock';
import 'aws-sdk-client-mock-vitest/extend';
import { beforeEach, describe, expect, it } from 'vitest';
import { errorCode, errorText, unless } from '../../functions/aws/errors.ts';
import { startExecution } from '../../functions/aws/executions.ts';
import { publish } from '../../functions/aws/notifications.ts';

const sfn = mockClient(SFNClient);
const sns = mockClient(SNSClient);

beforeEach(() => {
  sfn.reset();
  sns.reset();
});

describe('startExecution', () => {
  const client = new SFNClient({});
  const execution = {
    stateMachineArn: 'arn:aws:states:eu-central-1:1:stateMachine:respond',
    name: 'case-1-a',
    input: { caseId: 'case-1' },
  };

  it('starts under the given name, with the input as JSON text', async () => {
    sfn.on(StartExecutionCommand).resolves({});
    expect(await startExecution(client, execution)).toBe('started');
    expect(sfn).toHaveReceivedCommandExactlyOnceWith(StartExecutionCommand, {
      ...execution,
      input: '{"caseId":"case-1"}',
    });
  });

  it('takes a name that has run for started already', async () => {
    sfn.on(StartExecutionCommand).rejects(Object.assign(new Error('there'), { name: 'ExecutionAlreadyExists' }));
    expect(await startExecution(client, execution)).toBe('already-started');
  });

  it('passes on every other error, so that the event is delivered again', async () => {
    sfn.on(StartExecutionCommand).rejects(Object.assign(new Error('limit'), { name: 'ExecutionLimitExceeded' }));
    await expect(startExecution(client, execution)).rejects.toThrow('limit');
  });
});

describe('publish', () => {
  it('sends subject and body to the topic', async () => {
    sns.on(PublishCommand).resolves({});
    await publish(new SNSClient({}), 'arn:aws:sns:eu-central-1:1:flowcut', { subject: 's', body: 'b' });
    expect(sns).toHaveReceivedCommandExactlyOnceWith(PublishCommand, {
      TopicArn: 'arn:aws:sns:eu-central-1:1:flowcut',
      Subject: 's',
      Message: 'b',
    });
  });
});

describe('errors of AWS', () => {
  it.each([
    [
      'the code of a query protocol',
      Object.assign(new Error('m'), { name: 'X', Code: 'InvalidGroup.Duplicate' }),
      'InvalidGroup.Duplicate',
    ],
    [
      'the name of a JSON protocol',
      Object.assign(new Error('m'), { name: 'ResourceNotFoundException' }),
      'ResourceNotFoundException',
    ],
    ['the name of a network error', Object.assign(new Error('m'), { name: 'TimeoutError' }), 'TimeoutError'],
    ['the name, where the code is no text', Object.assign(new Error('m'), { name: 'X', Code: 7 }), 'X'],
    ['nothing of what is no error', 'InvalidGroup.Duplicate', 'unknown'],
  ])('are known by %s', (_, error, code) => {
    expect(errorCode(error)).toBe(code);
  });

  it('become one short line for a report', () => {
    const text = errorText(Object.assign(new Error(`a\r\n\tb\u0000${'x'.repeat(500)}`), { name: 'X' }));
    expect(text).toMatch(/^X: a b x+$/);
    expect(text.length).toBeLessThan(210);
    expect(errorText('plain')).toBe('unknown: plain');
  });

  it('become a value where the caller says so, and nowhere else', async () => {
    const failing = () => Promise.reject(Object.assign(new Error('m'), { Code: 'A' }));
    expect(await unless(['A'], failing, ({ message }) => message)).toBe('m');
    await expect(unless(['B'], failing, () => null)).rejects.toThrow('m');
    expect(
      await unless(
        ['A'],
        () => Promise.resolve(1),
        () => null,
      ),
    ).toBe(1);
  });
});
