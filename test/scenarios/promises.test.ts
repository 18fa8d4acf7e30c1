import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { ReportVerdict } from '../../functions/core/report/report.ts';
import { resultFlows } from '../../local/result.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { defaultWorld, ids, readEvent } from '../support/bench.ts';
import { inEpisode } from '../support/episode.ts';
import { simulate } from '../support/own-flow-log.ts';
import { withoutAgent, worldOf } from './worlds.ts';

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const demo = (...args: readonly string[]) =>
  execFileSync(process.execPath, [path('local/demo.ts'), ...args], { encoding: 'utf8' });

interface Promised {
  readonly what: string;
  readonly event: string;
  readonly world?: () => WorldFile;
  /** The class that docs/findings.md gives the type; null = it is decided before the type is looked at. */
  readonly promised: string | null;
  readonly verdict: ReportVerdict;
  readonly reason: RegExp;
}

const HELD = /^packets to and from .* are blocked; that no flow is left is not proven: no flow log watches/;
const ISOLATED = /^every interface that can be is isolated; that no flow is left is not proven: no flow log watches/;
const EXPOSED = /nothing says that (it|anyone) came in\. Close the port/;

const PROMISES: readonly Promised[] = [
  {
    what: 'an Auto Scaling member',
    event: 'guardduty-ec2-c2activity',
    world: () => worldOf('auto-scaling-member'),
    promised: 'ISO',
    verdict: 'held',
    reason: HELD,
  },
  {
    what: 'a Spot instance',
    event: 'guardduty-ec2-c2activity',
    world: () => worldOf('spot-instance'),
    promised: 'ISO',
    verdict: 'held',
    reason: HELD,
  },
  {
    what: 'a port probe',
    event: 'guardduty-ec2-port-probe',
    promised: 'EXPOSED',
    verdict: 'ignored',
    reason: EXPOSED,
  },
  {
    what: 'a DNS finding',
    event: 'guardduty-ec2-c2activity-dns',
    promised: 'ISO',
    verdict: 'not-proven',
    reason: /^DNS for \S+ through the VPC resolver is open$/,
  },
  {
    what: 'an EKS node',
    event: 'guardduty-eks-runtime-crypto-miner',
    promised: 'ISO',
    verdict: 'planned',
    reason: /shared \(EKSCluster\)/,
  },
  {
    what: 'an attack sequence',
    event: 'guardduty-attack-sequence-ec2',
    promised: 'ISO-ASK',
    verdict: 'planned',
    reason: /a person chooses the order/,
  },
  {
    what: 'malware on a disk',
    event: 'guardduty-ec2-malicious-file',
    promised: 'ISO-ASK',
    verdict: 'planned',
    reason: /whether it ran is not known/,
  },
  {
    what: 'stolen credentials',
    event: 'guardduty-credential-exfiltration',
    promised: 'CRED',
    verdict: 'ignored',
    reason: /Revoke the older sessions/,
  },
  {
    what: 'an archived finding',
    event: 'guardduty-archived',
    promised: null,
    verdict: 'ignored',
    reason: /is archived/,
  },
  {
    what: 'a sample',
    event: 'guardduty-sample',
    promised: null,
    verdict: 'ignored',
    reason: /sample finding/,
  },
  {
    what: 'SSH passwords that others guess',
    event: 'guardduty-ec2-ssh-brute-force-target',
    promised: 'TARGET: EXPOSED',
    verdict: 'ignored',
    reason: EXPOSED,
  },
  {
    what: 'SSH passwords that the instance guesses',
    event: 'guardduty-ec2-ssh-brute-force-actor',
    promised: 'ACTOR: ISO',
    verdict: 'held',
    reason: HELD,
  },
  {
    what: 'a caller of the own list',
    event: 'guardduty-ec2-malicious-ip-caller-inbound',
    promised: 'INBOUND: EXPOSED',
    verdict: 'ignored',
    reason: EXPOSED,
  },
  {
    what: 'a reverse shell without a flow',
    event: 'guardduty-runtime-reverse-shell',
    promised: 'ISO',
    verdict: 'held',
    reason: ISOLATED,
  },
  {
    what: 'a reverse shell without a flow on an instance without an agent',
    event: 'guardduty-runtime-reverse-shell',
    world: () => withoutAgent(),
    promised: 'ISO',
    verdict: 'not-proven',
    reason: /no flow is known and nobody could list any/,
  },
  {
    what: 'a task on Fargate',
    event: 'guardduty-ecs-fargate-reverse-shell',
    promised: 'ISO',
    verdict: 'ignored',
    reason: /^NO INSTANCE NAMED/,
  },
];

