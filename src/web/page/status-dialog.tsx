/** Sets the user's custom status, or clears it. */
import { useState } from 'preact/hooks';
import type { CustomStatus } from '../../client/parley-client.ts';
import { useAttempt } from '../components/attempt.ts';
import type { ChatStore } from '../components/chat-store.ts';
import { Dialog } from '../components/dialog.tsx';
import { EmojiPicker } from '../components/emoji-picker.tsx';
import { Icon } from '../components/icon.tsx';
import { MomentField } from '../components/moment-field.tsx';
import { Popover, usePopover } from '../components/popover.tsx';
import { Refusal } from '../components/refusal.tsx';

export function StatusDialog({ store, onClose }: { store: ChatStore; onClose: () => void }) {
  const before = store.client.user()?.status;
  const [emoji, setEmoji] = useState<string | null>(before?.emoji ?? null);
  const [text, setText] = useState(before?.text ?? '');
  const [expiresAt, setExpiresAt] = useState<string>();
  const { open, anchor, close, handlers } = usePopover();
  const { busy, problem, attempt } = useAttempt();
  const isEmpty = emoji === null && text.trim() === '';

  async function save(status: CustomStatus | null): Promise<void> {
    const done = await attempt(() => store.client.profile({ status }));
    if (!done) return;
    store.profileChanged();
    onClose();
  }

  return (
    <Dialog title="Set a status" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void save({ emoji, text: text.trim() || null, expiresAt: expiresAt ?? null });
        }}
      >
        <div class="status-line">
          <button
            type="button"
            class="status-emoji"
            ref={anchor}
            aria-label={emoji ? `Emoji ${emoji}: change` : 'Choose an emoji'}
            {...handlers}
          >
            {emoji ?? <Icon name="smile" />}
          </button>
          <input
            aria-label="Status"
            placeholder="What are you up to?"
            data-first-focus
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </div>
        {open && (
          <Popover anchor={anchor} label="Choose an emoji" onClose={close}>
            <EmojiPicker
              memory={store.emojiMemory}
              toUrl={store.client.fileUrl}
              onPick={(picked) => {
                setEmoji(picked);
                close();
              }}
            />
          </Popover>
        )}
        <MomentField label="Clear it" none="Never" onChange={setExpiresAt} />
        <Refusal words={problem} />
        <div class="row end">
          {before && (
            <button type="button" disabled={busy} onClick={() => void save(null)}>
              Clear status
            </button>
          )}
          <button class="primary" type="submit" disabled={busy || isEmpty}>
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}
