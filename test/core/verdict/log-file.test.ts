import { describe, expect, it } from 'vitest';
import type { FlowLogFacts } from '../../../functions/core/case/facts.ts';
import { readLogFile } from '../../../functions/core/verdict/log-file.ts';
import { DEFAULT_LOG_FORMAT, missingFields, readLogFormat } from '../../../functions/core/verdict/log-format.ts';
import { folderIn, isAsOurs, OWN_LOG_FORMAT } from '../../../functions/core/verdict/own-log.ts';
import { DEFAULT_FIELDS } from '../../support/flow-log.ts';

const header = DEFAULT_FIELDS.join(' ');

function read(text: string, format = DEFAULT_LOG_FORMAT) {
  const lines: string[] = [];
  return { problem: readLogFile(text, format, (line) => lines.push(line)), lines };
}

describe('the file of a flow log', () => {
  it('is a line with the names of the fields, then records', () => {
    expect(read(`${header}\none\n\ntwo\n`)).toEqual({ problem: null, lines: ['one', 'two'] });
  });

  it.each([
    ['without an end of line', `${header}\none`, ['one']],
    ['with ends of lines of another kind', `${header}\r\none\r\ntwo`, ['one', 'two']],
    ['with nothing below', header, []],
  ])('is read %s', (_, text, lines) => {
    expect(read(text)).toEqual({ problem: null, lines });
  });

  it.each([
    ['that is empty', ''],
    ['without names', 'one\ntwo'],
    ['with other names', `${header.replace('action', 'tcp-flags')}\none`],
    ['with names in another order', `${[...DEFAULT_FIELDS].reverse().join(' ')}\none`],
    ['with one name more', `${header} tcp-flags\none`],
  ])('%s gives no record, and says why', (_, text) => {
    expect(read(text)).toEqual({ problem: expect.stringContaining('names of the fields'), lines: [] });
  });
});

describe('our own flow log', () => {
  const BUCKET = 'arn:aws:s3:::our-bucket';
  const ours: FlowLogFacts = {
    id: 'fl-1',
    resourceId: 'eni-1',
    destinationType: 's3',
    destinationAccountId: null,
    logGroupName: null,
    destination: BUCKET,
    caseId: null,
    problem: null,
    trafficType: 'ALL',
    format: OWN_LOG_FORMAT,
    intervalSeconds: 60,
    createdAt: null,
  };

  it('has all that a record is read by, and what the packet itself carries', () => {
    const format = readLogFormat(OWN_LOG_FORMAT);
    expect(missingFields(format)).toEqual([]);
    for (const name of ['pkt-srcaddr', 'pkt-dstaddr', 'tcp-flags', 'flow-direction', 'protocol', 'srcport', 'dstport'])
      expect(format.placeOf.has(name)).toBe(true);
  });

  it.each<[string | null, string | null]>([
    [BUCKET, ''],
    [`${BUCKET}/`, ''],
    [`${BUCKET}/a/b/`, 'a/b/'],
    [`${BUCKET}s`, null],
    ['arn:aws:s3:::other', null],
    [null, null],
  ])('is delivered to our bucket, or not: %s', (destination, folder) => {
    expect(folderIn(BUCKET, destination)).toBe(folder);
    expect(folderIn(null, destination)).toBeNull();
  });

  it.each<[string, Partial<FlowLogFacts>]>([
    ['to a log group', { destinationType: 'cloud-watch-logs' }],
    ['to a folder of our bucket', { destination: `${BUCKET}/theirs` }],
    ['of one kind of traffic', { trafficType: 'ACCEPT' }],
    ['of another format', { format: null }],
  ])('is not another one beside it %s', (_, change) => {
    expect(isAsOurs(ours, BUCKET)).toBe(true);
    expect(isAsOurs({ ...ours, ...change }, BUCKET)).toBe(false);
  });
});
