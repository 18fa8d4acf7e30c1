import { describe, expect, it } from 'vitest';
import type { Simulation, SimulationOptions } from '../../local/simulate.ts';
import type { CallInfo } from '../../local/world/api/middleware.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { readEvent, refusedBy } from '../support/bench.ts';
import { simulate } from '../support/own-flow-log.ts';
import { worldOf } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');
type Fault = WorldFile['Faults'][number];

const withFaults = (...faults: Fault[]): WorldFile =>
  worldOf('auto-scaling-member', (world) => {
    world.Faults = faults;
  });
const respond = (file: WorldFile, options: SimulationOptions = {}) => simulate(file, finding, options);

/** Fails the calls that `which` picks, as long as the evidence is being preserved. */
function failing(which: (call: CallInfo) => boolean): SimulationOptions {
  return {
    prepare: (world) => {
      // The cuts are over when the evidence step has its first call, and nothing else reads the instance before the report.
      let preserving = false;
      const enter = world.enterFunction.bind(world);
      Object.assign(world, {
        enterFunction: (name: string) => {
          const leave = enter(name);
          if (name !== 'preserve-evidence') return leave;
          preserving = true;
          return () => {
            preserving = false;
            leave();
          };
        },
      });
      world.interceptors.push({
        before: (call) => {
          if (preserving && which(call)) throw refusedBy('UnauthorizedOperation')();
        },
      });
    },
  };
}

const reasonsIn = ({ report }: Simulation) => new Map(report.skipped.map(({ id, reason }) => [id, reason]));

/** What is reported as not done, by the call that fails. */
const MEASURES: readonly (readonly [Api: string, items: readonly string[]])[] = [
  ['DescribeAutoScalingInstances', ['Auto Scaling group']],
  ['EnterStandby', ['Auto Scaling group shop-web']],
  ['DescribeTargetGroups', ['target groups']],
  ['DescribeTargetHealth', ['target groups']],
  ['DeregisterTargets', ['target group shop-web target i-0000000000000ab01:8443']],
  ['DescribeLoadBalancers', ['classic load balancers']],
  ['DeregisterInstancesFromLoadBalancer', ['classic load balancer shop-classic']],
  ['DescribeInstanceAttribute', ['termination protection', 'stop protection', 'shutdown behaviour']],
  [
    'ModifyInstanceAttribute',
    [
      'termination protection',
      'stop protection',
      'shutdown behaviour',
      'delete on termination of /dev/xvda',
      'delete on termination of /dev/sdg',
    ],
  ],
  ['CreateTags', ['tags']],
  ['DescribeSnapshots', ['snapshots']],
  ['CreateSnapshots', ['snapshots']],
];

let whole: Promise<Simulation> | null = null;
/** The response in which nothing fails. */
const undisturbed = (): Promise<Simulation> => {
  whole ??= respond(withFaults());
  return whole;
};

