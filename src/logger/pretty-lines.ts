/** Log lines for a terminal: time, level, message and details. */
import { prettyFactory } from 'pino-pretty';

/** Control characters that could move the cursor or change the terminal, except line breaks and tabs of stack traces. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

const visible = (control: string) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`;

/** @returns makes such a line of a line of JSON */
export function createLinePrinter(colorize: boolean): (json: string) => string {
  const prettify = prettyFactory({ colorize, singleLine: true, translateTime: 'SYS:HH:MM:ss', ignore: 'pid,hostname' });
  return (json) =>
    prettify(
      JSON.parse(json, (_key, value: unknown) =>
        typeof value === 'string' ? value.replace(controls, visible) : value,
      ),
    );
}
