/** Edits the text of a message in its place, always in view. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Message } from '../../../client/parley-client.ts';
import { type ChatStore, explainRefusal } from '../../components/chat-store.ts';
import { useConfirm } from '../../components/confirm.tsx';
import { isTooLong } from '../../components/length-limit.tsx';
import { Refusal } from '../../components/refusal.tsx';
import { TextBox } from '../../components/text-box.tsx';

/** @param onEnd called when the edit was saved or cancelled */
export function MessageEditor({ store, message, onEnd }: { store: ChatStore; message: Message; onEnd: () => void }) {
  const confirm = useConfirm();
  const [text, setText] = useState(store.edits.get(message.id) ?? message.text);
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const input = useRef<HTMLTextAreaElement>(null);
  const lengthMax = store.state.messageLengthMax;
  const savable = !busy && text.trim() !== '' && !isTooLong(text, lengthMax);

  /** False for an edit that was left earlier and is only shown again: it takes neither the focus nor the scroll position. */
  const active = useRef(text === message.text);

  useLayoutEffect(() => {
    // The buttons below the text stay in view while it grows.
    if (active.current) form.current?.scrollIntoView({ block: 'nearest' });
  }, [text, problem]);
  // Before the next key is handled: it is meant for the editor.
  useLayoutEffect(() => {
    const { current } = input;
    if (!active.current || !current) return;
    current.focus({ preventScroll: true });
    current.setSelectionRange(current.value.length, current.value.length);
  }, []);

  function change(value: string): void {
    active.current = true;
    setText(value);
    store.edits.set(message.id, value);
  }

  function end(): void {
    store.edits.end(message.id);
    onEnd();
  }

  async function save(): Promise<void> {
    if (!savable) return;
    setBusy(true);
    setProblem('');
    try {
      if (text !== message.text) await store.client.edit(message.roomId, message.id, text);
      end();
    } catch (error) {
      // The text stays, to be changed or saved again.
      setProblem(explainRefusal(error));
      setBusy(false);
    }
  }

  async function cancel(): Promise<void> {
    const words = 'The message stays as it was before.';
    if (text === message.text || (await confirm({ title: 'Discard your changes?', words, action: 'Discard' }))) end();
  }

  return (
    <form
      ref={form}
      class="editor"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <TextBox
        label="Edit message"
        value={text}
        lengthMax={lengthMax}
        inputRef={input}
        onInput={change}
        onEnter={() => void save()}
        onKeyDown={(event) => {
          if (event.key === 'Escape') void cancel();
        }}
      />
      <Refusal words={problem} />
      <button class="primary" type="submit" disabled={!savable}>
        Save
      </button>
      <button type="button" class="link" onClick={() => void cancel()}>
        Cancel
      </button>
    </form>
  );
}
