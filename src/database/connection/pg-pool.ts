/** A pool of the `pg` driver, which the job queue needs. It connects to the same database in the same way as postgres.js. */
import { type ClientBase, Pool, type PoolClient, type PoolConfig } from 'pg';
import { type DatabaseTarget, parseDatabaseUrl } from './database-url.ts';
import { poolingOf } from './driver-options.ts';
import { grantingStatement, type Pooling, setupStatements } from './session-settings.ts';

export interface PgPoolSettings {
  readonly url: string;
  readonly pooling: Pooling;
  /** Connections. */
  readonly poolSize: number;
  readonly connectTimeout: number;
  /** Default: no limit. */
  readonly statementTimeout?: number;
  readonly name: string;
}

type ConnectCallback = (error: Error | undefined, client: PoolClient | undefined, done: () => void) => void;

export class PgPool extends Pool {
  readonly #target: DatabaseTarget;

  /** @param onError gets the errors of broken connections. Their queries fail by themselves */
  constructor(settings: PgPoolSettings, onError: (error: Error) => void) {
    const target = parseDatabaseUrl(settings.url);
    super(poolConfig(target, settings));
    this.#target = target;
    const { statementTimeout } = settings;
    const isOwnSession = poolingOf(target, settings.pooling) === 'session';
    // An `error` event without a listener would end the process.
    this.on('error', onError);
    this.on('connect', (client) => {
      client.on('error', onError);
      if (isOwnSession && statementTimeout !== undefined) setUp(client, statementTimeout, onError);
    });
  }

  override connect(): Promise<PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): unknown {
    if (!callback) return this.#connectEitherWay();
    this.#connectEitherWay().then(
      (client) => callback(undefined, client, client.release.bind(client)),
      (error: Error) => callback(error, undefined, () => {}),
    );
    return undefined;
  }

  /** `pg` has no `sslmode=prefer`. If the server refuses one way, the other way is tried, and remembered. */
  async #connectEitherWay(): Promise<PoolClient> {
    try {
      return await super.connect();
    } catch (error) {
      const { tls } = this.#target;
      const options = this.options as PoolConfig;
      if (tls.mode !== 'prefer' || !isRefusedWay(error as Error)) throw error;
      options.ssl = options.ssl === false ? tls.options : false;
      return super.connect();
    }
  }
}

function poolConfig(target: DatabaseTarget, { poolSize, connectTimeout, name }: PgPoolSettings): PoolConfig {
  const { host, port, user, password, database, tls, applicationName = 'parley', keepAliveSeconds, options } = target;
  return {
    ...{ host, port, user, password, database, max: poolSize },
    ssl: tls.mode === 'off' ? false : tls.options,
    ...(tls.direct ? { sslnegotiation: 'direct' as const } : {}),
    connectionTimeoutMillis: target.connectTimeoutMs ?? connectTimeout,
    keepAlive: keepAliveSeconds !== undefined,
    keepAliveInitialDelayMillis: (keepAliveSeconds ?? 0) * 1000,
    application_name: `${applicationName}-${name}`,
    ...(options === undefined ? {} : { options }),
  };
}

/** Whether the server has no TLS, or refuses connections without it. */
function isRefusedWay({ message, code }: Error & { code?: string }): boolean {
  return (
    /does not support SSL|establishing an SSL/.test(message) || (code === '28000' && /no encryption/.test(message))
  );
}

function setUp(client: ClientBase, statementTimeout: number, onError: (error: Error) => void): void {
  const settings = setupStatements({ statementTimeout, lockTimeout: undefined, planOnce: false });
  client.query(`${grantingStatement}; ${settings}`).catch(onError);
}
