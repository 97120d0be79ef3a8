/** The baseline for uploads: an HTTP server that streams each body into a new file and syncs it. It parses nothing. */
import { open, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';

const [port = '0', folder = '.'] = process.argv.slice(2);
let count = 0;

const server = createServer(async (request, response) => {
  count += 1;
  const path = join(folder, `bare-${count}`);
  const file = await open(path, 'wx');
  for await (const chunk of request as AsyncIterable<Buffer>) await file.writeFile(chunk);
  await file.sync();
  await file.close();
  response.writeHead(201).end('{}');
  await rm(path);
});
server.listen(Number(port), '127.0.0.1', () => process.send!('listening'));
process.on('disconnect', () => process.exit(0));
