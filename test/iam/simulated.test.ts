import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundledCommands, deployedFolders } from '../../scripts/bundled-commands.ts';
import { readTemplate } from '../../scripts/template.ts';
import { transformed } from '../../scripts/transformed.ts';
import {
  coverage,
  type Evaluated,
  evaluate,
  type Loan,
  ownCalls,
  recordsUnder,
  refusedLoans,
  unmapped,
} from './support/evaluate.ts';
import { parameterSets } from './support/parameters.ts';
import { functionsOf } from './support/policies.ts';
import { RECORDS, readRecords } from './support/records.ts';
import { asksFor, denial } from './support/simulate.ts';
import { SUMMARY, type Summary } from './support/summary.ts';

const source = readTemplate();
const sets = parameterSets(source);
// Without Python the template as it is written, whose roles are the same (transform.test.ts).
const stack = { source, deployed: transformed(source) ?? source };
const commands = await bundledCommands();
const { calls, unattributed, records: recorded } = readRecords(process.env[RECORDS] ?? '');
const records = ownCalls(recorded, commands);

let lent: readonly Loan[] = [];
let missing: readonly string[] = [];
const summary: Summary = { calls, unattributed, apis: 0, authorisations: 0, sets: 0, asked: 0, denied: 0 };

beforeAll(() => {
  const found = coverage(functionsOf(stack.deployed, {}), commands, records);
  lent = found.lent;
  missing = found.missing;
  summary.apis = new Set(records.map(({ api }) => api)).size;
  summary.authorisations = new Set(records.map((one) => JSON.stringify([one.function, one.asks ?? one.api]))).size;
}, 300_000);

afterAll(() => {
  const file = process.env[SUMMARY];
  if (file !== undefined) writeFileSync(file, JSON.stringify(summary));
});

describe('the recorded runs', () => {
  it('make calls in the name of every function', () => {
    const seen = new Set(records.map((record) => record.function));

    expect(deployedFolders().filter((folder) => !seen.has(folder))).toEqual([]);
    expect(calls).toBeGreaterThan(10_000);
  });

  it('make every call that a bundle can make', () => {
    expect(missing).toEqual([]);
  });

  it('leave no call of a bundle out that its role would refuse in every form in which others make it', async () => {
    expect(lent.length).toBeGreaterThan(0);
    expect(await refusedLoans(stack, sets['everything on'] ?? {}, lent)).toEqual([]);
  });

  it('make no call of which nothing says what IAM is asked', async () => {
    expect(await unmapped(records)).toEqual([]);
  });
});

describe.each(Object.entries(sets))('with %s', (name, values) => {
  let answers: readonly Evaluated[] = [];
  beforeAll(async () => {
    answers = await evaluate(stack, values, records);
    summary.sets += 1;
    summary.asked += answers.reduce((sum, { asked }) => sum + asked, 0);
    summary.denied += answers.reduce((sum, { denied }) => sum + denied.length, 0);
  }, 300_000);

  it.each(deployedFolders())('%s is denied nothing that it asks for', (folder) => {
    const answer = answers.find((one) => one.folder === folder);

    expect(answer?.asked, `questions of ${folder} with ${name}`).toBeGreaterThan(0);
    expect(answer?.denied).toEqual([]);
  });
});

/** APIs that make something in a VPC. */
const MAKERS: readonly string[] = ['ec2:CreateNetworkAcl', 'ec2:CreateSecurityGroup'];

describe('with another VPC in VpcIds', () => {
  const values = { VpcIds: 'vpc-0123456789abcdef0' };

  it('nothing can be done to what the request says to be in a VPC', async () => {
    const deployed = new Map(functionsOf(stack.deployed, values).map((one) => [one.folder, one]));
    const allowed: string[] = [];
    let asked = 0;
    for (const record of recordsUnder(source, values, records)) {
      const asks = await asksFor(record);
      const role = deployed.get(record.function);
      if (typeof asks === 'string' || role === undefined) continue;
      for (const ask of asks) {
        // What is made is in no VPC yet: the right to make it is asked for the VPC itself as well.
        const isNew = ask.context['ec2:CreateAction'] !== undefined || MAKERS.includes(record.api);
        const inVpc = ask.context['ec2:Vpc'] !== undefined || ask.context['ec2:VpcID'] !== undefined;
        if (isNew ? !ask.resource.includes(':vpc/') : !inVpc) continue;
        asked += 1;
        if ((await denial(role, ask, values)) === null)
          allowed.push(`${record.function}: ${ask.action} on ${ask.resource}`);
      }
    }

    expect(asked).toBeGreaterThan(20);
    expect([...new Set(allowed)]).toEqual([]);
  });
});
