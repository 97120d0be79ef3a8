/** The text box for new messages. Its text is a draft from the first letter on: it survives another room, a reload and a refusal. */
import type { RefObject } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { MessageParts, OwnRoom } from '../../../client/parley-client.ts';
import { randomKey } from '../../../client/random-key.ts';
import type { ChatStore } from '../../components/chat-store.ts';
import { isTooLong } from '../../components/length-limit.tsx';
import { TextBox } from '../../components/text-box.tsx';
import { onTouchScreen } from '../../components/touch-screen.ts';
import { AttachmentTray } from './attachment-tray.tsx';
import { ComposerMenu, EmojiButton } from './composer-menu.tsx';
import { MentionList, optionId } from './mention-list.tsx';
import { useMentions } from './use-mentions.ts';
import { type Uploads, useUploads } from './use-uploads.ts';

/** The `typing` signal is repeated after this time. */
const typingRepeatMs = 3000;

interface DraftText {
  readonly text: string;
  /** The text as of this moment: `text` is what was drawn last. */
  readonly current: () => string;
  readonly change: (text: string) => void;
}

/** The draft of a room or a thread. A change by another tab is taken over where this tab showed the same text before. */
function useDraft({ drafts }: ChatStore, key: string): DraftText {
  const [text, setText] = useState(() => drafts.get(key));
  const shown = useRef(text);
  shown.current = text;

  useEffect(() => {
    const stop = drafts.onChange((changed, { before, now }) => {
      if (changed === key) setText((current) => (current === before ? now : current));
    });
    // Another tab has sent or emptied its text while this tab shows another one.
    const keep = () => {
      if (shown.current !== '' && drafts.get(key) === '') drafts.set(key, shown.current);
    };
    addEventListener('pagehide', keep);
    return () => {
      stop();
      keep();
      removeEventListener('pagehide', keep);
    };
  }, [drafts, key]);

  return {
    text,
    current: () => shown.current,
    change: (next) => {
      shown.current = next;
      setText(next);
      drafts.set(key, next);
    },
  };
}

interface ComposerProps {
  readonly store: ChatStore;
  readonly room: OwnRoom;
  /** Of the thread that the message is for; undefined: the room itself. */
  readonly threadId?: string;
  readonly input: RefObject<HTMLTextAreaElement | null>;
}

export function Composer({ store, room, threadId, input }: ComposerProps) {
  const draft = useDraft(store, threadId ?? room.id);
  const { text, current, change: setText } = draft;
  const uploads = useUploads(store);
  const typing = useTypingSignal(store, room.id);
  const [alsoInRoom, setAlsoInRoom] = useState(false);
  const mentions = useMentions({ store, room, input }, setText);
  const listId = useId();
  const lengthMax = store.state.messageLengthMax;
  const hasContent = text.trim() !== '' || uploads.all.length > 0;
  const sendable = hasContent && uploads.settled && !isTooLong(text, lengthMax);
  useFocus(store, threadId ?? room.id, input);

  function change(value: string): void {
    setText(value);
    store.draftSync.wrote({ roomId: room.id, threadId }, value);
    typing.wrote(value !== '');
  }

  function partsNow(): MessageParts {
    const attachmentIds = uploads.all.map(({ attachment }) => attachment!.id);
    return {
      ...(threadId ? { threadId, ...(alsoInRoom ? { alsoInRoom } : {}) } : {}),
      ...(attachmentIds.length > 0 ? { attachmentIds } : {}),
    };
  }

  function clear(): void {
    typing.forget();
    setText('');
    store.draftSync.wrote({ roomId: room.id, threadId }, '');
    uploads.clear();
    mentions.close();
  }

  function send(event?: Event): void {
    event?.preventDefault();
    // The second click of a double click may come before the page has drawn what the first one did.
    if (!sendable || (current() === '' && uploads.all.length === 0)) return;
    // The key is made once, here, so that a repeated send is not a second message.
    store.unsent.send({ roomId: room.id, text, clientId: randomKey(), ...partsOf(partsNow()) });
    clear();
    input.current?.focus();
  }

  return (
    <form
      class="composer"
      onSubmit={send}
      onPaste={(event) => takeFiles(event, event.clipboardData, uploads)}
      onDrop={(event) => takeFiles(event, event.dataTransfer, uploads)}
      onDragOver={(event) => event.dataTransfer?.types.includes('Files') && event.preventDefault()}
    >
      <MentionList store={store} mentions={mentions} id={listId} />
      <AttachmentTray uploads={uploads} />
      <div class="composer-row">
        <ComposerMenu
          store={store}
          room={room}
          text={text}
          parts={partsNow}
          uploads={uploads}
          onSent={clear}
          ready={sendable}
        />
        <TextBox
          label={threadId ? 'Reply' : 'Message'}
          value={text}
          lengthMax={lengthMax}
          placeholder={threadId ? 'Reply in thread' : `Message ${room.name}`}
          inputRef={input}
          onInput={(value) => {
            change(value);
            mentions.look();
          }}
          onEnter={send}
          onBlur={() => {
            typing.wrote(false);
            mentions.close();
          }}
          onKey={mentions.press}
          onSelect={mentions.look}
          list={
            mentions.suggestions.length > 0 ? { id: listId, activeId: optionId(listId, mentions.active) } : undefined
          }
          onKeyDown={(event) => {
            if (event.key !== 'ArrowUp' || text !== '' || threadId) return;
            event.preventDefault();
            store.editNewest(room.id);
          }}
        />
        <EmojiButton store={store} input={input} onChange={change} />
        <button class="primary" type="submit" disabled={!sendable}>
          {threadId ? 'Reply' : 'Send'}
        </button>
      </div>
      {threadId && (
        <label class="check also-in-room">
          <input type="checkbox" checked={alsoInRoom} onChange={() => setAlsoInRoom(!alsoInRoom)} />
          <span>
            Also send to <bdi>{room.name}</bdi>
          </span>
        </label>
      )}
    </form>
  );
}

/** Nothing for a message that is text alone. */
function partsOf(parts: MessageParts): { parts?: MessageParts } {
  return Object.keys(parts).length > 0 ? { parts } : {};
}

/** Files that were pasted or dropped are uploaded; anything else is left to the browser. */
function takeFiles(event: Event, data: DataTransfer | null, uploads: Uploads): void {
  const files = [...(data?.files ?? [])];
  if (files.length === 0) return;
  event.preventDefault();
  uploads.add(files);
}

function useFocus({ drafts }: ChatStore, key: string, input: ComposerProps['input']): void {
  useEffect(() => {
    // On a touch screen the focus alone would bring up a keyboard over half of the messages.
    if (!onTouchScreen) input.current?.focus();
    // A refused text came back to be changed.
    return drafts.onChange((changed) => {
      if (changed === key && document.hasFocus()) input.current?.focus();
    });
  }, [drafts, key]);
}

interface TypingSignal {
  /** @param some whether there is a text now */
  readonly wrote: (some: boolean) => void;
  /** The message was sent, which ends the signal by itself. */
  readonly forget: () => void;
}

function useTypingSignal({ client }: ChatStore, roomId: string): TypingSignal {
  const saidAt = useRef(0);
  return {
    wrote: (some) => {
      const now = Date.now();
      if (some && now - saidAt.current > typingRepeatMs) {
        saidAt.current = now;
        client.typing(roomId, true);
      } else if (!some) {
        if (saidAt.current > 0) client.typing(roomId, false);
        saidAt.current = 0;
      }
    },
    forget: () => {
      saidAt.current = 0;
    },
  };
}
