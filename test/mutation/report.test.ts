import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Explanation, mutationPage, type Report } from '../../scripts/mutation-report.ts';

const source = ['export function port(given: number | null): number {', '  return given ?? 443;', '}', ''].join('\n');
const place = (line: number, column: number) => ({ line, column });
const operator = { start: place(2, 10), end: place(2, 22) };
const body = { start: place(1, 52), end: place(3, 2) };

const report = (...mutants: Report['files'][string]['mutants']): Report => ({
  files: { 'functions/core/port.ts': { source, mutants } },
});

const explanation: Explanation = {
  file: 'functions/core/port.ts',
  in: 'port',
  code: 'return «given ?? 443»;',
  becomes: 'given && 443',
  why: 'nobody gives a port',
};

const survivor = { status: 'Survived', location: operator, replacement: 'given && 443' };

describe('the page of a mutation run', () => {
  it('counts what was killed, timed out, survived and was not run, and rounds the score down', () => {
    const killed = { status: 'Killed', location: body, replacement: '{}' };
    const timedOut = { ...killed, status: 'Timeout' };
    const notRun = { ...killed, status: 'NoCoverage' };

    const { page, line } = mutationPage(report(killed, killed, killed, timedOut, survivor, notRun), []);

    expect(page).toContain(
      '| `functions/core/port.ts` | 6 | 3 | 1 | 1 | 1 | 66.6 % |\n| **all** | 6 | 3 | 1 | 1 | 1 |',
    );
    expect(line).toContain('Of 6 changes');
    expect(line).toContain('66.6 %');
  });

  it('leaves out of the score what was not tried', () => {
    const ignored = { status: 'Ignored', location: body, replacement: '{}' };

    expect(mutationPage(report(ignored), []).page).toContain('| 0 | 0 | 0 | 0 | 0 | 100.0 % |');
  });

  it('explains a survivor where an explanation stands for its change', () => {
    const { page, unexplained, unused } = mutationPage(report(survivor), [explanation]);

    expect(page).toContain('- `port`: `return «given ?? 443»;` becomes `given && 443`: nobody gives a port');
    expect(page).toContain('1 changes, each of them is explained');
    expect({ unexplained, unused }).toEqual({ unexplained: 0, unused: [] });
  });

  it('says which survivors are not explained', () => {
    const { page, line, unexplained } = mutationPage(report(survivor), []);

    expect(page).toContain('`given && 443`: **not explained**');
    expect(line).toContain('1 of them are not explained');
    expect(unexplained).toBe(1);
  });

  it('returns explanations of changes that did not survive', () => {
    const { unused } = mutationPage(report({ ...survivor, status: 'Killed' }), [explanation]);

    expect(unused).toEqual([explanation]);
  });

  it('shows the first line of a change that takes several, and what takes its place in one', () => {
    const emptied = { status: 'Survived', location: body, replacement: '{\n  return;\n}' };

    const { page } = mutationPage(report(emptied), []);

    expect(page).toContain('`export function port(given: number | null): number «{…»` becomes `{ return; }`');
  });

  it('is not written from a run that did not end', () => {
    const pending = { ...survivor, status: 'Pending' };

    expect(() => mutationPage(report(pending), [])).toThrow('functions/core/port.ts:2 ended as Pending');
  });
});

describe('the explanations of survivors', () => {
  const explanations = JSON.parse(readFileSync('test/mutation/survivors.json', 'utf8')) as readonly Explanation[];

  it('speak of code that is there', () => {
    const gone = explanations.filter(({ file, code }) => {
      const plain = code.replaceAll('…»', '').replaceAll(/[«»]/g, '');
      return !readFileSync(file, 'utf8').includes(plain);
    });

    expect(gone).toEqual([]);
  });

  it('speak of each change once', () => {
    const changes = explanations.map((explanation) => JSON.stringify({ ...explanation, why: '' }));

    expect(changes).toEqual([...new Set(changes)]);
  });
});
