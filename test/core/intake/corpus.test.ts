import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../../functions/core/errors.ts';
import { intake } from '../../../functions/core/intake/intake.ts';
import { asIfReal, findingIn } from './corpus-shapes.ts';

/**
 * Findings that others published, read from the folder that FINDINGS_DIR names; none is part of this repository.
 * Most are samples, findings without their envelope, or PascalCase: what each becomes as it is, and what it would become
 * had EventBridge sent it as a real one.
 */
const FOLDER = process.env['FINDINGS_DIR'] ?? '';

/** File, outcome as published, outcome as if real; each read by hand. */
// biome-ignore format: one file, one line
const OUTCOMES: readonly (readonly [string, string, string])[] = [
  ['Cloud-Solutions-Architects__aws-lambda-guardduty__1.json', 'ignored SAMPLE', 'ignored NOTIFY'],
  ['Cloud-Solutions-Architects__aws-lambda-guardduty__11.json', 'refused input', 'ignored NOTIFY'],
  ['Cloud-Solutions-Architects__aws-lambda-guardduty__12.json', 'refused input', 'ask ISO-ASK'],
  ['Cloud-Solutions-Architects__aws-lambda-guardduty__13.json', 'refused input', 'ignored NOTIFY'],
  ['Cloud-Solutions-Architects__aws-lambda-guardduty__16.json', 'refused input', 'ignored NOTIFY'],
  ['Cloud-Solutions-Architects__aws-lambda-guardduty__17.json', 'refused input', 'ask ISO-ASK'],
  ['Cloud-Solutions-Architects__aws-lambda-guardduty__18.json', 'refused input', 'ignored EXPOSED'],
  ['Cloud-Solutions-Architects__aws-lambda-guardduty__2.json', 'refused input', 'ask ASK'],
  ['Cloud-Solutions-Architects__aws-lambda-guardduty__20.json', 'refused input', 'ask ASK'],
  ['Cloud-Solutions-Architects__aws-lambda-guardduty__23.json', 'refused input', 'ignored NOTIFY'],
  ['Cloud-Solutions-Architects__aws-lambda-guardduty__24.json', 'refused input', 'ignored EXPOSED'],
  ['Cloud-Solutions-Architects__aws-lambda-guardduty__26.json', 'refused input', 'ask ASK'],
  ['Cloud-Solutions-Architects__aws-lambda-guardduty__28.json', 'ignored SAMPLE', 'case ISO'],
  ['Cloud-Solutions-Architects__aws-lambda-guardduty__8.json', 'refused input', 'ask ASK'],
  ['Cloud-Solutions-Architects__aws-lambda-guardduty__9.json', 'refused input', 'ignored NOTIFY'],
  ['OpenAnswers__panther-aws-events__2.json', 'refused detail', 'case ISO'],
  ['SEKOIA-IO__documentation__1.json', 'refused input', 'ignored NOTIFY'],
  ['SEKOIA-IO__documentation__2.json', 'refused input', 'ignored NOTIFY'],
  ['SEKOIA-IO__documentation__3.json', 'refused input', 'ignored NOTIFY'],
  ['SEKOIA-IO__intake-formats__5.json', 'refused input', 'ignored NOTIFY'],
  ['SEKOIA-IO__intake-formats__8.json', 'refused input', 'ignored EXPOSED'],
  ['SEKOIA-IO__intake-formats__9.json', 'refused input', 'ignored NOTIFY'],
  ['aws-samples__amazon-guardduty-automated-response-sample__1.json', 'refused input', 'ignored NOTIFY'],
  ['aws-samples__amazon-guardduty-automated-response-sample__2.json', 'refused input', 'ignored NOTIFY'],
  ['aws-samples__amazon-guardduty-waf-acl__1.json', 'refused source', 'ignored EXPOSED'],
  ['blu371ck__GuardDuty-SOAR__1.json', 'refused detail', 'ignored NOTIFY'],
  ['blu371ck__GuardDuty-SOAR__10.json', 'refused detail', 'ignored EXPOSED'],
  ['blu371ck__GuardDuty-SOAR__11.json', 'refused detail', 'ignored CRED'],
  ['blu371ck__GuardDuty-SOAR__12.json', 'refused detail', 'ignored EXPOSED'],
  ['blu371ck__GuardDuty-SOAR__13.json', 'refused detail', 'ignored EXPOSED'],
  ['blu371ck__GuardDuty-SOAR__14.json', 'refused detail', 'case ISO'],
  ['blu371ck__GuardDuty-SOAR__15.json', 'refused detail', 'case ISO'],
  ['blu371ck__GuardDuty-SOAR__16.json', 'refused input', 'case ISO'],
  ['blu371ck__GuardDuty-SOAR__2.json', 'refused detail', 'ignored NOTIFY'],
  ['blu371ck__GuardDuty-SOAR__3.json', 'refused detail', 'ignored EXPOSED'],
  ['blu371ck__GuardDuty-SOAR__8.json', 'refused detail', 'case ISO'],
  ['cloud-custodian__cloud-custodian__3.json', 'ignored SAMPLE', 'ignored NOTIFY'],
  ['mozilla__MozDef__3.json', 'refused source', 'ignored NOTIFY'],
  ['mozilla__MozDef__5.json', 'refused source', 'case ISO'],
  ['mozilla__MozDef__7.json', 'refused source', 'case ISO'],
  ['opencybersecurityalliance__stix-shifter__10.json', 'refused input', 'refused detail.id'],
  ['opencybersecurityalliance__stix-shifter__11.json', 'refused input', 'refused detail.id'],
  ['opencybersecurityalliance__stix-shifter__13.json', 'refused input', 'refused detail.id'],
  ['opencybersecurityalliance__stix-shifter__14.json', 'refused input', 'refused detail.id'],
  ['opencybersecurityalliance__stix-shifter__7.json', 'refused input', 'ignored NOTIFY'],
  ['panther-labs__panther-analysis__2.json', 'refused input', 'ignored NOTIFY'],
  ['panther-labs__panther-analysis__8.json', 'refused input', 'refused detail.resource'],
  ['panther-labs__panther__2.json', 'refused input', 'case ISO'],
  ['panther-labs__panther__4.json', 'refused encryptionContext', 'refused detail.id'],
  ['secmon-as-code__alertchain__2.json', 'refused input', 'ask ISO-ASK'],
  ['trustar__trustar-aws-guard-duty__1.json', 'ignored NOTIFY', 'ignored NOTIFY'],
  ['wazuh__wazuh-dashboard-plugins__2.json', 'refused input', 'ignored NOTIFY'],
  ['wazuh__wazuh-dashboard-plugins__3.json', 'refused input', 'ignored NOTIFY'],
];

