/** Checks that the listen addresses of a role are free before anything is started. */
import { createServer, type Server } from 'node:net';
import type { Logger } from 'pino';
import { type Config, ConfigError } from '../../config/load.ts';

type PortPath = 'http.port' | 'processing.port' | 'metrics.port';

interface Address {
  readonly path: PortPath;
  readonly host: string;
  readonly port: number;
  /** The names of the setting. */
  readonly names: string;
}

const names: Readonly<Record<PortPath, string>> = {
  'http.port': 'PORT or --http.port',
  'processing.port': 'PARLEY_PROCESSING_PORT or --processing.port',
  'metrics.port': 'PARLEY_METRICS_PORT or --metrics.port',
};

/** The listen addresses of a role, the most important first. Port 0 takes a free port. */
export function addressesOf({ role, http, processing, metrics }: Config): readonly Address[] {
  const all = [
    ...(role === 'processing' ? [] : [{ path: 'http.port' as const, host: http.host, port: http.port }]),
    ...(role === 'chat' ? [] : [{ path: 'processing.port' as const, host: processing.host, port: processing.port }]),
    ...(metrics.port === 0 ? [] : [{ path: 'metrics.port' as const, host: metrics.host, port: metrics.port }]),
  ];
  return all.filter(({ port }) => port !== 0).map((each) => ({ ...each, names: names[each.path] }));
}

/** Listens for a moment. @throws the system's error */
function listen({ host, port }: Pick<Address, 'host' | 'port'>): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, () => resolve(server));
  });
}

/** One line for the operator: the setting, its value, where it comes from, and what to do. */
function complaint(address: Address, error: unknown, taken: readonly Address[], origins: Origins): ConfigError {
  const { path, host, port } = address;
  const origin = origins.get(path);
  const said = `"${path}"${origin === undefined ? ', the default,' : ` from ${origin}`} is ${port}`;
  const { code, message } = error as NodeJS.ErrnoException;
  const same = taken.find((each) => each.port === port);
  if (code === 'EADDRINUSE') {
    const by = same ? `"${same.path}" has that port` : `another program listens there on ${host}`;
    return new ConfigError(`${said}, but ${by}; set ${address.names} to a free port`, { cause: error });
  }
  if (code === 'EACCES')
    return new ConfigError(`${said}, but this user may not listen there; set ${address.names} to a port above 1023`, {
      cause: error,
    });
  const hostPath = path.replace('port', 'host');
  const hostOrigin = origins.get(hostPath);
  const hostSaid = `"${hostPath}"${hostOrigin === undefined ? '' : ` from ${hostOrigin}`} is ${JSON.stringify(host)}`;
  return new ConfigError(`${hostSaid}, where this machine cannot listen: ${code ?? message}`, { cause: error });
}

export type Origins = ReadonlyMap<string, string>;

/** The error of each address, in the order of `addressesOf`; undefined if it is free. */
export async function findTaken(
  config: Config,
  origins: Origins,
): Promise<readonly (Address & { readonly problem: ConfigError | undefined })[]> {
  const free: { readonly address: Address; readonly server: Server }[] = [];
  const found: (Address & { readonly problem: ConfigError | undefined })[] = [];
  try {
    for (const address of addressesOf(config)) {
      try {
        // Held until all addresses are checked, so that two settings with one port are noticed.
        free.push({ address, server: await listen(address) });
        found.push({ ...address, problem: undefined });
      } catch (error) {
        const taken = free.map((each) => each.address);
        found.push({ ...address, problem: complaint(address, error, taken, origins) });
      }
    }
    return found;
  } finally {
    await Promise.all(free.map(({ server }) => new Promise((done) => server.close(done))));
  }
}

/**
 * The configuration with free ports. In role `all` no other process uses the processing port, so another free port replaces
 * it unless it was set.
 * @throws ConfigError naming the setting and its value
 */
export async function requireFreePorts(
  config: Config,
  origins: Origins,
  logger: Pick<Logger, 'info'>,
): Promise<Config> {
  let checked = config;
  for (const { path, problem } of await findTaken(config, origins)) {
    if (problem === undefined) continue;
    const isOurs = path === 'processing.port' && config.role === 'all' && !origins.has(path);
    if (!isOurs || (problem.cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw problem;
    logger.info({ port: config.processing.port }, 'the processing port is in use; another free one is used');
    checked = { ...checked, processing: { ...checked.processing, port: 0 } };
  }
  return checked;
}

/** The same message for an address that was taken after the check; other errors are returned unchanged. */
export function explainListenError(error: unknown, config: Config, origins: Origins): unknown {
  const { syscall, port } = error as NodeJS.ErrnoException & { port?: number };
  if (syscall !== 'listen') return error;
  const address = addressesOf(config).find((each) => each.port === port);
  return address ? complaint(address, error, [], origins) : error;
}