const table = readFileSync(path('docs/findings.md'), 'utf8').split('\n');

describe('what docs/findings.md promises is what the demo shows', () => {
  it.each(PROMISES)('$what: $verdict', async ({ event, world, promised, verdict, reason }) => {
    const input = readEvent(event) as { detail: { type: string } };
    // Archived findings and samples are ignored before their type is looked at.
    const row = table.find((line) => line.startsWith(`| \`${input.detail.type}\` |`)) ?? '';
    const classes = (row.split(' | ')[1] ?? '').split(/: (?=TARGET|INBOUND)|, (?=ACTOR|OUTBOUND|else)/);
    expect(classes).toContain(promised ?? classes[0]);

    const file = (world ?? defaultWorld)();
    const before = JSON.stringify(file);
    const run = await simulate(file, input);
    expect(run.report.verdict).toBe(verdict);
    expect(run.report.reason).toMatch(reason);
    const isQuiet = verdict === 'planned' || verdict === 'ignored';
    expect(JSON.stringify(run.finalState) === before).toBe(isQuiet);
    expect(run.report.plan.length > 2).toBe(verdict === 'planned');
    // Whatever is called held is stopped in truth.
    const alive = resultFlows(run).filter(({ truth }) => truth?.stoppedBy === null);
    expect(verdict === 'held' ? alive : []).toEqual([]);
  });

  it('for a DNS finding is no deny of its own, and the resolver is said to stay open', async () => {
    const alone = withoutAgent();
    const { report } = await simulate(alone, readEvent('guardduty-ec2-c2activity-dns'));
    expect(report.held).toEqual([]);
    expect(report.leftOpen.join()).toMatch(/names a domain.*VPC resolver.*DNS stays open/);
    expect(alone.NetworkInterfaces[0]?.Groups[0]?.GroupName).toBe('flowcut-isolation');
  });

  it('for a reverse shell without a flow is the flow that the host lists, closed and not denied', async () => {
    const { report } = await simulate(defaultWorld(), readEvent('guardduty-runtime-reverse-shell'));
    expect(report.flows).toContainEqual(
      expect.objectContaining({ remoteAddress: ids.peer, remotePort: 4444, evidence: 'gone' }),
    );
    expect(report.held).toEqual([]);
  });

  it.each(['guardduty-eks-runtime-crypto-miner', 'guardduty-attack-sequence-ec2', 'guardduty-ec2-malicious-file'])(
    'for %s, a person who asks afterwards gets the containment',
    async (event) => {
      await inEpisode(defaultWorld(), async ({ send, ask }) => {
        const [planned] = await send(readEvent(event));
        const report = await ask({ instanceId: ids.instance, mode: 'contain' });
        expect(report).toMatchObject({ caseId: planned?.caseId, verdict: 'held' });
      });
    },
  );
});

describe('the demo in observe mode', () => {
  it('prints a plan that names who is hit', () => {
    const text = demo('--mode', 'observe');
    expect(text).toMatch(/PLANNED/);
    expect(text).toContain('i-0000000000000ab02 (shop-web-2)');
    expect(text).toMatch(/What would be done, in this order/);
    expect(text).toMatch(/not touched: i-0000000000000ab02/);
    for (const word of ['why:', 'cuts:', 'also hits:', 'undo:']) expect(text).toContain(word);
  });

  it('says of a Spot instance that it cannot be protected, and of a member that it leaves its group', () => {
    expect(demo('--mode', 'observe', '--world', path('local/worlds/spot-instance.json'))).toContain('a Spot instance');
    const text = demo('--mode', 'observe', '--world', path('local/worlds/auto-scaling-member.json'));
    expect(text).toContain('Auto Scaling');
    expect(text.replace(/\s+/g, ' ')).toContain('out of target group shop-web');
  });
});
