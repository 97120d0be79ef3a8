/** Invite links: making one in a room, and following one that somebody sent. */
import { useEffect, useState } from 'preact/hooks';
import { type ChatStore, explainRefusal } from './chat-store.ts';
import { Dialog } from './dialog.tsx';

/** By the address of this page, which others may reach: `publicUrl` may be unset, and then says `localhost`. */
function inviteUrl(code: string): string {
  return `${location.origin}${location.pathname}#/invite/${code}`;
}

/** A button that turns into the link. */
export function InviteMaker({ store, roomId }: { store: ChatStore; roomId: string }) {
  const [url, setUrl] = useState('');
  const [problem, setProblem] = useState('');

  async function make(): Promise<void> {
    try {
      const { code } = await store.client.call<{ code: string }>('POST', `/v1/rooms/${roomId}/invites`, {});
      setUrl(inviteUrl(code));
    } catch (error) {
      setProblem(explainRefusal(error));
    }
  }

  if (url)
    return (
      <label>
        Invite link
        <input readOnly value={url} onFocus={(event) => event.currentTarget.select()} />
      </label>
    );
  return (
    <>
      <button type="button" onClick={() => void make()}>
        Invite by link
      </button>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </>
  );
}

/** Joins by the code in the address and goes to the room; says so when the link is good no more. */
export function InviteAcceptance({ store, code }: { store: ChatStore; code: string }) {
  const [problem, setProblem] = useState('');
  useEffect(() => {
    store.client.call<{ id: string }>('POST', `/v1/invites/${code}/accept`).then(
      ({ id }) => location.replace(`#/rooms/${id}`),
      (error: unknown) => setProblem(explainRefusal(error)),
    );
  }, [store, code]);
  if (!problem) return null;
  return (
    <Dialog title="Invitation" onClose={() => location.replace('#')}>
      <p class="problem" role="alert">
        This invitation does not let you in: {problem}
      </p>
    </Dialog>
  );
}
