/**
 * Fetches the pages that a message links to, as far as they are not known yet, and queues the job that shows them. Pages of
 * strangers are read here, away from chat instances: jobs/room-jobs.ts has the other half.
 */
import type { Logger } from 'pino';
import { findFreshUrls, storePage, tidyPages } from '../../chat/previews/link-page-repository.ts';
import { findPreviewed, type MessagePlace } from '../../chat/previews/preview-repository.ts';
import { webLinks } from '../../chat/state/message-links.ts';
import type { Database } from '../../database/connect.ts';
import { newId } from '../../database/new-id.ts';
import { addJob } from '../../database/queue.ts';
import type { FetchOutcome, FetchPage } from './page-fetcher.ts';

export interface LinkPreviewsOptions {
  readonly db: Database;
  readonly fetchPage: FetchPage;
  readonly onFetched: (outcome: FetchOutcome) => void;
  readonly logger: Logger;
  readonly settings: {
    readonly perMessage: number;
    /** Milliseconds. */
    readonly cache: number;
    /** Of Parley itself. */
    readonly ownOrigin: string;
  };
}

export function createLinkPreviews(options: LinkPreviewsOptions): (place: MessagePlace) => Promise<void> {
  const { db, fetchPage, onFetched, logger, settings } = options;

  async function fetchInto(url: string): Promise<void> {
    const { outcome, ...page } = await fetchPage(url);
    onFetched(outcome);
    logger.debug({ outcome, host: new URL(url).host }, 'a link was fetched');
    await storePage(db, page);
  }

  return async (place) => {
    const message = await findPreviewed(db, place);
    if (!message || message.isClosed) return;
    const links = webLinks(message.html, { max: settings.perMessage, ownOrigin: settings.ownOrigin });
    const urls = links.map(({ target }) => target);
    const fresh = await findFreshUrls(db, urls, settings.cache);
    await Promise.all(urls.filter((url) => !fresh.has(url)).map(fetchInto));
    await addJob(db, 'show_previews', place, { key: `show-previews:${place.messageId}:${newId()}` });
    await tidyPages(db, settings.cache);
  };
}
