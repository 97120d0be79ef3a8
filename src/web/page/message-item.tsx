/** One message. */
import { useState } from 'preact/hooks';
import { type Message, withLineBreaks } from '../../client/parley-client.ts';
import { Avatar } from '../components/avatar.tsx';
import { type ChatStore, explainRefusal } from '../components/chat-store.ts';
import { useConfirm } from '../components/confirm.tsx';
import { Refusal } from '../components/refusal.tsx';
import type { UnsentMessage } from '../components/unsent-messages.ts';
import { useLongPress } from './long-press.ts';
import { MessageActions } from './message-actions.tsx';
import { MessageEditor } from './message-editor.tsx';

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** Browsers without a mouse report one where the last finger was, when the elements below it change. */
const hasMouse = matchMedia('(any-hover: hover)');

interface MessageItemProps {
  readonly store: ChatStore;
  readonly message: Message;
  /** The first of several by one author: shown with author and time. */
  readonly head: boolean;
  readonly editing: boolean;
  readonly onEditEnd: () => void;
}

export function MessageItem({ store, message, head, editing, onEditEnd }: MessageItemProps) {
  const [problem, setProblem] = useState('');
  /** A mouse is over it. Never by a finger: what a finger taps must be visible before. */
  const [pointed, setPointed] = useState(false);
  const [sheet, setSheet] = useState(false);
  const me = store.client.user();
  // The user's own name and picture are known as they are now, not as they were when the message came.
  const author = message.sender.id === me?.id ? me : message.sender;
  const mentioned = me !== undefined && message.mentions.includes(me.id);
  const idle = !message.deletedAt && !editing;
  const longPress = useLongPress(() => setSheet(idle));

  const attempt = (work: () => Promise<unknown>) => {
    setProblem('');
    work().catch((error: unknown) => setProblem(explainRefusal(error)));
  };

  return (
    <article
      class={`message ${head ? 'head' : ''} ${mentioned ? 'mentions-me' : ''} ${pointed ? 'pointed' : ''}`}
      onPointerEnter={({ pointerType }) => setPointed(pointerType === 'mouse' && hasMouse.matches)}
      onPointerLeave={() => setPointed(false)}
      {...(idle ? longPress : {})}
    >
      {head && (
        <header>
          <Avatar person={author} />
          <strong>
            <bdi>{author.displayName}</bdi>
          </strong>
          <time dateTime={message.createdAt} title={calendar.format(new Date(message.createdAt))}>
            {clock.format(new Date(message.createdAt))}
          </time>
        </header>
      )}
      {message.deletedAt && <p class="deleted">This message was deleted.</p>}
      {!message.deletedAt && editing && <MessageEditor store={store} message={message} onEnd={onEditEnd} />}
      {!message.deletedAt && !editing && (
        // The server makes this HTML from Markdown by an allow-list; it contains nothing else.
        <div class="text" dir="auto" dangerouslySetInnerHTML={{ __html: withLineBreaks(message.html) }} />
      )}
      {message.editedAt && !message.deletedAt && !editing && (
        <span class="edited" title={calendar.format(new Date(message.editedAt))}>
          (edited)
        </span>
      )}
      <Refusal words={problem} />
      {idle && (
        <MessageActions
          store={store}
          message={message}
          onEdit={() => store.edits.set(message.id, message.text)}
          attempt={attempt}
          sheet={sheet}
          onSheetClose={() => setSheet(false)}
        />
      )}
    </article>
  );
}

/** A message that the server has not stored yet, or has refused. */
export function UnsentItem({ store, message, head }: { store: ChatStore; message: UnsentMessage; head: boolean }) {
  const confirm = useConfirm();
  const me = store.client.user();
  const { clientId, roomId, text, refusal, heldBack } = message;

  function edit(): void {
    store.drafts.prepend(roomId, text);
    store.unsent.remove(clientId);
  }

  async function discard(): Promise<void> {
    const words = 'It was not sent, and only this device has it.';
    if (await confirm({ title: 'Discard message?', words, action: 'Discard' })) store.unsent.remove(clientId);
  }

  return (
    <article class={`message unsent ${head ? 'head' : ''} ${refusal ? 'refused' : ''}`}>
      {head && me && (
        <header>
          <Avatar person={me} />
          <strong>
            <bdi>{me.displayName}</bdi>
          </strong>
        </header>
      )}
      <div class="text plain" dir="auto">
        {text}
      </div>
      {refusal ? (
        <div class="problem">
          <p role="alert">Not sent. {refusal}</p>
          <button type="button" class="link" onClick={edit}>
            Change text
          </button>
          <button type="button" class="link" onClick={() => store.unsent.sendAgain(clientId)}>
            Try again
          </button>
          <button type="button" class="link" onClick={() => void discard()}>
            Discard
          </button>
        </div>
      ) : (
        <span class="hint">{heldBack ? 'Only you see this until it is checked.' : 'Sending …'}</span>
      )}
    </article>
  );
}
