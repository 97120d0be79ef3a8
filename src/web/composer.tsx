/** Where one writes: Enter sends, Shift+Enter begins a new line. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { randomKey } from '../client/random-key.ts';
import type { ChatStore } from './chat-store.ts';

/** That one is writing is said again this often. */
const sayTypingMs = 3000;

export function Composer({ store, roomId, roomName }: { store: ChatStore; roomId: string; roomName: string }) {
  const [text, setText] = useState('');
  const saidAt = useRef(0);
  const input = useRef<HTMLTextAreaElement>(null);

  useEffect(() => input.current?.focus(), [roomId]);

  function change(value: string): void {
    setText(value);
    const now = Date.now();
    if (value !== '' && now - saidAt.current > sayTypingMs) {
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
    if (text.trim() === '') return;
    // Its key is made here, once, so that no repetition is a second message.
    void store.send(roomId, text, randomKey());
    saidAt.current = 0;
    setText('');
    input.current?.focus();
  }

  return (
    <form class="composer" onSubmit={send}>
      <label class="unseen" for="composer-text">
        Message
      </label>
      <textarea
        id="composer-text"
        ref={input}
        rows={Math.min(8, text.split('\n').length)}
        value={text}
        placeholder={`Message ${roomName}`}
        maxLength={8000}
        onInput={(event) => change(event.currentTarget.value)}
        onBlur={stopTyping}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) send(event);
        }}
      />
      <button class="primary" type="submit" disabled={text.trim() === ''}>
        Send
      </button>
    </form>
  );
}
