import { describe, expect, it } from 'vitest';
import { ledgerOf, updateCase } from '../../functions/aws/cases.ts';
import { denyAtNacl } from '../../functions/deny-at-nacl/step.ts';
import { releaseNacl } from '../../functions/release-nacl/step.ts';
import { liftDenies } from '../../functions/shared/lift-denies.ts';
import { type Bench, defaultWorld, ids, onBench, readEvent, refusedBy } from '../support/bench.ts';

/** What a mutation run found that no other test asks. */

const finding = readEvent('guardduty-ec2-c2activity');
const afterProof = { releaseDenies: 'after-proof' } as const;

const watched = () =>
  defaultWorld((world) => {
    world.Flows = world.Flows.filter(({ Malicious }) => Malicious);
    world.FlowLogs = [{ ResourceId: ids.vpc, DeliverySeconds: 300 }];
  });

const denies = (bench: Bench) => bench.entries().filter((line) => line.includes('deny'));

async function denied(bench: Bench, instanceId: string, peer: string): Promise<string> {
  const opened = await bench.open({ instanceId, remoteAddresses: [peer] });
  await denyAtNacl(bench.tools, opened);
  return opened.case.caseId;
}

describe('the release of denies', () => {
  it('keeps them where one flow of several is not proven dead by the host as well', async () => {
    await onBench(
      watched(),
      async (bench) => {
        const record = await bench.contain(finding);
        await updateCase(bench.tools.cases, record.case.caseId, (stored) => {
          const [first] = stored.flows;
          if (first === undefined) throw new Error('the case has no flow');
          // The flow log proves it dead like the other; the host was never asked for it.
          const another = { ...first, id: 'tcp another', localPort: 51_999, host: null };
          return { ...stored, flows: [...stored.flows, another] };
        });
        expect(await releaseNacl(bench.tools, record)).toEqual({
          kind: 'kept',
          reason: 'the flows are not proven dead by the host and the flow log both',
        });
        expect(denies(bench)).toHaveLength(2);
      },
      afterProof,
    );
  });

  it('keeps them where every flow is proven dead twice and an interface is not isolated any more', async () => {
    await onBench(
      watched(),
      async (bench) => {
        const record = await bench.contain(finding);
        await updateCase(bench.tools.cases, record.case.caseId, (stored) => ({ ...stored, flows: [] }));
        bench.interfaceOf(ids.eni).Groups = [{ GroupId: ids.web }];
        expect(await releaseNacl(bench.tools, record)).toMatchObject({ kind: 'kept' });
        expect(denies(bench)).toHaveLength(2);
      },
      afterProof,
    );
  });

  it('tells the timeline what became of each deny', async () => {
    await onBench(
      watched(),
      async (bench) => {
        const record = await bench.contain(finding);
        await releaseNacl(bench.tools, record);
        const entry = bench.world.dumpTable().find(({ step }) => step === 'release-nacl');
        expect(entry?.['what']).toMatch(
          /^acl-\S+ rule 1 inbound deny \S+: restored; acl-\S+ rule 1 outbound deny \S+: restored$/,
        );
      },
      afterProof,
    );
  });
});

describe('lifting the denies of a case', () => {
  it('does not speak of the denies of another', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench, ids.instance, ids.peer);
      await denied(bench, ids.neighbour, '203.0.113.9');
      const items = await liftDenies(bench.tools, caseId, [ids.acl]);
      expect(items.map(({ item }) => item).sort()).toEqual([
        `${ids.acl} rule 1 inbound deny ${ids.peer}/32`,
        `${ids.acl} rule 1 outbound deny ${ids.peer}/32`,
      ]);
      expect(denies(bench)).toHaveLength(2);
    });
  });

  it('is done where an entry goes away between the look and the deletion', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench, ids.instance, ids.peer);
      const gone = refusedBy('InvalidNetworkAclEntry.NotFound');
      bench.fail(({ call }) => call === 'DeleteNetworkAclEntry', gone, 'after');
      const items = await liftDenies(bench.tools, caseId, [ids.acl]);
      expect(items.map(({ outcome }) => outcome)).toEqual(['restored', 'restored']);
      expect(await ledgerOf(bench.tools.cases, ids.acl)).toEqual([]);
    });
  });

  it('says that denies of an ACL that is gone are gone', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench, ids.instance, ids.peer);
      bench.file.NetworkAcls.splice(0);
      const items = await liftDenies(bench.tools, caseId, [ids.acl]);
      expect(items.map(({ outcome }) => outcome)).toEqual(['gone', 'gone']);
    });
  });
});
