import { expect, test } from 'vitest';
import { loadConfig } from './load.ts';

/** What Kubernetes writes for one Service with two named ports. */
function kubernetes(name: string): Record<string, string> {
  return {
    [`${name}_SERVICE_HOST`]: '10.96.0.12',
    [`${name}_SERVICE_PORT`]: '8080',
    [`${name}_SERVICE_PORT_HTTP`]: '8080',
    [`${name}_SERVICE_PORT_GRPC_WEB`]: '8081',
    [`${name}_PORT`]: 'tcp://10.96.0.12:8080',
    [`${name}_PORT_8080_TCP`]: 'tcp://10.96.0.12:8080',
    [`${name}_PORT_8080_TCP_PROTO`]: 'tcp',
    [`${name}_PORT_8080_TCP_PORT`]: '8080',
    [`${name}_PORT_8080_TCP_ADDR`]: '10.96.0.12',
    [`${name}_PORT_53_UDP`]: 'udp://10.96.0.12:53',
    [`${name}_PORT_53_UDP_ADDR`]: '10.96.0.12',
    [`${name}_PORT_132_SCTP_PROTO`]: 'sctp',
  };
}

/** What Docker writes for one link. */
function link(alias: string): Record<string, string> {
  return {
    [`${alias}_NAME`]: `/web/${alias.toLowerCase()}`,
    [`${alias}_PORT`]: 'tcp://172.17.0.5:8080',
    [`${alias}_PORT_8080_TCP`]: 'tcp://172.17.0.5:8080',
    [`${alias}_PORT_8080_TCP_ADDR`]: '172.17.0.5',
    [`${alias}_PORT_8080_TCP_START`]: 'tcp://172.17.0.5:8080',
    [`${alias}_PORT_8080_TCP_END`]: 'tcp://172.17.0.5:8090',
    [`${alias}_PORT_8080_TCP_PORT_START`]: '8080',
    [`${alias}_PORT_8080_TCP_PORT_END`]: '8090',
    [`${alias}_ENV_NODE_ENV`]: 'development',
    [`${alias}_ENV_HTTP_PORT`]: '1',
    [`${alias}_ENV_PARLEY_ROLE`]: 'nonsense',
  };
}

// Names of services that are, or continue into, names of our settings as well.
const names = [
  'PARLEY',
  'PARLEY_CHAT',
  'PARLEY_HTTP',
  'PARLEY_PROCESSING',
  'PARLEY_METRICS',
  'PARLEY_DATABASE',
  'PARLEY_AUTH_PROVIDERS_ACME',
  'PARLEY_2',
];

test.each(names)('what Kubernetes writes for a service called %s changes no setting', (name) => {
  expect(loadConfig([], kubernetes(name)).config).toEqual(loadConfig([], {}).config);
});

test.each(names)('what a Docker link called %s writes changes no setting', (name) => {
  expect(loadConfig([], link(name)).config).toEqual(loadConfig([], {}).config);
});

test('settings of ours count beside them', () => {
  const { config } = loadConfig([], { ...kubernetes('PARLEY'), ...link('PARLEY_DB'), PARLEY_HTTP_PORT: '8123' });
  expect(config.http.port).toBe(8123);
});

test.each([
  ['PARLEY_HTPP_PORT', '8080'],
  ['PARLEY_HTTP_PROT', '8080'],
  ['PARLEY_PORT', '8080'],
  ['PARLEY_SERVICE', 'x'],
  ['PARLEY_SERVICE_HOSTS', 'x'],
  ['PARLEY_NAME', 'parley'],
  ['PARLEY_ENV', 'production'],
  ['PARLEY_ENV_MODE', 'production'],
  ['PARLEY_PORT_TCP', '8080'],
  ['PARLEY_PORT_8080_HTTP', '8080'],
])('%s=%s is refused as unknown, with or without services around', (name, value) => {
  for (const environment of [{}, kubernetes('PARLEY')])
    expect(() => loadConfig([], { ...environment, [name]: value })).toThrow(`unknown setting ${name}`);
});

test('a port of ours that is no number is refused unless a link wrote it', () => {
  expect(() => loadConfig([], { PARLEY_HTTP_PORT: 'http://10.0.0.1:80' })).toThrow('"http.port"');
});
