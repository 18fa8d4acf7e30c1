import { DeleteItemCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { keyOf } from '../../functions/aws/case-table/table.ts';
import { setGroups } from '../../functions/aws/network-interfaces.ts';
import type { RestoreResult } from '../../functions/core/case/record.ts';
import { restoreReport } from '../../functions/core/report/restore-report.ts';
import { restoreEvidence } from '../../functions/restore-evidence/step.ts';
import { restoreInstance } from '../../functions/restore-instance/step.ts';
import { type Bench, ids, onBench, shellAlone, shellWatched, twoInterfaces } from '../support/bench.ts';
import { updateCase } from '../support/update-case.ts';

/** Deletes items of the case table, as whoever may write to it can. */
async function lose({ tools, world }: Bench, isLost: (key: string) => boolean): Promise<void> {
  const keys = world.dumpTable().map(({ pk, sk }) => ({ pk: String(pk), sk: String(sk) }));
  for (const { pk, sk } of keys.filter((key) => isLost(key.sk)))
    await tools.cases.client.send(new DeleteItemCommand({ TableName: tools.cases.name, Key: keyOf(pk, sk) }));
}

const isBefore = (key: string): boolean => key.startsWith('BEFORE#');
const isDeny = (key: string): boolean => key.startsWith('DENY#');

async function contain(bench: Bench): Promise<string> {
  return (await bench.contain()).case.caseId;
}

async function restore(bench: Bench, caseId: string, force = true): Promise<RestoreResult> {
  const result = await restoreInstance(bench.tools, { caseId, force });
  await restoreEvidence(bench.tools, { restore: result });
  return result;
}

const denies = (bench: Bench) => bench.entries().filter((line) => line.includes('deny'));

describe('the restore of a case whose before-state is lost', () => {
  it.each([true, false])('says what is lost and what stands, and lifts its denies (forced: %s)', async (force) => {
    await onBench(shellWatched(), async (bench) => {
      const caseId = await contain(bench);
      await lose(bench, isBefore);
      const isolated = bench.groupsOf(ids.eni);

      const result = await restore(bench, caseId, force);

      expect(bench.groupsOf(ids.eni)).toEqual(isolated);
      expect(denies(bench)).toEqual([]);
      expect((await bench.document(caseId)).status).toBe('restoring');
      expect(result).toMatchObject({
        kind: 'partly-restored',
        items: expect.arrayContaining([
          {
            item: `${ids.eni} groups`,
            outcome: 'failed',
            detail: `how it was found is not recorded any more; it stands on the isolation group ${isolated[0]}: give it its groups and timeouts by hand`,
          },
        ]),
        lost: `the case table has lost what was found first: ${ids.eni} groups; still on the isolation group: ${ids.eni} groups; no deny of its peers stands`,
      });
      expect(restoreReport({ restore: result }, null)).toMatchObject({
        kind: 'partly-restored',
        reason: expect.stringMatching(/^the case table has lost .* could not be put back$/),
      });
    });
  });

  it('is refused without force while a flow may revive', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await contain(bench);
      await lose(bench, isBefore);

      expect(await restore(bench, caseId, false)).toMatchObject({
        kind: 'refused',
        reason: expect.stringMatching(/^the verdict is held: /),
      });
      expect(denies(bench)).toHaveLength(2);
    });
  });

  it('is refused where only the longest timer that there is would not be over', async () => {
    const file = shellWatched((world) => {
      const instance = world.Reservations[0]?.Instances[0];
      if (instance) instance.InstanceType = 'm8i.large';
    });
    await onBench(file, async (bench) => {
      const { case: ref, verdict } = await bench.contain();
      const { caseId } = ref;
      expect(verdict?.kind).toBe('contained');
      await lose(bench, isBefore);

      expect(await restore(bench, caseId, false)).toMatchObject({ kind: 'refused' });
    });
  });

  it('names denies that the ledger has lost as well, and leaves them', async () => {
    await onBench(shellWatched(), async (bench) => {
      const caseId = await contain(bench);
      await lose(bench, (key) => isBefore(key) || isDeny(key));

      const result = await restore(bench, caseId);

      expect(denies(bench)).toHaveLength(2);
      const places = ['inbound', 'outbound'].map((side) => `${ids.acl} rule 1 ${side} deny ${ids.peer}/32`);
      expect(result).toMatchObject({
        kind: 'partly-restored',
        items: expect.arrayContaining(
          places.map((item) => ({ item, outcome: 'drifted', detail: expect.stringContaining('does not know') })),
        ),
        lost: expect.stringMatching(new RegExp(`denies that stand: .*${places[0]}`)),
      });
    });
  });

  it('finds a case that has only denies in the ledger, or only an interface on the isolation group', async () => {
    for (const isLedgerLost of [false, true])
      await onBench(shellWatched(), async (bench) => {
        const caseId = await contain(bench);
        await updateCase(bench.tools.cases, caseId, (stored) => ({
          ...stored,
          hostAsked: undefined,
          isolatedAt: null,
        }));
        await lose(bench, (key) => isBefore(key) || (isLedgerLost && isDeny(key)));

        expect(await restore(bench, caseId)).toMatchObject({ kind: 'partly-restored', lost: expect.any(String) });
      });
  });

  it('is never whole, though somebody has given the interface groups since, or the instance is gone', async () => {
    await onBench(shellWatched(), async (bench) => {
      const caseId = await contain(bench);
      await lose(bench, isBefore);
      await setGroups(bench.tools.ec2, ids.eni, [ids.web]);

      const result = await restore(bench, caseId);

      expect(result).toMatchObject({
        kind: 'partly-restored',
        lost: expect.stringContaining('nothing is seen on the isolation group'),
      });
      expect(restoreReport({ restore: result }, null)).toMatchObject({
        kind: 'partly-restored',
        reason: expect.stringMatching(/^the case table has lost/),
      });
      bench.file.NetworkInterfaces = [];
      bench.file.Reservations = [];
      expect(await restore(bench, caseId)).toMatchObject({
        kind: 'partly-restored',
        items: expect.arrayContaining([
          {
            item: `${ids.instance} groups`,
            outcome: 'gone',
            detail: expect.stringContaining('no interface is attached'),
          },
        ]),
      });
    });
  });

  it('puts back the interfaces that are recorded, and names the one that is not', async () => {
    await onBench(shellWatched(twoInterfaces), async (bench) => {
      const caseId = await contain(bench);
      await lose(bench, (key) => key === `BEFORE#${ids.secondEni}`);

      const result = await restore(bench, caseId);

      expect(bench.groupsOf(ids.eni)).toEqual([ids.web]);
      expect(result).toMatchObject({
        kind: 'partly-restored',
        items: expect.arrayContaining([
          { item: `${ids.eni} groups`, outcome: 'restored' },
          { item: `${ids.secondEni} groups`, outcome: 'failed', detail: expect.stringContaining('not recorded') },
        ]),
        lost: expect.stringContaining(`${ids.secondEni} groups`),
      });
    });
  });
});
