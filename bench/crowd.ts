/**
 * Many WebSocket clients in one process, cheap enough not to affect the measurement: plain TCP, frames counted by their headers, nothing
 * parsed. A benchmark controls it over IPC.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

export type CrowdOrder =
  /** Opens sockets. Each sends `hello`, if given, and waits for the given number of frames. */
  | {
      readonly do: 'open';
      readonly port: number;
      readonly path: string;
      readonly protocol?: string;
      readonly hellos: readonly string[];
      readonly welcomeFrames: number;
    }
  /** Counts frames from now on, and reports when each socket has received this many. */
  | { readonly do: 'expect'; readonly framesEach: number }
  /** The same for a server that packs several messages into one binary frame: counts the messages. */
  | { readonly do: 'expect'; readonly bytesEach: number }
  /** Keeps this many sends in flight per socket until `total` are answered. `{n}` in a text becomes a number. */
  | {
      readonly do: 'send';
      readonly texts: readonly string[];
      readonly inFlight: number;
      readonly total: number /** At most this many in a second, over all sockets. */;
      readonly perSecond?: number;
    };

export type CrowdReport = {
  readonly done: 'open' | 'expect' | 'send';
  readonly milliseconds: number;
  readonly latencies?: readonly number[];
  readonly refused?: number;
};

interface Member {
  readonly socket: Socket;
  /** Frames received since counting began. */
  frames: number;
  /** Messages in binary frames. */
  bytes: number;
  rest: Buffer | undefined;
  text: string;
  onFrame: ((payload: Buffer) => void) | undefined;
}

const members: Member[] = [];
let expected = Number.POSITIVE_INFINITY;
let expectedBytes = Number.POSITIVE_INFINITY;
let waiting = 0;
let onAllReached: (() => void) | undefined;

/** A client's frame: masked, as RFC 6455 §5.3 requires; the mask is zero, which costs nothing. */
function clientFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const header =
    length < 126
      ? Buffer.from([0x81, 0x80 | length, 0, 0, 0, 0])
      : Buffer.from([0x81, 0x80 | 126, length >> 8, length & 255, 0, 0, 0, 0]);
  return Buffer.concat([header, Buffer.from(text)]);
}

/** Counts a socket that has received everything. */
function reached(): void {
  waiting -= 1;
  if (waiting === 0) onAllReached?.();
}

function receive(member: Member, chunk: Buffer): void {
  const bytes = member.rest ? Buffer.concat([member.rest, chunk]) : chunk;
  let at = 0;
  while (at + 2 <= bytes.length) {
    const short = bytes[at + 1]! & 127;
    const header = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (at + header > bytes.length) break;
    const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : bytes.readUInt32BE(at + 6);
    if (at + header + length > bytes.length) break;
    const opcode = bytes[at]! & 15;
    if (opcode === 9) member.socket.write(Buffer.from([0x8a, 0x80, 0, 0, 0, 0]));
    else if (opcode === 8)
      process.stderr.write(`closed with ${length < 2 ? 'no code' : bytes.readUInt16BE(at + header)}\n`);
    else if (opcode === 1) {
      member.frames += 1;
      if (member.frames === expected) reached();
      member.onFrame?.(bytes.subarray(at + header, at + header + length));
    } else if (opcode === 2) {
      const before = member.bytes;
      member.bytes += length;
      if (before < expectedBytes && member.bytes >= expectedBytes) reached();
      member.onFrame?.(bytes.subarray(at + header, at + header + length));
    }
    at += header + length;
  }
  member.rest = at < bytes.length ? Buffer.from(bytes.subarray(at)) : undefined;
}

/** Receive buffer, shared by all sockets so that reading creates no garbage. */
const received = Buffer.allocUnsafe(65_536);

