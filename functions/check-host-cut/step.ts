import { needCase, recordEvent } from '../aws/case-table/cases.ts';
import { recordHostAnswer } from '../aws/case-table/host-answers.ts';
import { cancelHostCommand, readHostCommand } from '../aws/commands.ts';
import { errorText } from '../aws/errors.ts';
import { readFacts } from '../aws/facts.ts';
import { endpointServices } from '../aws/vpc-endpoints.ts';
import { flowClassifier, planDenies } from '../core/case/assess.ts';
import { askedAddresses, type HostOutcome, placeOf } from '../core/case/case.ts';
import type { Facts } from '../core/case/facts.ts';
import type { CheckingHost, HostResult } from '../core/case/record.ts';
import { isComplete, joinListing, listedFlows, readListing } from '../core/host/host-flows.ts';
import { type HostReport, parseHostOutput } from '../core/host/host-protocol.ts';
import { packDenies, unpackDenies } from '../core/network/packed-denies.ts';
import { AFTER_THE_CUT, urgencyOf } from '../core/pacing.ts';
import { timersAsFound } from '../shared/as-found.ts';
import { withBalancer } from '../shared/behind-balancer.ts';
import { afterTurn } from '../shared/paced.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';
import { undoAnswer } from './undo.ts';

type HostTools = Tools<'ec2' | 'elb' | 'ssm' | 'cases'>;

const STEP = 'check-host-cut';

/**
 * How long one run of the function looks for the answer, and how often, in seconds: a state transition costs more, and a
 * history holds only so many. The rest of the function's minute is for reading what the answer names.
 */
const LOOK_SECONDS = 35;
const PAUSE_SECONDS = 0.5;

/** How long its reading may wait for its turn in a storm, in seconds: the isolation waits for it. */
const READ_WAIT_SECONDS = 5;

/** Looks for the host's answer and, when it is there, joins what the host listed with the case. */
export async function checkHostCut(tools: HostTools, record: CheckingHost): Promise<HostResult> {
  const until = tools.now().getTime() + LOOK_SECONDS * 1000;
  let { host } = record;
  for (;;) {
    const result = await look(tools, { ...record, host });
    if (result.kind !== 'pending' || tools.now().getTime() >= until) return result;
    host = result;
    await tools.sleep(PAUSE_SECONDS);
  }
}

async function look(tools: HostTools, record: CheckingHost): Promise<HostResult> {
  const { host } = record;
  const ref = 'restore' in record ? record.restore : record.case;
  if (ref.instanceId === null) return { kind: 'unavailable', reason: 'the case names no instance' };
  const now = tools.now();
  const answer = await readHostCommand(tools.ssm, ref.instanceId, host.commandId).catch((error: unknown) => {
    tools.log.warn('the host command cannot be read', { error: errorText(error) });
    return { kind: 'pending' } as const;
  });
  if (answer.kind === 'pending') {
    if (now < new Date(host.deadline)) return { ...host, lastPendingAt: now.toISOString() };
    await cancelHostCommand(tools.ssm, ref.instanceId, host.commandId).catch((error: unknown) => {
      tools.log.warn('the host command cannot be cancelled', { error: errorText(error) });
    });
    if ('restore' in record) return undoAnswer(tools, record, { kind: 'expired' });
    const reason = `the agent did not answer within ${tools.config.hostCutBudgetSeconds} s`;
    return settle(tools, ref.caseId, 'unavailable', reason, GIVEN_UP);
  }
  if ('restore' in record) return undoAnswer(tools, record, answer);
  if (answer.kind === 'ended') {
    const reason = `the command ended as ${answer.status} without an answer`;
    return settle(tools, ref.caseId, 'unavailable', reason, answer.status.startsWith('Cancel') ? GIVEN_UP : reason);
  }
  const report = parseHostOutput(answer.output, { verb: host.verb, caseId: ref.caseId });
  if (report.kind === 'no-evidence') return settle(tools, ref.caseId, 'no-evidence', report.reason);
  // Whole, with command lines and open files: what the host was like before anything was closed is told only once.
  await recordHostAnswer(tools.cases, ref.caseId, { commandId: host.commandId, output: answer.output });
  const { caseId, instanceId } = ref;
  const denied = deniedFirst(record);
  return joinAnswer(tools, { caseId, instanceId, notBefore: host.lastPendingAt, denied }, report);
}

