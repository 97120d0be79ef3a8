/**
 * Reads `DATABASE_URL` as libpq does, once for both drivers (PostgreSQL's documentation, "Connection URIs" and "Parameter Key
 * Words"). A parameter that Parley has no use for is named in `notes` and ignored; one that asks for a guarantee that it
 * cannot give is an error.
 */
import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';

/** Where the database is and how to reach it. */
export interface DatabaseTarget {
  /** A name, an address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
  readonly tls: DatabaseTls;
  readonly applicationName: string | undefined;
  /** Default: the setting. */
  readonly connectTimeoutMs: number | undefined;
  /** Seconds until the system probes an idle connection; undefined: never. */
  readonly keepAliveSeconds: number | undefined;
  /** Command-line options for the session's backend. */
  readonly options: string | undefined;
  /** The URL says that there is a pooler in transaction mode. */
  readonly isPooled: boolean;
  /** Lines for the operator. */
  readonly notes: readonly string[];
}

export interface DatabaseTls {
  /** `prefer`: without encryption where the server has none. */
  readonly mode: 'off' | 'prefer' | 'on';
  readonly options: ConnectionOptions;
  /** TLS begins at once, without PostgreSQL's own request (`sslnegotiation=direct`). */
  readonly direct: boolean;
}

type Parameters = Map<string, string>;

const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
type SslMode = (typeof sslModes)[number];

/** Parameters and values that change nothing here and are ignored without a note. */
const harmless: Readonly<Record<string, readonly string[]>> = {
  channel_binding: ['prefer', 'disable'],
  client_encoding: ['auto', 'utf8', 'UTF8', 'utf-8', 'UTF-8'],
  gssencmode: ['disable', 'prefer'],
  sslcompression: ['0'],
  sslsni: ['1'],
  target_session_attrs: ['any', 'primary', 'read-write', 'prefer-standby'],
  schema: ['public'],
};

const known = new Set([
  'host',
  'hostaddr',
  'port',
  'user',
  'password',
  'dbname',
  'application_name',
  'connect_timeout',
  'keepalives',
  'keepalives_idle',
  'options',
  'pgbouncer',
  'schema',
  'ssl',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'sslpassword',
  'sslcrl',
  'sslsni',
  'sslnegotiation',
  'ssl_min_protocol_version',
  'ssl_max_protocol_version',
]);

/** @throws Error with one line that names the parameter, never the password */
export function parseDatabaseUrl(url: string): DatabaseTarget {
  const { parts, parameters } = split(url);
  const notes: string[] = [];
  refuse(parameters);
  const user = parameters.get('user') ?? parts.user ?? userInfo().username;
  const host = parameters.get('hostaddr') ?? parameters.get('host') ?? parts.host ?? 'localhost';
  const nameOnCertificate = parameters.get('host') ?? parts.host ?? host;
  const schema = parameters.get('schema');
  const options = [
    parameters.get('options'),
    schema && schema !== 'public' ? `-c search_path=${escapeOption(schema)}` : '',
  ]
    .filter(Boolean)
    .join(' ');
  for (const [name, value] of parameters) {
    if (known.has(name) || harmless[name]?.includes(value)) continue;
    notes.push(
      name === 'channel_binding'
        ? 'channel_binding=require is not supported and ignored; sslmode=verify-full proves the server'
        : `"${name}" in the database URL has no meaning for Parley and is ignored`,
    );
  }
  return {
    host,
    port: readPort(parameters.get('port') ?? parts.port),
    user,
    password: parameters.get('password') ?? parts.password,
    database: parameters.get('dbname') ?? parts.database ?? user,
    tls: readTls(parameters, host, nameOnCertificate),
    applicationName: parameters.get('application_name') || undefined,
    connectTimeoutMs: readSeconds(parameters, 'connect_timeout', 1000),
    keepAliveSeconds:
      parameters.get('keepalives') === '0' ? undefined : (readSeconds(parameters, 'keepalives_idle', 1) ?? 60),
    options: options || undefined,
    isPooled: parameters.get('pgbouncer') === 'true',
    notes,
  };
}

