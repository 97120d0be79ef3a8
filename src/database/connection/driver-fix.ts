/**
 * A few lines that postgres.js 3.4.9 lacks, put in while it is loaded (docs/decisions/0009-lost-connections-of-postgres-js.md).
 *
 * A connection that closes keeps what belongs to its old life: bytes not yet written, which stand before the start-up message after
 * a reconnect; the server's last error, which the first query of the new life is told; and the old query, whose place that
 * query takes, so that it never settles. A query that comes between the error and the close of a socket is forgotten; one on a closed connection writes to no socket, which is an uncaught exception.
 * The last of them lets whoever waits for a query destroy its connection (query-limits.ts).
 * One that is lost while it learns the types of arrays rejects a promise that nobody has, which ends the process; it is given up, so that none works without them.
 * A `commit` that the server answers with a rollback is an error: the driver took it for a success. The sessions of new connections
 * are set up (session-settings.ts) before they are used. A server without TLS is not spoken to where TLS was asked for.
 * A connection that was told that its server is read-only is closed once it is idle: after a failover the address may lead to the new
 * primary, while a connection that stays open would lead to the old one for ever.
 * Import this before anything that imports `postgres`.
 */
import { registerHooks } from 'node:module';

const target = /\/node_modules\/postgres\/src\/(connection|index)\.js$/;

/** [what is there, what comes in its place] */
type Fix = readonly [found: string, replacement: string];

const transactionFixes: readonly Fix[] = [
  [
    '          : await sql`commit`\n',
    `          : await sql.unsafe('commit').then(({ command }) => {
              if (command !== 'COMMIT')
                throw Object.assign(new Error('the server rolled the transaction back instead of committing it'), { code: '40000' })
            })
`,
  ],
];

const connectionFixes: readonly Fix[] = [
  [
    '  function nextWrite(fn) {\n',
    '  function nextWrite(fn) {\n    if (!socket) return (chunk = nextWriteTimer = null, false)\n',
  ],
  [
    '    socket.removeAllListeners()\n    socket = null\n\n    if (initial)\n',
    `    socket.removeAllListeners()
    socket = chunk = nextWriteTimer = null
    !initial && (query || sent.length) && error(Errors.connection('CONNECTION_CLOSED', options, socket))
    query = results = errorResponse = null
    result = new Result()

    if (initial)
`,
  ],
  [
    "    if (terminated)\n      return queryError(q, Errors.connection('CONNECTION_DESTROYED', options))\n",
    `    if (terminated || !socket)
      return queryError(q, Errors.connection(terminated ? 'CONNECTION_DESTROYED' : 'CONNECTION_CLOSED', options))
`,
  ],
  [
    '        return fetchArrayTypes()\n',
    '        return fetchArrayTypes().catch(() => { socket && socket.destroy() })\n',
  ],
  ['    , needsTypes = options.fetch_types\n', '    , needsTypes = options.fetch_types\n    , needsSetup = false\n'],
  [
    '      needsTypes = options.fetch_types\n      statementId',
    "      needsTypes = options.fetch_types\n      needsSetup = Symbol.for('parley.session-setup') in options.connection\n      statementId",
  ],
  // The deadline of a connection holds until it can be used.
  [
    '    result = new Result()\n    connectTimer.cancel()\n',
    '    result = new Result()\n    needsSetup || needsTypes || connectTimer.cancel()\n',
  ],
  [
    '    if (initial) {\n      if (target_session_attrs) {\n',
    `    if (needsSetup) {
      needsSetup = false
      const setup = new Query([options.connection[Symbol.for('parley.session-setup')]], [], execute, null, { simple: true })
      return void setup.catch(() => { socket && socket.destroy() })
    }

    if (initial) {
      if (target_session_attrs) {
`,
  ],
  [
    "      if (!canSSL && ssl === 'prefer')\n        return connected()\n",
    `      if (!canSSL && ssl === 'prefer')
        return connected()

      if (!canSSL)
        return (errored(Object.assign(new Error('the server does not support TLS'), { code: 'TLS_REFUSED' })), socket.destroy())
`,
  ],
  [
    '      errorResponse = Errors.postgres(parseError(x))\n    } else {\n',
    `      errorResponse = Errors.postgres(parseError(x))
      errorResponse.code === '25006' && end()
    } else {
`,
  ],
  ['      q.state = backend\n', '      q.state = backend\n      q.drop = () => { socket && socket.destroy() }\n'],
];

/** @throws Error when the driver is another than the one that was read */
function fixed(source: string, fixes: readonly Fix[]): string {
  return fixes.reduce((text, [found, replacement]) => {
    if (text.split(found).length !== 2)
      throw new Error('postgres.js has changed: look whether src/database/connection/driver-fix.ts is still needed');
    return text.replace(found, () => replacement);
  }, source);
}

registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context);
    const [, file] = target.exec(url) ?? [];
    if (!file || loaded.source === undefined || loaded.source === null) return loaded;
    const source = typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source);
    return { ...loaded, source: fixed(source, file === 'index' ? transactionFixes : connectionFixes) };
  },
});
