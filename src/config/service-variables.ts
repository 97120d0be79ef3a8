/**
 * Variables that an orchestrator writes into the environment beside a service called "parley": they begin as ours do and
 * are no settings.
 *
 * - Kubernetes, for every Service of the namespace: `<NAME>_SERVICE_HOST`, `<NAME>_SERVICE_PORT[_<PORT NAME>]`, and the
 *   forms of Docker links (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
 * - Docker links: `<ALIAS>_PORT=tcp://…`, `<ALIAS>_PORT_<number>_<PROTOCOL>[_ADDR|_PORT|_PROTO|_START|…]`,
 *   `<ALIAS>_NAME=/container/alias` and `<ALIAS>_ENV_<any name of the linked container>`
 *   (https://docs.docker.com/engine/network/links/#environment-variables).
 *
 * The name of a service may continue ours: beside "parley-http" the variable `PARLEY_HTTP_PORT` holds `tcp://…`.
 */
const serviceNames = /_SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)$/;
const portNames = /_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:ADDR|PROTO|(?:PORT_)?(?:START|END)|PORT))?$/;
const linkAddress = /^(?:tcp|udp|sctp):\/\//i;
/** `/container/alias`. */
const linkName = /^\/[^/]+\/[^/]+$/;

/** The environment without what orchestrators put into it. */
export function withoutServiceVariables(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names = Object.keys(environment).filter((name) => name.startsWith('PARLEY_'));
  const linked = names
    .filter((name) => name.endsWith('_NAME') && linkName.test(environment[name] ?? ''))
    .map((name) => name.slice(0, -'_NAME'.length));

  function isInjected(name: string): boolean {
    if (serviceNames.test(name) || portNames.test(name)) return true;
    if (name.endsWith('_PORT') && linkAddress.test(environment[name] ?? '')) return true;
    return linked.some((alias) => name === `${alias}_NAME` || name.startsWith(`${alias}_ENV_`));
  }

  const injected = new Set(names.filter(isInjected));
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !injected.has(name)));
}
