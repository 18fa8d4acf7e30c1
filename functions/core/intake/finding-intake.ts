import { InputError, quote } from '../errors.ts';
import { withoutBlanks } from './blank-fields.ts';
import { exposureText } from './exposure.ts';
import { flowsOfAction, mergeFlows } from './finding-flows.ts';
import { ADVICE, type Decision, decide, type FindingRoute, routeOf } from './finding-routes.ts';
import type { FindingHead } from './finding-schema.ts';
import {
  isOneOf,
  isSample,
  mentionedInstance,
  RESOURCES_OF_AN_INSTANCE,
  runsOnFargate,
  sharedBy,
  withResourceType,
} from './finding-subject.ts';
import { describe, type Place, valueAt } from './input-fields.ts';
import { HIGH_SEVERITY, type Intake } from './intake-types.ts';
import { actionIn, inside, readFinding, readHead, sequenceIn, summaryOf, toldOf } from './read-finding.ts';

type Ignored = Extract<Intake, { kind: 'ignored' }>;

/** A finding that asks for action and names nothing to act on must not pass in silence: the reason says so first. */
function unnamedInstance(finding: unknown, head: FindingHead, decision: Decision): Ignored {
  const fargate = runsOnFargate(head.resource);
  return {
    kind: 'ignored',
    class: decision.class,
    ...toldOf(finding, head),
    instanceId: null,
    reason: `NO INSTANCE NAMED: ${decision.reason}, but the finding names no EC2 instance to contain${fargate ? ' (the task runs on Fargate)' : ''}`,
    advice: fargate
      ? 'Stop the task or take it off its network; no EC2 instance is yours to contain.'
      : 'Find the instance (its volume, node, task or the finding that triggered this one) and contain it with a manual request.',
  };
}

/** ISO, ISO-ASK and ASK: someone acts, now or after a person's word. */
function containable(
  finding: unknown,
  head: FindingHead,
  { carries }: FindingRoute,
  decision: Decision,
  place: Place,
): Intake {
  const resourceType = head.resource.resourceType;
  // What the findings of custom detection rules look like is not documented.
  if (typeof resourceType !== 'string' && carries !== 'call') {
    throw new InputError(
      inside(place, 'resource', 'resourceType').root,
      `${describe(resourceType)}; expected text such as "Instance"`,
    );
  }
  const isSequence = resourceType === 'AttackSequence';
  const mayName = isSequence || carries === 'call' || isOneOf(RESOURCES_OF_AN_INSTANCE, resourceType);
  if (!mayName) return unnamedInstance(finding, head, decision);

  const [request, ...others] = readFinding(finding, head, place).requests;
  if (request === undefined) return unnamedInstance(finding, head, decision);
  const requests = [request, ...others] as const;

  const shared = sharedBy(head);
  if (shared !== null) {
    const why = `the instance is shared (${shared}): containing it cuts work that is not part of this finding`;
    return { kind: 'ask', class: 'ASK', requests, reason: `${decision.reason}, but ${why}` };
  }
  const isAboutDomain = request.domainOnly === true || (request.flows.length === 0 && carries === 'domain');
  if (decision.class === 'ISO' && isAboutDomain && head.severity < HIGH_SEVERITY) {
    const why = `it names a domain alone, and its severity is ${head.severity}: a stranger can make an instance ask for a domain`;
    return { kind: 'ask', class: 'ISO-ASK', requests, reason: `${decision.reason}, but ${why}` };
  }
  if (decision.class === 'ISO' && !isSequence) return { kind: 'case', class: 'ISO', request, reason: decision.reason };
  return { kind: 'ask', ...decision, requests };
}

/**
 * Decides what a GuardDuty finding asks for, in this order: what it is, whether it is a sample or archived, what its type
 * asks for, and only then the fields that a response would use.
 */
export function intakeFinding(written: unknown, place: Place): Intake {
  const finding = withResourceType(withoutBlanks(written));
  const head = readHead(finding, place);
  const ignored = (ignoredClass: Ignored['class'], reason: string, advice: string): Ignored => ({
    kind: 'ignored',
    class: ignoredClass,
    ...toldOf(finding, head),
    instanceId: mentionedInstance(head),
    reason,
    advice,
  });
  if (isSample(finding, head)) return ignored('SAMPLE', `${quote(head.type, 100)} is a sample finding`, ADVICE.SAMPLE);
  if (head.service?.archived === true)
    return ignored('ARCHIVED', `${quote(head.type, 100)} is archived`, ADVICE.ARCHIVED);

  const route = routeOf(head.type);
  const isSequence = head.resource.resourceType === 'AttackSequence';
  const decision = decide(route, {
    resourceRole: valueAt(finding, 'service', 'resourceRole'),
    connectionDirection: valueAt(finding, 'service', 'action', 'networkConnectionAction', 'connectionDirection'),
    instances: isSequence && sequenceIn(finding).targets.length > 0 ? 'some' : 'none',
  });
  switch (decision.class) {
    case 'ISO':
    case 'ISO-ASK':
    case 'ASK':
      return containable(finding, head, route, decision, place);
    case 'EXPOSED':
      return ignored(
        'EXPOSED',
        decision.reason,
        `${ADVICE.EXPOSED} ${exposureText(summaryOf(head), mergeFlows(flowsOfAction(actionIn(finding))))}`,
      );
    case 'CRED':
    case 'NOTIFY':
      return ignored(decision.class, decision.reason, route.advice ?? ADVICE[decision.class]);
    default:
      return decision.class satisfies never;
  }
}
