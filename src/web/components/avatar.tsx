/** A person's picture, or the first letter of their name on a colour of their own. Decoration: the name is shown beside it. */
import { useEffect, useState } from 'preact/hooks';
import type { Profile } from '../../client/parley-client.ts';

/** The stylesheet has twelve colours. */
const colours = 12;

export function Avatar({ person }: { person: Profile }) {
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
