/** A person's picture, or the first letter of their name on a colour of their own. Decoration: the name is shown beside it. */
import { useEffect, useState } from 'preact/hooks';
import type { Presence, Profile } from '../../client/parley-client.ts';

/** The stylesheet has twelve colours. */
const colours = 12;

const presenceWords = { online: 'online', away: 'away', dnd: 'do not disturb', offline: 'offline' } as const;

/** @param presence shown as a dot, where it is known */
export function Avatar({ person, presence }: { person: Profile; presence?: Presence | undefined }) {
  if (presence === undefined) return <Face person={person} />;
  return (
    <span class="with-presence">
      <Face person={person} />
      <span class={`presence ${presence}`} title={presenceWords[presence]}>
        <span class="unseen">{presenceWords[presence]}</span>
      </span>
    </span>
  );
}

function Face({ person }: { person: Profile }) {
  const [broken, setBroken] = useState(false);
  const { id, displayName, avatarUrl } = person;
  useEffect(() => setBroken(false), [avatarUrl]);

  if (avatarUrl && !broken)
    return (
      <img
        class="avatar"
        src={avatarUrl}
        alt=""
        loading="lazy"
        // The picture's host learns only that it was fetched.
        referrerpolicy="no-referrer"
        onError={() => setBroken(true)}
      />
    );
  return (
    <span class={`avatar colour-${Number.parseInt(id.slice(-4), 16) % colours}`} aria-hidden="true">
      {[...displayName][0]?.toUpperCase()}
    </span>
  );
}
