import { Agent, createServer, type IncomingHttpHeaders, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One call that went through, in milliseconds of one clock. */
export interface PassedCall {
  readonly service: string;
  /** `CreateNetworkAclEntry`, `GetItem`, ... */
  readonly api: string;
  readonly body: string;
  readonly startedAt: number;
  readonly endedAt: number;
}

export interface DelayingProxy {
  readonly endpoint: string;
  /** Milliseconds that each call waits before it is handed on. */
  delayMs: number;
  readonly calls: PassedCall[];
  close(): Promise<void>;
}

/** What a signed call is for: the credential scope names the service, a header or the body the API. */
function nameOf(headers: IncomingHttpHeaders, body: string): { readonly service: string; readonly api: string } {
  const service = /\/([\w-]+)\/aws4_request/.exec(String(headers.authorization ?? ''))?.[1] ?? 'unknown';
  const target = String(headers['x-amz-target'] ?? '').split('.');
  return { service, api: target.at(-1) || (new URLSearchParams(body).get('Action') ?? 'unknown') };
}

/** A proxy in front of any endpoint, over plain HTTP, that lets every call wait and remembers it. */
export async function startDelayingProxy(target: string): Promise<DelayingProxy> {
  const { hostname, port } = new URL(target);
  const agent = new Agent({ keepAlive: true });
  const calls: PassedCall[] = [];
  const server = createServer((incoming, outgoing) => {
    const startedAt = performance.now();
    const parts: Buffer[] = [];
    incoming.on('data', (part: Buffer) => parts.push(part));
    incoming.on('end', () => {
      const body = Buffer.concat(parts);
      const { method, url: path, headers } = incoming;
      const pass = () => {
        const onward = request({ agent, hostname, port, method, path, headers }, (answer) => {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(outgoing);
          answer.on('end', () => {
            const text = body.toString();
            calls.push({ ...nameOf(headers, text), body: text, startedAt, endedAt: performance.now() });
          });
        });
        onward.on('error', () => outgoing.writeHead(502).end());
        onward.end(body);
      };
      setTimeout(pass, proxy.delayMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address() as AddressInfo;
  const proxy: DelayingProxy = {
    endpoint: `http://127.0.0.1:${address.port}`,
    delayMs: 0,
    calls,
    close: () =>
      new Promise((resolve) => {
        agent.destroy();
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return proxy;
}
