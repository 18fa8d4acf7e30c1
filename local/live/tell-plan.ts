import { duration, section } from '../tell.ts';
import { bullet, wrapped } from './lines.ts';
import type { ContainmentPlan, FlowKind, PlannedInterface, Readiness } from './plan.ts';

const MARKS = { true: 'ok      ', false: 'MISSING ', null: 'unknown ' } as const;

const readinessLine = ({ what, ok, detail }: Readiness): string =>
  wrapped(`  ${MARKS[`${ok}`]} `, `${what}: ${detail}`);

function flowLines({ flow, kind, because, timeoutSeconds }: FlowKind): string[] {
  const after = {
    untracked: 'a group swap cuts it',
    tracked: `outlives a group swap, by up to ${duration(timeoutSeconds)} of silence`,
    'auto-tracked': `outlives a group swap, by up to ${duration(timeoutSeconds)} of silence`,
    unknown: 'treated as tracked',
  }[kind];
  return [wrapped('    - ', `${flow}: ${kind.toUpperCase()}, ${after}`), wrapped('      ', because)];
}

function interfaceLines(eni: PlannedInterface): string[] {
  const rules = eni.rules ?? ['could not be read'];
  return [
    '',
    `${eni.id}  ${eni.addresses.join(', ')}`,
    wrapped('  in  ', `${eni.subnetId}, ${eni.vpcId}`),
    wrapped('  on  ', eni.groupIds.join(', ')),
    ...(eni.unmodifiable === null ? [] : [wrapped('  !!  ', `cannot be isolated: ${eni.unmodifiable}`)]),
    '  its rules',
    ...(rules.length === 0 ? ['    none: no new flow, either way'] : rules.map((rule) => wrapped('    ', rule))),
    '  its flows, with an address out there',
    ...eni.flows.flatMap(flowLines),
  ];
}

const ANSWERS = {
  yes: 'YES, as far as can be seen without trying',
  partly: 'PARTLY',
  no: 'NO',
} as const;

/** The plan for a person at 3 a.m.: the answer first, then what it rests on. */
export function tellPlan(plan: ContainmentPlan): string {
  const { instance } = plan;
  const unknown = plan.readiness.filter(({ ok }) => ok === null).map(({ what }) => what);
  const flows = plan.flows.map((flow) => {
    const { remoteAddress, tracking } = flow;
    return bullet(`${remoteAddress}: ${tracking.kind}: ${tracking.because}`);
  });
  return [
    `${plan.instanceId}  ${instance.state}, ${instance.instanceType}, ${instance.platform}${instance.spot ? ', Spot' : ''}`,
    `account ${plan.accountId}, ${plan.region}; nothing was changed`,
    '',
    `Could it be contained today? ${ANSWERS[plan.containable]}`,
    ...plan.why.map((reason) => bullet(reason)),
    ...(unknown.length === 0 ? [] : [wrapped('not known: ', unknown.join(', '))]),
    ...plan.interfaces.flatMap(interfaceLines),
    ...section('The peers that you named', flows),
    ...section(
      'Not to be denied',
      plan.refusals.map(({ address, reason }) => bullet(`${address}: ${reason}`)),
    ),
    ...section(
      'What would be done, in this order',
      plan.changes.flatMap((step, index) => [
        wrapped(`  ${index + 1}. `, step.change),
        wrapped('     why: ', step.why),
        wrapped('     cuts: ', step.cuts),
        wrapped('     also hits: ', step.alsoHits),
        wrapped('     undo: ', step.undo),
      ]),
    ),
    ...section('What would stay open', plan.leftOpen.map(bullet)),
    ...section('What it needs', plan.readiness.map(readinessLine)),
  ].join('\n');
}
