/** What was given for a setting, before it is checked. */

export interface Given {
  readonly raw: unknown;
  /** For people: `the environment (PORT)`, `parley.yaml`, `the flag --http.port`. */
  readonly origin: string;
}

/** The start is refused; the message is one line for the operator. */
export class ConfigError extends Error {}
