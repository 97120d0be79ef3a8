/** The OpenAPI description at `/openapi.json` and its pages at `/docs`. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { completeDocument } from './api-document.ts';
import type { App } from './app-type.ts';

export async function addApiDescription(
  app: App,
  { publicUrl, version }: { publicUrl: string; version: string },
): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Parley',
        version,
        description:
          'Chat for any product. docs/protocol.md describes the realtime protocol of the WebSocket at `GET /v1/ws`.',
        license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
      },
      // The relative URL comes first, so that /docs calls the address at which it was opened.
      servers: [{ url: '/' }, { url: publicUrl }],
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
      security: [{ bearer: [] }],
    },
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    // On a plain http address other than localhost this directive would keep the page from loading its scripts.
    transformSpecification: (document) => completeDocument(document),
    transformSpecificationClone: false,
    transformStaticCSP: (policy) => policy.replace(/\s*upgrade-insecure-requests;?/, ''),
  });
  // Routes are registered before the first request, so the document is made once.
  let document: unknown;
  app.get('/openapi.json', { config: { rateLimit: false }, schema: { hide: true } }, async () => {
    document ??= completeDocument(app.swagger());
    return document;
  });
}
