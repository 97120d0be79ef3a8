/** One message, and what its author may do with it. */
import { useState } from 'preact/hooks';
import type { Message } from '../client/parley-client.ts';
import { type ChatStore, explainRefusal, type Pending } from './chat-store.ts';
import { useLongPress } from './long-press.ts';
import { MessageActions } from './message-actions.tsx';

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

export function MessageItem({ store, message, head }: { store: ChatStore; message: Message; head: boolean }) {
  const [editing, setEditing] = useState(false);
  const [problem, setProblem] = useState('');
  /** A mouse is over it. A finger never is: what it taps must be visible before. */
  const [pointed, setPointed] = useState(false);
  const [sheet, setSheet] = useState(false);
  const me = store.client.user();
  const mentioned = me !== undefined && message.mentions.includes(me.id);
  const idle = !message.deletedAt && !editing;
  const longPress = useLongPress(() => setSheet(idle));

  const attempt = (work: () => Promise<unknown>) => {
    setProblem('');
    work().then(
      () => setEditing(false),
      (error: unknown) => setProblem(explainRefusal(error)),
    );
  };

  return (
    <article
      class={`message ${head ? 'head' : ''} ${mentioned ? 'mentions-me' : ''} ${pointed ? 'pointed' : ''}`}
      onPointerEnter={({ pointerType }) => setPointed(pointerType === 'mouse')}
      onPointerLeave={() => setPointed(false)}
      {...(idle ? longPress : {})}
    >
      {head && (
        <header>
          <Initials name={message.sender.displayName} id={message.sender.id} />
          <strong>{message.sender.displayName}</strong>
          <time dateTime={message.createdAt} title={calendar.format(new Date(message.createdAt))}>
            {clock.format(new Date(message.createdAt))}
          </time>
        </header>
      )}
      {message.deletedAt && <p class="deleted">This message was deleted.</p>}
      {!message.deletedAt && editing && (
        <Editor
          text={message.text}
          onCancel={() => setEditing(false)}
          onSave={(text) => attempt(() => store.client.edit(message.roomId, message.id, text))}
        />
      )}
      {!message.deletedAt && !editing && (
        // The server makes this HTML out of Markdown by an allow-list; nothing else may be in it.
        <div class="text" dir="auto" dangerouslySetInnerHTML={{ __html: message.html }} />
      )}
      {message.editedAt && !message.deletedAt && !editing && (
        <span class="edited" title={calendar.format(new Date(message.editedAt))}>
          (edited)
        </span>
      )}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {idle && (
        <MessageActions
          store={store}
          message={message}
          onEdit={() => setEditing(true)}
          attempt={attempt}
          sheet={sheet}
          onSheetClose={() => setSheet(false)}
        />
      )}
    </article>
  );
}

function Editor({ text, onSave, onCancel }: { text: string; onSave: (text: string) => void; onCancel: () => void }) {
  const [value, setValue] = useState(text);
  return (
    <form
      class="editor"
      onSubmit={(event) => {
        event.preventDefault();
        onSave(value);
      }}
    >
      <textarea
        aria-label="Edit message"
        value={value}
        rows={Math.min(8, value.split('\n').length + 1)}
        ref={(element) => element?.focus()}
        onInput={(event) => setValue(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') onCancel();
          if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
            event.preventDefault();
            onSave(value);
          }
        }}
      />
      <button type="submit">Save</button>
      <button type="button" class="link" onClick={onCancel}>
        Cancel
      </button>
    </form>
  );
}

interface PendingItemProps {
  readonly store: ChatStore;
  readonly pending: Pending;
  readonly head: boolean;
  readonly onDismiss: () => void;
}

/** A message that the server has not taken yet, or has refused. */
export function PendingItem({ store, pending, head, onDismiss }: PendingItemProps) {
  const me = store.client.user();
  return (
    <article class={`message pending ${head ? 'head' : ''} ${pending.refusal ? 'refused' : ''}`}>
      {head && me && (
        <header>
          <Initials name={me.displayName} id={me.id} />
          <strong>{me.displayName}</strong>
        </header>
      )}
      <div class="text plain" dir="auto">
        {pending.text}
      </div>
      {pending.refusal ? (
        <p class="problem" role="alert">
          {pending.refusal}
          <button type="button" class="link" onClick={onDismiss}>
            Dismiss
          </button>
        </p>
      ) : (
        <span class="hint">{pending.heldBack ? 'Only you see this until it is checked.' : 'Sending …'}</span>
      )}
    </article>
  );
}

/** Twelve colours of the stylesheet, one of them for each person. */
function Initials({ name, id }: { name: string; id: string }) {
  const colour = Number.parseInt(id.slice(-4), 16) % 12;
  return (
    <span class={`initials colour-${colour}`} aria-hidden="true">
      {[...name][0]?.toUpperCase()}
    </span>
  );
}
