/** Settings with a shape of their own: login providers and host applications that vouch for their users. */
import type { Parsed } from './setting.ts';

export interface ProviderSettings {
  readonly kind: 'oidc' | 'github' | 'google';
  readonly issuer?: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scopes?: readonly string[];
  /** Where the discovery document is, if not below the issuer. */
  readonly discoveryUrl?: string;
  /** These four take the place of what discovery says. */
  readonly authorizeUrl?: string;
  readonly tokenUrl?: string;
  readonly userUrl?: string;
  readonly jwksUrl?: string;
  /** How the client shows its secret; default: what discovery says, in doubt `basic`. */
  readonly clientAuth?: 'basic' | 'post';
  /** More parameters of the address where people log in: `prompt`, `hd`, `response_mode` … */
  readonly params?: Readonly<Record<string, string>>;
  /** Claims, and the values of which each must have one: `hd`, `tid` … */
  readonly require?: Readonly<Record<string, readonly string[]>>;
  /** What the login button says; default: the provider's name. */
  readonly label?: string;
}

export interface HostIssuerSettings {
  readonly issuer: string;
  readonly audience: string;
  readonly secret?: string;
  readonly jwksUrl?: string;
  readonly algorithms?: readonly string[];
  /**
   * Which claim holds what: `name`, `picture`, `email` and `email_verified` are read under these names unless others are
   * given; `roles` and `rooms` count only if they are.
   */
  readonly claims?: Readonly<Record<string, string>>;
}

type Fields = Readonly<Record<string, 'text' | 'ascii' | 'line' | 'url' | 'texts' | 'mapping' | 'choices'>>;

const providerFields: Fields = {
  kind: 'text',
  issuer: 'url',
  clientId: 'ascii',
  clientSecret: 'ascii',
  scopes: 'texts',
  authorizeUrl: 'url',
  tokenUrl: 'url',
  userUrl: 'url',
  jwksUrl: 'url',
  discoveryUrl: 'url',
  clientAuth: 'text',
  params: 'mapping',
  require: 'choices',
  label: 'line',
};

const issuerFields: Fields = {
  issuer: 'text',
  audience: 'text',
  secret: 'text',
  jwksUrl: 'url',
  algorithms: 'texts',
  claims: 'mapping',
};

/** Algorithms a host application may sign with; `none` is not one of them. */
const symmetric = ['HS256', 'HS384', 'HS512'];
const asymmetric = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const claimNames = ['name', 'picture', 'email', 'email_verified', 'roles', 'rooms'];

function isObject(raw: unknown): raw is Record<string, unknown> {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw);
}

function isChoice(value: unknown): boolean {
  return [value].flat().length > 0 && [value].flat().every((each) => typeof each === 'string');
}

/** `hd=example.org&prompt=login`, as variables of the environment hold a mapping. Several values of a name become a list. */
function fromQuery(raw: unknown): unknown {
  if (typeof raw !== 'string') return raw;
  const query = new URLSearchParams(raw);
  return Object.fromEntries(
    [...new Set(query.keys())].map((name) => {
      const values = query.getAll(name);
      return [name, values.length === 1 ? values[0] : values];
    }),
  );
}

/** Parameters of a login's address that are Parley's own. */
const ownParams = [
  'client_id',
  'redirect_uri',
  'response_type',
  'scope',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
];

/** What is wrong with one object, or undefined. */
function complain(raw: Record<string, unknown>, fields: Fields, required: readonly string[]): string | undefined {
  for (const key of required) if (raw[key] === undefined) return `"${key}" is missing`;
  for (const [key, value] of Object.entries(raw)) {
    const kind = fields[key];
    if (!kind) return `"${key}" is not one of ${Object.keys(fields).join(', ')}`;
    if (kind === 'text' && (typeof value !== 'string' || value === '')) return `"${key}" must be a text`;
    // RFC 6749, Appendix A: a client id and a secret are printable ASCII.
    if (kind === 'ascii' && !(typeof value === 'string' && /^[\x20-\x7e]+$/.test(value)))
      return `"${key}" must be a text of printable ASCII`;
    if (
      kind === 'line' &&
      !(typeof value === 'string' && /^[^\p{Cc}\p{Zl}\p{Zp}]*\S[^\p{Cc}\p{Zl}\p{Zp}]*$/u.test(value))
    )
      return `"${key}" must be a text of one line`;
    if (kind === 'url' && !(typeof value === 'string' && /^https?:\/\/\S+$/.test(value)))
      return `"${key}" must be an http(s) URL`;
    if (kind === 'texts' && !(Array.isArray(value) && value.every((each) => typeof each === 'string'))) {
      return `"${key}" must be a list of texts`;
    }
    if (kind === 'mapping' && !(isObject(value) && Object.values(value).every((each) => typeof each === 'string'))) {
      return `"${key}" must map names to texts`;
    }
    if (kind === 'choices' && !(isObject(value) && Object.values(value).every(isChoice))) {
      return `"${key}" must map names to texts or lists of texts`;
    }
  }
  return undefined;
}

