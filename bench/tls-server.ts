import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** What stands in for AWS: a TLS server on the loopback that answers at once. */
export interface LocalAws {
  /** https://localhost:PORT */
  readonly endpoint: string;
  /** The file to trust it by. */
  readonly certificateFile: string;
  close(): Promise<void>;
}

/** Starts the server, with a certificate made for this run by openssl. `answers` gives the table's items by sort key. */
export async function startLocalAws(folder: string, items: ReadonlyMap<string, object>): Promise<LocalAws> {
  mkdirSync(folder, { recursive: true });
  const keyFile = join(folder, 'key.pem');
  const certificateFile = join(folder, 'certificate.pem');
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  execFileSync(
    'openssl',
    ['req', '-x509', ...curve, '-days', '1', ...subject, '-keyout', keyFile, '-out', certificateFile],
    { stdio: 'ignore' },
  );
  const server = createServer(
    { key: readFileSync(keyFile), cert: readFileSync(certificateFile) },
    (request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => answer(request, Buffer.concat(parts).toString(), response, items));
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `https://localhost:${port}`,
    certificateFile,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function answer(
  request: IncomingMessage,
  body: string,
  response: ServerResponse,
  items: ReadonlyMap<string, object>,
): void {
  const target = String(request.headers['x-amz-target'] ?? '');
  if (target === '') {
    response.writeHead(200, { 'content-type': 'text/xml' }).end('<Response><return>true</return></Response>');
    return;
  }
  const json = { 'content-type': 'application/x-amz-json-1.0' };
  if (target.endsWith('.GetItem')) {
    const { Key } = JSON.parse(body) as { Key: { sk: { S: string } } };
    const Item = items.get(Key.sk.S);
    response.writeHead(200, json).end(JSON.stringify(Item === undefined ? {} : { Item }));
    return;
  }
  // There is a turn for every call; what is not there yet cannot be joined.
  const isTurn = body.includes('PACE#');
  const absent = { __type: 'com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException', message: 'absent' };
  if (target.endsWith('.UpdateItem') && !isTurn) response.writeHead(400, json).end(JSON.stringify(absent));
  else response.writeHead(200, json).end('{}');
}
