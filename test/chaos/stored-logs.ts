/** The logs of rooms as the database holds them. */
import postgres from 'postgres';
import { eventId } from './chaos-client.ts';
import type { LoggedEvent } from './history-checker.ts';

export async function readLogs(url: string, rooms: readonly string[]): Promise<Map<string, LoggedEvent[]>> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  const logs = new Map<string, LoggedEvent[]>();
  for (const roomId of rooms) {
    const rows =
      await sql`select seq, type, at, message_id, actor_id, client_id, text from events where room_id = ${roomId} order by seq`;
    logs.set(
      roomId,
      rows.map((row) => ({
        seq: Number(row.seq),
        type: row.type as string,
        id:
          row.type === 'message.created'
            ? (row.message_id as string)
            : eventId(row.type as string, (row.at as Date).toISOString(), { messageId: row.message_id }),
        ...(row.client_id === null
          ? {}
          : { clientId: row.client_id as string, userId: row.actor_id as string, text: row.text as string }),
      })),
    );
  }
  await sql.end();
  return logs;
}
