/** `node src/main.ts admin reconcile`: compares all unread counts with a recount. */
import { compareAllUnread, countKinds, type Difference } from '../../chat/reconcile/unread-reconcile.ts';
import type { Sql } from '../../database/connect.ts';

/** Users of one page: what a page needs in memory is bounded by their rooms and followed threads. */
const usersPerPage = 50;
/** Differences that are printed; all are counted. */
const printedMax = 50;

/** @returns how many counts differ */
export async function reconcile(sql: Sql, write: (line: string) => void): Promise<number> {
  const checked = new Map<string, number>();
  const drifted = new Map<string, number>();
  let printed = 0;
  for await (const page of compareAllUnread(sql, usersPerPage)) {
    for (const kind of countKinds) checked.set(kind, (checked.get(kind) ?? 0) + page.checked[kind]);
    for (const difference of page.differences) {
      drifted.set(difference.kind, (drifted.get(difference.kind) ?? 0) + 1);
      if (printed++ < printedMax) write(describe(difference));
    }
  }
  for (const kind of countKinds) write(`${kind}: ${checked.get(kind) ?? 0} counts, drift ${drifted.get(kind) ?? 0}\n`);
  const total = [...drifted.values()].reduce((sum, count) => sum + count, 0);
  write(`drift ${total}\n`);
  return total;
}

function describe({ kind, userId, roomId, threadId, shown, counted }: Difference): string {
  const place = `user ${userId}, room ${roomId}${threadId === undefined ? '' : `, thread ${threadId}`}`;
  return `${kind}: ${place}: shows ${written(shown)}, counted ${written(counted)}\n`;
}

function written(counts: Difference['shown']): string {
  return counts ? `${counts.unread} unread and ${counts.mentions} mentions` : 'nothing';
}
