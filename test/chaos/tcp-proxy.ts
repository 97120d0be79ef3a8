/** A TCP proxy of our own between two parts: it passes, cuts, or swallows what is sent, as the run wants it. */
import { connect, createServer, type Server, type Socket } from 'node:net';

export type ProxyMode = 'pass' | 'cut' | 'swallow';

export interface TcpProxy {
  readonly port: number;
  /** `cut`: every connection ends and new ones are refused. `swallow`: connections stay, nothing goes through. */
  readonly become: (mode: ProxyMode) => void;
  readonly stop: () => Promise<void>;
}

/** @param targets ports on loopback; each new connection goes to the next one that accepts it */
export async function startTcpProxy(targets: () => readonly number[]): Promise<TcpProxy> {
  const open = new Set<Socket>();
  let mode: ProxyMode = 'pass';
  let turn = 0;

  function forward(from: Socket, to: Socket): void {
    from.on('data', (chunk: Buffer) => {
      // Swallowed bytes are lost, as on a network that was split: whoever sent them has to notice.
      if (mode === 'pass' && !to.destroyed && !to.write(chunk)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
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
      forward(client, server);
      forward(server, client);
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
      // After a split the old connections are of no use: bytes are missing in them.
      if (next === 'cut' || was === 'swallow') for (const socket of open) socket.destroy();
    },
    stop: () =>
      new Promise((resolve) => {
        listener.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}
