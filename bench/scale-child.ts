// One measurement in a process of its own: node scale-child.ts nothing|assess|classify|look-up FLOWS. Prints a line of JSON.
import { assess, flowClassifier } from '../functions/core/case/assess.ts';
import { compilePaths } from '../functions/core/network/routes.ts';
import { compileTracking } from '../functions/core/network/tracking.ts';
import { readConfig } from '../functions/shared/environment.ts';
import { largestFacts, manyFlows, requestFor } from './scale-facts.ts';

const [, , what = 'nothing', count = '0'] = process.argv;
const config = readConfig({
  FLOWCUT_ACCOUNT_ID: '111122223333',
  AWS_REGION: 'eu-central-1',
  FLOWCUT_LINUX_DOCUMENT: 'host-linux',
  FLOWCUT_WINDOWS_DOCUMENT: 'host-windows',
});

function looker(): () => number {
  const facts = largestFacts();
  const flows = manyFlows(20_000);
  const [eni] = facts.interfaces;
  const [subnet] = facts.subnets;
  if (eni === undefined || subnet === undefined) throw new Error('the largest instance has lost its interfaces');
  const path = compilePaths({ subnet, routes: facts.routeTables?.[0]?.routes ?? null });
  const outside = path({ remoteAddress: '45.0.0.1' });
  const track = compileTracking({ rules: facts.rules, timeouts: eni.timeouts, instanceType: 'm5.24xlarge' });
  return () => {
    let tracked = 0;
    for (let done = 0; done < Number(count); done += flows.length) {
      for (const flow of flows) if (track(flow, outside).kind === 'tracked') tracked += 1;
    }
    return tracked;
  };
}

/** Makes everything that the measured part is given, and gives that part. */
const WORK: Record<string, () => () => number> = {
  nothing: () => () => 0,
  assess: () => {
    const facts = largestFacts();
    const request = requestFor(manyFlows(Number(count)));
    return () => assess(request, facts, config).flows.length;
  },
  classify: () => {
    const facts = largestFacts();
    const flows = manyFlows(Number(count));
    return () => {
      const classify = flowClassifier(facts);
      return flows.map((flow) => classify(flow).tracking.kind).length;
    };
  },
  'look-up': looker,
};

const make = WORK[what];
if (make === undefined) throw new Error(`"${what}" is none of ${Object.keys(WORK).join(', ')}`);
const work = make();
const before = process.cpuUsage();
const result = work();
const { user, system } = process.cpuUsage(before);
// CPU of all threads, the garbage collector's included.
const cpuSeconds = (user + system) / 1e6;
process.stdout.write(`${JSON.stringify({ result, cpuSeconds, maxRssBytes: process.resourceUsage().maxRSS * 1024 })}\n`);
