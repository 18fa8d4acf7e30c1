import { describe, expect, it } from 'vitest';
import { readBefore } from '../../functions/aws/case-table/before-states.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { defaultWorld, ids, onBench, readEvent, refusedBy, twoInterfaces } from '../support/bench.ts';

const instanceIn = (world: WorldFile) => {
  const instance = world.Reservations[0]?.Instances[0];
  if (instance === undefined) throw new Error('the default world has lost its instance');
  return instance;
};

describe('open and assess', () => {
  it('opens a case, names the flow and its denies, and changes nothing on the network', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const before = bench.state();
      const opened = await bench.open(readEvent('guardduty-ec2-c2activity'));
      expect(opened).toMatchObject({
        case: { instanceId: ids.instance, mode: 'contain', trigger: 'Backdoor:EC2/C&CActivity.B' },
        assessment: {
          kind: 'contain',
          denies: {
            cidrs: [`${ids.peer}/32`],
            acls: [{ ids: [ids.acl], in: [[0, 1, 99]], out: [[0, 1, 99]] }],
          },
          platform: 'linux',
          vpcIds: [ids.vpc],
          addresses: [ids.peer],
        },
      });
      expect(bench.state()).toBe(before);
      expect((await bench.document(opened.case.caseId)).flows).toMatchObject([
        { remoteAddress: ids.peer, localPort: 51_234, tracking: { kind: 'tracked' } },
      ]);
    });
  });

  it('records every interface as it was found before anything changes, groups in their order', async () => {
    await onBench(defaultWorld(twoInterfaces), async (bench) => {
      const opened = await bench.open();
      const before = await readBefore(bench.tools.cases, opened.case.caseId);
      expect(before).toMatchObject([
        { networkInterfaceId: ids.eni, groupIds: [ids.web] },
        { networkInterfaceId: ids.secondEni, groupIds: [ids.second, ids.web] },
      ]);
    });
  });

  it('carries of a finding that opens no case a few names, however many it has', async () => {
    const sequence = readEvent('guardduty-attack-sequence-ec2') as {
      detail: { service: { detection: { sequence: { endpoints: object[]; signals: { endpointIds: string[] }[] } } } };
    };
    const { endpoints, signals } = sequence.detail.service.detection.sequence;
    for (let n = 0; n < 300; n += 1) {
      endpoints.push({ id: `domain-${n}`, domain: `c${n}.example.com` });
      for (const signal of signals) signal.endpointIds.push(`domain-${n}`);
    }
    await onBench(
      defaultWorld(),
      async (bench) => {
        const { assessment } = await bench.open(sequence);
        if (assessment.kind !== 'refused') throw new Error(`it is ${assessment.kind}`);
        expect(assessment.cause?.finding?.type).toBe('AttackSequence:EC2/CompromisedInstanceGroup');
        expect(assessment.cause?.domains).toHaveLength(20);
      },
      { accountId: '999999999999' },
    );
  });

  it('run twice is one case with one before-state', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const first = await bench.open();
      // Whether it ran once or twice, EC2 was called, and that is counted.
      const items = () => bench.world.dumpTable().filter(({ pk }) => !String(pk).startsWith('PACE#'));
      const table = () => items().map(({ version: _version, ...item }) => item);
      const before = table();
      expect(await bench.open()).toEqual(first);
      expect(table()).toEqual(before);
    });
  });

  it('keeps the union of what two requests name', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const { case: ref } = await bench.open();
      const second = await bench.open({ instanceId: ids.instance, remoteAddresses: ['203.0.113.9'] });
      expect(second.case.caseId).toBe(ref.caseId);
      expect(second.assessment).toMatchObject({ kind: 'contain' });
      expect((await bench.document(ref.caseId)).flows.map(({ remoteAddress }) => remoteAddress)).toEqual([
        ids.peer,
        '203.0.113.9',
      ]);
    });
  });

  it.each<[string, (world: WorldFile) => void, string]>([
    [
      'terminated',
      (world) => Object.assign(instanceIn(world), { State: { Code: 48, Name: 'terminated' } }),
      'is terminated',
    ],
    [
      'of another account',
      (world) => Object.assign(world.Reservations[0] ?? {}, { OwnerId: '444455556666' }),
      'belongs to account 444455556666',
    ],
    [
      'without an interface',
      (world) => {
        world.NetworkInterfaces = world.NetworkInterfaces.slice(1);
        world.Flows = [];
      },
      'no network interface',
    ],
  ])('refuses an instance that is %s, and changes nothing', async (_, change, reason) => {
    await onBench(defaultWorld(change), async (bench) => {
      const before = bench.state();
      const { assessment } = await bench.open();
      expect(assessment).toMatchObject({ kind: 'refused', reason: expect.stringContaining(reason) });
      expect(bench.state()).toBe(before);
    });
  });

  it.each<[string, unknown, string]>([
    [
      'an instance that is not there',
      { instanceId: 'i-0000000000000ffff' },
      'there is no instance i-0000000000000ffff',
    ],
    ['a request for another account', { instanceId: ids.instance, accountId: '444455556666' }, 'account 444455556666'],
    ['a request for another Region', { instanceId: ids.instance, region: 'us-gov-west-1' }, 'Region us-gov-west-1'],
  ])('refuses %s', async (_, input, reason) => {
    await onBench(defaultWorld(), async (bench) => {
      const before = bench.state();
      const { assessment } = await bench.open(input);
      expect(assessment).toMatchObject({ kind: 'refused', reason: expect.stringContaining(reason) });
      expect(bench.state()).toBe(before);
    });
  });

  it('plans and changes nothing in observe mode', async () => {
    await onBench(defaultWorld(twoInterfaces), async (bench) => {
      const before = bench.state();
      const { assessment } = await bench.open({
        instanceId: ids.instance,
        remoteAddresses: [ids.peer],
        mode: 'observe',
      });
      expect(assessment).toMatchObject({ kind: 'planned', reason: expect.stringContaining('observe mode') });
      const plan = assessment.kind === 'planned' ? assessment.plan : [];
      expect(plan.map(({ change }) => change).join('\n')).toMatch(
        /deny 198\.51\.100\.7\/32 inbound.*e01: replace.*e03: replace/s,
      );
      expect(bench.state()).toBe(before);
    });
  });

  it('leaves a finding that asks for a person to a person, until one asks', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const event = readEvent('guardduty-ec2-malicious-ip-caller-inbound');
      const asked = await bench.open(event);
      if (asked.assessment.kind === 'contain') throw new Error('the event of this test asks nobody any more');
      const word = await bench.open({ instanceId: ids.instance });
      expect(word.assessment.kind).toBe('contain');
      expect((await bench.open(event)).assessment.kind).not.toBe('refused');
    });
  });

  it.each(['caseId', 'case-1', '', 7, null, { caseId: 'case-1' }])('refuses %j for a case id', async (caseId) => {
    await onBench(defaultWorld(), async (bench) => {
      await expect(bench.open({ caseId })).rejects.toMatchObject({ name: 'InputError', field: 'caseId' });
    });
  });

  it('says that it does not know a case', async () => {
    await onBench(defaultWorld(), async (bench) => {
      await expect(bench.open({ caseId: 'case-0123456789abcdef0123' })).rejects.toThrow('is not in the case table');
    });
  });

  it('goes on where rules and routes cannot be read, and takes the flow for one of unknown tracking', async () => {
    await onBench(defaultWorld(), async (bench) => {
      bench.fail(
        ({ call }) => call === 'DescribeSecurityGroupRules' || call === 'DescribeRouteTables',
        refusedBy('UnauthorizedOperation'),
      );
      const opened = await bench.open();
      expect(opened.assessment.kind).toBe('contain');
      expect((await bench.document(opened.case.caseId)).flows).toMatchObject([{ tracking: { kind: 'unknown' } }]);
    });
  });
});
