import { describe, expect, it } from 'vitest';
import { sharedLedger } from '../../functions/aws/case-table/shared-things.ts';
import type { Control, TakeItem } from '../../functions/core/control.ts';
import { giveBack, type RunnerTools, take } from '../../functions/shared/control-runner.ts';
import { type Bench, defaultWorld, onBench } from '../support/bench.ts';
import { refused, Wire } from './ground.ts';

interface Before {
  readonly kind: 'domain';
  readonly domain: string;
}

type DomainTools = RunnerTools & { readonly blocked: Set<string>; readonly onUndo?: () => Promise<void> };

/** Blocks a domain for everybody: two cases that need it share one rule. */
const domainBlock: Control<DomainTools, Before, boolean> = {
  name: 'domain block',
  permissions: [],
  shared: ({ domain }) => ({ kind: 'domain', id: domain }),
  targets: ({ blocked }) =>
    Promise.resolve([{ before: { kind: 'domain', domain: 'evil.example' }, found: blocked.has('evil.example') }]),
  item: ({ domain }) => `block of ${domain}`,
  read: ({ blocked }, { domain }) => Promise.resolve(blocked.has(domain)),
  isApplied: (isBlocked) => isBlocked,
  isOriginal: (isBlocked) => !isBlocked,
  describe: (isBlocked) => (isBlocked ? 'blocked' : 'allowed'),
  expected: () => 'blocked',
  apply: ({ blocked }, { domain }) => Promise.resolve(blocked.add(domain)),
  undo: async ({ blocked, onUndo }, { domain }) => {
    blocked.delete(domain);
    await onUndo?.();
  },
};

const DOMAIN: Before = { kind: 'domain', domain: 'evil.example' };

/** The world of one resolver, as each case has its tools for it. */
function resolver({ tools }: Bench, blocked = new Set<string>()) {
  const toolsOf = (caseId: string): DomainTools => ({ ...tools, blocked, ledger: sharedLedger(tools.cases, caseId) });
  const records = { known: [], record: () => Promise.resolve() };
  return {
    blocked,
    toolsOf,
    take: async (caseId: string): Promise<TakeItem | undefined> =>
      (await take(domainBlock, toolsOf(caseId), records))[0],
    giveBack: (caseId: string, more: Partial<DomainTools> = {}) =>
      giveBack(domainBlock, { ...toolsOf(caseId), ...more }, DOMAIN),
    wire: new Wire([tools.cases.client]),
    ledger: () => tools.cases,
  };
}

const shared = ({ world }: Bench) => world.dumpTable().filter(({ pk }) => String(pk).startsWith('SHARED#'));

describe('a thing that two cases share', () => {
  it('stands as long as one of them needs it, and the last one out undoes it', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const { blocked, ...cases } = resolver(bench);
      expect((await cases.take('case-a'))?.outcome).toBe('done');
      expect((await cases.take('case-b'))?.outcome).toBe('done');
      expect(await cases.giveBack('case-a')).toMatchObject({
        outcome: 'restored',
        detail: expect.stringContaining('stands on'),
      });
      expect([...blocked]).toEqual(['evil.example']);
      expect(await cases.giveBack('case-b')).toEqual({ item: 'block of evil.example', outcome: 'restored' });
      expect([...blocked]).toEqual([]);
      expect(shared(bench)).toEqual([]);
      expect((await cases.giveBack('case-b')).outcome).toBe('already');
    });
  });

  it('that was there before any case is told as such, and no restore undoes it', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const { blocked, ...cases } = resolver(bench, new Set(['evil.example']));
      expect((await cases.take('case-a'))?.outcome).toBe('already');
      expect((await cases.giveBack('case-a')).outcome).toBe('already');
      expect([...blocked]).toEqual(['evil.example']);
    });
  });

  it('is made again where a case joined while it was being undone', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const { blocked, toolsOf, ...cases } = resolver(bench);
      await cases.take('case-a');
      const onUndo = async () => {
        await toolsOf('case-b').ledger?.join({ kind: 'domain', id: 'evil.example' });
      };
      expect(await cases.giveBack('case-a', { onUndo })).toMatchObject({
        detail: expect.stringContaining('stands on'),
      });
      expect([...blocked]).toEqual(['evil.example']);
      expect(shared(bench)).toMatchObject([{ cases: new Set(['case-b']) }]);
      expect(shared(bench)[0]).not.toHaveProperty('liftedBy');
    });
  });

  it('is undone, and forgotten, by the next run of a restore that died at any of its calls', async () => {
    for (const when of ['before', 'after'] as const) {
      for (let at = 1; at <= 3; at += 1) {
        await onBench(defaultWorld(), async (bench) => {
          const { blocked, wire, ...cases } = resolver(bench);
          await cases.take('case-a');
          await wire.with(
            (_, moment, nth) => (nth > at || (nth === at && moment === when) ? refused('Killed') : null),
            () => cases.giveBack('case-a'),
          );
          await cases.giveBack('case-a');
          expect({ at, when, blocked: [...blocked], left: shared(bench) }).toEqual({ at, when, blocked: [], left: [] });
        });
      }
    }
  });
});

describe('a shared thing without a ledger', () => {
  it('is not taken', async () => {
    await onBench(defaultWorld(), async ({ tools }) => {
      const none: DomainTools = { sleep: tools.sleep, blocked: new Set() };
      await expect(take(domainBlock, none, { known: [], record: () => Promise.resolve() })).rejects.toThrow(
        'no ledger',
      );
    });
  });
});
