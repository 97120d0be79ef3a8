/**
 * Ways through a login provider that are under way. Each has a state of its own and a cookie of its own, so that several
 * tabs of a browser log in at the same time.
 *
 * The state is a one-time token: it names the row that says where the login returns to. The cookie binds it to the browser
 * that began, and keeps what belongs to that browser alone: the PKCE verifier, and the page's link and binding.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Database } from '../../database/connect.ts';
import type { OneTimeTokens } from '../credentials/one-time-tokens.ts';
import { hashSecret, makeSecret } from '../credentials/random-secrets.ts';

/** What a page asked for when it began. */
export interface FlowRequest {
  readonly returnTo: string;
  /** From `startLink`: the provider is to be linked to an account. */
  readonly link: string | undefined;
  /** SHA-256, base64url, of the secret that the page keeps. */
  readonly binding: string | undefined;
}

export interface EndedFlow extends FlowRequest {
  readonly verifier: string;
}

export interface LoginFlows {
  /**
   * @param open makes the provider's address from the state
   * @returns that address
   */
  readonly begin: (
    { request, reply, provider }: FlowPlace,
    wishes: FlowRequest,
    open: (makeState: () => Promise<string>) => Promise<{ url: string; state: string; verifier: string }>,
  ) => Promise<string>;
  /**
   * Takes a flow away: of two who bring the same state one gets it.
   * @returns where it returns to, as far as the state says so, and the flow itself when this browser began it
   */
  readonly end: (place: FlowPlace, state: string) => Promise<{ returnTo: string | undefined; flow?: EndedFlow }>;
}

interface FlowPlace {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly provider: string;
}

/** From the start to the return from the provider. */
const lifetimeMs = 10 * 60_000;
/** Flows of one browser. The cookies of all of them come with every request, so the oldest one makes room for another. */
const flowsMax = 6;

export function createLoginFlows({
  db,
  oneTimeTokens,
  publicUrl,
}: {
  db: Database;
  oneTimeTokens: Pick<OneTimeTokens, 'issue' | 'redeemAny'>;
  publicUrl: string;
}): LoginFlows {
  const secure = publicUrl.startsWith('https:');
  // A prefixed cookie cannot have been planted by a neighbouring host; it wants this path (RFC 6265bis §4.1.3.2).
  const prefix = `${secure ? '__Host-' : ''}parley-flow-`;
  const attributes = { path: '/', httpOnly: true, sameSite: 'lax', secure } as const;
  const cookieOf = (state: string) => prefix + hashSecret(state).toString('hex').slice(0, 16);

  /** Browsers send the cookie first that was set first (RFC 6265 §5.4). */
  function makeRoom({ cookies }: FastifyRequest, reply: FastifyReply): void {
    const open = Object.keys(cookies).filter((name) => name.startsWith(prefix));
    for (const name of open.slice(0, Math.max(0, open.length - flowsMax + 1))) void reply.clearCookie(name, attributes);
  }

  async function begin(
    { request, reply, provider }: FlowPlace,
    { returnTo, link, binding }: FlowRequest,
    open: Parameters<LoginFlows['begin']>[2],
  ): Promise<string> {
    const browser = makeSecret();
    const data = { provider, returnTo, browser: hashSecret(browser).toString('base64url') };
    const { url, state, verifier } = await open(() => oneTimeTokens.issue(db, 'login_flow', null, data, lifetimeMs));
    makeRoom(request, reply);
    const kept: KeptFlow = { browser, verifier, ...(link ? { link } : {}), ...(binding ? { binding } : {}) };
    const value = Buffer.from(JSON.stringify(kept)).toString('base64url');
    void reply.setCookie(cookieOf(state), value, { ...attributes, maxAge: lifetimeMs / 1000 });
    return url;
  }

  async function end({ request, reply, provider }: FlowPlace, state: string): ReturnType<LoginFlows['end']> {
    const name = cookieOf(state);
    const kept = readKept(request.cookies[name]);
    if (request.cookies[name] !== undefined) void reply.clearCookie(name, attributes);
    const found = await oneTimeTokens.redeemAny(db, 'login_flow', state);
    if (!found) return { returnTo: undefined };
    const data = found.data as { provider: string; returnTo: string; browser: string };
    const { returnTo } = data;
    const isOwn = kept !== undefined && hashSecret(kept.browser).toString('base64url') === data.browser;
    if (!isOwn || data.provider !== provider) return { returnTo };
    return { returnTo, flow: { returnTo, verifier: kept.verifier, link: kept.link, binding: kept.binding } };
  }

  return { begin, end };
}

interface KeptFlow {
  readonly browser: string;
  readonly verifier: string;
  readonly link?: string;
  readonly binding?: string;
}

/** A cookie is what the browser says: nothing of it counts before its secret fits. */
function readKept(cookie: string | undefined): KeptFlow | undefined {
  if (cookie === undefined) return undefined;
  try {
    const { browser, verifier, link, binding } = JSON.parse(
      Buffer.from(cookie, 'base64url').toString('utf8'),
    ) as Record<string, unknown>;
    const texts = [browser, verifier, link ?? '', binding ?? ''];
    if (!texts.every((each) => typeof each === 'string')) return undefined;
    return { browser, verifier, link, binding } as KeptFlow;
  } catch {
    return undefined;
  }
}
