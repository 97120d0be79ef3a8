/** Serves the built page at `/`. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyError } from 'fastify';
import { Failure } from '../errors.ts';
import { isUuid } from './input/schemas.ts';
import type { App } from './server/app-type.ts';

const folder = fileURLToPath(new URL('../../dist/web', import.meta.url));

/** @returns false when the page was not built; `npm start` and the image build it */
export async function addWebPage(app: App): Promise<boolean> {
  if (!existsSync(`${folder}/index.html`)) return false;
  await app.register(async (page) => {
    // Paths out of the folder, and paths that no file can have, are refused with 403 or 400. To a client they do not exist.
    page.setErrorHandler((error: FastifyError) => {
      const refused = error.statusCode === 400 || error.statusCode === 403;
      throw refused ? new Failure('not_found', 'no such page', { cause: error }) : error;
    });
    await page.register(fastifyStatic, {
      root: folder,
      // The build puts `name.br` and `name.gz` beside each text (vite.config.ts). They cannot be requested themselves.
      preCompressed: true,
      allowedPath: (path) => !/\.(?:br|gz)$/.test(path),
      // Names of assets contain a digest of their content. Other files are revalidated on each request.
      setHeaders: (reply, path) => {
        const isAsset = path.replaceAll('\\', '/').startsWith(`${folder.replaceAll('\\', '/')}/assets/`);
        void reply.header('cache-control', isAsset ? 'public, max-age=31536000, immutable' : 'no-cache');
      },
      cacheControl: false,
      dotfiles: 'ignore',
      schemaHide: true,
    });
    addLinks(page as unknown as App);
  });
  return true;
}

/**
 * Links to a room, a thread or a message in the form that people share and mails contain. The page keeps its place behind the `#`,
 * and its files are found relative to its own address, so the browser is sent there; relatively, because a proxy may serve the page
 * under a path.
 */
function addLinks(page: App): void {
  const places = ['/rooms/:roomId', '/rooms/:roomId/messages/:messageId', '/rooms/:roomId/threads/:threadId'];
  for (const place of places) {
    const up = '../'.repeat(place.split('/').length - 2);
    page.get(place, { schema: { hide: true } }, async (request, reply) => {
      const ids = request.params as Readonly<Record<string, string>>;
      if (!Object.values(ids).every(isUuid)) throw new Failure('not_found', 'no such page');
      const target = place.replace(/:(\w+)/g, (_name, key: string) => ids[key]!);
      return reply.header('cache-control', 'no-cache').redirect(`${up}#${target}`, 302);
    });
  }
}
