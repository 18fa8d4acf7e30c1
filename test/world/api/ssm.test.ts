import {
  CancelCommandCommand,
  DescribeInstanceInformationCommand,
  GetCommandInvocationCommand,
  ListCommandInvocationsCommand,
  ListCommandsCommand,
  SendCommandCommand,
  type SendCommandCommandInput,
  SSMClient,
} from '@aws-sdk/client-ssm';
import { describe, expect, it } from 'vitest';
import type { Physics } from '../../../local/world/state.ts';
import { ids, instanceOf, inWorld, outcome, type Scene } from './small-world.ts';

const answering = (after: number, stdout: string): Partial<Physics> => ({
  sendCommand: () => ({
    answer: (at) => (at >= after ? { status: 'Success', responseCode: 0, stdout, stderr: '' } : null),
    cancel: () => {},
  }),
});

const perfectCommand: SendCommandCommandInput = {
  DocumentName: 'flowcut-linux',
  InstanceIds: [ids.instance],
  Parameters: { Verb: ['list'] },
  TimeoutSeconds: 30,
};

function withAgent<T>(
  body: (scene: Scene & { ssm: SSMClient }) => Promise<T>,
  physics: Partial<Physics> = {},
): Promise<T> {
  return inWorld(
    {},
    (scene) => body({ ...scene, ssm: scene.world.attach(new SSMClient({ region: 'eu-central-1' })) }),
    physics,
  );
}

const send = async (ssm: SSMClient) =>
  (await ssm.send(new SendCommandCommand(perfectCommand))).Command?.CommandId ?? '';
const read = (ssm: SSMClient, CommandId: string, InstanceId: string = ids.instance) =>
  ssm.send(new GetCommandInvocationCommand({ CommandId, InstanceId }));

describe('a command', () => {
  it('is not there at first, then in progress, then has answered', () =>
    withAgent(
      async ({ ssm, clock }) => {
        const id = await send(ssm);

        expect(await outcome(read(ssm, id))).toBe('InvocationDoesNotExist');
        expect(await read(ssm, id)).toMatchObject({
          Status: 'InProgress',
          ResponseCode: -1,
          StandardOutputContent: '',
        });
        await clock.sleep(3);
        expect(await read(ssm, id)).toMatchObject({
          Status: 'Success',
          ResponseCode: 0,
          StandardOutputContent: 'hello',
        });
      },
      answering(3, 'hello'),
    ));

  it('is another one each time, with its parameters handed to the host', () => {
    const handed: unknown[] = [];
    return withAgent(
      async ({ ssm }) => {
        expect(await send(ssm)).not.toBe(await send(ssm));
        expect(handed).toHaveLength(2);
        expect(handed[0]).toEqual({
          instanceId: ids.instance,
          documentName: 'flowcut-linux',
          deliverySeconds: 30,
          parameters: { Verb: ['list'] },
        });
      },
      {
        sendCommand: (command) => {
          handed.push(command);
          return { answer: () => null, cancel: () => {} };
        },
      },
    );
  });

  it.each([
    [30, undefined, 3630],
    [30, '120', 150],
    [300, '120', 420],
  ])(
    'is in progress for the %d s of its delivery and the %s s that it may run, then timed out',
    (delivery, running, seconds) =>
      withAgent(
        async ({ ssm, clock }) => {
          const Parameters = { Verb: ['undo'], ...(running !== undefined && { executionTimeout: [running] }) };
          const command = new SendCommandCommand({ ...perfectCommand, TimeoutSeconds: delivery, Parameters });
          const id = (await ssm.send(command)).Command?.CommandId ?? '';
          await clock.sleep(seconds - 2);

          expect(await read(ssm, id)).toMatchObject({ Status: 'InProgress' });
          await clock.sleep(3);
          expect(await read(ssm, id)).toMatchObject({ Status: 'TimedOut', StandardOutputContent: '' });
        },
        { sendCommand: () => ({ answer: () => null, cancel: () => {} }) },
      ),
  );

  it('has its output cut at 24,000 characters', () =>
    withAgent(
      async ({ ssm, clock }) => {
        const id = await send(ssm);
        await clock.sleep(1);

        expect((await read(ssm, id)).StandardOutputContent).toHaveLength(24_000);
      },
      answering(0, 'x'.repeat(30_000)),
    ));

  it('is cancelled while it runs, and stays as it ended otherwise', () =>
    withAgent(async ({ ssm, clock, world }) => {
      const id = await send(ssm);
      await clock.sleep(10);
      await ssm.send(new CancelCommandCommand({ CommandId: id }));

      expect(world.physics.told).toEqual([`command ${ids.instance}`, 'cancel at 10.4']);
      expect(await read(ssm, id)).toMatchObject({ Status: 'Cancelled' });
      await ssm.send(new CancelCommandCommand({ CommandId: id }));
      expect(world.physics.told).toHaveLength(2);
    }));

  it.each([
    ['InvalidInstanceId', { InstanceIds: ['i-0000000000000dead'] }],
    ['InvalidInstanceId', { InstanceIds: undefined }],
    ['ValidationException', { TimeoutSeconds: 29 }],
    ['ValidationException', { Comment: 'x'.repeat(101) }],
    ['ValidationException', { DocumentName: '' }],
  ])('is refused with %s', (code, over) =>
    withAgent(async ({ ssm, world }) => {
      expect(await outcome(ssm.send(new SendCommandCommand({ ...perfectCommand, ...over })))).toBe(code);
      expect(world.physics.told).toEqual([]);
    }),
  );

  it('is refused by an instance that does not run', () =>
    inWorld(
      { Reservations: [{ Instances: [instanceOf(ids.instance, { State: { Name: 'stopped' } })] }] },
      async ({ world }) => {
        const ssm = world.attach(new SSMClient({ region: 'eu-central-1' }));

        expect(await outcome(send(ssm))).toBe('InvalidInstanceId');
      },
    ));

  it('is asked for by its id and instance', () =>
    withAgent(async ({ ssm, clock }) => {
      const id = await send(ssm);
      await clock.sleep(1);

      expect(await outcome(read(ssm, 'nonsense'))).toBe('ValidationException');
      expect(await outcome(read(ssm, '00000000-0000-4000-8000-000000000000'))).toBe('InvalidCommandId');
      expect(await outcome(read(ssm, id, 'i-0000000000000dead'))).toBe('InvocationDoesNotExist');
    }));

  it('is listed', () =>
    withAgent(async ({ ssm }) => {
      const id = await send(ssm);

      expect((await ssm.send(new ListCommandsCommand({ CommandId: id }))).Commands).toMatchObject([
        { CommandId: id, Status: 'InProgress' },
      ]);
      expect((await ssm.send(new ListCommandInvocationsCommand({}))).CommandInvocations).toMatchObject([
        { InstanceId: ids.instance },
      ]);
    }));
});

describe('DescribeInstanceInformation', () => {
  it('filters, by known keys only', () =>
    withAgent(async ({ ssm }) => {
      const listed = async (Key: string, value: string) => {
        const input = { Filters: [{ Key, Values: [value] }] };
        return (await ssm.send(new DescribeInstanceInformationCommand(input))).InstanceInformationList?.length;
      };

      expect(await listed('InstanceIds', ids.instance)).toBe(1);
      expect(await listed('PingStatus', 'ConnectionLost')).toBe(0);
      expect(await outcome(listed('Colour', 'red'))).toBe('InvalidFilterKey');
    }));
});
