/** Messages as views show them: those of the log, and the user's own that are on their way. */
import type { OutboxEntry } from '../outbox/outbox.ts';
import { fromErrorData, type ParleyError } from '../parley-error.ts';
import type { Attachment, Message, Profile } from '../types.ts';

export interface ChatMessage extends Message {
  /** Stays the same while a message that is being sent becomes the stored one: a key for lists. */
  readonly key: string;
  /**
   * `sending`: it is in the outbox, and is sent when there is a connection. Until it is `sent`, `id` is its `clientId`, and `seq` is behind
   * that of every other message. `failed`: the server refused it; `error` says why.
   */
  readonly status: 'sending' | 'sent' | 'failed';
  readonly error?: ParleyError;
}

/** Behind every seq of a log. */
const unsentSeq = Number.MAX_SAFE_INTEGER;

const shown = new WeakMap<Message, ChatMessage>();
const echoes = new WeakMap<OutboxEntry, ChatMessage>();

/** A message of the log. The same one gives the same object. */
export function toChatMessage(message: Message): ChatMessage {
  const known = shown.get(message);
  if (known) return known;
  const key = message.clientId === null ? message.id : keyOf(message.sender.id, message.clientId);
  const made: ChatMessage = { ...message, key, status: 'sent' };
  shown.set(message, made);
  return made;
}

/** A message of the outbox. The same entry gives the same object. */
export function toEcho(
  entry: OutboxEntry,
  { sender, attachments }: { sender: Profile; attachments: (id: string) => Attachment | undefined },
): ChatMessage {
  const known = echoes.get(entry);
  if (known) return known;
  const { clientId, roomId, text, parts = {} } = entry.message;
  const files = (parts.attachmentIds ?? []).map(attachments).filter((each) => each !== undefined);
  const made: ChatMessage = {
    ...emptyMessage,
    id: clientId,
    clientId,
    key: keyOf(sender.id, clientId),
    roomId,
    sender,
    text,
    html: toPlainHtml(text),
    replyTo: parts.replyTo ?? null,
    threadId: parts.threadId ?? null,
    attachments: files,
    createdAt: new Date(entry.writtenAtMs).toISOString(),
    status: entry.state === 'failed' ? 'failed' : 'sending',
    ...(parts.alsoInRoom ? { alsoInRoom: true } : {}),
    ...(entry.error ? { error: fromErrorData(entry.error) } : {}),
  };
  echoes.set(entry, made);
  return made;
}

const emptyMessage = {
  seq: unsentSeq,
  mentions: [],
  mentionsAll: null,
  replyCount: 0,
  thread: null,
  reactions: [],
  pinned: false,
  editedAt: null,
  deletedAt: null,
} as const;

function keyOf(senderId: string, clientId: string): string {
  return `${senderId}:${clientId}`;
}

/** Until the server has rendered it, a text is shown as it was typed. */
function toPlainHtml(text: string): string {
  const escaped = text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
  return `<p>${escaped.replaceAll('\n', '<br>\n')}</p>`;
}
