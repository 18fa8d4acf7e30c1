import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folderOf, resourcesOf } from '../../scripts/template.ts';
import { type Captured, captured } from '../support/captured.ts';
import { environmentOf, metricFilters, PROJECT } from './agreements.ts';
import { counts } from './filter-pattern.ts';

/**
 * What is shipped, as it is shipped: every bundle in a fresh Node of Lambda's version, with the environment that
 * template.yaml gives it and nothing else. No call leaves the machine: all of these end before the first one.
 */

const execute = (args: readonly string[], env?: Readonly<Record<string, string>>) =>
  captured(process.execPath, args, env === undefined ? {} : { env });

const functions = resourcesOf(PROJECT.template, 'AWS::Serverless::Function').map(
  ([id, resource]) => [folderOf(resource), id] as const,
);
const idOf = new Map(functions);

/** esbuild shares the cores with the other tests. */
const BUILD_MS = 300_000;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flowcut-artifacts-'));
  const built = await execute(['build.mjs', '--outdir', folder]);
  if (built.status !== 0) throw new Error(built.stderr);
}, BUILD_MS);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs a script in which `handler` is the function's own, as its template.yaml environment makes it. */
function inLambda(name: string, script: string, extra: Readonly<Record<string, string>> = {}): Promise<Captured> {
  const bundle = JSON.stringify(join(folder, name, 'index.mjs'));
  const env = {
    ...environmentOf(PROJECT.template, idOf.get(name) ?? ''),
    AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'not-a-secret',
    AWS_LAMBDA_FUNCTION_NAME: name,
    ...extra,
  };
  // A stack trace would show the line of code, and a bundle is one line.
  const code = `
    const { handler } = await import(${bundle}).catch((error) => {
      console.error(error.name + ': ' + error.message);
      process.exit(1);
    });
    ${script}`;
  return execute(['--input-type=module', '--eval', code], env);
}

/** The answer of the handler, or its error as Lambda reports it: `{ errorType, errorMessage }`. */
async function invoke(name: string, event: unknown, extra?: Readonly<Record<string, string>>) {
  const script = `
    const answer = await handler(${JSON.stringify(event)}, { getRemainingTimeInMillis: () => 60_000 }).catch((error) => ({ errorType: error.name, errorMessage: error.message }));
    console.log('ANSWER ' + JSON.stringify(answer));`;
  const { stdout, stderr } = await inLambda(name, script, extra);
  const lines = stdout.split('\n');
  const answer = lines.find((line) => line.startsWith('ANSWER '))?.slice('ANSWER '.length);
  return { answer: JSON.parse(answer ?? 'null') as unknown, lines: [...lines, ...stderr.split('\n')] };
}

describe('every bundle', () => {
  it('runs on the Node of its runtime', () => {
    const runtime = JSON.stringify(PROJECT.template.Globals['Function']);

    expect(runtime).toContain(`"nodejs${process.versions.node.split('.')[0]}.x"`);
    expect(runtime).toContain('"Handler":"index.handler"');
  });

  it.each(functions)('%s loads in a fresh process and has an async handler', async (name) => {
    const { status, stdout, stderr } = await inLambda(name, 'console.log(handler.constructor.name, handler.length);');

    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'AsyncFunction 2\n', stderr: '' });
  });

  it('does not load with a setting that it cannot mean', async () => {
    const { status, stderr } = await inLambda('assess-flows', '', { FLOWCUT_MODE: 'contian' });

    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: 'InputError: FLOWCUT_MODE: "contian" is none of observe, contain\n',
    });
  });
});

describe('bad input', () => {
  it.each([
    ['start-response', { Records: [] }, 'input: is wrapped'],
    ['start-response', {}, 'input: is empty'],
    ['start-response', { source: 'aws.securityhub', 'detail-type': 'x', detail: {} }, 'source: '],
    ['assess-flows', { instanceID: 'i-0000000000000ab01' }, 'instanceID'],
    ['assess-flows', { caseId: 'case-1' }, 'caseId: "case-1" is not a case id'],
    ['restore-instance', {}, 'caseId: give either a caseId or an instanceId'],
  ])('%s refuses %j by the name that the state machine compares', async (name, event, sentence) => {
    const { answer } = await invoke(name, event);

    expect(answer).toEqual({ errorType: 'InputError', errorMessage: expect.stringContaining(sentence) as string });
  });
});

describe('what is logged', () => {
  const filter = (id: string) => metricFilters(PROJECT.template).find((candidate) => candidate.id === id);
  const counted = (id: string, lines: readonly string[]) =>
    lines.filter((line) => counts(filter(id)?.pattern ?? '', line));

  it('counts a compromise that names no instance, and no other finding that is ignored', async () => {
    const read = async (name: string) => JSON.parse(await readFile(resolve('events', name), 'utf8')) as unknown;

    const loud = await invoke('start-response', await read('guardduty-ecs-fargate-reverse-shell.json'));
    const quiet = await invoke('start-response', await read('guardduty-sample.json'));

    expect(loud.answer).toMatchObject({ kind: 'nothing-to-do' });
    expect(quiet.answer).toMatchObject({ kind: 'nothing-to-do' });
    expect(counted('NoInstanceNamedMetric', loud.lines)).toHaveLength(1);
    expect(counted('NoInstanceNamedMetric', quiet.lines)).toEqual([]);
    expect([loud, quiet].map(({ lines }) => counted('NothingBegunMetric', lines).length)).toEqual([1, 1]);
  });

  it('counts a restore under its outcome, and a refused one under that', async () => {
    const caseId = 'note-1';
    const ends = {
      'partly-restored': { kind: 'partly-restored', items: [{ item: 'eni-1 groups', outcome: 'failed' }], host: null },
      refused: { kind: 'refused', reason: 'a flow may revive' },
    };
    const execution = 'arn:aws:states:eu-central-1:111122223333:execution:flowcut-restore:monday';
    for (const [outcome, end] of Object.entries(ends)) {
      const record = { caseId, restore: { ...end, caseId, instanceId: 'i-0000000000000ab01' } };

      const { answer, lines } = await invoke('report-restore', { record, execution }, { FLOWCUT_TOPIC_ARN: '' });

      expect(answer).toMatchObject({ kind: outcome });
      const [line, ...more] = counted('RestoresMetric', lines);
      expect(more).toEqual([]);
      expect(JSON.parse(line ?? '{}')).toMatchObject({ outcome });
      expect(counted('ReportsMetric', lines)).toEqual([]);
    }
    const dimension = JSON.stringify(filter('RestoresMetric')?.transformation['Dimensions']);
    expect(dimension).toBe('[{"Key":"Outcome","Value":"$.outcome"}]');
  });

  it('counts a report under its verdict', async () => {
    const record = {
      case: { caseId: 'note-1', instanceId: 'i-0000000000000ab01', mode: 'observe', trigger: 'manual request' },
      assessment: { kind: 'refused', reason: 'it is exempt' },
    };

    const execution = 'arn:aws:states:eu-central-1:111122223333:execution:flowcut-respond:note-1';

    const { answer, lines } = await invoke('report-case', { record, execution }, { FLOWCUT_TOPIC_ARN: '' });

    expect(answer).toMatchObject({ verdict: 'refused' });
    const [line, ...more] = counted('ReportsMetric', lines);
    expect(more).toEqual([]);
    const dimension = JSON.stringify(filter('ReportsMetric')?.transformation['Dimensions']);
    expect(dimension).toBe('[{"Key":"Verdict","Value":"$.verdict"}]');
    expect(JSON.parse(line ?? '{}')).toMatchObject({ verdict: 'refused' });
  });
});
