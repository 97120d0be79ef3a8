/** The text box for new messages. Its text is a draft from the first letter on: it survives another room, a reload and a refusal. */
import type { RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { randomKey } from '../../client/random-key.ts';
import type { ChatStore } from '../components/chat-store.ts';
import { isTooLong } from '../components/length-limit.tsx';
import { TextBox } from '../components/text-box.tsx';
import { onTouchScreen } from '../components/touch-screen.ts';

/** The `typing` signal is repeated after this time. */
const typingRepeatMs = 3000;
interface DraftText {
  readonly text: string;
  /** The text as of this moment: `text` is what was drawn last. */
  readonly current: () => string;
  readonly change: (text: string) => void;
}

/** The room's draft. A change by another tab is taken over where this tab showed the same text before. */
function useDraft({ drafts }: ChatStore, roomId: string): DraftText {
  const [text, setText] = useState(() => drafts.get(roomId));
  const shown = useRef(text);
  shown.current = text;

  useEffect(() => {
    const stop = drafts.onChange((changed, { before, now }) => {
      if (changed === roomId) setText((current) => (current === before ? now : current));
    });
    // Another tab has sent or emptied its text while this tab shows another one.
    const keep = () => {
      if (shown.current !== '' && drafts.get(roomId) === '') drafts.set(roomId, shown.current);
    };
    addEventListener('pagehide', keep);
    return () => {
      stop();
      keep();
      removeEventListener('pagehide', keep);
    };
  }, [drafts, roomId]);

  return {
    text,
    current: () => shown.current,
    change: (next) => {
      shown.current = next;
      setText(next);
      drafts.set(roomId, next);
    },
  };
}

interface ComposerProps {
  readonly store: ChatStore;
  readonly roomId: string;
  readonly roomName: string;
  readonly input: RefObject<HTMLTextAreaElement | null>;
}

export function Composer({ store, roomId, roomName, input }: ComposerProps) {
  const { text, current, change: setText } = useDraft(store, roomId);
  const saidAt = useRef(0);
  const lengthMax = store.state.messageLengthMax;
  const sendable = text.trim() !== '' && !isTooLong(text, lengthMax);

  useEffect(() => {
    // On a touch screen the focus alone would bring up a keyboard over half of the messages.
    if (!onTouchScreen) input.current?.focus();
    // A refused text came back to be changed.
    return store.drafts.onChange((changed) => {
      if (changed === roomId && document.hasFocus()) input.current?.focus();
    });
  }, [store, roomId]);

  function change(value: string): void {
    setText(value);
    const now = Date.now();
    if (value !== '' && now - saidAt.current > typingRepeatMs) {
      saidAt.current = now;
      store.client.typing(roomId, true);
    } else if (value === '') stopTyping();
  }

  function stopTyping(): void {
    if (saidAt.current > 0) store.client.typing(roomId, false);
    saidAt.current = 0;
  }

  function send(event?: Event): void {
    event?.preventDefault();
    // The second click of a double click may come before the page has drawn what the first one did.
    if (!sendable || current() === '') return;
    // The key is made once, here, so that a repeated send is not a second message.
    store.unsent.send({ roomId, text, clientId: randomKey() });
    saidAt.current = 0;
    setText('');
    input.current?.focus();
  }

  return (
    <form class="composer" onSubmit={send}>
      <TextBox
        label="Message"
        value={text}
        lengthMax={lengthMax}
        placeholder={`Message ${roomName}`}
        inputRef={input}
        onInput={change}
        onEnter={send}
        onBlur={stopTyping}
        onKeyDown={(event) => {
          if (event.key !== 'ArrowUp' || text !== '') return;
          event.preventDefault();
          store.editNewest(roomId);
        }}
      />
      <button class="primary" type="submit" disabled={!sendable}>
        Send
      </button>
    </form>
  );
}