export function parseProviders(raw: unknown): Parsed<Readonly<Record<string, ProviderSettings>>> {
  if (!isObject(raw)) return { expected: 'an object of providers by name' };
  const value: Record<string, ProviderSettings> = {};
  for (const [name, each] of Object.entries(raw)) {
    if (!/^[a-z][a-z0-9-]{0,31}$/.test(name)) return { expected: `a provider name of a-z, 0-9 and "-", not "${name}"` };
    if (!isObject(each)) return { expected: `an object for the provider "${name}"` };
    const scopes = typeof each.scopes === 'string' ? each.scopes.split(/[\s,]+/).filter(Boolean) : each.scopes;
    const [params, require] = [fromQuery(each.params), fromQuery(each.require)];
    const candidate = {
      ...each,
      ...(scopes === undefined ? {} : { scopes }),
      ...(params === undefined ? {} : { params }),
      ...(require === undefined ? {} : { require }),
    };
    const complaint = complain(candidate, providerFields, ['kind', 'clientId', 'clientSecret']);
    if (complaint) return { expected: `a whole provider "${name}" (${complaint})` };
    if (!['oidc', 'github', 'google'].includes(String(each.kind)))
      return { expected: `kind oidc, github or google for "${name}"` };
    if (each.kind === 'oidc' && each.issuer === undefined)
      return { expected: `an issuer for the OIDC provider "${name}"` };
    if (!['basic', 'post', undefined].includes(each.clientAuth as string | undefined))
      return { expected: `clientAuth basic or post for "${name}"` };
    const own = Object.keys((params ?? {}) as object).find((param) => ownParams.includes(param));
    if (own !== undefined) return { expected: `params for "${name}" without "${own}", which is Parley’s own` };
    if (each.kind === 'github' && require !== undefined)
      return { expected: `no "require" for "${name}": GitHub names no claims` };
    const choices = Object.entries((require ?? {}) as Record<string, unknown>).map(([claim, allowed]) => [
      claim,
      [allowed].flat(),
    ]);
    value[name] = {
      ...candidate,
      ...(require === undefined ? {} : { require: Object.fromEntries(choices) }),
    } as ProviderSettings;
  }
  return { value };
}

export function parseHostIssuers(raw: unknown): Parsed<readonly HostIssuerSettings[]> {
  if (!Array.isArray(raw)) return { expected: 'a list of issuers' };
  for (const each of raw) {
    if (!isObject(each)) return { expected: 'a list of objects' };
    const complaint = complain(each, issuerFields, ['issuer', 'audience']);
    if (complaint) return { expected: `whole issuers (${complaint})` };
    if ((each.secret === undefined) === (each.jwksUrl === undefined)) {
      return { expected: 'either "secret" or "jwksUrl" for every issuer' };
    }
    if (typeof each.secret === 'string' && Buffer.byteLength(each.secret) < 32) {
      return { expected: 'an issuer secret of at least 32 bytes' };
    }
    const odd = Object.keys((each.claims ?? {}) as object).find((name) => !claimNames.includes(name));
    if (odd !== undefined) return { expected: `claims for ${claimNames.join(', ')}, not "${odd}"` };
    const allowed = each.secret === undefined ? asymmetric : symmetric;
    const algorithms = (each.algorithms ?? []) as string[];
    const wrong = algorithms.find((name) => !allowed.includes(name));
    if (wrong) return { expected: `algorithms of ${allowed.join(', ')}, not ${wrong}` };
  }
  return { value: raw as HostIssuerSettings[] };
}
