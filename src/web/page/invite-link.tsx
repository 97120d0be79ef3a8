/** Invite links: makes, lists and revokes those of a room, and joins by one that somebody sent. */
import { useEffect, useState } from 'preact/hooks';
import type { Page } from '../../client/parley-client.ts';
import { type ChatStore, explainRefusal } from '../components/chat-store.ts';
import { useConfirm } from '../components/confirm.tsx';
import { Dialog } from '../components/dialog.tsx';
import { ListState, MoreButton, usePagedList } from '../components/paged-list.tsx';

interface Invite {
  readonly id: string;
  readonly code: string;
  readonly expiresAt: string;
  readonly maxUses: number | null;
  readonly uses: number;
  readonly createdAt: string;
}

const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** Uses the address of this page, which others can reach; `publicUrl` may be unset and then says `localhost`. */
function inviteUrl(code: string): string {
  return `${location.origin}${location.pathname}#/invite/${code}`;
}

/** A button that makes a link, and the valid links, each with a button that revokes it. */
export function InviteLinks({ store, roomId }: { store: ChatStore; roomId: string }) {
  const confirm = useConfirm();
  const [made, setMade] = useState<Invite>();
  const path = `/v1/rooms/${roomId}/invites`;
  const { items, problem, afterwards, more } = usePagedList<Invite>(
    ({ cursor }) =>
      store.client.call<Page<Invite>>(
        'GET',
        cursor === undefined ? path : `${path}?cursor=${encodeURIComponent(cursor)}`,
      ),
    [store, roomId],
  );

  const make = () => afterwards(async () => setMade(await store.client.call<Invite>('POST', path, {})));

  async function revoke({ id }: Invite): Promise<void> {
    const words = 'Nobody can join by it any more. People who joined by it stay. This cannot be undone.';
    if (!(await confirm({ title: 'Revoke this invite link?', words, action: 'Revoke' }))) return;
    await afterwards(async () => {
      await store.client.call('DELETE', `${path}/${id}`);
      setMade((shown) => (shown?.id === id ? undefined : shown));
    });
  }

  return (
    <section class="settings-form" aria-label="Invitations">
      <ListState problem={problem} empty={false} words="" />
      {made && (
        <label class="field">
          Invite link
          <input readOnly value={inviteUrl(made.code)} onFocus={(event) => event.currentTarget.select()} />
        </label>
      )}
      <div class="row">
        <button type="button" onClick={() => void make()}>
          {made ? 'Make another link' : 'Invite by link'}
        </button>
      </div>
      {items && items.length > 0 && (
        <ul class="entries" aria-label="Links in use">
          {items.map((invite) => (
            <li key={invite.id}>
              <span>
                <strong>…{invite.code.slice(-6)}</strong>
                <span class="hint">{describe(invite)}</span>
              </span>
              <button type="button" aria-label={`Revoke …${invite.code.slice(-6)}`} onClick={() => void revoke(invite)}>
                Revoke
              </button>
            </li>
          ))}
        </ul>
      )}
      <MoreButton more={more} />
    </section>
  );
}

function describe({ uses, maxUses, createdAt, expiresAt }: Invite): string {
  const used = maxUses === null ? `used ${uses === 1 ? 'once' : `${uses} times`}` : `used ${uses} of ${maxUses} times`;
  const [made, ends] = [createdAt, expiresAt].map((time) => calendar.format(new Date(time)));
  return `${used} · made ${made} · ends ${ends}`;
}

/** Joins by the code in the address and opens the room; says so when the link is not valid. */
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
