import { describe, expect, it } from 'vitest';
import { releaseNacl } from '../../functions/release-nacl/step.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { type Bench, ids, onBench, readEvent, refusedBy, shellAlone, shellWatched } from '../support/bench.ts';
import { updateCase } from '../support/update-case.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const afterProof = { releaseDenies: 'after-proof' } as const;

const denies = (bench: Bench) => bench.entries().filter((line) => line.includes('deny'));
const told = (bench: Bench) => bench.world.dumpTable().find(({ step }) => step === 'release-nacl')?.['what'];

describe('the release of denies', () => {
  it('waits for the restore, unless that was opted out of', async () => {
    await onBench(shellWatched(), async (bench) => {
      const record = await bench.contain(finding);
      expect(await releaseNacl(bench.tools, record)).toEqual({ kind: 'kept', reason: 'denies stay until a restore' });
      expect(denies(bench)).toHaveLength(2);
    });
  });

  it('lifts them on the word of the flow log, and once', async () => {
    await onBench(
      shellWatched(),
      async (bench) => {
        const record = await bench.contain(finding);
        const result = await releaseNacl(bench.tools, record);
        expect(result).toMatchObject({ kind: 'released', items: [{ outcome: 'restored' }, { outcome: 'restored' }] });
        expect(denies(bench)).toEqual([]);
        expect(bench.world.truth()).toMatchObject([{ revivedAt: null }]);
        await releaseNacl(bench.tools, record);
        expect(bench.groupsOf(ids.eni)).not.toEqual([ids.web]);
      },
      afterProof,
    );
  });

  it('finishes what it began, though the flow log cannot be read any more', async () => {
    await onBench(
      shellWatched(),
      async (bench) => {
        const record = await bench.contain(finding);
        await updateCase(bench.tools.cases, record.case.caseId, (stored) => ({ ...stored, released: true }));
        bench.fail(({ call }) => call === 'FilterLogEvents', refusedBy('AccessDeniedException'));
        expect((await releaseNacl(bench.tools, record)).kind).toBe('released');
        expect(denies(bench)).toEqual([]);
      },
      afterProof,
    );
  });

  it('lifts nothing where a response has cut again meanwhile', async () => {
    await onBench(
      shellWatched(),
      async (bench) => {
        const record = await bench.contain(finding);
        const cut: Promise<unknown>[] = [];
        bench.world.interceptors.push({
          after: ({ call, input }) => {
            const isMarked = call === 'UpdateItem' && JSON.stringify(input).includes('\\"released\\":true');
            if (!isMarked || cut.length > 0) return;
            cut.push(updateCase(bench.tools.cases, record.case.caseId, (stored) => ({ ...stored, released: false })));
          },
        });
        await releaseNacl(bench.tools, record);
        await Promise.all(cut);
        expect(cut).toHaveLength(1);
        expect(denies(bench)).toHaveLength(2);
      },
      afterProof,
    );
  });

  it.each<[string, () => WorldFile]>([
    ['only the host', () => shellAlone()],
    [
      'nobody',
      () =>
        shellAlone((world) => {
          world.InstanceInformationList = [];
        }),
    ],
  ])('keeps them where %s says so', async (_, file) => {
    await onBench(
      file(),
      async (bench) => {
        const record = await bench.contain(finding);
        expect(await releaseNacl(bench.tools, record)).toMatchObject({ kind: 'kept' });
        expect(denies(bench)).toHaveLength(2);
      },
      afterProof,
    );
  });

  it('lifts them although nobody could ask the host, for the flow log proves more', async () => {
    await onBench(
      shellWatched((world) => {
        world.InstanceInformationList = [];
      }),
      async (bench) => {
        const record = await bench.contain(finding);
        expect(await releaseNacl(bench.tools, record)).toMatchObject({ kind: 'released' });
        expect(denies(bench)).toEqual([]);
        expect(bench.world.truth()).toMatchObject([{ revivedAt: null }]);
      },
      afterProof,
    );
  });

  it('keeps them where one flow of several is not dead on its record', async () => {
    await onBench(
      shellWatched(),
      async (bench) => {
        const record = await bench.contain(finding);
        await updateCase(bench.tools.cases, record.case.caseId, (stored) => {
          const [first] = stored.flows;
          if (first === undefined) throw new Error('the case has no flow');
          // Silent for five days, which is not the whole timer of this one.
          const tracking = { ...first.tracking, timeoutSeconds: 2 * 432_000 };
          const another = { ...first, id: 'tcp another', localPort: 51_999, tracking };
          return { ...stored, flows: [...stored.flows, another] };
        });
        expect(await releaseNacl(bench.tools, record)).toEqual({
          kind: 'kept',
          reason: "not every flow is dead on the flow log's record",
        });
        expect(denies(bench)).toHaveLength(2);
      },
      afterProof,
    );
  });

  it('keeps them where every flow is proven dead and an interface is not isolated any more', async () => {
    await onBench(
      shellWatched(),
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

  it('tells the timeline why the denies are kept', async () => {
    await onBench(shellWatched(), async (bench) => {
      await releaseNacl(bench.tools, await bench.contain(finding));
      expect(told(bench)).toBe('kept: denies stay until a restore');
    });
  });

  it('tells the timeline where there was no deny', async () => {
    await onBench(
      shellWatched(),
      async (bench) => {
        const record = await bench.contain(finding);
        await updateCase(bench.tools.cases, record.case.caseId, (stored) => ({ ...stored, flows: [], aclIds: [] }));
        expect(await releaseNacl(bench.tools, record)).toEqual({ kind: 'released', items: [] });
        expect(told(bench)).toBe('there was no deny to release');
      },
      afterProof,
    );
  });

  it('tells the timeline what became of the denies', async () => {
    await onBench(
      shellWatched(),
      async (bench) => {
        const record = await bench.contain(finding);
        await releaseNacl(bench.tools, record);
        expect(told(bench)).toBe(`this case holds no deny any more in ${ids.acl}`);
      },
      afterProof,
    );
  });
});
