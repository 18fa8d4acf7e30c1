import { describe, expect, it } from 'vitest';
import { updateCase } from '../../functions/aws/cases.ts';
import { releaseNacl } from '../../functions/release-nacl/step.ts';
import { type Bench, defaultWorld, ids, onBench, readEvent } from '../support/bench.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const afterProof = { releaseDenies: 'after-proof' } as const;

const watched = () =>
  defaultWorld((world) => {
    world.Flows = world.Flows.filter(({ Malicious }) => Malicious);
    world.FlowLogs = [{ ResourceId: ids.vpc, DeliverySeconds: 300 }];
  });

const denies = (bench: Bench) => bench.entries().filter((line) => line.includes('deny'));

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
