/** Keeps a message for later, with a note and a reminder if wanted. */
import { useState } from 'preact/hooks';
import type { Message } from '../../../client/parley-client.ts';
import { useAttempt } from '../../components/attempt.ts';
import type { ChatStore } from '../../components/chat-store.ts';
import { Dialog } from '../../components/dialog.tsx';
import { Field } from '../../components/field.tsx';
import { fieldsOf } from '../../components/form-fields.ts';
import { MomentField } from '../../components/moment-field.tsx';
import { Refusal } from '../../components/refusal.tsx';

interface BookmarkDialogProps {
  readonly store: ChatStore;
  readonly message: Message;
  readonly onClose: () => void;
}

export function BookmarkDialog({ store, message, onClose }: BookmarkDialogProps) {
  const [remindAt, setRemindAt] = useState<string>();
  const { busy, problem, attempt } = useAttempt();
  return (
    <Dialog title="Bookmark message" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const note = fieldsOf(event)('note');
          void attempt(() =>
            store.client.bookmark(message.roomId, message.id, {
              ...(note ? { note } : {}),
              ...(remindAt ? { remindAt } : {}),
            }),
          ).then((done) => done && onClose());
        }}
      >
        <blockquote class="quoted" dir="auto">
          {message.text.slice(0, 200) || 'A message without text'}
        </blockquote>
        <Field label="Note" name="note" required={false} />
        <MomentField label="Remind me" none="Never" onChange={setRemindAt} />
        <Refusal words={problem} />
        <div class="row end">
          <button class="primary" type="submit" disabled={busy}>
            Bookmark
          </button>
        </div>
      </form>
    </Dialog>
  );
}
