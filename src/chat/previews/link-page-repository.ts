/** SQL of the pages that messages link to. Processing instances fetch and store them, chat instances read them. */
import { sql } from 'drizzle-orm';
import type { Database } from '../../database/connect.ts';

/** What a page says of itself; each is cleaned and bounded. */
export interface PageText {
  readonly title: string | null;
  readonly description: string | null;
  readonly siteName: string | null;
}

export interface LinkPage {
  readonly url: string;
  /** Null: the page was not there, or says nothing. */
  readonly page: PageText | null;
  /** Bytes of an unknown kind, from a stranger. */
  readonly picture: Buffer | null;
}

/** A page that could not be fetched may be there again soon. */
const missingMs = 600_000;

/** Whether a row is new enough. @param cacheMs of a page that was found */
const isFresh = (cacheMs: number) => sql`fetched_at > now() - interval '1 millisecond' *
  (case when page is null then least(${cacheMs}::float8, ${missingMs}::float8) else ${cacheMs}::float8 end)`;

const urlList = (urls: readonly string[]) => sql`(select json_array_elements_text(${JSON.stringify(urls)}::json))`;

/** Those of the URLs that need not be fetched again. */
export async function findFreshUrls(db: Database, urls: readonly string[], cacheMs: number): Promise<Set<string>> {
  const rows = await db.execute<{ url: string }>(sql`
    select url from link_pages where url in ${urlList(urls)} and ${isFresh(cacheMs)}`);
  return new Set(rows.map(({ url }) => url));
}

/** Pages with something to show, by their URL. */
export async function findPages(
  db: Database,
  urls: readonly string[],
): Promise<Map<string, LinkPage & { readonly page: PageText }>> {
  const rows = await db.execute<{ url: string; page: PageText; picture: Buffer | null }>(sql`
    select url, page, picture from link_pages where url in ${urlList(urls)} and page is not null`);
  return new Map(rows.map(({ url, page, picture }) => [url, { url, page, picture }]));
}

export async function storePage(db: Database, { url, page, picture }: LinkPage): Promise<void> {
  const bytes = picture === null ? sql`null` : sql`decode(${picture.toString('base64')}, 'base64')`;
  await db.execute(sql`
    insert into link_pages (url, page, picture) values (${url}, ${page === null ? null : JSON.stringify(page)}::jsonb, ${bytes})
    on conflict (url) do update set page = excluded.page, picture = excluded.picture, fetched_at = now()`);
}

/** Deletes some of the pages that are too old to be used. A job that shows one runs within minutes. */
export async function tidyPages(db: Database, cacheMs: number): Promise<void> {
  await db.execute(sql`
    delete from link_pages where url in (
      select url from link_pages where fetched_at < now() - interval '1 millisecond' * ${cacheMs + missingMs}::float8
      order by fetched_at limit 1000 for update skip locked)`);
}
