/**
 * Which messages have more to show than their row holds. A message's row has one bit for each table in which something may
 * be found, so that a page of plain messages is read with one query. A bit that is set may be outdated: the table decides.
 */
export const messageMarks = {
  reactions: 1,
  pinned: 2,
  /** The message starts a thread. Never set in the row: `markColumn` looks into the table of threads. */
  thread: 4,
  attachments: 8,
  poll: 16,
  previews: 32,
  /** The message is, or was, written word by word. */
  stream: 64,
  /** `events.data` of the row says where the message was forwarded from. */
  forwarded: 128,
} as const;

export type MessageMark = keyof typeof messageMarks;

export function hasMark(marks: number, mark: MessageMark): boolean {
  return (marks & messageMarks[mark]) !== 0;
}

/** The marks of a message's row, to be used with `sql.unsafe`. @param alias of the table `events` */
export function markColumn(alias: string): string {
  // A scalar query and not `exists`: for that one Postgres may read all threads to hash them.
  return `(${alias}.marks | coalesce((select ${messageMarks.thread} from threads t where t.thread_id = ${alias}.message_id), 0)) as marks`;
}
