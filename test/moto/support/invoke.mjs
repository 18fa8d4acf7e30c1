/**
 * Runs one built Lambda function once, in a process of its own, as a cold start does.
 *
 *   node invoke.mjs BUNDLES FUNCTION < payload.json
 *
 * The last line that it prints is {"result": ...} or {"error": {"errorType", "errorMessage"}}. FUNCTION_ENVIRONMENTS names
 * a JSON file with what single functions find in their environment, by function.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';

const [bundles = '', name = ''] = process.argv.slice(2);
const file = process.env['FUNCTION_ENVIRONMENTS'];
if (file !== undefined) Object.assign(process.env, JSON.parse(readFileSync(file, 'utf8'))[name]);

/** @param {unknown} error */
const told = (error) =>
  error instanceof Error
    ? { errorType: error.name, errorMessage: error.message }
    : { errorType: 'Error', errorMessage: String(error) };

const context = { getRemainingTimeInMillis: () => 60_000 };

/** @type {object} */
let answer;
try {
  const { handler } = await import(pathToFileURL(resolve(bundles, name, 'index.mjs')).href);
  answer = { result: (await handler(JSON.parse(await text(process.stdin)), context)) ?? null };
} catch (error) {
  answer = { error: told(error) };
}
process.stdout.write(`\n${JSON.stringify(answer)}\n`);
