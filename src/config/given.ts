/** The raw value of a setting, before it is checked. */

export interface Given {
  readonly raw: unknown;
  /** For people: `the environment (PORT)`, `parley.yaml`, `the flag --http.port`. */
  readonly origin: string;
}

/** The configuration is invalid. The message is one line for the operator. */
export class ConfigError extends Error {}
