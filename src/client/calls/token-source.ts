/**
 * Tokens of the app that embeds the chat. The app is asked for one whenever one is needed: at first, before the end of the one in use, and
 * once more when the server refuses it.
 */
import { ParleyError } from '../parley-error.ts';

/** Where calls and connections get their tokens. */
export interface TokenSource {
  /** A token that is valid for a while. @throws ParleyError `unauthenticated` where there is none */
  readonly token: () => Promise<string>;
  /** Another token than the one that the server refused. @throws ParleyError `unauthenticated` where there is none */
  readonly renew: (refused: string) => Promise<string>;
  /** In how many milliseconds `token` will give another one; infinite where that is not known. */
  readonly dueInMs: () => number;
}

/** A token is renewed this long before it expires, or after this share of its life where it is short. */
const marginMs = 30_000;
const marginShare = 0.25;
/** The pause after an app that could not give a token: it is asked again then. */
const repeatPauseMs = 2000;

interface KnownToken {
  readonly text: string;
  /** Milliseconds since the epoch, by this device's clock; infinite where the token does not tell. */
  readonly renewAtMs: number;
}

/** @param ask the app's function. Whatever it throws is told as `unavailable`, and is repeated */
export function createHostTokens(ask: () => Promise<string>, now: () => number = Date.now): TokenSource {
  let known: KnownToken | undefined;
  let asking: Promise<string> | undefined;

  async function askApp(): Promise<string> {
    let text: string;
    try {
      text = await ask();
    } catch (cause) {
      if (cause instanceof ParleyError) throw cause;
      throw new ParleyError('unavailable', `the app gave no token: ${String(cause)}`, { retryAfterMs: repeatPauseMs });
    }
    if (typeof text !== 'string' || text === '')
      throw new ParleyError('unauthenticated', 'the app has no token for this user');
    known = { text, renewAtMs: renewAt(text, now()) };
    return text;
  }

  /** One question at a time, however many wait for its answer. */
  function askOnce(): Promise<string> {
    asking ??= askApp().finally(() => {
      asking = undefined;
    });
    return asking;
  }

  return {
    token: async () => (known && now() < known.renewAtMs ? known.text : askOnce()),
    renew: async (refused) => {
      if (known && known.text !== refused && now() < known.renewAtMs) return known.text;
      return askOnce();
    },
    dueInMs: () => (known ? known.renewAtMs - now() : Number.POSITIVE_INFINITY),
  };
}

/** The clocks of server and device may differ, so the life of a token counts from its arrival. */
function renewAt(token: string, nowMs: number): number {
  const { exp, iat } = readClaims(token);
  if (typeof exp !== 'number') return Number.POSITIVE_INFINITY;
  const lifeMs = typeof iat === 'number' ? Math.min(exp * 1000 - nowMs, (exp - iat) * 1000) : exp * 1000 - nowMs;
  const leftMs = Math.max(0, lifeMs);
  return nowMs + leftMs - Math.min(marginMs, leftMs * marginShare);
}

/** The claims of a JSON Web Token, unproved; none where it is another kind of token. */
export function readClaims(token: string): Readonly<Record<string, unknown>> {
  try {
    const payload = token.split('.')[1] ?? '';
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (each) =>
      each.charCodeAt(0),
    );
    return JSON.parse(new TextDecoder().decode(bytes)) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}
