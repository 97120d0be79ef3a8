/** One message. */
import { useState } from 'preact/hooks';
import { type Message, withLineBreaks } from '../../../client/parley-client.ts';
import { Avatar } from '../../components/avatar.tsx';
import { type ChatStore, explainRefusal } from '../../components/chat-store.ts';
import { useConfirm } from '../../components/confirm.tsx';
import { Icon } from '../../components/icon.tsx';
import { useLongPress } from '../../components/long-press.ts';
import { placeOf } from '../../components/page-places.ts';
import { Refusal } from '../../components/refusal.tsx';
import { StatusEmoji } from '../../components/status-emoji.tsx';
import type { UnsentMessage } from '../../components/unsent-messages.ts';
import { MessageActions } from './message-actions.tsx';
import { MessageEditor } from './message-editor.tsx';
import { MessageParts } from './message-parts.tsx';
import { ThreadLine } from './thread-line.tsx';

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
  /** Where it is shown: in the thread that is open, it does not lead there. */
  readonly inThread?: boolean;
}

export function MessageItem({ store, message, head, editing, onEditEnd, inThread = false }: MessageItemProps) {
  const [problem, setProblem] = useState('');
  /** A mouse is over it. Never by a finger: what a finger taps must be visible before. */
  const [pointed, setPointed] = useState(false);
  const [sheet, setSheet] = useState(false);
  const me = store.client.user();
  // The user's own name and picture are known as they are now, not as they were when the message came.
  const author = message.sender.id === me?.id ? me : message.sender;
  const mentioned = me !== undefined && (message.mentions.includes(me.id) || (message.mentionsAll ?? null) !== null);
  const shown = store.state.pointed === message.id;
  const idle = !message.deletedAt && !editing;
  const longPress = useLongPress(() => setSheet(idle));

  const attempt = (work: () => Promise<unknown>) => {
    setProblem('');
    work().catch((error: unknown) => setProblem(explainRefusal(error)));
  };

  return (
    <article
      class={`message ${head ? 'head' : ''} ${mentioned ? 'mentions-me' : ''} ${pointed ? 'pointed' : ''} ${shown ? 'linked' : ''}`}
      id={`message-${message.id}`}
      tabIndex={shown ? -1 : undefined}
      onPointerEnter={({ pointerType }) => setPointed(pointerType === 'mouse' && hasMouse.matches)}
      onPointerLeave={() => setPointed(false)}
      {...(idle ? longPress : {})}
    >
      {head && (
        <header>
          <Avatar person={author} presence={store.state.presence.get(author.id)} />
          <strong>
            <bdi>{author.displayName}</bdi>
          </strong>
          <StatusEmoji status={store.state.statuses.get(author.id)} />
          <time dateTime={message.createdAt} title={calendar.format(new Date(message.createdAt))}>
            {clock.format(new Date(message.createdAt))}
          </time>
          {message.pinned && (
            <span class="hint pinned">
              <Icon name="pin" />
              Pinned
            </span>
          )}
        </header>
      )}
      {!head && message.pinned && (
        <span class="hint pinned">
          <Icon name="pin" />
          Pinned
        </span>
      )}
      <MessageOrigin message={message} inThread={inThread} />
      {message.deletedAt && <p class="deleted">This message was deleted.</p>}
      {!message.deletedAt && editing && <MessageEditor store={store} message={message} onEnd={onEditEnd} />}
      {!message.deletedAt && !editing && <MessageText message={message} />}
      {message.editedAt && !message.deletedAt && !editing && (
        <span class="edited" title={calendar.format(new Date(message.editedAt))}>
          (edited)
        </span>
      )}
      {!message.deletedAt && <MessageParts store={store} message={message} attempt={attempt} inThread={inThread} />}
      {message.deletedAt && !inThread && <ThreadLine store={store} message={message} />}
      <Refusal words={problem} />
      {idle && (
        <MessageActions
          inThread={inThread}
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

function MessageText({ message: { html, text, streaming, interrupted } }: { message: Message }) {
  if (streaming)
    return (
      <div class="text plain streaming" dir="auto" aria-busy="true">
        {text}
        <span class="cursor" aria-hidden="true" />
      </div>
    );
  return (
    <>
      {/* The server makes this HTML from Markdown by an allow-list; it contains nothing else. */}
      {html && <div class="text" dir="auto" dangerouslySetInnerHTML={{ __html: withLineBreaks(html) }} />}
      {interrupted && <p class="hint">The writer stopped before the end.</p>}
    </>
  );
}

/** Where a message comes from: another room, or a thread of this one. */
function MessageOrigin({ message, inThread }: { message: Message; inThread: boolean }) {
  const { forwarded, threadId, roomId } = message;
  return (
    <>
      {forwarded && !message.deletedAt && (
        <p class="hint origin">
          Forwarded from <bdi>{forwarded.sender.displayName}</bdi>, {calendar.format(new Date(forwarded.createdAt))}
        </p>
      )}
      {threadId && !inThread && (
        <a class="hint origin" href={placeOf.thread(roomId, threadId)}>
          Replied to a thread
        </a>
      )}
    </>
  );
}

/** A message that the server has not stored yet, or has refused. */
export function UnsentItem({ store, message, head }: { store: ChatStore; message: UnsentMessage; head: boolean }) {
  const confirm = useConfirm();
  const me = store.client.user();
  const { clientId, roomId, text, refusal, heldBack } = message;

  function edit(): void {
    store.drafts.prepend(message.parts?.threadId ?? roomId, text);
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
      {text && (
        <div class="text plain" dir="auto">
          {text}
        </div>
      )}
      <UnsentParts message={message} />
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

/** What an unsent message holds beside its text, in words. */
function UnsentParts({ message: { parts } }: { message: UnsentMessage }) {
  const files = parts?.attachmentIds?.length ?? 0;
  return (
    <>
      {files > 0 && (
        <p class="hint">
          {files} {files === 1 ? 'file' : 'files'}
        </p>
      )}
      {parts?.poll && <p class="hint">Poll: {parts.poll.question}</p>}
      {parts?.forward && <p class="hint">A forwarded message</p>}
    </>
  );
}
