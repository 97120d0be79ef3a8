/**
 * An OpenID provider whose deviations a test chooses: discovery, the token endpoint's authentication, id token, userinfo and
 * the redirect back. It logs everybody in at once.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { freePort } from '../harness/ports.ts';

export const oddClient = { id: 'parley-at-odd', secret: 'the secret: with % and + and ~' };

export interface OddWays {
  /** Overrides of the discovery document. */
  readonly discovery?: Readonly<Record<string, unknown>>;
  /** Overrides of the id token's claims; undefined removes one. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
  /** `signed`: as a token. A number: that status. */
  readonly userinfo?: Readonly<Record<string, unknown>> | 'signed' | 'html' | number;
  /** The only accepted authentication of the client. */
  readonly secretIn?: 'header' | 'body';
  readonly tokenType?: string;
  /** Overrides of the redirect's parameters. */
  readonly back?: Readonly<Record<string, string | undefined>>;
  /** Moves discovery here; the usual address answers 404. */
  readonly documentAt?: string;
  readonly redirectDocument?: boolean;
  readonly algorithm?: 'HS256';
}

export interface OddIssuer {
  readonly origin: string;
  /** From now on. */
  readonly be: (ways: OddWays) => void;
  /** The parameters of the latest browser request. */
  readonly asked: () => URLSearchParams;
  readonly stop: () => Promise<void>;
}

export async function startOddIssuer(): Promise<OddIssuer> {
  const origin = `http://127.0.0.1:${await freePort()}`;
  let ways: OddWays = {};
  let asked = new URLSearchParams();
  const pairs = await Promise.all([1, 2].map(() => generateKeyPair('RS256', { extractable: true })));
  const jwks: JWK[] = await Promise.all(pairs.map(async ({ publicKey }) => exportJWK(publicKey)));
  const logins = new Map<string, URLSearchParams>();

  const json = (response: ServerResponse, status: number, body: unknown, type = 'application/json') =>
    void response.writeHead(status, { 'content-type': type }).end(JSON.stringify(body));

  function discover(response: ServerResponse): void {
    json(response, 200, {
      issuer: origin,
      authorization_endpoint: `${origin}/authorize`,
      token_endpoint: `${origin}/token`,
      userinfo_endpoint: `${origin}/userinfo`,
      jwks_uri: `${origin}/keys`,
      ...ways.discovery,
    });
  }

  function authorize(url: URL, response: ServerResponse): void {
    asked = url.searchParams;
    const code = randomBytes(8).toString('hex');
    logins.set(code, asked);
    const fields = { code, state: asked.get('state')!, ...ways.back };
    const given = Object.entries(fields).filter((each): each is [string, string] => each[1] !== undefined);
    const way = new URLSearchParams(given);
    if (asked.get('response_mode') !== 'form_post')
      return void response.writeHead(302, { location: `${asked.get('redirect_uri')}?${way}` }).end();
    const inputs = given.map(([name, value]) => `<input name="${name}" value="${value.replaceAll('"', '&quot;')}">`);
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(`<form method="post" action="${asked.get('redirect_uri')}">${inputs.join('')}</form>
      <script>document.forms[0].submit()</script>`);
  }

  /** The latest key signs, and no token names it. */
  async function sign(claims: Record<string, unknown>): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const all = { iss: origin, aud: oddClient.id, iat: now, exp: now + 300, ...claims };
    const plain = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
    const alg = ways.algorithm ?? 'RS256';
    const key = alg === 'HS256' ? new TextEncoder().encode(oddClient.secret.padEnd(32, '.')) : pairs.at(-1)!.privateKey;
    return new SignJWT(plain).setProtectedHeader({ alg, ...ways.header }).sign(key);
  }

  async function exchange(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const part of request.setEncoding('utf8')) text += part;
    const form = new URLSearchParams(text);
    const [scheme, basic = ''] = (request.headers.authorization ?? '').split(' ');
    // RFC 6749 §2.3.1: both are encoded as in a form.
    const shown = Buffer.from(basic, 'base64')
      .toString('utf8')
      .split(':')
      .map((each) => decodeURIComponent(each.replaceAll('+', ' ')));
    const inHeader = scheme === 'Basic' && shown[0] === oddClient.id && shown[1] === oddClient.secret;
    const inBody = form.get('client_secret') === oddClient.secret && form.get('client_id') === oddClient.id;
    const isClient = ways.secretIn === undefined ? inHeader || inBody : ways.secretIn === 'header' ? inHeader : inBody;
    if (!isClient) return json(response, 401, { error: 'invalid_client' });
    const login = logins.get(form.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    if (!login || login.get('code_challenge') !== challenge) return json(response, 400, { error: 'invalid_grant' });
    const idToken = await sign({ sub: 'odd', nonce: login.get('nonce'), ...ways.claims });
    json(response, 200, { access_token: 'access', token_type: 'Bearer', id_token: idToken }, ways.tokenType);
  }

  async function tellUser(response: ServerResponse): Promise<void> {
    const { userinfo = { sub: 'odd' } } = ways;
    if (typeof userinfo === 'number') return json(response, userinfo, { error: 'no' });
    if (userinfo === 'html') return void response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Hello</p>');
    if (userinfo !== 'signed') return json(response, 200, userinfo);
    const token = await sign({ sub: 'odd', name: 'Signed Name', email: 'signed@example.org', email_verified: true });
    response.writeHead(200, { 'content-type': 'application/jwt;charset=utf-8' }).end(token);
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, origin);
    const document = ways.documentAt ?? '/.well-known/openid-configuration';
    if (url.pathname === document && ways.redirectDocument && !url.searchParams.has('moved'))
      return void response.writeHead(301, { location: `${document}?moved` }).end();
    if (url.pathname === document || (!ways.documentAt && url.pathname.endsWith('/openid-configuration')))
      return discover(response);
    if (url.pathname === '/authorize') return authorize(url, response);
    if (url.pathname === '/token') return exchange(request, response);
    if (url.pathname === '/userinfo') return tellUser(response);
    if (url.pathname === '/keys') return json(response, 200, { keys: jwks });
    json(response, 404, {});
  }

  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(Number(new URL(origin).port), '127.0.0.1', resolve));
  return {
    origin,
    be: (next) => {
      ways = next;
    },
    asked: () => asked,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
