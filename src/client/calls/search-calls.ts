/** Search, over REST. */
import type { Message } from '../types.ts';
import type { Call } from './rest.ts';

export interface SearchQuery {
  /** Words, `"phrases"`, `-without`, `chat*`, and operators such as `from:@ana in:#garden has:link before:2026-01-01`. */
  readonly q: string;
  readonly roomId?: string;
  /** The id of the sender. */
  readonly from?: string;
  readonly threadId?: string;
  readonly before?: string;
  readonly after?: string;
  readonly has?: 'link' | 'file' | 'image' | 'poll';
  readonly sort?: 'relevance' | 'newest';
  readonly limit?: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string;
}

export interface SearchHit {
  readonly message: Message;
  /** What matched, in UTF-16 units of the message's text. */
  readonly highlights: readonly { readonly start: number; readonly end: number }[];
  readonly score: number;
}

export interface SearchPage {
  readonly items: readonly SearchHit[];
  readonly nextCursor: string | null;
}

export interface SearchCalls {
  /** Finds messages in the rooms that the user may read. @throws ParleyError */
  readonly search: (query: SearchQuery | string) => Promise<SearchPage>;
}

export function createSearchCalls(call: Call): SearchCalls {
  return {
    search: (query) => {
      const fields = Object.entries(typeof query === 'string' ? { q: query } : query);
      const given = fields.filter(([, value]) => value !== undefined).map(([name, value]) => [name, String(value)]);
      return call('GET', `/v1/search?${new URLSearchParams(given)}`);
    },
  };
}
