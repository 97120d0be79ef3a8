/** Logs far more than its terminal takes, and writes a file when it is done. */
import { writeFileSync } from 'node:fs';
import { createLogger } from '../../src/logger/logger.ts';

const logger = createLogger({ level: 'info', bufferBytes: 64 * 1024 });
for (let turn = 0; turn < 100; turn++) {
  for (let line = 0; line < 20; line++) logger.info({ turn, line, filler: 'x'.repeat(200) }, 'a line');
  await new Promise((resolve) => setImmediate(resolve));
}
writeFileSync(process.argv[2]!, String(process.stdout.isTTY));
process.exit(0);
