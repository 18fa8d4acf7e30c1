import { describe, expect, it } from 'vitest';
import { readBefore } from '../../functions/aws/case-table/before-states.ts';
import { restoreInstance } from '../../functions/restore-instance/step.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { type Bench, ids, onBench, readEvent, refusedBy, shellAlone } from '../support/bench.ts';

/** A type that the table of families does not know: five days, by caution. */
const NEW_TYPE = 'm99z.large';

const typed = (instanceType: string) => (world: WorldFile) => {
  for (const { Instances } of world.Reservations) for (const one of Instances) one.InstanceType = instanceType;
  world.Hosts = [{ InstanceId: ids.instance, AgentAnswers: false } as WorldFile['Hosts'][number]];
};

const findingAbout = (instanceType: string): unknown =>
  JSON.parse(JSON.stringify(readEvent('guardduty-ec2-c2activity')).replace('m6i.large', instanceType));

/** EC2 says so of every type. */
function telling({ tools }: Bench, DefaultTcpEstablishedTimeout: number): void {
  tools.ec2.middlewareStack.add(
    (next, { commandName }) =>
      (given) => {
        if (commandName !== 'DescribeInstanceTypesCommand') return next(given);
        const ConnectionTrackingConfiguration = { DefaultTcpEstablishedTimeout };
        const InstanceTypes = [{ InstanceType: NEW_TYPE, NetworkInfo: { ConnectionTrackingConfiguration } }];
        return Promise.resolve({ response: {}, output: { $metadata: {}, InstanceTypes } });
      },
    { step: 'initialize', name: 'telling' },
  );
}

describe('the default timeouts of an instance type', () => {
  it('are what EC2 says: recorded, waited for, and written by a restore', async () => {
    await onBench(shellAlone(typed(NEW_TYPE)), async (bench) => {
      telling(bench, 350);
      const record = await bench.contain(findingAbout(NEW_TYPE));
      const { caseId } = record.case;
      const [before] = await readBefore(bench.tools.cases, caseId);
      const told = { tcpEstablishedSeconds: 350, udpSeconds: 30, udpStreamSeconds: 180 };
      expect(before?.defaultTimeouts).toEqual(told);
      const { flows } = await bench.document(caseId);
      expect(flows[0]?.tracking).toMatchObject({ timeoutSeconds: 350, timeoutFrom: 'instance type' });
      await restoreInstance(bench.tools, { caseId, force: true });
      expect(bench.interfaceOf(ids.eni)).toMatchObject({
        ConnectionTrackingConfiguration: { TcpEstablishedTimeout: 350 },
      });
    });
  });

  it.each([NEW_TYPE, 'm6i.large'])('are five days by the table where EC2 does not answer for %s', async (type) => {
    await onBench(shellAlone(typed(type)), async (bench) => {
      bench.fail(({ call }) => call === 'DescribeInstanceTypes', refusedBy('UnauthorizedOperation'));
      const record = await bench.contain(findingAbout(type));
      const { flows } = await bench.document(record.case.caseId);
      expect(flows[0]?.tracking).toMatchObject({ timeoutSeconds: 432_000, timeoutFrom: 'instance family' });
    });
  });

  it('of a Nitro v6 type are those that the world has', async () => {
    await onBench(shellAlone(typed('m8i.large')), async (bench) => {
      const opened = await bench.open(findingAbout('m8i.large'));
      const { flows } = await bench.document(opened.case.caseId);
      expect(flows[0]?.tracking).toMatchObject({ timeoutSeconds: 350, timeoutFrom: 'instance type' });
      expect(bench.inputsOf('DescribeInstanceTypes')).toEqual([{ InstanceTypes: ['m8i.large'] }]);
    });
  });
});
