/** Public profiles, read in batches and cached for a short time. */
import { LRUCache } from 'lru-cache';
import { coalesce, gatherMs } from '../../concurrency/coalesce.ts';
import type { Sql } from '../../database/connect.ts';

export interface PublicProfile {
  readonly id: string;
  readonly username: string;
  readonly displayName: string;
  readonly avatarUrl: string | null;
}

export interface Profiles {
  /** Profiles by id; unknown and erased users are absent. */
  readonly byIds: (ids: readonly string[]) => Promise<Map<string, PublicProfile>>;
  /** The profile if it is cached; otherwise use `byIds`. */
  readonly remembered: (id: string) => PublicProfile | undefined;
  /** Ids by the given usernames, which are compared without regard to case. */
  readonly idsByUsername: (names: readonly string[]) => Promise<Map<string, string>>;
  readonly invalidate: (id: string) => void;
}

export interface ProfileSettings {
  /** Profiles in the cache. */
  readonly max: number;
  /** A change on another instance shows after this many milliseconds at the latest. */
  readonly ttlMs: number;
}

interface ProfileRow {
  readonly id: string;
  readonly username: string;
  readonly display_name: string;
  readonly avatar_url: string | null;
}

/** Ids in one query. */
const batchMax = 1000;

export function createProfiles({ sql, settings }: { sql: Sql; settings: ProfileSettings }): Profiles {
  const known = new LRUCache<string, PublicProfile>({ max: settings.max, ttl: settings.ttlMs });

  const load = coalesce(
    async (ids: readonly string[]) => {
      const rows = await sql<ProfileRow[]>`
      select id, username, display_name, avatar_url from users where id = any(${[...new Set(ids)]}::uuid[]) and erased_at is null`;
      const found = new Map(rows.map((row) => [row.id, toProfile(row)]));
      for (const profile of found.values()) known.set(profile.id, profile);
      return ids.map((id) => found.get(id));
    },
    { batchMax, gatherMs },
  );

  const loadId = coalesce(
    async (names: readonly string[]) => {
      const rows = await sql<{ name: string; id: string }[]>`
      select lower(username) as name, id from users where lower(username) = any(${[...new Set(names)]}::text[]) and erased_at is null`;
      const found = new Map(rows.map((row) => [row.name, row.id]));
      return names.map((name) => found.get(name));
    },
    { batchMax },
  );

  return {
    byIds: async (ids) => {
      const result = new Map<string, PublicProfile>();
      const missing: string[] = [];
      for (const id of ids) {
        const profile = known.get(id);
        if (profile) result.set(id, profile);
        else missing.push(id);
      }
      for (const profile of await Promise.all(missing.map(load))) if (profile) result.set(profile.id, profile);
      return result;
    },
    remembered: (id) => known.get(id),
    idsByUsername: async (names) => {
      const ids = await Promise.all(names.map((name) => loadId(name.toLowerCase())));
      return new Map(names.flatMap((name, index) => (ids[index] === undefined ? [] : [[name, ids[index]]])));
    },
    invalidate: (id) => {
      known.delete(id);
    },
  };
}

function toProfile({ id, username, display_name, avatar_url }: ProfileRow): PublicProfile {
  return { id, username, displayName: display_name, avatarUrl: avatar_url };
}
