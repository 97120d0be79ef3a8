/** Requests over a socket that wait for their answers, each under an id of its own. */
import { ParleyError } from '../parley-error.ts';
import type { ServerFrame } from '../types.ts';

export interface PendingRequests {
  /**
   * @param send sends the request under this id
   * @returns the answer. @throws ParleyError the refusal; `offline` when no answer came in time or the connection was lost
   */
  readonly add: (send: (id: string) => void, timeoutMs: number) => Promise<ServerFrame>;
  /** Settles the request that the frame answers. @returns whether it answers one */
  readonly settle: (frame: ServerFrame) => boolean;
  /** The connection was lost: fails all of them with `offline`. */
  readonly failAll: () => void;
}

const answers = new Set(['ack', 'welcome', 'error']);

interface Request {
  readonly resolve: (frame: ServerFrame) => void;
  readonly reject: (error: ParleyError) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

export function createPendingRequests(): PendingRequests {
  const requests = new Map<string, Request>();
  let nextId = 0;

  function take(id: string): Request | undefined {
    const request = requests.get(id);
    clearTimeout(request?.timer);
    requests.delete(id);
    return request;
  }

  return {
    add: (send, timeoutMs) =>
      new Promise((resolve, reject) => {
        const id = `${nextId++}`;
        const timer = setTimeout(
          () => take(id)?.reject(new ParleyError('offline', 'the server did not answer')),
          timeoutMs,
        );
        requests.set(id, { resolve, reject, timer });
        send(id);
      }),
    settle: (frame) => {
      const request = answers.has(frame.type) && frame.id !== undefined ? take(String(frame.id)) : undefined;
      if (!request) return false;
      if (frame.type === 'error')
        request.reject(new ParleyError(frame.code ?? 'internal', frame.message ?? 'refused', frame));
      else request.resolve(frame);
      return true;
    },
    failAll: () => {
      for (const id of [...requests.keys()]) take(id)?.reject(new ParleyError('offline', 'the connection was lost'));
    },
  };
}
