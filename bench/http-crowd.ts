/** Many keep-alive connections that repeat the same kind of request. Answers are counted by their length alone. */
import { connect } from 'node:net';

export interface AskOrder {
  readonly port: number;
  readonly token: string;
  /** Requested in turn. */
  readonly paths: readonly string[];
  readonly connections: number;
  readonly total: number;
}

export interface AskReport {
  readonly milliseconds: number;
  readonly latencies: readonly number[];
  readonly failed: number;
  /** The head of the first answer other than 200, with the part of its body that came along. */
  readonly firstFailure?: string;
  readonly bytes: number;
}

function ask({ port, token, paths, connections, total }: AskOrder): Promise<AskReport> {
  const startedMs = performance.now();
  const latencies: number[] = [];
  let [asked, failed, bytes] = [0, 0, 0];
  let firstFailure: string | undefined;
  return new Promise((resolve) => {
    const openOne = (): void => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      let [begunMs, expected, received] = [0, -1, 0];
      let head = '';
      const next = (): void => {
        if (asked >= total) return void socket.end();
        begunMs = performance.now();
        [expected, received, head] = [-1, 0, ''];
        socket.write(
          `GET ${paths[asked++ % paths.length]} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n\r\n`,
        );
      };
      socket.on('connect', next);
      socket.on('data', (chunk: Buffer) => {
        received += chunk.length;
        bytes += chunk.length;
        if (expected === -1) {
          head += chunk.toString('latin1');
          const end = head.indexOf('\r\n\r\n');
          if (end === -1) return;
          if (!head.startsWith('HTTP/1.1 200')) {
            failed += 1;
            firstFailure ??= head;
          }
          expected = end + 4 + Number(/content-length: (\d+)/i.exec(head)?.[1]);
        }
        if (received < expected) return;
        latencies.push(performance.now() - begunMs);
        if (latencies.length === total)
          resolve({
            milliseconds: performance.now() - startedMs,
            latencies,
            failed,
            bytes,
            ...(firstFailure === undefined ? {} : { firstFailure }),
          });
        else next();
      });
    };
    for (let n = 0; n < connections; n++) openOne();
  });
}

process.on('message', (order: AskOrder) => void ask(order).then((report) => process.send!(report)));
process.on('disconnect', () => process.exit(0));
