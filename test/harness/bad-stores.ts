/** Stand-ins for what is behind uploads and misbehaves: an S3 that answers 503 or nothing, and a clamd of our own. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';

export interface StandIn {
  readonly port: number;
  readonly end: () => Promise<void>;
}

/** @param mood what it does with every request; may change at any time */
export async function startSickS3(mood: () => 503 | 'silent'): Promise<StandIn & { readonly requests: () => number }> {
  let requests = 0;
  const server = createHttpServer((request, response) => {
    requests += 1;
    request.resume();
    if (mood() === 503) request.once('end', () => response.writeHead(503).end('<Error><Code>SlowDown</Code></Error>'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    requests: () => requests,
    end: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Speaks INSTREAM: answers what `verdict` says of the bytes, or nothing. */
export async function startFakeClamd(verdict: (bytes: Buffer) => string | undefined): Promise<StandIn> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    let received = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      const bytes = readStream(received);
      const answer = bytes && verdict(bytes);
      if (answer !== undefined) socket.end(`${answer}\0`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    end: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** @returns the bytes of a complete stream */
function readStream(received: Buffer): Buffer | undefined {
  const command = 'zINSTREAM\0';
  if (received.subarray(0, command.length).toString() !== command) return undefined;
  const chunks: Buffer[] = [];
  for (let at = command.length; at + 4 <= received.length; ) {
    const length = received.readUInt32BE(at);
    if (length === 0) return Buffer.concat(chunks);
    chunks.push(received.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return undefined;
}
