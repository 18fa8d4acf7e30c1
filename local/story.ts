import { intake } from '../functions/core/intake/intake.ts';
import { replay } from './replay.ts';
import { resultFlows } from './result.ts';
import { simulate } from './simulate.ts';
import { denyText, duration, truthText, wrap } from './tell.ts';
import type { WorldFile } from './world/parse-world.ts';

/** The seed story on one screen: the textbook answer leaves the shell alive; the whole response stops it, and says what is proven. */
export async function tellStory(world: () => WorldFile, event: unknown): Promise<string> {
  const file = world();
  const shell = file.Flows.find((flow) => flow.Malicious);
  const empty = file.SecurityGroups.find(
    (group) => group.IpPermissions?.length === 0 && group.IpPermissionsEgress?.length === 0,
  );
  if (shell === undefined || empty === undefined)
    throw new Error('the default world has lost its shell or its empty group');
  const taken = intake(event);
  const type = taken.kind === 'case' ? (taken.request.finding?.type ?? '') : '';

  const textbook = await replay(world(), [
    {
      at: 10,
      service: 'ec2',
      api: 'ModifyNetworkInterfaceAttribute',
      input: { NetworkInterfaceId: shell.NetworkInterfaceId, Groups: [empty.GroupId] },
    },
  ]);
  const left = textbook.truth.get(shell.Name);

  const run = await simulate(world(), event);
  const flow = resultFlows(run).find((candidate) => candidate.name === shell.Name);
  const innocent = file.Flows.filter(({ Name, Malicious }) => !Malicious && run.truth.get(Name)?.stoppedBy != null);
  const at = (call: string, needle = ''): string => {
    const entry = run.timeline.find(
      (item) => item.call === call && item.input.includes(needle) && item.outcome === 'ok',
    );
    return entry === undefined ? '-' : duration(entry.at);
  };
  const step = (time: string, text: string): string => `    t = ${time.padEnd(7)} ${wrap(text, ' '.repeat(16))}`;
  const { report } = run;
  const hostAt = run.timeline.filter((item) => item.call === 'GetCommandInvocation').at(-1)?.at ?? 0;
  return [
    `GuardDuty: ${type} on ${report.instanceId}  (embedded world, virtual time, no AWS account)`,
    `  the shell: ${shell.Process?.Name ?? '?'} (pid ${shell.Process?.Pid ?? '?'}), ${shell.Protocol} ${shell.LocalAddress}:${shell.LocalPort} -> ${shell.RemoteAddress}:${shell.RemotePort}, a packet every ${shell.PacketEverySeconds} s`,
    '',
    'The textbook answer alone: swap the security group for an empty one',
    step('10 s', `${shell.NetworkInterfaceId} gets ${empty.GroupId}, which has no rule`),
    `    the shell: ${left === undefined ? 'unknown' : truthText(left)}`,
    '',
    'flowcut',
    step(at('CreateNetworkAclEntry'), `denied at the subnet, both ways: ${shell.RemoteAddress}`),
    step(duration(hostAt), 'cut on the host: every established flow listed and closed, listed again by two sources'),
    step(
      at('ModifyNetworkInterfaceAttribute', 'Groups'),
      'isolated: every interface on a group that was read back without a rule',
    ),
    ...run.verdicts
      .slice(0, 1)
      .map(({ at: told, verdict, reason }) => step(duration(told), `people hear ${verdict.toUpperCase()}: ${reason}`)),
    step(duration(run.reportedAt), 'verified: everything read back, verdict given'),
    `    the shell: ${truthText(flow?.truth ?? null)}`,
    `      ${wrap(`${flow?.tracking}: ${flow?.because}`, '      ')}`,
    '',
    `VERDICT: ${report.verdict.toUpperCase()}; who agrees${report.verdict === 'contained' ? '' : ' so far'}: ${report.basis.join(', ') || 'nobody'}`,
    `  ${wrap(report.reason, '  ')}`,
    ...report.held.map((deny) => `  held: ${denyText(deny)}`),
    ...(innocent.length === 0 ? [] : [`  ${closedText(innocent.map(({ RemoteAddress }) => RemoteAddress))}`]),
    `  still open: ${report.leftOpen.join(', ')}`,
    `  to undo: ${report.undo}; here: npm run -s demo -- --restore${report.verdict === 'contained' ? '' : ' --force'}`,
  ].join('\n');
}

/** What the isolation costs: connections of others end with it. */
const closedText = (peers: readonly string[]): string =>
  `${peers.length} innocent ${peers.length === 1 ? 'connection was' : 'connections were'} closed: ${peers.join(', ')}`;
