// One cold start, in a process of its own: node cold-start-child.mjs BUNDLE [EVENT]. Prints one line of JSON: milliseconds
// from before the import to after it, to the first answered call and to the first answered EC2 call; memory after that.
import { subscribe } from 'node:diagnostics_channel';
import { createRequire } from 'node:module';

const [, , bundle = '', event] = process.argv;

/** @type {{ import?: number, call?: number, ec2?: number, rssBytes?: number }} */
const marks = {};

function end() {
  marks.rssBytes = process.memoryUsage.rss();
  process.stdout.write(`${JSON.stringify(marks)}\n`, () => process.exit());
}

const wantsEc2 = process.env['BENCH_UNTIL'] === 'ec2';
subscribe('http.client.response.finish', (message) => {
  const { request } = /** @type {{ request: import('node:http').ClientRequest }} */ (message);
  const scope = String(request.getHeader('authorization') ?? '');
  const now = performance.now() - start;
  marks.call ??= now;
  if (scope.includes('/ec2/aws4_request')) marks.ec2 ??= now;
  if (!wantsEc2 || marks.ec2 !== undefined) end();
});

const require = createRequire(import.meta.url);
const start = performance.now();
// As Lambda does it.
const { handler } = /** @type {{ handler: (event: unknown, context: object) => Promise<unknown> }} */ (
  bundle.endsWith('.cjs') ? require(bundle) : await import(bundle)
);
marks.import = performance.now() - start;
if (event === undefined) end();
else await handler(JSON.parse(event), { getRemainingTimeInMillis: () => 60_000 }).catch(() => undefined);