/**
 * What the timeline says of a command that was given up, in whatever state the next look finds it: the run that is started
 * again finds it cancelled.
 */
const GIVEN_UP = 'the agent gave no answer before the command was cancelled';

/** Notes that the host gave nothing; an earlier answer of this case is worth more and stays. */
async function settle(
  tools: HostTools,
  caseId: string,
  kind: 'unavailable' | 'no-evidence',
  reason: string,
  told = reason,
): Promise<HostResult> {
  await Promise.all([
    recordEvent(tools.cases, caseId, { kind: 'hostSilent', outcome: { kind, reason } }),
    tell(tools, caseId, STEP, `no host cut: ${told}`),
  ]);
  return { kind, reason };
}

/**
 * Denies that the branch beside this one makes. Any other that stands already is another case's, or somebody's: this case
 * must be put on it, or it goes when the other lets go.
 */
const deniedFirst = (record: CheckingHost): ReadonlySet<string> =>
  new Set(
    'assessment' in record && record.assessment.kind === 'contain'
      ? unpackDenies(record.assessment.denies).map(placeOf)
      : [],
  );

async function joinAnswer(
  tools: HostTools,
  asked: {
    readonly caseId: string;
    readonly instanceId: string;
    readonly notBefore: string;
    readonly denied: ReadonlySet<string>;
  },
  report: Extract<HostReport, { kind: 'evidence' }>,
): Promise<HostResult> {
  const { caseId, instanceId } = asked;
  const document = await needCase(tools.cases, caseId);
  const until = tools.now().getTime() + READ_WAIT_SECONDS * 1000;
  const urgency = urgencyOf(document.request) + AFTER_THE_CUT;
  const read = { api: 'DescribeNetworkInterfaces', urgency, canWait: false, until };
  const [found, asFound] = await Promise.all([
    afterTurn(tools, read, () =>
      readFacts(tools.ec2, instanceId, {
        ...document.request,
        flows: listedFlows(report),
        servicesOf: endpointServices,
      }),
    ),
    timersAsFound(tools, caseId),
  ]);
  const facts = found && (await withBalancer(tools, found, listedFlows(report)));
  if (facts === null) return settle(tools, caseId, 'no-evidence', 'the instance is not there any more');
  const classify = flowClassifier(asFound(facts));
  const listing = readListing(report, classify);
  if (listing === null) {
    return settle(tools, caseId, 'no-evidence', 'the host listed a peer that is not an address');
  }
  const flows = joinListing(document.flows, listing);

  const { verdict } = report;
  const answer: Omit<Extract<HostOutcome, { kind: 'answered' }>, 'account'> = {
    kind: 'answered',
    complete: isComplete(listing) && forwarders(facts).length === 0,
    listed: verdict.listed,
    closed: verdict.closed,
    survived: verdict.survived,
    omitted: verdict.omitted,
    firewall: verdict.firewall,
    notBefore: asked.notBefore,
    answeredAt: tools.now().toISOString(),
  };
  const plan = planDenies(flows, facts, tools.config, askedAddresses(document.request));
  await Promise.all([
    recordEvent(tools.cases, caseId, { kind: 'hostAnswered', answer, report, listing, ...plan }),
    tell(
      tools,
      caseId,
      STEP,
      `the host listed ${verdict.listed} flows and closed ${verdict.closed}; ${verdict.survived} survived`,
    ),
  ]);
  const fresh = plan.denies.filter((deny) => !asked.denied.has(placeOf(deny)));
  return {
    kind: 'answered',
    denies: packDenies(fresh),
    summary: `${verdict.closed} of ${verdict.listed} flows closed`,
  };
}

/** Interfaces that may forward packets of others: what they forward is in no socket list of the host. */
const forwarders = ({ interfaces }: Facts): readonly string[] =>
  interfaces.filter(({ sourceDestCheck }) => !sourceDestCheck).map(({ id }) => id);
