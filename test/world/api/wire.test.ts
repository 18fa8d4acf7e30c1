import {
  CreateNetworkAclEntryCommand,
  DescribeInstancesCommand,
  DescribeNetworkAclsCommand,
  DescribeSubnetsCommand,
  EC2Client,
  EC2ServiceException,
  ModifyNetworkInterfaceAttributeCommand,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import { GetCommandInvocationCommand, SendCommandCommand, SSMClient } from '@aws-sdk/client-ssm';
import { describe, expect, it, vi } from 'vitest';
import { ids, inWorld, outcome, type Scene } from './small-world.ts';

const deny = (RuleNumber: number) =>
  new CreateNetworkAclEntryCommand({
    NetworkAclId: ids.acl,
    RuleNumber,
    Egress: true,
    Protocol: '-1',
    RuleAction: 'deny',
    CidrBlock: '198.51.100.7/32',
  });

describe('the wire', () => {
  it('answers a real client after the latency, with dates as the SDK gives them', () =>
    inWorld({}, async ({ ec2, clock }) => {
      const { Reservations, $metadata } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [ids.instance] }));

      expect(Reservations?.[0]?.Instances?.[0]?.LaunchTime).toEqual(new Date('2025-12-01T00:00:00.000Z'));
      expect($metadata).toMatchObject({ httpStatusCode: 200, attempts: 1 });
      expect(clock.now()).toBe(0.2);
    }));

  it('throws what the SDK would', () =>
    inWorld({}, async ({ ec2 }) => {
      const failing = ec2.send(new DescribeInstancesCommand({ InstanceIds: ['i-0000000000000dead'] }));

      await expect(failing).rejects.toBeInstanceOf(EC2ServiceException);
      await expect(failing).rejects.toMatchObject({
        name: 'InvalidInstanceID.NotFound',
        Code: 'InvalidInstanceID.NotFound',
        $fault: 'client',
        $metadata: { httpStatusCode: 400, attempts: 1 },
      });
    }));

  it.each(['RequestLimitExceeded', 'InternalError', 'ThrottlingException', 'Unavailable'])(
    'has the SDK retry %s, and counts every attempt',
    (error) =>
      inWorld(
        {
          Faults: [
            { Api: 'DescribeInstances', Call: 1, Error: error },
            { Api: 'DescribeInstances', Call: 2, Error: error },
          ],
        },
        async ({ ec2, world }) => {
          const { $metadata } = await ec2.send(new DescribeInstancesCommand({}));

          expect($metadata.attempts).toBe(3);
          expect(world.calls()).toMatchObject({ total: 3, byApi: { DescribeInstances: 3 } });
          expect(world.timeline().map(({ outcome: text }) => text.split(':')[0])).toEqual([error, error, 'ok']);
        },
      ),
  );

  it('gives up after the attempts of the client, for a fault that stays', () =>
    inWorld(
      { Faults: [{ Api: 'DescribeInstances', Call: '1+', Error: 'RequestLimitExceeded' }] },
      async ({ ec2, world }) => {
        expect(await outcome(ec2.send(new DescribeInstancesCommand({})))).toBe('RequestLimitExceeded');
        expect(world.calls().total).toBe(3);
      },
    ));

  it('lets an effect happen and its answer be lost', () =>
    inWorld(
      { Faults: [{ Api: 'CreateNetworkAclEntry', Call: 1, Error: 'InternalError', AfterEffect: true }] },
      async ({ ec2, world, state }) => {
        const name = await outcome(ec2.send(deny(1)));

        expect(name).toBe('NetworkAclEntryAlreadyExists');
        expect(state.NetworkAcls[0]?.Entries.filter(({ RuleNumber }) => RuleNumber === 1)).toHaveLength(1);
        expect(world.calls().byApi).toEqual({ CreateNetworkAclEntry: 2 });
      },
    ));

  it.each([false, true])('times out after three seconds, effect done: %s', (AfterEffect) =>
    inWorld(
      { Faults: [{ Api: 'CreateNetworkAclEntry', Call: 1, Error: 'Timeout', AfterEffect }] },
      async ({ ec2, world }) => {
        const name = await outcome(ec2.send(deny(1)));

        expect(name).toBe(AfterEffect ? 'NetworkAclEntryAlreadyExists' : 'ok');
        expect(world.timeline()[0]).toMatchObject({ at: 5, outcome: expect.stringMatching(/^TimeoutError/) });
      },
    ),
  );

  it('does not retry what is no transient error', () =>
    inWorld(
      { Faults: [{ Api: 'DescribeInstances', Call: 1, Error: 'UnauthorizedOperation' }] },
      async ({ ec2, world }) => {
        expect(await outcome(ec2.send(new DescribeInstancesCommand({})))).toBe('UnauthorizedOperation');
        expect(world.calls().total).toBe(1);
      },
    ));

  it('says that it does not know a call, loudly and at once', () =>
    inWorld({}, async ({ ec2, world }) => {
      const call = ec2.send(new RunInstancesCommand({ MinCount: 1, MaxCount: 1 }));

      await expect(call).rejects.toThrow('does not answer ec2 RunInstances');
      expect(world.calls().total).toBe(1);
    }));

  it('puts the state and the input of a call on the timeline', () =>
    inWorld({}, async ({ ec2, world }) => {
      await world.inState('Deny at the subnet', () => ec2.send(deny(7)));

      expect(world.timeline()).toEqual([
        {
          at: 0.2,
          state: 'Deny at the subnet',
          service: 'ec2',
          call: 'CreateNetworkAclEntry',
          outcome: 'ok',
          input: expect.stringContaining('"RuleNumber":7'),
        },
      ]);
    }));

  it('lets an interceptor fail a call before or after its effect', () =>
    inWorld({}, async ({ ec2, world, state }) => {
      const chaos = (when: 'before' | 'after') => ({
        [when]: ({ number }: { number: number }) => {
          if (number === (when === 'before' ? 1 : 2)) throw new Error(`chaos ${when}`);
        },
      });
      world.interceptors.push(chaos('before'), chaos('after'));

      await expect(ec2.send(deny(1))).rejects.toThrow('chaos before');
      expect(state.NetworkAcls[0]?.Entries).toHaveLength(4);
      await expect(ec2.send(deny(1))).rejects.toThrow('chaos after');
      expect(state.NetworkAcls[0]?.Entries).toHaveLength(5);
    }));

  it('takes a client over from another world', async () => {
    const client = new EC2Client({});
    const describeSubnets = ({ world }: Scene) => world.attach(client).send(new DescribeSubnetsCommand({}));

    const first = await inWorld({}, describeSubnets);
    const second = await inWorld({ Subnets: [] }, describeSubnets);

    expect([first.Subnets?.length, second.Subnets?.length]).toEqual([1, 0]);
  });

  it('needs neither credentials nor a Region nor a network', () => {
    vi.stubEnv('AWS_REGION', undefined);
    vi.stubEnv('AWS_ACCESS_KEY_ID', undefined);
    vi.stubEnv('AWS_PROFILE', 'nobody');
    return inWorld({}, async ({ world, clock }) => {
      await world.attach(new EC2Client({})).send(new DescribeSubnetsCommand({}));

      expect(clock.now()).toBe(0.2);
    }).finally(() => vi.unstubAllEnvs());
  });

  it('tells physics of a change, and not of a read', () =>
    inWorld({}, async ({ ec2, world }) => {
      await ec2.send(new DescribeNetworkAclsCommand({}));
      expect(world.physics.told).toEqual([]);

      await ec2.send(deny(1));
      expect(world.physics.told).toEqual(['networkChanged']);
    }));
});

