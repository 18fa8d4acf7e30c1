import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

export interface SilentServer {
  /** `http://127.0.0.1:PORT` */
  readonly endpoint: string;
  /** Connections so far. */
  connections(): number;
  stop(): Promise<void>;
}

/** Accepts connections and never answers; with `first`, says that much to each request and then nothing more. */
export async function silentServer(first = ''): Promise<SilentServer> {
  const open = new Set<Socket>();
  let count = 0;
  const server = createServer((socket) => {
    count += 1;
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => undefined);
    socket.on('data', () => void (first !== '' && socket.write(first)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the silent server has no port');
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    connections: () => count,
    stop: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
