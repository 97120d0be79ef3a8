/** A real nginx before a Parley, with the locations that a test writes. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endWithUs } from './ends-with-us.ts';
import { freePort } from './ports.ts';

export interface Nginx {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/**
 * @param locations the inside of the `server` block
 * @param files more files of its folder, by name; `FOLDER` in `locations` stands for that folder
 */
export async function startNginx(
  locations: string,
  { port, files = {} }: { port?: number; files?: Readonly<Record<string, string>> } = {},
): Promise<Nginx> {
  port ??= await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'parley-nginx-'));
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join('\n');
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr warn;
events { worker_connections 256; }
http {
  access_log off;
  ${temporary}
  large_client_header_buffers 4 64k;
  server {
    listen 127.0.0.1:${port};
    ${locations.replaceAll('FOLDER', folder)}
  }
}
`,
  );
  const child = spawn('nginx', ['-c', join(folder, 'nginx.conf'), '-p', folder], {
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  endWithUs(child);
  let written = '';
  child.stderr.on('data', (chunk: Buffer) => {
    written += chunk.toString('utf8');
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = `http://127.0.0.1:${port}`;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}: ${written}`);
    const answers = await fetch(url, { redirect: 'manual' }).then(
      () => true,
      () => false,
    );
    if (answers) break;
    await new Promise((wake) => setTimeout(wake, 25));
  }
  return {
    url,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
