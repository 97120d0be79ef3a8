/**
 * The login of this device, kept in a storage and refreshed when it is due, by one tab at a time. A refresh token is valid once. The
 * storage is read again before it is used, because another tab may have exchanged it.
 */
import { ParleyError } from '../parley-error.ts';
import type { Login, OwnUser } from '../types.ts';
import type { TokenSource } from './token-source.ts';

/** Keeps a login; `localStorage` fits. */
export interface LoginStorage {
  readonly getItem: (key: string) => string | null;
  readonly setItem: (key: string, value: string) => void;
  readonly removeItem: (key: string) => void;
}

/** A storage for environments without `localStorage`. */
export function createMemoryStorage(): LoginStorage {
  const values = new Map<string, string>();
  return {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
    removeItem: (key) => void values.delete(key),
  };
}

/** `localStorage` in a page that may use it; memory elsewhere. */
export function findStorage(): LoginStorage {
  try {
    if (typeof document !== 'undefined' && typeof localStorage !== 'undefined') return localStorage;
  } catch {
    // Frames of other sites may be forbidden to keep anything.
  }
  return createMemoryStorage();
}

interface Kept {
  readonly user: OwnUser;
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Milliseconds since the epoch by this device's clock. */
  readonly expiresAtMs: number;
  /** When it is to be exchanged; older versions of the client did not keep it. */
  readonly renewAtMs?: number;
}

export interface Session extends TokenSource {
  readonly user: () => OwnUser | undefined;
  readonly keep: (login: Login) => void;
  /** Keeps the changed account. */
  readonly update: (user: OwnUser) => void;
  readonly forget: () => void;
}

const key = 'parley.session';
/** A token is exchanged this long before it expires, or after this share of its life where it is short. */
const marginMs = 30_000;
const marginShare = 0.25;
const repeatPauseMs = 400;

export function createSession({
  storage,
  refresh,
  onEnd,
}: {
  storage: LoginStorage;
  /** `POST /v1/auth/refresh`. @throws ParleyError */
  refresh: (refreshToken: string) => Promise<Login>;
  onEnd: () => void;
}): Session {
  let renewing: Promise<string> | undefined;

  function read(): Kept | undefined {
    try {
      return (JSON.parse(storage.getItem(key) ?? 'null') as Kept | null) ?? undefined;
    } catch {
      return undefined;
    }
  }

  function keep({ user, accessToken, refreshToken, expiresIn }: Login): void {
    const [nowMs, lifeMs] = [Date.now(), expiresIn * 1000];
    const renewAtMs = nowMs + lifeMs - Math.min(marginMs, lifeMs * marginShare);
    const kept: Kept = { user, accessToken, refreshToken, expiresAtMs: nowMs + lifeMs, renewAtMs };
    storage.setItem(key, JSON.stringify(kept));
  }

  function forget(): void {
    storage.removeItem(key);
  }

  async function exchange(refused: string): Promise<string> {
    for (let attempt = 0; ; attempt++) {
      const kept = read();
      if (!kept) throw new ParleyError('unauthenticated', 'not logged in');
      if (kept.accessToken !== refused) return kept.accessToken;
      try {
        const login = await refresh(kept.refreshToken);
        keep(login);
        return login.accessToken;
      } catch (error) {
        if (!(error instanceof ParleyError)) throw error;
        if (error.code === 'conflict' && attempt < 5) {
          // Another tab was first; it is about to store its answer.
          await new Promise((wake) => setTimeout(wake, repeatPauseMs));
          continue;
        }
        if (!error.retryable) {
          forget();
          onEnd();
        }
        throw error;
      }
    }
  }

  function renew(refused: string): Promise<string> {
    renewing ??= exchange(refused).finally(() => {
      renewing = undefined;
    });
    return renewing;
  }

  return {
    user: () => read()?.user,
    keep,
    update: (user) => {
      const kept = read();
      if (kept) storage.setItem(key, JSON.stringify({ ...kept, user } satisfies Kept));
    },
    token: async () => {
      const kept = read();
      if (!kept) throw new ParleyError('unauthenticated', 'not logged in');
      return renewAtOf(kept) > Date.now() ? kept.accessToken : renew(kept.accessToken);
    },
    dueInMs: () => {
      const kept = read();
      return kept ? renewAtOf(kept) - Date.now() : Number.POSITIVE_INFINITY;
    },
    renew,
    forget,
  };
}

function renewAtOf({ renewAtMs, expiresAtMs }: Kept): number {
  return renewAtMs ?? expiresAtMs - marginMs;
}
