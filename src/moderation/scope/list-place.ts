/** Where a list that is ordered by time goes on, and which rooms it covers. */
import { Type } from 'typebox';
import { invalid } from '../../errors.ts';
import { readCursor } from '../../http/input/cursors.ts';
import { Cursor, Limit, Uuid } from '../../http/input/schemas.ts';
import { readTime } from '../../http/input/times.ts';

/** A row's place in a list that is ordered by time, then id. */
export interface Place {
  /** RFC 3339. */
  readonly at: string;
  readonly id: string;
}

export function readPlace(cursor: string | undefined): Place | undefined {
  if (cursor === undefined) return undefined;
  const [at, id] = readCursor(cursor, ['string', 'uuid']);
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(at)) throw invalid('/cursor', 'not a cursor of this list');
  return { at: readTime(at, '/cursor').toISOString(), id };
}

/** The query of a list: of one room, or without `roomId` of all rooms, for staff. */
export const ScopeQuery = { roomId: Type.Optional(Uuid), limit: Type.Optional(Limit), cursor: Type.Optional(Cursor) };
