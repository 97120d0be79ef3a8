/** How a client connects: what postgres.js gets from a parsed database URL. */
import type postgres from 'postgres';
import type { DatabaseTarget } from './database-url.ts';
import type { Pooling } from './session-settings.ts';

/** How connections to this database are pooled. The URL may override the setting (`pgbouncer=true`). */
export function poolingOf({ isPooled }: DatabaseTarget, configured: Pooling = 'session'): Pooling {
  return isPooled ? 'transaction' : configured;
}

/** The options of a postgres.js client for this database. */
export function driverOptions(
  target: DatabaseTarget,
  { name, connectTimeout }: { readonly name: string; readonly connectTimeout: number },
): postgres.Options<Record<string, never>> {
  const { host, port, user, password, database, tls, applicationName = 'parley', connectTimeoutMs, options } = target;
  const seconds = Math.max(1, Math.ceil((connectTimeoutMs ?? connectTimeout) / 1000));
  return {
    ...(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host: [host], port: [port] }),
    user,
    database,
    ...(password === undefined ? {} : { password }),
    ssl: tls.mode === 'off' ? false : tls.mode === 'prefer' ? ('prefer' as const) : tls.options,
    ...(tls.direct ? { sslnegotiation: 'direct' as const } : {}),
    connect_timeout: seconds,
    keep_alive: target.keepAliveSeconds ?? null,
    onnotice: () => {},
    connection: { application_name: `${applicationName}-${name}`, ...(options === undefined ? {} : { options }) },
  } as postgres.Options<Record<string, never>>;
}
