import { DescribeSubnetsCommand } from '@aws-sdk/client-ec2';
import { DescribeExecutionCommand, SFNClient, StartExecutionCommand, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { describe, expect, it } from 'vitest';
import { inWorld, outcome, type Scene } from './small-world.ts';

const stateMachineArn = 'arn:aws:states:eu-central-1:111122223333:stateMachine:respond';
const start = (name: string, input = '{"caseId":"c1"}') => new StartExecutionCommand({ stateMachineArn, name, input });

function withSteps<T>(body: (scene: Scene & { sfn: SFNClient }) => Promise<T>): Promise<T> {
  return inWorld({}, (scene) => body({ ...scene, sfn: scene.world.attach(new SFNClient({ region: 'eu-central-1' })) }));
}

describe('StartExecution', () => {
  it('hands the execution over, outside of the caller', () =>
    withSteps(async ({ sfn, world, clock, ec2 }) => {
      const handed: unknown[] = [];
      world.onStartExecution = (execution) => {
        handed.push(execution);
        const work = async () => {
          await ec2.send(new DescribeSubnetsCommand({}));
          await clock.sleep(60);
          return { verdict: 'contained' };
        };
        return { result: work() };
      };
      const { executionArn } = await world.inState('Start', () => sfn.send(start('n1')));

      expect(handed).toEqual([{ executionArn, name: 'n1', stateMachineArn, input: { caseId: 'c1' } }]);
      expect(await sfn.send(new DescribeExecutionCommand({ executionArn }))).toMatchObject({
        status: 'RUNNING',
        input: '{"caseId":"c1"}',
      });
      await clock.sleep(100);
      expect(await sfn.send(new DescribeExecutionCommand({ executionArn }))).toMatchObject({
        status: 'SUCCEEDED',
        output: '{"verdict":"contained"}',
        stopDate: new Date('2026-01-15T10:01:00.400Z'),
      });
      expect(world.timeline().find(({ call }) => call === 'DescribeSubnets')?.state).toBeNull();
    }));

  it('is idempotent for the same name and input while it runs, and never after', () =>
    withSteps(async ({ sfn, world, clock }) => {
      world.onStartExecution = () => ({ result: clock.sleep(60) });
      const first = await sfn.send(start('n1'));

      expect((await sfn.send(start('n1'))).executionArn).toBe(first.executionArn);
      expect(await outcome(sfn.send(start('n1', '{"caseId":"c2"}')))).toBe('ExecutionAlreadyExists');
      await clock.sleep(100);
      expect(await outcome(sfn.send(start('n1')))).toBe('ExecutionAlreadyExists');
    }));

  it('keeps the failure of an execution', () =>
    withSteps(async ({ sfn, world, clock }) => {
      world.onStartExecution = () => ({ result: Promise.reject(new TypeError('broken')) });
      const { executionArn } = await sfn.send(start('n1'));
      await clock.sleep(1);

      expect(await sfn.send(new DescribeExecutionCommand({ executionArn }))).toMatchObject({
        status: 'FAILED',
        error: 'TypeError',
        cause: 'broken',
      });
    }));

  it('can be stopped', () =>
    withSteps(async ({ sfn, world }) => {
      let aborted = 0;
      world.onStartExecution = () => ({
        result: new Promise(() => {}),
        abort: () => {
          aborted += 1;
        },
      });
      const { executionArn } = await sfn.send(start('n1'));
      await sfn.send(new StopExecutionCommand({ executionArn, error: 'Stopped', cause: 'by hand' }));

      expect(aborted).toBe(1);
      expect(await sfn.send(new DescribeExecutionCommand({ executionArn }))).toMatchObject({
        status: 'ABORTED',
        error: 'Stopped',
      });
    }));

  it.each([
    ['InvalidArn', new StartExecutionCommand({ stateMachineArn: 'respond' })],
    ['InvalidName', start('a name')],
    ['InvalidName', start('x'.repeat(81))],
    ['InvalidExecutionInput', start('n1', 'no json')],
    ['ExecutionDoesNotExist', new DescribeExecutionCommand({ executionArn: `${stateMachineArn}:x` })],
  ])('answers %s', (code, command) =>
    withSteps(async ({ sfn }) => {
      expect(await outcome(sfn.send(command as StartExecutionCommand))).toBe(code);
    }),
  );
});

describe('Publish', () => {
  const TopicArn = 'arn:aws:sns:eu-central-1:111122223333:reports';

  it('keeps the message', () =>
    inWorld({}, async ({ world }) => {
      const sns = world.attach(new SNSClient({ region: 'eu-central-1' }));
      await sns.send(new PublishCommand({ TopicArn, Subject: 'flowcut', Message: 'contained' }));

      expect(world.messages).toEqual([{ at: 0.2, topicArn: TopicArn, subject: 'flowcut', message: 'contained' }]);
    }));

  it.each([
    { TopicArn: undefined, Message: 'a' },
    { TopicArn, Message: '' },
    { TopicArn, Message: 'a', Subject: 'two\nlines' },
    { TopicArn, Message: 'a', Subject: 'x'.repeat(100) },
    { TopicArn, Message: 'x'.repeat(262_145) },
  ])('refuses %#', (input) =>
    inWorld({}, async ({ world }) => {
      const sns = world.attach(new SNSClient({ region: 'eu-central-1' }));

      expect(await outcome(sns.send(new PublishCommand(input)))).toBe('InvalidParameterException');
      expect(world.messages).toEqual([]);
    }),
  );
});
