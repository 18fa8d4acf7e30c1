import { describe, expect, it } from 'vitest';
import { reportCase } from '../../functions/report-case/step.ts';
import { verifyCut } from '../../functions/verify-cut/step.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { ids, onBench, readEvent, refusedBy, shellAlone, shellWatched } from '../support/bench.ts';

const finding = readEvent('guardduty-ec2-c2activity');

const SECONDARY = {
  SecondaryInterfaceId: 'si-00000000000000f01',
  SecondarySubnetId: 'ss-00000000000000f01',
  SecondaryNetworkId: 'sn-00000000000000f01',
  InterfaceType: 'secondary',
  Status: 'in-use',
  PrivateIpAddresses: [{ PrivateIpAddress: '172.16.0.9' }],
};

const withSecondary = (world: WorldFile): void => {
  const instance = world.Reservations.flatMap(({ Instances }) => Instances).find(
    ({ InstanceId }) => InstanceId === ids.instance,
  );
  Object.assign(instance ?? {}, { SecondaryInterfaces: [SECONDARY] });
};

describe('a secondary interface', () => {
  it.each([
    ['the host', shellAlone(withSecondary)],
    ['the host and the flow log', shellWatched(withSecondary)],
  ])('is named, and keeps the verdict at held, whatever %s proves', async (_, world) => {
    await onBench(world, async (bench) => {
      const record = await bench.contain(finding);
      const report = await reportCase(bench.tools, record);
      expect([record.verdict?.kind, report.verdict]).toEqual(['held', 'held']);
      expect(report.reason).toContain(SECONDARY.SecondaryInterfaceId);
      expect(report.skipped.map(({ id }) => id)).toContain(SECONDARY.SecondaryInterfaceId);
      expect(report.leftOpen.join('\n')).toContain(SECONDARY.SecondaryInterfaceId);
    });
  });

  it('that is attached since the case was assessed is seen as well', async () => {
    await onBench(shellWatched(), async (bench) => {
      const record = await bench.contain(finding);
      expect(record.verdict?.kind).toBe('contained');
      withSecondary(bench.file);
      expect((await verifyCut(bench.tools, record)).kind).toBe('held');
    });
  });

  it('may be there as long as it could not be read whether there is one', async () => {
    await onBench(shellWatched(), async (bench) => {
      const record = await bench.contain(finding);
      bench.fail(({ call }) => call === 'DescribeInstances', refusedBy('UnauthorizedOperation'));
      expect((await verifyCut(bench.tools, record)).kind).toBe('held');
    });
  });

  it('carries a flow that no control reaches: nothing is denied for it, and it is not called blocked', async () => {
    await onBench(shellAlone(withSecondary), async (bench) => {
      const connection = structuredClone(finding) as {
        detail: { service: { action: { networkConnectionAction: { localIpDetails: { ipAddressV4: string } } } } };
      };
      connection.detail.service.action.networkConnectionAction.localIpDetails.ipAddressV4 = '172.16.0.9';
      const opened = await bench.open(connection);
      const { flows, denyRefusals } = await bench.document(opened.case.caseId);
      expect(flows).toMatchObject([
        { interfaceIds: [SECONDARY.SecondaryInterfaceId], crossesSubnetBoundary: false, tracking: { kind: 'unknown' } },
      ]);
      expect(denyRefusals).toMatchObject([{ reason: expect.stringContaining('secondary interface') }]);
      expect(opened.assessment).toMatchObject({ kind: 'contain', denies: { acls: [] } });
    });
  });

  it('stands in a plan as what is left as it is', async () => {
    await onBench(shellAlone(withSecondary), async (bench) => {
      const { assessment } = await bench.open({ instanceId: ids.instance, mode: 'observe' });
      if (assessment.kind !== 'planned') throw new Error(assessment.kind);
      expect(assessment.plan.map(({ change }) => change)).toContain(`${SECONDARY.SecondaryInterfaceId}: left as it is`);
    });
  });
});
