import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { HELP_OPTION, readJson, readOptions } from '../../local/input.ts';
import { jsonFlaw } from '../../local/json-text.ts';
import { nearMiss } from '../../local/near-miss.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowcut-input-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function fileOf(content: Uint8Array | string): string {
  files += 1;
  const path = join(folder, `${files}.json`);
  writeFileSync(path, content);
  return path;
}

const swapped = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();

describe('a JSON file', () => {
  it.each<[string, Uint8Array]>([
    ['UTF-8', Buffer.from('{"a": "ü"}')],
    ['UTF-8 with a byte order mark', Buffer.from('\ufeff{"a": "ü"}')],
    ['UTF-16, little-endian', Buffer.from('{"a": "ü"}', 'utf16le')],
    ['UTF-16, little-endian, with a mark', Buffer.from('\ufeff{"a": "ü"}', 'utf16le')],
    ['UTF-16, big-endian', swapped('{"a": "ü"}')],
    ['UTF-16, big-endian, with a mark', swapped('\ufeff{"a": "ü"}')],
  ])('is read in %s', (_, bytes) => {
    expect(readJson('--world', fileOf(bytes))).toEqual({ a: 'ü' });
  });

  it.each<[string, () => string, RegExp]>([
    ['is not there', () => join(folder, 'none.json'), /: there is no such file$/],
    ['lies below a file', () => join(fileOf('{}'), 'x.json'), /: there is no such file$/],
    ['is a folder', () => folder, /: is a folder, not a file$/],
    ['is no text', () => fileOf(Uint8Array.of(0x22, 0xc3, 0x28, 0x22)), / is not text in UTF-8 or UTF-16$/],
    ['is empty', () => fileOf(''), / is not JSON: line 1, column 1: the text ends; expected a value$/],
    ['lacks a comma', () => fileOf('{\r\n  "a": 1\r\n  "b": 2\r\n}'), /: line 3, column 3: expected a comma or }$/],
    ['has a comma too many', () => fileOf('[1,\n2,\n]'), /: line 3, column 1: expected a value$/],
    [
      'quotes with the wrong sign',
      () => fileOf("{'a': 1}"),
      /: line 1, column 2: expected a key in double quotes or }$/,
    ],
    [
      'breaks a line in a text',
      () => fileOf('{"a": "b\nc"}'),
      /: line 1, column 7: the text in quotes that begins here/,
    ],
  ])('that %s is refused in one sentence that says where', (_, path, sentence) => {
    expect(() => readJson('--world', path())).toThrow(
      expect.objectContaining({ name: 'InputError', field: '--world', message: expect.stringMatching(sentence) }),
    );
  });
});

describe('the flaw of a text', () => {
  const parses = (text: string): boolean => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };

  it('is found in exactly the texts that JSON.parse refuses', () => {
    const damaged = fc
      .tuple(
        fc.json(),
        fc.nat(),
        fc.constantFrom('', ',', ':', '"', '}', ']', '{', '[', '0', '-', 'e', '\\', '\n', 'null'),
      )
      .map(([text, at, mark]) => {
        const place = at % (text.length + 1);
        return text.slice(0, place) + mark + text.slice(place + (at % 2));
      });

    fc.assert(
      fc.property(damaged, (text) => {
        expect(jsonFlaw(text) === null).toBe(parses(text));
      }),
      { numRuns: 3000 },
    );
  });

  it('stands at the end of what can still become JSON', () => {
    const whole = '{"a": [1, {"b": null}, "c"], "d": -1.5e3}';
    // Within the number and after the last bracket the text may end.
    const cuts = Array.from({ length: whole.length - 1 }, (_, length) => whole.slice(0, length));

    const early = cuts.map(jsonFlaw).filter((flaw, length) => flaw !== null && flaw.column < length + 1);

    // A word, a text or a number that is cut through begins before the end.
    expect(early.every((flaw) => /^expected|^the text in quotes/.test(flaw?.problem ?? ''))).toBe(true);
    expect(cuts.map(jsonFlaw).filter((flaw) => flaw?.problem.startsWith('the text ends')).length).toBeGreaterThan(20);
    expect(jsonFlaw(whole)).toBeNull();
  });
});

describe('a word that is nearly another', () => {
  it.each([
    ['--wrold', ['--world', '--event'], '--world'],
    ['--paramters', ['--parameters', '--mode'], '--parameters'],
    ['Mode', ['Mode'], 'Mode'],
    ['mdoe', ['Mode'], 'Mode'],
    ['VpcId', ['VpcIds', 'Mode'], 'VpcIds'],
    ['frobnicate', ['--world'], null],
    ['at', ['by'], null],
  ])('%s of %j is %s', (word, known, meant) => {
    expect(nearMiss(word, known)).toBe(meant);
  });
});

describe('options', () => {
  const OPTIONS = { world: { type: 'string' }, json: { type: 'boolean' }, ...HELP_OPTION } as const;

  it('take -h for --help', () => {
    expect(readOptions(['-h'], OPTIONS)).toMatchObject({ help: true });
  });

  it.each<[readonly string[], RegExp]>([
    [['--wrold', 'x'], /^arguments: there is no option "--wrold"; did you mean --world\?$/],
    [['--wrold=x'], /^arguments: there is no option "--wrold"; did you mean --world\?$/],
    [['--frobnicate'], /^arguments: there is no option "--frobnicate"; the options are --world, --json, --help$/],
    [['--world'], /^arguments: .*--world/],
    [['x'], /^arguments: /],
  ])('%j are refused', (args, sentence) => {
    expect(() => readOptions(args, OPTIONS)).toThrow(sentence);
  });
});
