/**
 * The login of this device, kept in a storage and refreshed when it is due, by one tab at a time. A refresh token is valid once. The
 * storage is read again before it is used, because another tab may have exchanged it.
 */
import { ClientError } from './client-error.ts';
import type { Login, OwnUser } from './types.ts';

/** Keeps a login; `localStorage` fits. */
export interface LoginStorage {
  readonly getItem: (key: string) => string | null;
  readonly setItem: (key: string, value: string) => void;
  readonly removeItem: (key: string) => void;
}

interface Kept {
  readonly user: OwnUser;
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Milliseconds since the epoch by this device's clock. */
  readonly expiresAtMs: number;
}

export interface Session {
  readonly user: () => OwnUser | undefined;
  readonly keep: (login: Login) => void;
  /** Keeps the changed account. */
  readonly update: (user: OwnUser) => void;
  /** A token that is valid for at least `marginMs`. @throws ClientError `unauthenticated` when the login has ended */
  readonly token: () => Promise<string>;
  /** Exchanges a token that the server refused. */
  readonly renew: (refused: string) => Promise<string>;
  readonly forget: () => void;
}

const key = 'parley.session';
/** A token is exchanged this long before it expires. */
const marginMs = 30_000;
const repeatPauseMs = 400;

export function createSession({
  storage,
  refresh,
  onEnd,
}: {
  storage: LoginStorage;
  /** `POST /v1/auth/refresh`. @throws ClientError */
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
    const kept: Kept = { user, accessToken, refreshToken, expiresAtMs: Date.now() + expiresIn * 1000 };
    storage.setItem(key, JSON.stringify(kept));
  }

  function forget(): void {
    storage.removeItem(key);
  }

  async function exchange(refused: string): Promise<string> {
    for (let attempt = 0; ; attempt++) {
      const kept = read();
      if (!kept) throw new ClientError('unauthenticated', 'not logged in');
      if (kept.accessToken !== refused) return kept.accessToken;
      try {
        const login = await refresh(kept.refreshToken);
        keep(login);
        return login.accessToken;
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
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
      if (!kept) throw new ClientError('unauthenticated', 'not logged in');
      return kept.expiresAtMs - marginMs > Date.now() ? kept.accessToken : renew(kept.accessToken);
    },
    renew,
    forget,
  };
}
