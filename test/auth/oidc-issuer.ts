/** A real OIDC provider for tests, and a minimal browser that can log in there. */
import { createServer } from 'node:http';
import Provider from 'oidc-provider';
import { freePort } from '../harness/ports.ts';

export interface OidcIssuer {
  readonly issuer: string;
  readonly stop: () => Promise<void>;
}

export const clientSecret = 'a-secret-of-the-provider';

/** A real OIDC provider whose users log in with any name; `walk` fills its pages. */
export async function startOidcIssuer(callbacks: readonly string[], port?: number): Promise<OidcIssuer> {
  port ??= await freePort();
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [{ client_id: 'parley', client_secret: clientSecret, redirect_uris: [...callbacks] }],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        name: `Name of ${id}`,
        preferred_username: id,
        email: `${id}@example.org`,
        // As a text, as some providers write it, for people called `said-true` and `said-false`.
        email_verified: /^said-(\w+)/.exec(id)?.[1] ?? true,
      }),
    }),
    cookies: { keys: ['tests only'] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: true } },
  });
  const server = createServer(provider.callback());
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    issuer: `http://127.0.0.1:${port}`,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A browser's cookies, by host; enough for these two servers. */
export class Browser {
  readonly jar = new Map<string, Map<string, string>>();

  async go(method: string, url: string, form?: Record<string, string>): Promise<Response> {
    const { host } = new URL(url);
    const cookies = this.jar.get(host) ?? new Map<string, string>();
    this.jar.set(host, cookies);
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      headers: {
        cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
        ...(form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
      },
      ...(form ? { body: new URLSearchParams(form).toString() } : {}),
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';');
      const [name = '', value = ''] = pair.split(/=(.*)/s) as [string, string];
      if (value === '' || /expires=Thu, 01 Jan 1970/i.test(line)) cookies.delete(name);
      else cookies.set(name, value);
    }
    return response;
  }

  /** Follows redirects and fills the provider's pages until it is back at Parley's page. */
  async logIn(start: string, name: string): Promise<URL> {
    let response = await this.go('GET', start);
    let at = start;
    for (let step = 0; step < 20; step++) {
      const next = response.headers.get('location');
      if (next) {
        at = new URL(next, at).href;
        if (new URL(at).hash) return new URL(at);
        response = await this.go('GET', at);
        continue;
      }
      const page = await response.text();
      const action = /<form[^>]+action="([^"]+)"/.exec(page)?.[1];
      if (!action) throw new Error(`no form at ${at}: ${response.status} ${page.slice(0, 400)}`);
      const prompt = /name="prompt" value="([^"]+)"/.exec(page)?.[1] ?? 'login';
      response = await this.go(
        'POST',
        new URL(action, at).href,
        prompt === 'login' ? { prompt, login: name, password: 'any' } : { prompt },
      );
    }
    throw new Error('the login goes round in circles');
  }
}
