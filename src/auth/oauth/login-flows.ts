/**
 * Unfinished logins through a provider. Each has its own state and its own cookie, so several tabs of a browser can log in
 * at the same time.
 *
 * The state is a one-time token whose row says where the login returns to. The cookie binds the state to the browser that
 * began the login. It contains what only that browser may know: the PKCE verifier, and the page's link and binding.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Database } from '../../database/connect.ts';
import type { OneTimeTokens } from '../credentials/one-time-tokens.ts';
import { hashSecret, makeSecret } from '../credentials/random-secrets.ts';

/** The parameters with which a page begins a login. */
export interface FlowRequest {
  readonly returnTo: string;
  /** The start token of a linking (identity-linking.ts), if the provider is to be linked to an account. */
  readonly link: string | undefined;
  /** SHA-256, base64url, of a secret that the page keeps. */
  readonly binding: string | undefined;
}

export interface EndedFlow extends FlowRequest {
  readonly verifier: string;
}

export interface LoginFlows {
  /**
   * @param open creates the provider's address from the state
   * @returns the address to redirect to
   */
  readonly begin: (
    { request, reply, provider }: FlowPlace,
    wishes: FlowRequest,
    open: (makeState: () => Promise<string>) => Promise<{ url: string; state: string; verifier: string }>,
  ) => Promise<string>;
  /**
   * Ends a flow. Of two requests with the same state, one gets it.
   * @returns where it returns to, if the state is known, and the flow itself if this browser began it
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
/** Unfinished flows of one browser. Their cookies come with every request, so a new flow replaces the oldest one. */
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
  // A neighbouring host cannot set a cookie with this prefix, which requires the path `/` (RFC 6265bis §4.1.3.2).
  const prefix = `${secure ? '__Host-' : ''}parley-flow-`;
  const attributes = { path: '/', httpOnly: true, sameSite: 'lax', secure } as const;
  const cookieOf = (state: string) => prefix + hashSecret(state).toString('hex').slice(0, 16);

  /** Deletes the oldest flows. Browsers send cookies in the order of their creation (RFC 6265 §5.4). */
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

/** Parses the cookie. Nothing in it is trusted until its secret was compared. */
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
