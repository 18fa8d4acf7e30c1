import { describe, expect, it } from 'vitest';
import type { HostVerdictLine } from '../../functions/core/host/host-protocol.ts';
import { ids, readEvent, shellAlone } from '../support/bench.ts';
import { inEpisode } from '../support/episode.ts';
import { theLine, theVerdict } from '../support/host-report.ts';
import { hostPrints, type Sent } from '../support/hostile-host.ts';
import { simulate } from '../support/own-flow-log.ts';
import { laterFinding } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');

const pids = (from: number, count: number): number[] => Array.from({ length: count }, (_, n) => from + n);

/** The shell is listed and closed, and the verdict says what the host wants it to say. */
function verdictOn({ Verb, CaseId = '' }: Sent, change: Partial<HostVerdictLine>): string {
  const lines = Verb === 'cut' ? [theLine] : [];
  const counts = { listed: lines.length, closed: lines.length };
  const verb = Verb === 'undo' ? 'undo' : 'cut';
  return [...lines, { ...theVerdict, ...counts, verb, caseId: CaseId, ...change }]
    .map((line) => JSON.stringify(line))
    .join('\n');
}

/** A host that says of its first, second ... cut that it stopped these processes, and undoes what it is told. */
const stops = (...cuts: readonly (readonly number[])[]) => {
  let cut = 0;
  return (sent: Sent): string => {
    if (sent['Verb'] === 'undo') return verdictOn(sent, { firewall: 'none' });
    const stopped = cuts[Math.min(cut, cuts.length - 1)] ?? [];
    cut += 1;
    return verdictOn(sent, { stopped: [...stopped] });
  };
};

const undone = (sent: readonly Sent[]): readonly number[] =>
  sent.filter(({ Verb }) => Verb === 'undo').flatMap(({ Pids = '' }) => Pids.split(',').map(Number));

/** A response and its restore on a host that says what it likes. */
async function restoreOn(prints: (sent: Sent) => string | null) {
  let sent: readonly Sent[] = [];
  const run = await simulate(shellAlone(), finding, {
    restore: { force: true },
    prepare: (_, tools) => {
      sent = hostPrints(tools, prints);
    },
  });
  const host = run.restored.find(({ item }) => item === 'host firewall');
  return { run, host, sent };
}

describe('processes that a host says it stopped', () => {
  it.each([
    ['one', [77], 1],
    ['as many as one command takes', pids(1000, 64), 1],
    ['one more than that', pids(1000, 65), 2],
    ['two hundred', pids(1000, 200), 4],
  ])('%s: all are let go on by the restore, at most 64 by each command', async (_, stopped, commands) => {
    const { run, host, sent } = await restoreOn(stops(stopped));

    expect(host).toEqual({ item: 'host firewall', outcome: 'restored' });
    expect(run.restoreReport).toMatchObject({ kind: 'restored', failed: [] });
    expect(undone(sent)).toEqual(stopped);
    expect(sent.filter(({ Verb }) => Verb === 'undo')).toHaveLength(commands);
  });

  it('over two cuts are all let go on', async () => {
    await inEpisode(shellAlone(), async (episode) => {
      const sent = hostPrints(episode.tools, stops(pids(1000, 40), pids(2000, 25)));
      const [report] = await episode.send(finding);
      // The agent can be reached again, and the response cuts once more.
      episode.file.NetworkInterfaces[0]?.Groups.splice(0, 1, { GroupId: ids.web, GroupName: 'shop-web' });
      await episode.send(laterFinding('203.0.113.9'));
      const cuts = sent.filter(({ Verb }) => Verb === 'cut');

      const { report: told } = await episode.restore(report?.caseId ?? '', true);

      expect(cuts).toHaveLength(2);
      expect(undone(sent)).toEqual([...pids(1000, 40), ...pids(2000, 25)]);
      expect(told.kind).toBe('restored');
    });
  });

  it.each([
    ['-1, which is every process', [-1]],
    ['more than a case keeps', pids(1, 1025)],
  ])('as %s: nothing that it says is believed, and its firewall is undone all the same', async (_, stopped) => {
    const { run, host, sent } = await restoreOn(stops(stopped));

    expect(run.report.verdict).not.toBe('contained');
    expect(run.report.skipped).toContainEqual({ id: ids.instance, reason: expect.stringContaining('no host cut') });
    expect(sent.filter(({ Verb }) => Verb === 'undo')).toMatchObject([{ Pids: 'none' }]);
    expect(host).toEqual({ item: 'host firewall', outcome: 'restored' });
  });

  it('are told as not let go on where the host answers to one of two commands only', async () => {
    let undos = 0;
    const answers = stops(pids(1000, 65));
    const { run, host } = await restoreOn((sent) => {
      if (sent['Verb'] !== 'undo') return answers(sent);
      undos += 1;
      return undos === 1 ? answers(sent) : 'Killed';
    });

    expect(host).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('not a verdict') });
    expect(run.restoreReport).toMatchObject({ kind: 'partly-restored', failed: [{ item: 'host firewall' }] });
    expect(run.messages.at(-1)).toMatchObject({
      subject: `flowcut: ${ids.instance} partly restored`,
      message: expect.stringContaining('- host firewall: failed'),
    });
  });
});
