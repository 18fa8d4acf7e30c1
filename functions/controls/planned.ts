import { errorText } from '../aws/errors.ts';
import type { InstanceFacts } from '../core/case/facts.ts';
import type { PlannedChange } from '../core/case/record.ts';
import type { NetworkInterfaceFacts } from '../core/model.ts';
import { CONTROLS } from './index.ts';
import { type AnyControl, type ControlTools, subjectOf } from './subject.ts';

/** What a control says of its cuts itself counts. */
const NOTHING = { cuts: 'nothing', alsoHits: 'nothing', undo: 'nothing to undo' } as const;

/**
 * What the controls of the list would change, each asked what there is to change. Nothing is said of what an instance does not
 * have, and of what cannot be read that it could not be.
 */
export async function planControls(
  tools: Omit<ControlTools, 'subject'>,
  known: {
    readonly caseId: string;
    readonly isSealOrdered?: boolean;
    readonly instance: InstanceFacts;
    readonly interfaces: readonly NetworkInterfaceFacts[];
  },
  controls: readonly AnyControl[] = CONTROLS,
): Promise<readonly PlannedChange[]> {
  const { caseId, instance, interfaces, isSealOrdered = false } = known;
  const subject = subjectOf(tools, {
    caseId,
    instanceId: instance.id,
    isSealOrdered,
    instance: () => Promise.resolve(instance),
    interfaces: () => Promise.resolve(interfaces),
  });
  return (await Promise.all(controls.map((control) => planOne(control, { ...tools, subject })))).flat();
}

async function planOne(control: AnyControl, tools: ControlTools): Promise<readonly PlannedChange[]> {
  try {
    const targets = await control.targets(tools);
    const befores = targets.flatMap((target) =>
      'before' in target && !control.isApplied(target.found, target.before) ? [target.before] : [],
    );
    const left = targets.flatMap((target) =>
      'item' in target ? [{ ...NOTHING, change: `${target.item}: left as it is`, why: target.reason }] : [],
    );
    return befores.length === 0 ? left : [...left, { cuts: 'nothing', ...control.planned(tools, befores) }];
  } catch (error) {
    const change = `${control.name}: whether there is something to change could not be read`;
    return [{ ...NOTHING, change, why: errorText(error), undo: 'restore puts back whatever is changed' }];
  }
}
