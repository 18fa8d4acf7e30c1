import type { Report } from '../../functions/core/report/report.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { aclLines } from '../world/honesty/watch.ts';

/**
 * What a response has put in force, one line per control, so that a run in which something was refused can be asked which
 * of them are missing.
 */
export function controlsOf(
  file: WorldFile,
  original: WorldFile,
  table: readonly Record<string, unknown>[],
  snapshots: number,
): readonly string[] {
  return [
    ...denies(file, original),
    ...isolations(file, original),
    ...hostCuts(table),
    ...evidence(file, original, snapshots),
  ];
}

function denies(file: WorldFile, original: WorldFile): readonly string[] {
  const before = aclLines(original);
  return [...aclLines(file)].flatMap(([id, lines]) =>
    lines
      .filter((line) => before.get(id)?.includes(line) !== true)
      .map((line) => {
        const [side, , action, , cidr] = line.split(' ');
        return `${action} ${cidr} ${side} at ${before.has(id) ? id : 'the seal'}`;
      }),
  );
}

const groupsOf = (file: WorldFile, id: string): string =>
  file.NetworkInterfaces.find((eni) => eni.NetworkInterfaceId === id)
    ?.Groups.map(({ GroupId }) => GroupId)
    .join() ?? '';

const isolations = (file: WorldFile, original: WorldFile): readonly string[] =>
  original.NetworkInterfaces.map((eni) => eni.NetworkInterfaceId)
    .filter((id) => groupsOf(file, id) !== groupsOf(original, id))
    .map((id) => `isolation of ${id}`);

function hostCuts(table: readonly Record<string, unknown>[]): readonly string[] {
  return table.flatMap((item) => {
    if (item['sk'] !== 'CASE') return [];
    const { host } = JSON.parse(String(item['document'])) as { host: { kind: string } | null };
    return host?.kind === 'answered' ? ['host cut'] : [];
  });
}

const ATTRIBUTES = {
  DisableApiTermination: 'termination protection',
  DisableApiStop: 'stop protection',
  InstanceInitiatedShutdownBehavior: 'shutdown behaviour',
} as const;

function evidence(file: WorldFile, original: WorldFile, snapshots: number): readonly string[] {
  const attributes = Object.entries(file.InstanceAttributes).flatMap(([id, now]) =>
    Object.entries(ATTRIBUTES).flatMap(([name, item]) => {
      const isSet = now[name] === true || now[name] === 'stop';
      return isSet && original.InstanceAttributes[id]?.[name] !== now[name] ? [item] : [];
    }),
  );
  const flowLogs = file.FlowLogs.filter(({ Tags = [] }) => Tags.some(({ Key }) => Key === 'flowcut:case')).map(
    ({ ResourceId }) => `flow log of ${ResourceId}`,
  );
  const instances = file.Reservations.flatMap(({ Instances }) => Instances);
  const tags = instances.flatMap(({ Tags = [] }) => Tags.filter(({ Key }) => Key === 'flowcut:case').map(() => 'tags'));
  const kept = instances.flatMap(({ BlockDeviceMappings = [] }) =>
    BlockDeviceMappings.filter(({ Ebs }) => Ebs?.DeleteOnTermination === false).map(
      ({ DeviceName }) => `delete on termination of ${DeviceName}`,
    ),
  );
  const members = (world: WorldFile) =>
    world.AutoScalingGroups.flatMap(({ Instances = [] }) =>
      Instances.filter((one) => one.LifecycleState === 'InService'),
    );
  const left = members(file).length < members(original).length ? ['Auto Scaling group'] : [];
  const targets = file.TargetHealth.filter(({ TargetHealth }) => TargetHealth?.State !== 'draining').length;
  const away = targets < original.TargetHealth.length ? ['target group'] : [];
  const classic = (world: WorldFile) => (world.ClassicLoadBalancers ?? []).flatMap(({ Instances = [] }) => Instances);
  const outside = classic(file).length < classic(original).length ? ['classic load balancer'] : [];
  const kept0 = snapshots > 0 ? ['snapshots'] : [];
  return [...attributes, ...flowLogs, ...tags, ...kept, ...left, ...away, ...outside, ...kept0];
}

/** The report says of a control that is missing that it is, in whatever words: by its id, or because nothing was done. */
export function isTold(control: string, report: Report): boolean {
  if (report.reason.startsWith('nothing was')) return true;
  const said = [...report.skipped.map(({ id, reason }) => `${id}: ${reason}`), ...report.leftOpen, report.reason].join(
    '\n',
  );
  const deny = /^deny ([^/]+)\//.exec(control);
  if (deny !== null) return said.includes(`${deny[1]}`);
  const isolation = /^isolation of (eni-\w+)/.exec(control);
  if (isolation !== null) return said.includes(`${isolation[1]}`) || said.includes('none of its interfaces is known');
  if (control === 'host cut') return said.includes('no host cut');
  const names = (item: string) => item.startsWith(control) || control.startsWith(item);
  const isNotAssured = said.includes('standby, protection, tags and snapshots are not assured');
  return isNotAssured || report.skipped.some(({ id }) => names(id));
}
