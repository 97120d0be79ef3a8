/** Makes a room. Its members are looked up by username. */
import type { Page, Profile } from '../../client/parley-client.ts';
import { useAttempt } from '../components/attempt.ts';
import { type ChatStore, explainRefusal } from '../components/chat-store.ts';
import { Dialog } from '../components/dialog.tsx';
import { Field } from '../components/field.tsx';
import { Refusal } from '../components/refusal.tsx';

export function NewRoomDialog({ store, onClose }: { store: ChatStore; onClose: () => void }) {
  const { busy, problem, attempt } = useAttempt((error) =>
    error instanceof UnknownPerson ? error.message : explainRefusal(error),
  );

  function submit(event: SubmitEvent): void {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    void attempt(async () => {
      const names = String(fields.get('people') ?? '')
        .split(/[\s,]+/)
        .filter(Boolean);
      const memberIds = await Promise.all(names.map((name) => findPerson(store, name.replace(/^@/, ''))));
      const visibility = fields.get('private') === null ? ('public' as const) : ('private' as const);
      const room = await store.client.createRoom({ name: String(fields.get('name') ?? ''), visibility, memberIds });
      location.hash = `#/rooms/${room.id}`;
      onClose();
    });
  }

  return (
    <Dialog title="New room" onClose={onClose}>
      <form onSubmit={submit}>
        <Field label="Room name" name="name" />
        <Field label="People" name="people" hint="usernames, with spaces between" required={false} />
        <label class="check">
          <input type="checkbox" name="private" /> Private: only members see it
        </label>
        <Refusal words={problem} />
        <button class="primary" type="submit" disabled={busy}>
          Create room
        </button>
      </form>
    </Dialog>
  );
}

class UnknownPerson extends Error {}

async function findPerson({ client }: ChatStore, username: string): Promise<string> {
  const { items } = await client.call<Page<Profile>>('GET', `/v1/users?query=${encodeURIComponent(username)}&limit=20`);
  const found = items.find((each) => each.username.toLowerCase() === username.toLowerCase());
  if (!found) throw new UnknownPerson(`There is no user “${username}”.`);
  return found.id;
}
