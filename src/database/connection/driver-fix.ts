/**
 * Fixes postgres.js 3.4.9 while it is loaded (docs/decisions/0009-lost-connections-of-postgres-js.md). Import this before anything that
 * imports `postgres`.
 *
 * - A connection that closes keeps old state: unwritten bytes, which come before the start-up message of the reconnect; the server's last
 *   error, which the next query gets; and the old query, which never settles. All of it is cleared.
 * - A query between the error and the close of a socket was lost, and one on a closed connection threw an uncaught exception. Both fail.
 * - A connection that is lost while it reads the array types rejected a promise that ended the process. It is destroyed instead.
 * - A `commit` that the server answers with a rollback counted as a success. It is an error.
 * - New connections are set up (session-settings.ts) before they are used.
 * - Without TLS on the server, `sslmode=require` is an error.
 * - After an error "read-only" a connection is closed once it is idle. After a failover the address may lead to the new primary, but an
 *   open connection would lead to the old one for ever.
 * - `drop` lets query-limits.ts destroy the connection of an overdue query.
 */
import { registerHooks } from 'node:module';

/** A key of `globalThis` that is set once the fixed driver is loaded: connect.ts refuses to work without. */
export const driverIsFixed = Symbol.for('parley.driver-fixed');

const target = /\/node_modules\/postgres\/src\/(connection|index)\.js$/;

/** The text in the driver, and its replacement. */
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

/** @throws Error if the source of the driver is not the one that these fixes were written for */
function fixed(source: string, fixes: readonly Fix[]): string {
  return fixes.reduce((text, [found, replacement]) => {
    if (text.split(found).length !== 2)
      throw new Error('postgres.js has changed: check whether src/database/connection/driver-fix.ts is still needed');
    return text.replace(found, () => replacement);
  }, source);
}

/** A key of `globalThis`: hooks of a second copy of this module would fix the driver twice. */
const hooksAreRegistered = Symbol.for('parley.driver-hooks');

if (!(hooksAreRegistered in globalThis)) {
  Object.assign(globalThis, { [hooksAreRegistered]: true });
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context);
      const [, file] = target.exec(url) ?? [];
      if (!file || loaded.source === undefined || loaded.source === null) return loaded;
      if (file === 'connection') Object.assign(globalThis, { [driverIsFixed]: true });
      const source = typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source);
      return { ...loaded, source: fixed(source, file === 'index' ? transactionFixes : connectionFixes) };
    },
  });
}