function read(file: string): unknown {
  return JSON.parse(readFileSync(join(FOLDER, file), 'utf8'));
}

/** Anything thrown but an InputError fails the test. */
function outcome(input: unknown): string {
  try {
    const result = intake(input);
    return `${result.kind} ${result.class}`;
  } catch (error) {
    if (error instanceof InputError) return `refused ${error.field}`;
    throw error;
  }
}

describe.skipIf(FOLDER === '')('published findings', () => {
  it.each(OUTCOMES)('%s: %s; as if real: %s', (file, asPublished, real) => {
    const published = read(file);

    expect(outcome(published)).toBe(asPublished);
    expect(outcome(asIfReal(published))).toBe(real);
  });

  it('knows every file of the folder', () => {
    const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json'));

    expect(files.toSorted()).toEqual(OUTCOMES.map(([file]) => file).toSorted());
  });

  it('takes both families of a sample of 2025', () => {
    const result = intake(asIfReal(read('Cloud-Solutions-Architects__aws-lambda-guardduty__28.json')));

    expect(result).toMatchObject({
      kind: 'case',
      request: {
        flows: [
          { remoteAddress: '198.51.100.0', localAddress: '10.0.0.23', openedBy: 'instance' },
          { remoteAddress: '1234:5678:90ab:cdef:1234:5678:90ab:cde0', family: 'ipv6' },
        ],
      },
    });
  });

  it('reads every sample of AWS in a manual request, whatever its ids', () => {
    const samples = OUTCOMES.map(([file]) => findingIn(read(file))).filter(
      (finding) =>
        /GeneratedFindingSubnetId/.test(JSON.stringify(finding)) &&
        /"[aA]ccountId":"[0-9]{12}"/.test(JSON.stringify(finding)),
    );
    const results = samples.map((finding) => intake({ instanceId: 'i-0000000000000ab01', finding }));

    expect(samples.length).toBeGreaterThan(15);
    for (const result of results)
      expect(result).toMatchObject({
        kind: 'case',
        request: { notes: expect.arrayContaining([expect.stringContaining('is a sample')]) },
      });
  });

  it('takes all peers of a probe whose type speaks of a domain', () => {
    const result = intake(asIfReal(read('secmon-as-code__alertchain__2.json')));

    expect(result).toMatchObject({
      kind: 'ask',
      requests: [{ flows: [{ remoteAddress: '198.51.100.0' }, { remoteAddress: '198.51.100.1' }] }],
    });
  });
});
