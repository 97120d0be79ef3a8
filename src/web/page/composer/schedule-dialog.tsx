/** Sends the text that was written later. */
import { useState } from 'preact/hooks';
import type { MessageParts } from '../../../client/parley-client.ts';
import { randomKey } from '../../../client/random-key.ts';
import { useAttempt } from '../../components/attempt.ts';
import type { ChatStore } from '../../components/chat-store.ts';
import { Dialog } from '../../components/dialog.tsx';
import { MomentField } from '../../components/moment-field.tsx';
import { Refusal } from '../../components/refusal.tsx';

interface ScheduleDialogProps {
  readonly store: ChatStore;
  readonly roomId: string;
  readonly text: string;
  readonly parts: MessageParts;
  readonly onDone: () => void;
  readonly onClose: () => void;
}

export function ScheduleDialog({ store, roomId, text, parts, onDone, onClose }: ScheduleDialogProps) {
  const [sendAt, setSendAt] = useState<string>();
  const [clientId] = useState(randomKey);
  const { busy, problem, attempt } = useAttempt();
  return (
    <Dialog title="Send later" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!sendAt) return;
          void attempt(() => store.client.schedule(roomId, { clientId, text, sendAt, ...parts })).then((done) => {
            if (!done) return;
            onDone();
            onClose();
          });
        }}
      >
        <blockquote class="quoted" dir="auto">
          {text.slice(0, 300)}
        </blockquote>
        <MomentField label="When" onChange={setSendAt} />
        <Refusal words={problem} />
        <div class="row end">
          <button class="primary" type="submit" disabled={busy || !sendAt}>
            Schedule
          </button>
        </div>
      </form>
    </Dialog>
  );
}
