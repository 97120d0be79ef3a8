/** The buttons beside the text: files, polls, sending later, emoji. */
import { createPortal } from 'preact/compat';
import { useRef, useState } from 'preact/hooks';
import type { MessageParts, OwnRoom } from '../../../client/parley-client.ts';
import { randomKey } from '../../../client/random-key.ts';
import type { ChatStore } from '../../components/chat-store.ts';
import { EmojiPicker } from '../../components/emoji-picker.tsx';
import { Icon } from '../../components/icon.tsx';
import { Menu, Popover, usePopover } from '../../components/popover.tsx';
import { PollDialog } from './poll-dialog.tsx';
import { ScheduleDialog } from './schedule-dialog.tsx';
import type { Uploads } from './use-uploads.ts';

interface ComposerMenuProps {
  readonly store: ChatStore;
  readonly room: OwnRoom;
  readonly text: string;
  readonly parts: () => MessageParts;
  readonly uploads: Uploads;
  /** There is something to send. */
  readonly ready: boolean;
  readonly onSent: () => void;
}

export function ComposerMenu({ store, room, text, parts: toParts, uploads, ready, onSent }: ComposerMenuProps) {
  const { open, anchor, close, handlers } = usePopover();
  const [dialog, setDialog] = useState<'poll' | 'later'>();
  const picker = useRef<HTMLInputElement>(null);
  const items = [
    { name: 'Attach files …', run: () => picker.current?.click() },
    { name: 'Poll …', run: () => setDialog('poll') },
    ...(ready ? [{ name: 'Send later …', run: () => setDialog('later') }] : []),
  ];
  const closeDialog = () => setDialog(undefined);
  // Outside the composer's form: a form in a form would send both.
  const dialogs = {
    poll: () => (
      <PollDialog
        onSend={(poll) => {
          const parts = { ...toParts(), poll };
          store.unsent.send({ roomId: room.id, text: '', clientId: randomKey(), parts });
        }}
        onClose={closeDialog}
      />
    ),
    later: () => {
      const message = { store, roomId: room.id, text, parts: toParts() };
      return <ScheduleDialog {...message} onDone={onSent} onClose={closeDialog} />;
    },
  };
  return (
    <>
      <button
        type="button"
        class="icon-button"
        ref={anchor}
        aria-label="Add to message"
        title="Add to message"
        aria-haspopup="menu"
        aria-expanded={open}
        {...handlers}
      >
        <Icon name="plus" />
      </button>
      <input
        ref={picker}
        class="file-input"
        type="file"
        multiple
        hidden
        aria-label="Attach files"
        onChange={(event) => {
          uploads.add(event.currentTarget.files ?? []);
          event.currentTarget.value = '';
        }}
      />
      {open && <Menu items={items} anchor={anchor} label="Add to message" onClose={close} />}
      {dialog && createPortal(dialogs[dialog](), document.body)}
    </>
  );
}
/** Writes an emoji where the caret is. */
export function EmojiButton({
  store,
  input,
  onChange,
}: {
  store: ChatStore;
  input: { readonly current: HTMLTextAreaElement | null };
  onChange: (text: string) => void;
}) {
  const { open, anchor, close, handlers } = usePopover();
  function insert(emoji: string): void {
    close();
    const { current } = input;
    if (!current) return;
    const { value, selectionStart, selectionEnd } = current;
    onChange(value.slice(0, selectionStart) + emoji + value.slice(selectionEnd));
    requestAnimationFrame(() => {
      current.focus();
      current.setSelectionRange(selectionStart + emoji.length, selectionStart + emoji.length);
    });
  }
  return (
    <>
      <button
        type="button"
        class="icon-button emoji-button"
        ref={anchor}
        aria-label="Emoji"
        title="Emoji"
        aria-expanded={open}
        {...handlers}
      >
        <Icon name="smile" />
      </button>
      {open && (
        <Popover anchor={anchor} label="Choose an emoji" onClose={close}>
          <EmojiPicker memory={store.emojiMemory} toUrl={store.client.fileUrl} onPick={insert} />
        </Popover>
      )}
    </>
  );
}
