/** The built page at `/`, where there is one. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyError } from 'fastify';
import { Failure } from '../errors.ts';
import type { App } from './server/app.ts';

const folder = fileURLToPath(new URL('../../dist/web', import.meta.url));

/** @returns whether there is a page: it is built by `npm start`, or into the image */
export async function addWebPage(app: App): Promise<boolean> {
  if (!existsSync(`${folder}/index.html`)) return false;
  await app.register(async (page) => {
    // A path out of the folder, or none that a file can have, is refused with 403 or 400: to a client it is nothing that is here.
    page.setErrorHandler((error: FastifyError) => {
      const refused = error.statusCode === 400 || error.statusCode === 403;
      throw refused ? new Failure('not_found', 'no such page', { cause: error }) : error;
    });
    await page.register(fastifyStatic, {
      root: folder,
      // The build leaves `name.br` and `name.gz` beside each text (vite.config.ts). They have no addresses of their own.
      preCompressed: true,
      allowedPath: (path) => !/\.(?:br|gz)$/.test(path),
      // Names of assets hold a digest of their content; whatever else there is has to be asked for each time.
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