describe('what went before the first cut', () => {
  it('is null while nothing was cut', () =>
    inWorld({}, async ({ ec2, world }) => {
      await ec2.send(new DescribeInstancesCommand({}));

      expect(world.calls().beforeFirstCut).toBeNull();
    }));

  it('counts the longest chain of round trips, the cut included', () =>
    inWorld({}, async ({ ec2, world }) => {
      const leave = world.enterFunction('start-response');
      await Promise.all([ec2.send(new DescribeInstancesCommand({})), ec2.send(new DescribeNetworkAclsCommand({}))]);
      leave();
      const leaveDeny = world.enterFunction('deny-at-nacl');
      await Promise.all([ec2.send(deny(1)), ec2.send(deny(2))]);
      leaveDeny();
      world.enterFunction('later');
      await ec2.send(new DescribeSubnetsCommand({}));

      expect(world.calls().beforeFirstCut).toEqual({ sequential: 2, ec2: 2, seconds: 0.4, functions: 2 });
    }));

  it('is told for each of several runs at once, and for the world as that of the first cut of all', () =>
    inWorld({}, async ({ ec2, world }) => {
      const cut = async (rule: number, looks: number) => {
        for (let look = 0; look < looks; look += 1) await ec2.send(new DescribeInstancesCommand({}));
        await ec2.send(deny(rule));
      };

      await Promise.all([world.inRun('slow', () => cut(1, 3)), world.inRun('fast', () => cut(2, 1))]);

      expect(world.calls('slow')).toMatchObject({ total: 4, beforeFirstCut: { ec2: 4, seconds: 0.8 } });
      expect(world.calls('fast')).toMatchObject({ total: 2, beforeFirstCut: { ec2: 2, seconds: 0.4 } });
      expect(world.calls()).toMatchObject({ total: 6, beforeFirstCut: { ec2: 2, seconds: 0.4 } });
      expect(world.timeline('fast').map(({ call }) => call)).toEqual(['DescribeInstances', 'CreateNetworkAclEntry']);
    }));

  it('leaves out what runs in a parallel branch beside the function that cuts', () =>
    inWorld({}, async ({ ec2, world }) => {
      const run = (state: string, work: () => Promise<unknown>) =>
        world.inState(state, async () => {
          const leave = world.enterFunction(state);
          await work();
          leave();
        });
      await run('assess', () => ec2.send(new DescribeInstancesCommand({})));
      await Promise.all([
        run('deny', async () => {
          await world.clock.sleep(1);
          await ec2.send(deny(1));
        }),
        run('beside', async () => {
          await ec2.send(new DescribeSubnetsCommand({}));
          await ec2.send(new DescribeSubnetsCommand({}));
        }),
      ]);

      expect(world.calls().beforeFirstCut).toMatchObject({ sequential: 2, functions: 2 });
    }));

  it('does not take an allow or a refused deny for a cut', () =>
    inWorld({}, async ({ ec2, world }) => {
      await outcome(ec2.send(deny(100)));
      await ec2.send(
        new CreateNetworkAclEntryCommand({
          NetworkAclId: ids.acl,
          RuleNumber: 5,
          Egress: true,
          Protocol: '-1',
          RuleAction: 'allow',
          CidrBlock: '10.0.0.0/8',
        }),
      );
      expect(world.calls().beforeFirstCut).toBeNull();

      await ec2.send(
        new ModifyNetworkInterfaceAttributeCommand({ NetworkInterfaceId: ids.eni, Groups: [ids.defaultGroup] }),
      );
      expect(world.calls().beforeFirstCut).toMatchObject({ sequential: 3, seconds: 0.6 });
    }));

  it('takes a host cut that was seen to have run, at its end, without an EC2 round trip', () =>
    inWorld(
      {},
      async ({ ec2, world }) => {
        const ssm = world.attach(new SSMClient({ region: 'eu-central-1' }));
        await ec2.send(new DescribeInstancesCommand({}));
        const { Command } = await ssm.send(
          new SendCommandCommand({ DocumentName: 'cut', InstanceIds: [ids.instance], Parameters: { Verb: ['cut'] } }),
        );
        await world.clock.sleep(5);
        const answer = await ssm.send(
          new GetCommandInvocationCommand({ CommandId: Command?.CommandId, InstanceId: ids.instance }),
        );

        expect(answer).toMatchObject({ Status: 'Success', StandardOutputContent: 'done' });
        expect(world.calls().beforeFirstCut).toEqual({ sequential: 3, ec2: 1, seconds: 5.6, functions: 0 });
      },
      {
        sendCommand: () => ({
          answer: (at) => (at > 3 ? { status: 'Success', responseCode: 0, stdout: 'done', stderr: '' } : null),
          cancel: () => {},
        }),
      },
    ));
});
