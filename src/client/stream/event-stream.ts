/**
 * Where WebSockets are blocked: frames come as Server-Sent Events, and go as REST calls. In the shape of a WebSocket, so that the connection
 * above it stays as it is. Over `fetch`, because `EventSource` takes no token.
 */
import { callOnce, isTokenRefused, parseAnswer, type Server, toParleyError } from '../calls/rest.ts';
import { leave } from '../leave.ts';
import type { Transport } from '../link/transport.ts';
import { ParleyError } from '../parley-error.ts';
import type { ServerFrame } from '../types.ts';
import { type ClientFrame, callByFrame } from './frame-calls.ts';

/** After these the connection is made again at once, with another token where that is due. */
const closeCodes = { unauthenticated: 4001, refused: 1008, abnormal: 1006 };
/** Asked for where a proxy gathered the first answer: most gather 4 to 16 kB. */
const paddingBytes = 16_384;
/** An answer that begins later was gathered. */
const gatheredMs = 5000;

/** Whether a proxy between here and the server gathers bytes. The next stream asks for padding. */
let isGathered = false;

export class EventStream implements Transport {
  readonly transport = 'sse';
  onopen: Transport['onopen'] = null;
  onmessage: Transport['onmessage'] = null;
  onclose: Transport['onclose'] = null;
  readonly #server: Server;
  readonly #token: string;
  readonly #abort = new AbortController();
  #isClosed = false;

  constructor(server: Server, token: string) {
    this.#server = server;
    this.#token = token;
    // As a WebSocket: not before those who made it can listen.
    queueMicrotask(() => this.onopen?.(undefined as never));
  }

  send(text: string): void {
    const frame = JSON.parse(text) as ClientFrame;
    leave(frame.type === 'hello' ? this.#read(frame) : this.#call(frame));
  }

  close(code = 1000): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#abort.abort();
    queueMicrotask(() => this.onclose?.({ code }));
  }

  #tell(frame: ServerFrame): void {
    if (!this.#isClosed) this.onmessage?.({ data: JSON.stringify(frame) });
  }

  #refuse(id: ClientFrame['id'], error: unknown): void {
    if (!(error instanceof ParleyError)) throw error;
    const { code, message, details } = error;
    this.#tell({ ...details, type: 'error', id, code, message });
  }

  async #call(frame: ClientFrame): Promise<void> {
    try {
      const answer = await callByFrame((request) => callOnce(this.#server, { ...request, token: this.#token }), frame);
      this.#tell({ ...answer, type: 'ack', id: frame.id });
    } catch (error) {
      // As the server does it on a socket: the connection ends with its token.
      if (isTokenRefused(error)) this.close(closeCodes.unauthenticated);
      else this.#refuse(frame.id, error);
    }
  }

  /** Reads the stream until its end. Its first frame answers the hello. */
  async #read({ id, resume }: ClientFrame): Promise<void> {
    try {
      const response = await this.#open(resume);
      if (!response.ok) {
        const error = toParleyError(response, parseAnswer(await response.text()));
        this.#refuse(id, error);
        if (isTokenRefused(error)) this.close(closeCodes.unauthenticated);
        else this.close(error.retryable ? closeCodes.abnormal : closeCodes.refused);
        return;
      }
      await this.#readEvents(response.body!, id);
    } catch (error) {
      if (error instanceof ParleyError) throw error;
      // The network ended it, or `close` did.
    }
    this.close(closeCodes.abnormal);
  }

  #open(resume: unknown): Promise<Response> {
    const headers: Record<string, string> = { accept: 'text/event-stream', authorization: `Bearer ${this.#token}` };
    if (resume !== undefined) headers['last-event-id'] = toCursor(resume);
    const query = isGathered ? `?padding=${paddingBytes}` : '';
    return this.#server.fetch(`${this.#server.url}/v1/sse${query}`, {
      headers,
      signal: this.#abort.signal,
      cache: 'no-store',
    });
  }

  async #readEvents(body: ReadableStream<Uint8Array>, helloId: ClientFrame['id']): Promise<void> {
    const timer = setTimeout(() => {
      isGathered = true;
      this.close(closeCodes.abnormal);
    }, gatheredMs);
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let rest = '';
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      const blocks = (rest + decoder.decode(chunk.value, { stream: true })).split('\n\n');
      rest = blocks.pop()!;
      for (const block of blocks) {
        const event = readBlock(block);
        if (!event) continue;
        clearTimeout(timer);
        this.#take(event, helloId);
      }
    }
    clearTimeout(timer);
  }

  #take({ name, data }: StreamEvent, helloId: ClientFrame['id']): void {
    if (name === 'close') {
      this.close((JSON.parse(data) as { code: number }).code);
      return;
    }
    const frame = JSON.parse(data) as ServerFrame;
    const isAnswer = frame.type === 'welcome' || (frame.type === 'error' && frame.id !== undefined);
    this.#tell(isAnswer ? { ...frame, id: helloId } : frame);
  }
}

interface StreamEvent {
  readonly name: string;
  readonly data: string;
}

/** One event of a stream; undefined for comments and ids alone. */
function readBlock(block: string): StreamEvent | undefined {
  let [name, data] = ['message', ''];
  for (const line of block.split('\n')) {
    if (line.startsWith('data: ')) data += line.slice('data: '.length);
    if (line.startsWith('event: ')) name = line.slice('event: '.length);
  }
  return data === '' ? undefined : { name, data };
}

/** The positions of a hello as the id of an event. */
function toCursor(resume: unknown): string {
  // Ids and numbers only: one byte each.
  return btoa(JSON.stringify(resume)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
