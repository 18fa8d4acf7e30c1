import { getInstance } from '../aws/instances.ts';
import { interfacesOf } from '../aws/network-interfaces.ts';
import type { InstanceFacts } from '../core/case/facts.ts';
import type { Control, Recorded } from '../core/control.ts';
import type { NetworkInterfaceFacts } from '../core/model.ts';
import type { RunnerTools } from '../shared/control-runner.ts';
import { once } from '../shared/once.ts';
import type { Tools } from '../shared/toolbox.ts';

/** The instance that a control is about. What several controls need of it is read once. */
export interface Subject {
  readonly caseId: string;
  readonly instanceId: string;
  readonly instance: () => Promise<InstanceFacts | null>;
  readonly interfaces: () => Promise<readonly NetworkInterfaceFacts[]>;
  /** A person has ordered to seal its subnets, whoever else lives there. */
  readonly isSealOrdered: boolean;
  /** All that is recorded for the instance, where it is to be given back. */
  readonly taken: readonly Recorded[];
}

export type ControlTools = Tools<'ec2' | 'scaling' | 'elb' | 'classicElb' | 'cases'> &
  RunnerTools & { readonly subject: Subject };

/** A control of the list, whatever it records and reads. */
export type AnyControl = Listed<Recorded, unknown>;

/** A control of the list: the case table keeps its records under its kind, and a plan asks it what it would say. */
export type Listed<Before extends Recorded, State> = OfList<ControlTools, Before, State>;

/** The same, of one that needs fewer tools. */
export type OfList<T, Before extends Recorded, State> = Control<T, Before, State> &
  Required<Pick<Control<T, Before, State>, 'planned'>> & { readonly kind: Before['kind'] };

/** Reads the subject from EC2 when it is first asked for; what is known already is given. */
export function subjectOf(
  tools: Tools<'ec2'> & RunnerTools,
  { caseId, instanceId, ...known }: Pick<Subject, 'caseId' | 'instanceId'> & Partial<Subject>,
): Subject {
  const { inTurn } = tools;
  const readInterfaces = () => interfacesOf(tools.ec2, instanceId);
  return {
    caseId,
    instanceId,
    instance: once(() => getInstance(tools.ec2, instanceId)),
    interfaces: once(() =>
      inTurn === undefined ? readInterfaces() : inTurn('DescribeNetworkInterfaces', readInterfaces, true),
    ),
    isSealOrdered: false,
    taken: [],
    ...known,
  };
}
