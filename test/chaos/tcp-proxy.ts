/** A TCP proxy between two parts: it passes, cuts, swallows, delays or garbles bytes. */
import { randomBytes } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * `cut`: all connections end and new ones are refused. `swallow`: connections stay and nothing passes; `swallow up` drops only the clients'
 * bytes, `swallow down` only the servers'. `slow`: bytes are delayed. `hold`: bytes wait for the next mode. `garble`: answers are random
 * bytes.
 */
export type ProxyMode = 'pass' | 'cut' | 'swallow' | 'swallow up' | 'swallow down' | 'slow' | 'hold' | 'garble';

export interface TcpProxy {
  readonly port: number;
  readonly become: (mode: ProxyMode) => void;
  readonly stop: () => Promise<void>;
}

type Direction = 'up' | 'down';

const slowMs = 150;
/** Connections that survive these modes have missing or wrong bytes. */
const spoiling = new Set<ProxyMode>(['swallow', 'swallow up', 'swallow down', 'garble']);

/** @param targets ports on loopback; each new connection goes to the next one that accepts it */
export async function startTcpProxy(targets: () => readonly number[]): Promise<TcpProxy> {
  const open = new Set<Socket>();
  let mode: ProxyMode = 'pass';
  let turn = 0;
  /** Ends the held connections. */
  let release = () => {};
  let released = Promise.resolve();

  function pass(from: Socket, to: Socket, chunk: Buffer): void {
    if (to.destroyed || to.write(chunk)) return;
    from.pause();
    to.once('drain', () => from.resume());
  }

  function forward(from: Socket, to: Socket, direction: Direction): void {
    // Bytes that follow delayed bytes are delayed at least as long: TCP keeps the order.
    let late: Promise<void> | undefined;
    from.on('data', (chunk: Buffer) => {
      // Swallowed bytes are lost, as in a network split: the sender has to notice.
      if (mode === 'swallow' || mode === `swallow ${direction}`) return;
      const bytes = mode === 'garble' && direction === 'down' ? randomBytes(chunk.length) : chunk;
      if (mode !== 'slow' && mode !== 'hold' && !late) {
        pass(from, to, bytes);
        return;
      }
      const due = mode === 'hold' ? released : pause(mode === 'slow' ? slowMs : 0);
      const mine: Promise<void> = Promise.all([late, due]).then(() => {
        pass(from, to, bytes);
        if (late === mine) late = undefined;
      });
      late = mine;
    });
    from.on('close', () => to.destroy());
    from.on('error', () => to.destroy());
  }

  function reach(client: Socket, ports: readonly number[]): void {
    const [port, ...others] = ports;
    if (port === undefined || client.destroyed) {
      client.destroy();
      return;
    }
    const server = connect({ port, host: '127.0.0.1', noDelay: true });
    server.once('error', () => reach(client, others));
    server.once('connect', () => {
      server.removeAllListeners('error');
      open.add(server);
      server.on('close', () => open.delete(server));
      forward(client, server, 'up');
      forward(server, client, 'down');
      client.resume();
    });
  }

  const listener: Server = createServer({ noDelay: true, pauseOnConnect: true }, (client) => {
    client.on('error', () => client.destroy());
    if (mode === 'cut') {
      client.destroy();
      return;
    }
    open.add(client);
    client.on('close', () => open.delete(client));
    const ports = targets();
    turn += 1;
    reach(
      client,
      ports.map((_, at) => ports[(at + turn) % ports.length]!),
    );
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    port: (listener.address() as { port: number }).port,
    become: (next) => {
      const was = mode;
      mode = next;
      release();
      if (next === 'hold') {
        const { promise, resolve } = Promise.withResolvers<void>();
        [released, release] = [promise, resolve];
      }
      if (next === 'cut' || spoiling.has(was)) for (const socket of open) socket.destroy();
    },
    stop: () =>
      new Promise((resolve) => {
        listener.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
