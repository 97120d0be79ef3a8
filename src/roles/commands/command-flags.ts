/** The flags of a command: `--username ana --email ana@example.org`. */
import { parseArgs } from 'node:util';
import { ConfigError } from '../../config/load.ts';

export interface CommandFlags<Name extends string> {
  /** The values of each flag, in order. */
  readonly flags: { readonly [Each in Name]?: readonly string[] };
  readonly words: readonly string[];
}

/** @throws ConfigError with the usage for an unknown flag or one without a value */
export function readCommandFlags<Name extends string>(
  args: readonly string[],
  names: readonly Name[],
  usage: string,
): CommandFlags<Name> {
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string', multiple: true }] as const));
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    return { flags: values as CommandFlags<Name>['flags'], words: positionals };
  } catch (cause) {
    throw new ConfigError(usage, { cause });
  }
}
