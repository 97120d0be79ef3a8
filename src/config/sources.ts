/** The file and the environment, read into what was given for each setting. */
import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { type Entry, entries, environmentName, findEntry, isGroup, nearest } from './entries.ts';
import { ConfigError, type Given } from './given.ts';
import { withoutServiceVariables } from './service-variables.ts';

function readYaml(path: string): Record<string, unknown> {
  let content: unknown;
  try {
    content = parseYaml(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new ConfigError(`configuration file ${path} cannot be read: ${(cause as Error).message.split('\n')[0]}`, {
      cause,
    });
  }
  if (content === null || content === undefined) return {};
  if (typeof content !== 'object' || Array.isArray(content))
    throw new ConfigError(`configuration file ${path} must hold keys and values`);
  return content as Record<string, unknown>;
}

/**
 * Reads a YAML file. Keys may be nested (`http: { port: 80 }`), written as paths (`http.port: 80`), or both.
 * @throws ConfigError for an unknown key, or one that is given twice
 */
export function fromFile(file: string): Map<string, Given> {
  const into = new Map<string, Given>();

  function take(node: Record<string, unknown>, prefix: string): void {
    for (const [key, value] of Object.entries(node)) {
      const path = prefix ? `${prefix}.${key}` : key;
      if (findEntry(path)) {
        if (into.has(path)) throw new ConfigError(`"${path}" is given twice in ${file}`);
        into.set(path, { raw: value, origin: file });
      } else if (!isGroup(path)) throw unknownKey(path, file);
      // A group whose keys are all commented out.
      else if (value === null) continue;
      else if (typeof value === 'object' && !Array.isArray(value)) take(value as Record<string, unknown>, path);
      else throw new ConfigError(`"${path}" in ${file} must hold keys, not ${JSON.stringify(value)}`);
    }
  }

  take(readYaml(file), '');
  return into;
}

function unknownKey(path: string, file: string): ConfigError {
  const near = nearest(
    path,
    entries.map((entry) => entry.path),
  );
  return new ConfigError(`unknown key "${path}" in ${file}; the nearest known key is "${near}"`);
}

/** `PARLEY_AUTH_PROVIDERS_ACME_CLIENT_ID` → `{ acme: { clientId } }`. */
function readOpen(entry: Entry, environment: NodeJS.ProcessEnv, used: Set<string>): Given | undefined {
  const prefix = `${environmentName(entry.path)}_`;
  const value: Record<string, Record<string, string>> = {};
  for (const [name, raw] of Object.entries(environment)) {
    const match = name.startsWith(prefix) ? /^([A-Z0-9]+)_([A-Z0-9_]+)$/.exec(name.slice(prefix.length)) : null;
    if (!match || raw === undefined) continue;
    const field = match[2]!.toLowerCase().replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const owner = match[1]!.toLowerCase();
    value[owner] = { ...value[owner], [field]: raw };
    used.add(name);
  }
  return Object.keys(value).length === 0 ? undefined : { raw: value, origin: `the environment (${prefix}…)` };
}

/** @throws ConfigError for a variable that begins as ours do and is none */
export function fromEnvironment(everything: NodeJS.ProcessEnv): Map<string, Given> {
  const environment = withoutServiceVariables(everything);
  const into = new Map<string, Given>();
  const used = new Set(['PARLEY_CONFIG']);
  // What hosts set anyway; our own name for it comes below and wins.
  if (environment.NODE_ENV === 'production')
    into.set('environment', { raw: 'production', origin: 'the environment (NODE_ENV)' });
  for (const entry of entries) {
    if (entry.setting.open) {
      const open = readOpen(entry, environment, used);
      if (open) into.set(entry.path, open);
    }
    for (const name of entry.environmentNames) {
      used.add(name);
      const raw = environment[name];
      if (raw === undefined || raw === '') continue;
      into.set(entry.path, { raw, origin: `the environment (${name})` });
      break;
    }
  }
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('PARLEY_') || used.has(name)) continue;
    const near = nearest(
      name,
      entries.map((entry) => entry.environmentNames[0]!),
    );
    throw new ConfigError(`unknown setting ${name} in the environment; the nearest known one is ${near}`);
  }
  return into;
}
