/** Forwards a message to another room, with words of one's own if there are any. */
import { useState } from 'preact/hooks';
import type { Message } from '../../../client/parley-client.ts';
import { randomKey } from '../../../client/random-key.ts';
import { useAttempt } from '../../components/attempt.ts';
import type { ChatStore } from '../../components/chat-store.ts';
import { Dialog } from '../../components/dialog.tsx';
import { Field } from '../../components/field.tsx';
import { fieldsOf } from '../../components/form-fields.ts';
import { Refusal } from '../../components/refusal.tsx';

interface ForwardDialogProps {
  readonly store: ChatStore;
  readonly message: Message;
  readonly onClose: () => void;
}

export function ForwardDialog({ store, message, onClose }: ForwardDialogProps) {
  const { busy, problem, attempt } = useAttempt();
  const [key] = useState(randomKey);
  const { roomId, id } = message;
  const rooms = [...store.state.rooms.values()].sort((left, right) => left.name.localeCompare(right.name));

  async function forward(field: (name: string) => string): Promise<void> {
    const target = field('room');
    const sent = await attempt(() =>
      store.client.send(target, field('words'), { clientId: key, forward: { roomId, messageId: id } }),
    );
    if (!sent) return;
    location.hash = `#/rooms/${target}`;
    onClose();
  }

  return (
    <Dialog title="Forward message" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void forward(fieldsOf(event));
        }}
      >
        <blockquote class="quoted" dir="auto">
          {message.text.slice(0, 200) || 'A message without text'}
        </blockquote>
        <div class="field">
          <label for="forward-room">Room</label>
          <select id="forward-room" name="room" required data-first-focus>
            {rooms.map((room) => (
              <option key={room.id} value={room.id}>
                {room.name}
              </option>
            ))}
          </select>
        </div>
        <Field label="Add words" name="words" required={false} />
        <Refusal words={problem} />
        <div class="row end">
          <button class="primary" type="submit" disabled={busy}>
            Forward
          </button>
        </div>
      </form>
    </Dialog>
  );
}
