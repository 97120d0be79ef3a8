/** Fetches a page and its picture. Whatever goes wrong means that there is nothing to show. */
import type { LinkPage } from '../../chat/previews/link-page-repository.ts';
import type { OutboundAnswer, OutboundClient } from '../../outbound/outbound-client.ts';
import { decodePage } from './page-charset.ts';
import { type PageHead, readPageHead } from './page-text.ts';

/** Why a page has no preview: a code of the client, or of this file. For the metrics. */
export type FetchOutcome = string;

export interface FetchedPage extends LinkPage {
  readonly outcome: FetchOutcome;
}

const pageTypes = /^(?:text\/html|application\/xhtml\+xml)\b/i;
/** Kinds that browsers show. SVG is none of them: it holds scripts. */
const pictureTypes = /^image\/(?:png|jpe?g|gif|webp|avif)\b/i;

export type FetchPage = (url: string) => Promise<FetchedPage>;

export function createPageFetcher(client: OutboundClient): FetchPage {
  async function fetchPicture(url: string): Promise<Buffer | null> {
    const answer = await client.request({ url, accept: 'image/*' }, async (found) =>
      isOk(found) && pictureTypes.test(typeOf(found)) ? readAll(found.body) : null,
    );
    return answer.ok ? answer.value : null;
  }

  return async (url) => {
    const nothing = { url, page: null, picture: null };
    const accept = 'text/html,application/xhtml+xml,image/*;q=0.8';
    const answer = await client.request({ url, accept, tooLarge: 'cut' }, readAnswer);
    if (!answer.ok) return { ...nothing, outcome: answer.code };
    const { value } = answer;
    if (typeof value === 'string') return { ...nothing, outcome: value };
    const { pictureUrl, ...page } = value;
    const picture = pictureUrl === null ? null : await fetchPicture(pictureUrl);
    if (page.title === null && page.description === null && picture === null) return { ...nothing, outcome: 'empty' };
    return { url, page, picture, outcome: 'found' };
  };
}

/** @returns the head of a page, or why there is none */
async function readAnswer(answer: OutboundAnswer): Promise<PageHead | 'status' | 'type'> {
  if (!isOk(answer)) return 'status';
  const type = typeOf(answer);
  // A link to a picture is shown as that picture.
  if (pictureTypes.test(type)) return { title: null, description: null, siteName: null, pictureUrl: answer.url };
  return pageTypes.test(type) ? readPageHead(decodePage(answer.body, type), answer.url) : 'type';
}

const isOk = ({ status }: OutboundAnswer) => status === 200;
const typeOf = ({ headers }: OutboundAnswer) => headers['content-type'] ?? '';

async function readAll(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
