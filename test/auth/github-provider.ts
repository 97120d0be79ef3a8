/**
 * A provider like GitHub: OAuth 2 with PKCE and no id token, a profile with a numeric id, addresses at a path of their own,
 * and errors of the token endpoint with status 200.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { freePort } from '../harness/ports.ts';

export interface GithubProvider {
  readonly origin: string;
  /** The user who is logged in at the provider. */
  readonly be: (person: { id: number; login: string; name?: string | null; email?: string }) => void;
  readonly behave: (how: 'well' | 'failing' | 'silent') => void;
  readonly stop: () => Promise<void>;
}

export const githubClient = { id: 'parley-at-github', secret: 'the-secret-of-parley-at-github' };

export async function startGithubProvider(port?: number): Promise<GithubProvider> {
  port ??= await freePort();
  const origin = `http://127.0.0.1:${port}`;
  let person: Parameters<GithubProvider['be']>[0] = { id: 1, login: 'octo' };
  let mood: 'well' | 'failing' | 'silent' = 'well';
  const codes = new Map<string, { challenge: string; redirectUri: string; person: typeof person }>();
  const tokens = new Map<string, typeof person>();

  const json = (response: ServerResponse, status: number, body: unknown) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

  function authorize(url: URL, response: ServerResponse): void {
    const query = Object.fromEntries(url.searchParams) as Record<string, string>;
    if (query.client_id !== githubClient.id || query.code_challenge_method !== 'S256' || !query.code_challenge)
      throw new Error('this provider insists on PKCE');
    const code = randomBytes(10).toString('hex');
    codes.set(code, { challenge: query.code_challenge, redirectUri: query.redirect_uri!, person });
    const back = new URL(query.redirect_uri!);
    back.search = new URLSearchParams({ code, state: query.state! }).toString();
    response.writeHead(302, { location: back.href }).end();
  }

  async function exchange(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const part of request.setEncoding('utf8')) text += part;
    const form = new URLSearchParams(text);
    const known = codes.get(form.get('code') ?? '');
    codes.delete(form.get('code') ?? '');
    const basic = `Basic ${Buffer.from(`${githubClient.id}:${githubClient.secret}`).toString('base64')}`;
    const authenticated = request.headers.authorization === basic || form.get('client_secret') === githubClient.secret;
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    if (!authenticated || !known || known.challenge !== challenge || known.redirectUri !== form.get('redirect_uri'))
      return json(response, 200, { error: 'bad_verification_code' });
    const token = randomBytes(10).toString('hex');
    tokens.set(token, known.person);
    json(response, 200, { access_token: token, token_type: 'bearer', scope: 'read:user,user:email' });
  }

  const server = createServer((request, response) => {
    if (mood === 'silent') return;
    if (mood === 'failing') return json(response, 503, {});
    const url = new URL(request.url!, origin);
    if (url.pathname === '/login/oauth/authorize') return authorize(url, response);
    if (url.pathname === '/login/oauth/access_token') return void exchange(request, response);
    const known = tokens.get((request.headers.authorization ?? '').replace(/^Bearer /, ''));
    if (!known) return json(response, 401, { message: 'Requires authentication' });
    const { id, login, name = null, email } = known;
    if (url.pathname === '/user')
      return json(response, 200, { id, login, name, avatar_url: 'https://x.example/a.png' });
    if (url.pathname === '/user/emails' && email)
      return json(response, 200, [{ email, primary: true, verified: true, visibility: null }]);
    json(response, 404, { message: 'Not Found' });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));

  return {
    origin,
    be: (next) => {
      person = next;
    },
    behave: (how) => {
      mood = how;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
