/** Serves the built page at `/`. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyError } from 'fastify';
import { Failure } from '../errors.ts';
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
  });
  return true;
}
