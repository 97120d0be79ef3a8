/** Flags, configuration, the start of the role, and its stop. SIGTERM and SIGINT start a drain; a second signal ends it early. */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { readCommandLine } from './config/command-line.ts';
import { describeConfig, helpText } from './config/describe.ts';
import { loadConfig } from './config/load.ts';
import { createMetrics } from './http/metrics.ts';
import { createLogger } from './logger/logger.ts';
import { createOutages } from './logger/outages.ts';
import { requireFreePorts } from './roles/lifecycle/listen-addresses.ts';
import { neededNode, supportsNode } from './roles/lifecycle/node-version.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
/** Time to stop after a second signal. */
const hurryMs = 1500;

async function main(): Promise<void> {
  if (!supportsNode(process.version))
    throw new Error(
      `Node ${neededNode} or newer is needed, and this is ${process.version}; get it from https://nodejs.org`,
    );
  const argv = process.argv.slice(2);
  const { words, ...asked } = readCommandLine(argv);
  if (asked.help) return print(helpText());
  if (asked.version) return print(`${version}\n`);
  if (words.length > 0) {
    await import('./database/connection/driver-fix.ts');
    const { runCommand } = await import('./roles/commands/commands.ts');
    return runCommand(words, argv);
  }
  const { config: given, origins } = loadConfig(argv);
  if (asked.printConfig) return print(`${describeConfig(given)}\n`);
  // Regular expressions that backtrack too long are handed to V8's linear engine, in worker threads too.
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
  await import('./database/connection/driver-fix.ts');
  const logger = createLogger(given.log);
  // The ports are checked before anything is started or loaded.
  const config = await requireFreePorts(given, origins, logger);
  const { startRole } = await import('./roles/start-role.ts');
  const stopped = waitForSignal();
  const outages = createOutages(logger, config.log.outageRepeat);
  const role = await startRole({ config, origins, logger, outages, metrics: createMetrics(), version });
  process.on('uncaughtException', (error) => {
    logger.fatal({ error }, 'uncaught error: this process stops');
    process.exitCode = 1;
    const end = () => process.exit(1);
    role.stop(performance.now() + hurryMs).then(end, end);
  });
  logger.info(role.announcement);
  // Not in the log, because the link is a secret.
  if (role.setupLink !== undefined)
    process.stderr.write(`Parley has no admin yet. This link creates the first one, once:\n  ${role.setupLink}\n`);
  const signal = await stopped.first;
  logger.info({ signal }, 'draining');
  const deadlineMs = performance.now() + config.drain.timeout;
  stopped.second(() => {
    logger.warn('a second signal: stopping now');
    setTimeout(() => process.exit(1), hurryMs);
  });
  const late = setTimeout(() => {
    logger.warn('the drain took too long; stopping now');
    process.exit(1);
  }, config.drain.timeout + 500);
  await role.stop(deadlineMs);
  clearTimeout(late);
  logger.info('stopped');
  // Idle timers must not delay the exit.
  process.exit(0);
}

function waitForSignal() {
  let count = 0;
  let onSecond = () => {};
  const first = new Promise<string>((resolve) => {
    // SIGBREAK: Ctrl-Break on Windows, which has no SIGTERM.
    for (const signal of ['SIGTERM', 'SIGINT', ...(process.platform === 'win32' ? ['SIGBREAK'] : [])]) {
      process.on(signal, () => {
        count += 1;
        if (count === 1) resolve(signal);
        else onSecond();
      });
    }
  });
  return {
    first,
    second: (then: () => void) => {
      onSecond = then;
    },
  };
}

function print(text: string): void {
  process.stdout.write(text);
}

main().catch((error: unknown) => {
  // One line for the operator, with the cause if it adds something.
  const { message, cause } = error as Error;
  const more = cause instanceof Error && !message.includes(cause.message) ? ` (${cause.message.split('\n')[0]})` : '';
  process.stderr.write(`parley: ${message}${more}\n`);
  process.exitCode = 1;
  setTimeout(() => process.exit(1), 100);
});