describe('a measure that fails', () => {
  it.each(MEASURES)(
    'for ever, at %s, is reported, and changes neither the verdict nor other measures',
    async (api, items) => {
      const { report } = await undisturbed();
      const run = await respond(
        withFaults(),
        failing(({ call }) => call === api),
      );
      const reasons = reasonsIn(run);
      for (const item of items) expect(reasons.get(item)).toContain('UnauthorizedOperation');
      const judged = ({ verdict, reason, basis, flows, held }: Simulation['report']) => ({
        verdict,
        reason,
        basis,
        flows,
        held,
      });
      expect(judged(run.report)).toEqual(judged(report));
      // 'target groups' stands for each target in them.
      const isOf = (item: string) => items.some((failed) => item.startsWith(failed.replace(/s$/, '')));
      expect(run.report.preserved).toEqual(report.preserved.filter((item) => !isOf(item)));
    },
  );

  it.each(MEASURES)('once, at %s, for want of capacity is done in the end', async (Api) => {
    const { report } = await undisturbed();
    const run = await respond(withFaults({ Api, Call: 1, Error: 'ThrottlingException' }));
    expect(run.report.preserved).toEqual(report.preserved);
    expect(run.report.skipped).toEqual(report.skipped);
  });

  it('and could be recorded is put back by a restore as far as it was taken', async () => {
    const file = withFaults(
      { Api: 'EnterStandby', Call: '1+', Error: 'AccessDenied' },
      { Api: 'DeregisterTargets', Call: '1+', Error: 'AccessDenied' },
    );
    const run = await simulate(file, finding, { restore: { force: true } });
    expect(run.restored.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
    expect(run.calls.byApi['ExitStandby']).toBeUndefined();
    expect(run.calls.byApi['RegisterTargets']).toBeUndefined();
  });

  it('to be recorded is not taken: nothing would undo it', async () => {
    const run = await respond(
      withFaults(),
      failing(({ call, input }) => call === 'PutItem' && JSON.stringify(input).includes('PRESERVED#')),
    );
    for (const call of [
      'EnterStandby',
      'DeregisterTargets',
      'ModifyInstanceAttribute',
      'CreateTags',
      'CreateSnapshots',
    ])
      expect(run.calls.byApi[call]).toBeUndefined();
    expect(run.report).toMatchObject({ verdict: 'held', preserved: [] });
    expect(reasonsIn(run).get('snapshots')).toContain('UnauthorizedOperation');
  });

  it('on restore is reported, and the rest is restored', async () => {
    for (const Api of ['DeleteTags', 'RegisterTargets', 'RegisterInstancesWithLoadBalancer', 'ExitStandby']) {
      const run = await simulate(withFaults({ Api, Call: '1+', Error: 'AccessDenied' }), finding, {
        restore: { force: true },
      });
      const failed = run.restored.filter(({ outcome }) => outcome === 'failed');
      expect(failed).toHaveLength(1);
      expect(failed[0]?.detail).toContain('AccessDenied');
      const instance = run.restore?.kind === 'restored' ? run.restore.items.map(({ item }) => item) : [];
      const evidence = run.restored.filter(({ item }) => !instance.includes(item) && item !== 'host firewall');
      expect(evidence.filter(({ outcome }) => outcome === 'restored')).toHaveLength(8);
    }
  });
});

describe('an answer that is lost', () => {
  const lost = (Api: string) => withFaults({ Api, Call: 1, Error: 'Timeout', AfterEffect: true });

  it.each(['DeregisterTargets', 'DeregisterInstancesFromLoadBalancer', 'ModifyInstanceAttribute', 'CreateTags'])(
    'to %s is no failure',
    async (Api) => {
      const { report } = await respond(lost(Api));
      expect(report.preserved).toEqual((await undisturbed()).report.preserved);
    },
  );

  it('to CreateSnapshots makes no second set of snapshots', async () => {
    const { finalState } = await respond(lost('CreateSnapshots'));
    expect(finalState['Snapshots']).toHaveLength(3);
  });

  it('to EnterStandby is no failure, for the instance is in Standby', async () => {
    const { report } = await respond(lost('EnterStandby'));
    expect(report.skipped.map(({ id }) => id)).not.toContain('Auto Scaling group shop-web');
  });
});

describe('an evidence step that cannot read', () => {
  it('the instance is reported as failed', async () => {
    const run = await respond(
      withFaults(),
      failing(({ call }) => call === 'DescribeInstances'),
    );
    expect(run.report.verdict).toBe('held');
    const told = [...run.report.preserved, ...run.report.skipped.map(({ id }) => id)];
    expect(told).toEqual(expect.arrayContaining([expect.stringMatching(/evidence|snapshots/)]));
  });

  it('the interfaces does not pass over the target groups in silence', async () => {
    let reads = 0;
    const run = await respond(
      withFaults(),
      failing(({ call, input }) => {
        const ours = call === 'DescribeNetworkInterfaces' && JSON.stringify(input).includes('attachment.instance-id');
        if (ours) reads += 1;
        // The first read in that moment is that of the evidence step; the swap beside it reads too.
        return ours && reads === 1;
      }),
    );
    expect(run.report.verdict).toBe('held');
    const told = [...run.report.preserved, ...run.report.skipped.map(({ id }) => id)];
    expect(told.filter((text) => text.startsWith('target group'))).toHaveLength(1);
  });
});