interface UrlParts {
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly host: string | undefined;
  readonly port: string | undefined;
  readonly database: string | undefined;
}

/** scheme://user:password@host:port/database?name=value&… */
const shape = /^postgres(?:ql)?:\/\/(?:([^@/?#]*)@)?([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/;

function split(url: string): { parts: UrlParts; parameters: Parameters } {
  // A password may hold an "@": the last one before the path ends it.
  const [, beforeAt, afterAt] = /^([^/]*:\/\/[^/?]*)@(.*)$/s.exec(url) ?? [];
  const readable = beforeAt === undefined ? url : `${beforeAt.replaceAll('@', '%40')}@${afterAt}`;
  const [, login, address = '', path, query] = shape.exec(readable) ?? [];
  if (!shape.test(readable)) throw new Error('the database URL is not postgres://user:password@host:port/database');
  if (address.includes(',')) throw new Error('the database URL names several hosts; name one, e.g. that of a proxy');
  const [, ip6, name, port] = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d*))?$/.exec(address) ?? [];
  if (ip6 === undefined && name === undefined) throw new Error('the host and port in the database URL cannot be read');
  const colon = login?.indexOf(':') ?? -1;
  const parameters: Parameters = new Map();
  for (const pair of query?.split('&').filter(Boolean) ?? []) {
    const [key = '', ...value] = pair.split('=');
    parameters.set(decode(key), decode(value.join('=')));
  }
  return {
    parts: {
      user: decode(colon < 0 ? login : login?.slice(0, colon)) || undefined,
      password: colon < 0 ? undefined : decode(login?.slice(colon + 1)),
      host: decode(ip6 ?? name) || undefined,
      port: port || undefined,
      database: decode(path) || undefined,
    },
    parameters,
  };
}

function decode(text: string | undefined): string {
  try {
    return decodeURIComponent(text ?? '');
  } catch (cause) {
    throw new Error('the database URL holds a "%" that begins no escape; write %25 for a percent sign', { cause });
  }
}

/** @throws Error for a parameter that asks for a guarantee that Parley cannot give */
function refuse(parameters: Parameters): void {
  const impossible: readonly [name: string, value: string, why: string][] = [
    ['gssencmode', 'require', 'GSS encryption is not supported; use sslmode=verify-full'],
    ['target_session_attrs', 'read-only', 'Parley writes'],
    ['target_session_attrs', 'standby', 'Parley writes'],
    ['ssl', 'no-verify', 'use sslmode=require'],
  ];
  for (const [name, value, why] of impossible)
    if (parameters.get(name) === value) throw new Error(`${name}=${value} in the database URL cannot be met: ${why}`);
  for (const name of ['host', 'hostaddr', 'port'])
    if (parameters.get(name)?.includes(','))
      throw new Error(`${name} in the database URL names several; name one, e.g. that of a proxy`);
}

function readPort(text: string | undefined): number {
  const port = Number(text ?? 5432);
  if (!(Number.isInteger(port) && port > 0 && port < 65_536)) throw new Error(`${text} is no port in the database URL`);
  return port;
}

function readSeconds(parameters: Parameters, name: string, factor: number): number | undefined {
  const text = parameters.get(name);
  if (text === undefined || text === '') return undefined;
  const seconds = Number(text);
  if (!Number.isInteger(seconds)) throw new Error(`${name}=${text} in the database URL is no number of seconds`);
  return seconds > 0 ? seconds * factor : undefined;
}

/** A backslash keeps white space in `options` together. */
function escapeOption(value: string): string {
  return `"${value.replaceAll('"', '""')}"`.replace(/[\s\\]/g, '\\$&');
}

function readTls(parameters: Parameters, host: string, nameOnCertificate: string): DatabaseTls {
  const mode = readMode(parameters);
  const direct = parameters.get('sslnegotiation') === 'direct';
  if (direct && !['require', 'verify-ca', 'verify-full'].includes(mode))
    throw new Error('sslnegotiation=direct in the database URL needs sslmode=require or stronger');
  // No encryption inside one machine, as with libpq.
  if (mode === 'disable' || host.startsWith('/')) return { mode: 'off', options: {}, direct: false };
  const root = rootCertificates(parameters, mode);
  // libpq: "if a root CA file exists, the behavior of sslmode=require will be the same as that of verify-ca".
  const verifies = mode === 'verify-full' || mode === 'verify-ca' || (mode === 'require' && root.ca !== undefined);
  const isName = isIP(nameOnCertificate) === 0;
  return {
    mode: mode === 'allow' || mode === 'prefer' ? 'prefer' : 'on',
    direct,
    options: {
      rejectUnauthorized: verifies,
      ...(root.ca === undefined ? {} : { ca: root.ca }),
      ...(verifies && mode !== 'verify-full' ? { checkServerIdentity: () => undefined } : {}),
      ...(isName && parameters.get('sslsni') !== '0' ? { servername: nameOnCertificate } : { host: nameOnCertificate }),
      ...clientCertificate(parameters),
      ...(parameters.has('sslcrl') ? { crl: readNamed(parameters, 'sslcrl') } : {}),
      ...protocolVersions(parameters),
    },
  };
}

function readMode(parameters: Parameters): SslMode {
  const text = parameters.get('sslmode') ?? '';
  if (parameters.get('sslrootcert') === 'system') {
    if (text !== '' && text !== 'verify-full')
      throw new Error('sslrootcert=system in the database URL needs sslmode=verify-full');
    return 'verify-full';
  }
  // JDBC and node-postgres write ssl=true.
  if (text === '')
    return parameters.get('ssl') === 'true' ? 'require' : needsChannelBinding(parameters) ? 'require' : 'prefer';
  if (!(sslModes as readonly string[]).includes(text))
    throw new Error(`sslmode=${text} in the database URL is none of ${sslModes.join(', ')}`);
  const isWeak = ['disable', 'allow', 'prefer'].includes(text);
  // Channel binding is bound to TLS: without it libpq does not connect either.
  return isWeak && text !== 'disable' && needsChannelBinding(parameters) ? 'require' : (text as SslMode);
}

function needsChannelBinding(parameters: Parameters): boolean {
  return parameters.get('channel_binding') === 'require';
}

function rootCertificates(parameters: Parameters, mode: SslMode): { ca?: Buffer } {
  const named = parameters.get('sslrootcert');
  if (named === 'system') return {};
  if (named) return { ca: readNamed(parameters, 'sslrootcert') };
  const usual = join(homedir(), '.postgresql', 'root.crt');
  return ['require', 'verify-ca', 'verify-full'].includes(mode) && existsSync(usual) ? { ca: readFileSync(usual) } : {};
}

function clientCertificate(parameters: Parameters): ConnectionOptions {
  if (!parameters.get('sslcert')) return {};
  return {
    cert: readNamed(parameters, 'sslcert'),
    key: readNamed(parameters, 'sslkey'),
    ...(parameters.has('sslpassword') ? { passphrase: parameters.get('sslpassword')! } : {}),
  };
}

function protocolVersions(parameters: Parameters): ConnectionOptions {
  const bounds = { ssl_min_protocol_version: 'minVersion', ssl_max_protocol_version: 'maxVersion' } as const;
  const found: ConnectionOptions = {};
  for (const [name, bound] of Object.entries(bounds)) {
    const text = parameters.get(name);
    if (!text) continue;
    if (!/^TLSv1(\.[1-3])?$/.test(text)) throw new Error(`${name}=${text} in the database URL is no version of TLS`);
    found[bound] = text as NonNullable<ConnectionOptions['minVersion']>;
  }
  return found;
}

function readNamed(parameters: Parameters, name: string): Buffer {
  const path = parameters.get(name);
  try {
    return readFileSync(path ?? '');
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'error';
    throw new Error(`${name}=${path ?? ''} in the database URL cannot be read (${why})`, { cause });
  }
}
