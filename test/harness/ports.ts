import { createServer } from 'node:net';

/** Below the range that systems give to outgoing connections: nobody takes such a port between our look and our use of it. */
const [first, last] = [15_000, 30_000];

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Each test worker has a share of the range, so that two of them never get the same port. */
const shares = 8;
const share = Math.floor((last - first) / shares);
const start = first + (Number(process.env.VITEST_POOL_ID ?? 0) % shares) * share;
/** Ports that were given out, and may not be in use yet. */
const given = new Set<number>();

/** A TCP port that is free, and stays so. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = start + Math.floor(Math.random() * share);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
}
