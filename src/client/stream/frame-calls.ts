/** What each frame of the client is over REST. */
import type { Request } from '../calls/rest.ts';

export interface ClientFrame {
  readonly type: string;
  readonly id: string | number;
  readonly roomId?: string;
  readonly messageId?: string;
  readonly [field: string]: unknown;
}

type Answer = Readonly<Record<string, unknown>>;
type Ask = <Given = Answer>(request: Request) => Promise<Given>;

interface StoredMessage {
  readonly id: string;
  readonly seq?: number;
  readonly createdAt: string;
  readonly pending?: boolean;
}

/** @returns the fields of the `ack`. @throws ParleyError */
export async function callByFrame(
  ask: Ask,
  { type, id: _id, roomId, messageId, ...fields }: ClientFrame,
): Promise<Answer> {
  const room = `/v1/rooms/${roomId}`;
  const message = `${room}/messages/${messageId}`;
  switch (type) {
    case 'message.send': {
      const { id, ...sent } = await ask<StoredMessage>({ method: 'POST', path: `${room}/messages`, body: fields });
      return { messageId: id, seq: sent.seq, createdAt: sent.createdAt, pending: sent.pending };
    }
    case 'message.edit':
      return ask({ method: 'PATCH', path: message, body: fields });
    case 'message.delete':
      return ask({ method: 'DELETE', path: message });
    case 'read':
      return ask({ method: 'PUT', path: `${room}/read`, body: fields });
    case 'presence.watch':
      return watch(ask, fields.userIds as readonly string[]);
    default:
      // Signals that REST does not have (typing, presence), and what keeps a socket alive.
      return {};
  }
}

/** As of now; changes do not come over a stream. */
async function watch(ask: Ask, userIds: readonly string[]): Promise<Answer> {
  if (userIds.length === 0) return { presence: {} };
  return ask({ method: 'GET', path: `/v1/presence?userIds=${userIds.map(encodeURIComponent).join()}` });
}
