import { CancelCommandCommand, GetCommandInvocationCommand, SendCommandCommand, SSMClient } from '@aws-sdk/client-ssm';
import { mockClient } from 'aws-sdk-client-mock';
import 'aws-sdk-client-mock-vitest/extend';
import { beforeEach, describe, expect, it } from 'vitest';
import { cancelHostCommand, readHostCommand, sendHostCommand } from '../../functions/aws/commands.ts';

const ssm = mockClient(SSMClient);
const client = new SSMClient({});
const failure = (name: string) => Object.assign(new Error(name), { name });

beforeEach(() => ssm.reset());

describe('sendHostCommand', () => {
  const command = {
    instanceId: 'i-1',
    documentName: 'flowcut-host-linux',
    comment: 'flowcut cut case-0123456789abcdef0123',
    parameters: { Verb: 'cut', RemoteAddresses: '198.51.100.7,2001:db8::7' },
    seconds: 45,
  } as const;

  it('sends the document with parameters that are all text, and gives the command id', async () => {
    ssm.on(SendCommandCommand).resolves({ Command: { CommandId: 'c-1' } });
    expect(await sendHostCommand(client, command)).toBe('c-1');
    expect(ssm.commandCalls(SendCommandCommand).map((call) => call.args[0].input)).toEqual([
      {
        DocumentName: 'flowcut-host-linux',
        InstanceIds: ['i-1'],
        TimeoutSeconds: 45,
        Comment: 'flowcut cut case-0123456789abcdef0123',
        Parameters: {
          Verb: ['cut'],
          RemoteAddresses: ['198.51.100.7,2001:db8::7'],
          executionTimeout: ['120'],
        },
      },
    ]);
  });

  it.each([
    { seconds: 5, delivery: 30, running: '120' },
    { seconds: 30, delivery: 30, running: '120' },
    { seconds: 31, delivery: 31, running: '120' },
    { seconds: 180, delivery: 180, running: '180' },
    { seconds: 300, delivery: 300, running: '300' },
  ])(
    'sends what is waited for $seconds s so that it can be fetched for $delivery s and run for $running s',
    async ({ seconds, delivery, running }) => {
      ssm.on(SendCommandCommand).resolves({ Command: { CommandId: 'c-1' } });
      await sendHostCommand(client, { ...command, seconds });
      expect(ssm.commandCalls(SendCommandCommand)[0]?.args[0].input).toMatchObject({
        TimeoutSeconds: delivery,
        Parameters: { executionTimeout: [running] },
      });
    },
  );

  it('passes on that there is no agent, and never claims to have sent without a command id', async () => {
    ssm.on(SendCommandCommand).rejectsOnce(failure('InvalidInstanceId')).resolves({});
    await expect(sendHostCommand(client, command)).rejects.toThrow('InvalidInstanceId');
    await expect(sendHostCommand(client, command)).rejects.toThrow('without a command id');
  });
});

describe('readHostCommand', () => {
  const read = () => readHostCommand(client, 'i-1', 'c-1');

  it.each(['Pending', 'InProgress', 'Delayed', 'Cancelling'] as const)(
    'is pending while SSM says %s',
    async (Status) => {
      ssm.on(GetCommandInvocationCommand).resolves({ Status });
      expect(await read()).toEqual({ kind: 'pending' });
      expect(ssm).toHaveReceivedCommandExactlyOnceWith(GetCommandInvocationCommand, {
        CommandId: 'c-1',
        InstanceId: 'i-1',
      });
    },
  );

  it('is pending right after sending, when SSM does not know the invocation yet', async () => {
    ssm.on(GetCommandInvocationCommand).rejects(failure('InvocationDoesNotExist'));
    expect(await read()).toEqual({ kind: 'pending' });
  });

  it.each(['Success', 'Failed'] as const)(
    'hands out what was printed, for %s proves nothing either way',
    async (Status) => {
      ssm.on(GetCommandInvocationCommand).resolves({ Status, StandardOutputContent: '{"v":1}' });
      expect(await read()).toEqual({ kind: 'answered', output: '{"v":1}' });
      ssm.on(GetCommandInvocationCommand).resolves({ Status });
      expect(await read()).toEqual({ kind: 'answered', output: '' });
    },
  );

  it.each(['TimedOut', 'Cancelled'] as const)('has ended without an answer when SSM says %s', async (Status) => {
    ssm.on(GetCommandInvocationCommand).resolves({ Status, StandardOutputContent: '{"v":1}' });
    expect(await read()).toEqual({ kind: 'ended', status: Status });
  });

  it('passes on every other error', async () => {
    ssm.on(GetCommandInvocationCommand).rejects(failure('AccessDeniedException'));
    await expect(read()).rejects.toThrow('AccessDeniedException');
  });
});

describe('cancelHostCommand', () => {
  it('cancels on the one instance', async () => {
    ssm.on(CancelCommandCommand).resolves({});
    await cancelHostCommand(client, 'i-1', 'c-1');
    expect(ssm).toHaveReceivedCommandExactlyOnceWith(CancelCommandCommand, { CommandId: 'c-1', InstanceIds: ['i-1'] });
  });
});