function openOne(order: Extract<CrowdOrder, { do: 'open' }>, hello: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      port: order.port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: received,
        callback: (size) => {
          take(received.subarray(0, size));
          return true;
        },
      },
    });
    const member: Member = { socket, frames: 0, bytes: 0, rest: undefined, text: '', onFrame: undefined };
    const key = randomBytes(16).toString('base64');
    socket.write(
      `GET ${order.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n${order.protocol ? `Sec-WebSocket-Protocol: ${order.protocol}\r\n` : ''}\r\n`,
    );
    socket.on('error', reject);
    socket.on('close', () => {
      // If clients were disconnected, the benchmark measures nothing.
      process.stderr.write('a client was disconnected\n');
      process.exit(1);
    });
    let open = false;
    const take = (chunk: Buffer): void => {
      if (open) {
        receive(member, chunk);
        return;
      }
      const text = chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end === -1) return;
      if (!text.startsWith('HTTP/1.1 101')) {
        reject(new Error(text.slice(0, 200)));
        return;
      }
      open = true;
      members.push(member);
      if (order.welcomeFrames === 0) resolve();
      else {
        let left = order.welcomeFrames;
        member.onFrame = () => {
          left -= 1;
          if (left > 0) return;
          member.onFrame = undefined;
          resolve();
        };
      }
      if (hello) socket.write(clientFrame(hello));
      if (chunk.length > end + 4) receive(member, chunk.subarray(end + 4));
    };
  });
}

async function open(order: Extract<CrowdOrder, { do: 'open' }>): Promise<CrowdReport> {
  const startedMs = performance.now();
  // As many at once as a busy accept queue accepts.
  for (let at = 0; at < order.hellos.length; at += 100)
    await Promise.all(order.hellos.slice(at, at + 100).map((hello) => openOne(order, hello)));
  return { done: 'open', milliseconds: performance.now() - startedMs };
}

function expectFrames(order: Extract<CrowdOrder, { do: 'expect' }>): Promise<CrowdReport> {
  const startedMs = performance.now();
  for (const member of members) {
    member.frames = 0;
    member.bytes = 0;
  }
  expected = 'framesEach' in order ? order.framesEach : Number.POSITIVE_INFINITY;
  expectedBytes = 'bytesEach' in order ? order.bytesEach : Number.POSITIVE_INFINITY;
  waiting = members.length;
  return new Promise((resolve) => {
    onAllReached = () => resolve({ done: 'expect', milliseconds: performance.now() - startedMs });
  });
}

/** The first letters of the answers' types at their place in a frame. Nothing else is decoded. */
const [ack, error] = [...'ae'].map((letter) => letter.charCodeAt(0));

/** Ids are unique on a connection, across all orders. */
let nextId = 0;

function send({ texts, inFlight, total, perSecond }: Extract<CrowdOrder, { do: 'send' }>): Promise<CrowdReport> {
  const startedMs = performance.now();
  let sent = 0;
  let answered = 0;
  let refused = 0;
  const latencies: number[] = [];
  return new Promise((resolve) => {
    const begun = new Map<string, number>();
    // Paced sends are spread evenly, as far as the sends in flight allow.
    const due = (n: number): number => (perSecond === undefined ? 0 : startedMs + (n * 1000) / perSecond);
    for (const [index, member] of members.entries()) {
      const write = (): void => {
        if (sent >= total) return;
        const waitMs = due(sent) - performance.now();
        sent += 1;
        if (waitMs > 1) setTimeout(begin, waitMs);
        else begin();
      };
      const begin = (): void => {
        const id = `${nextId++}`;
        begun.set(id, performance.now());
        member.socket.write(clientFrame(texts[index % texts.length]!.replaceAll('{n}', id)));
      };
      member.onFrame = (payload) => {
        // Answers only: {"type":"ack","id":"…" or {"type":"error","id":"…"
        if (payload[9] !== ack && payload[9] !== error) return;
        const answer = /^\{"type":"(ack|error)","id":"(\d+)"/.exec(payload.toString('latin1', 0, 60));
        if (!answer) return;
        const begunMs = begun.get(answer[2]!);
        if (begunMs === undefined) return;
        if (answer[1] === 'error') refused += 1;
        latencies.push(performance.now() - begunMs);
        begun.delete(answer[2]!);
        answered += 1;
        if (answered === total)
          resolve({ done: 'send', milliseconds: performance.now() - startedMs, latencies, refused });
        else write();
      };
      for (let n = 0; n < inFlight; n++) write();
    }
  });
}

process.on('message', (order: CrowdOrder) => {
  const work = order.do === 'open' ? open(order) : order.do === 'expect' ? expectFrames(order) : send(order);
  work.then(
    (report) => process.send!(report),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    },
  );
});
process.on('disconnect', () => process.exit(0));
