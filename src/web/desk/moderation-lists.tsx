/** Bans, the log of what moderators did, and refused texts. */
import { useEffect, useState } from 'preact/hooks';
import type { AuditEntry, Ban } from '../../client/parley-client.ts';
import { explainRefusal } from '../components/chat-store.ts';
import { ListState, MoreButton, usePagedList } from '../components/paged-list.tsx';
import type { ModerationPaneProps } from './moderation-pane-props.ts';

const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const acts: Readonly<Record<string, string>> = {
  'message.remove': 'removed a message',
  'message.approve': 'approved a message',
  'message.delete': 'deleted a message',
  'member.ban': 'banned',
  'member.unban': 'lifted a ban',
  'member.mute': 'muted',
  'member.unmute': 'unmuted',
  'member.remove': 'removed a member',
  'member.role': 'changed a role',
  'room.update': 'changed the room',
  'room.delete': 'deleted a room',
  'rule.create': 'made a rule',
  'rule.delete': 'deleted a rule',
  'lesson.takeBack': 'took back what was learned',
};

export function BansPane({ store, roomId }: ModerationPaneProps) {
  const [bans, setBans] = useState<readonly Ban[]>();
  const [problem, setProblem] = useState('');

  async function attempt(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
      setBans((await store.client.moderation.bans(roomId)).items);
      setProblem('');
    } catch (error) {
      setProblem(explainRefusal(error));
    }
  }
  useEffect(() => void attempt(async () => undefined), [store, roomId]);

  return (
    <section aria-label="Bans">
      <ListState problem={problem} empty={bans?.length === 0} words="Nobody is banned." />
      <ul class="entries">
        {bans?.map(({ user, by, reason, expiresAt }) => (
          <li key={user.id}>
            <span>
              <strong>
                <bdi>{user.displayName}</bdi>
              </strong>{' '}
              <span class="handle">@{user.username}</span>
              <span class="hint">
                {expiresAt ? `until ${calendar.format(new Date(expiresAt))}` : 'for good'} · by{' '}
                <bdi>{by.displayName}</bdi>
                {reason && ' · '}
                <bdi>{reason}</bdi>
              </span>
            </span>
            <button
              type="button"
              aria-label={`Lift the ban of ${user.displayName}`}
              onClick={() => void attempt(() => store.client.moderation.unban(user.id, roomId))}
            >
              Lift
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

export function AuditPane({ store, roomId }: ModerationPaneProps) {
  const {
    items: entries,
    problem,
    more,
  } = usePagedList((page) => store.client.moderation.audit({ roomId, ...page }), [store, roomId]);

  return (
    <section aria-label="Log">
      <ListState problem={problem} empty={entries?.length === 0} words="Nothing was done yet." />
      <ul class="entries">
        {entries?.map(({ id, at, action, actor, details }) => (
          <li key={id}>
            <span>
              <strong>
                <bdi>{actor?.displayName ?? 'Somebody'}</bdi>
              </strong>{' '}
              {acts[action] ?? action}
              <span class="hint">
                {calendar.format(new Date(at))}
                <bdi>{describe(details)}</bdi>
              </span>
            </span>
          </li>
        ))}
      </ul>
      <MoreButton more={more} />
    </section>
  );
}

/** Refused texts, without the texts themselves: these stay with their authors. */
export function RefusalsPane({ store, roomId }: ModerationPaneProps) {
  const {
    items: refusals,
    problem,
    more,
  } = usePagedList((page) => store.client.moderation.refusals({ roomId, ...page }), [store, roomId]);

  return (
    <section aria-label="Blocked">
      <p class="hint">Texts that were blocked, with author and reason. Only their authors see the texts.</p>
      <ListState problem={problem} empty={refusals?.length === 0} words="Nothing was blocked yet." />
      <ul class="entries">
        {refusals?.map(({ author, kind, labels, engineVersion, at }, index) => (
          <li key={`${at} ${index}`}>
            <span>
              <strong>
                <bdi>{author.displayName}</bdi>
              </strong>{' '}
              <span class="handle">@{author.username}</span> {kind === 'edit' ? 'an edit' : 'a message'}
              <span class="hint">
                {calendar.format(new Date(at))} ·{' '}
                {labels.map(({ name, score, id }) => `${name} ${Math.round(score * 100)} % (${id})`).join(', ')} ·
                engine {engineVersion.slice(0, 24)}
              </span>
            </span>
          </li>
        ))}
      </ul>
      <MoreButton more={more} />
    </section>
  );
}

function describe({ pattern, reason, note, seconds }: AuditEntry['details']): string {
  const parts = [pattern, reason, note].filter((part) => typeof part === 'string' && part !== '');
  if (typeof seconds === 'number') parts.unshift(`${Math.round(seconds / 60)} minutes`);
  return parts.length > 0 ? ` · ${parts.join(' · ')}` : '';
}
