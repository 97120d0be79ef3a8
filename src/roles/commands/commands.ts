/** The commands: each does its work and exits. */
import { ConfigError, type Loaded, loadConfig } from '../../config/load.ts';
import { runAdminCommand } from './admin-command.ts';
import { runDoctor } from './doctor-command.ts';
import { printHostToken } from './host-token-command.ts';

const configUsage = 'usage: node src/main.ts config check [file]';

/**
 * @param words the words of the command, including its own flags
 * @param argv all arguments, including settings
 * @throws ConfigError for an unknown command
 */
export async function runCommand(words: readonly string[], argv: readonly string[]): Promise<void> {
  const [command, ...rest] = words;
  if (command === 'admin') return runAdminCommand(rest, loadConfig(argv).config);
  if (command === 'config') return checkConfig(rest, argv);
  if (command === 'token') return printHostToken(rest, loadConfig(argv).config);
  if (command === 'doctor') return runDoctor(rest, () => loadConfig(argv));
  throw new ConfigError(`"${words.join(' ')}" is not a command; see --help`);
}

/** Checks the whole configuration and prints how many settings come from where. */
function checkConfig(words: readonly string[], argv: readonly string[]): void {
  const [what, file, ...rest] = words;
  if (what !== 'check' || rest.length > 0 || file?.startsWith('--')) throw new ConfigError(configUsage);
  const { config, origins } = loadConfig(file === undefined ? argv : [...argv, '--config', file]);
  process.stdout.write(`the configuration is valid: role ${config.role}, ${countOrigins(origins)}\n`);
}

/** `3 settings from parley.yaml, 1 from the environment`. */
function countOrigins(origins: Loaded['origins']): string {
  const kinds = [...origins.values()].map((origin) => origin.replace(/ \(.*\)$/, '').replace(/^the flag .*/, 'flags'));
  const counts = [...Map.groupBy(kinds, (kind) => kind)].map(
    ([kind, { length }]) => `${length} ${length === 1 ? 'setting' : 'settings'} from ${kind}`,
  );
  return counts.length > 0 ? counts.join(', ') : 'every setting has its default';
}
