/** Logs far more than a pipe and the buffer hold, and reports over IPC when it is done. */
import { createLogger } from '../../src/logger/logger.ts';

const logger = createLogger({ level: 'info', bufferBytes: 64 * 1024 });
for (let turn = 0; turn < 200; turn++) {
  for (let line = 0; line < 200; line++) logger.info({ turn, line, filler: 'x'.repeat(200) }, 'a line');
  await new Promise((resolve) => setImmediate(resolve));
}
process.send!({ heapMb: process.memoryUsage().heapUsed / 1024 / 1024 });
process.on('message', () => {
  logger.info('somebody reads');
  process.send!('said');
});
