import { test } from 'vitest';
import { sql } from 'drizzle-orm';
import { appendFileSync } from 'node:fs';
import { createTown, openOffice } from '../jobs/mail-town.ts';
import { unreadInRoom } from '../../src/jobs/unread-query.ts';
test('x', async () => {
  const town = await createTown();
  const ana = await town.person('ana');
  const room = await town.room('big', [ana]);
  await town.sql`insert into users (id, username, display_name, email, email_verified_at) select gen_random_uuid(), 'u' || n, 'U' || n, 'u' || n || '@example.org', now() - interval '1 day' from generate_series(1, 5000) n`;
  await town.sql`insert into members (room_id, user_id, role, joined_seq) select ${room}, id, 'member', 1 from users where id <> ${ana}`;
  await town.sql`insert into events (room_id, seq, type, at, actor_id, message_id, text, html) select ${room}, n, 'message.created', now() - interval '1 hour', ${ana}, gen_random_uuid(), 'hello ' || n, '' from generate_series(2, 3000) n`;
  await town.sql`analyze`;
  const fake = { execute: async (q: unknown) => { const r = await town.db.execute(sql`explain (analyze, buffers) ${q as ReturnType<typeof sql>}`); appendFileSync('/tmp/explain.log', (r as unknown as Record<string, string>[]).map((x) => x['QUERY PLAN']).join('\n') + '\n=====\n'); return []; } };
  await unreadInRoom(fake as never, { roomId: room, afterUserId: '00000000-0000-0000-0000-000000000000', limit: 500, bouncesMax: 3 });
  await town.sql`insert into mails (id, user_id, state, due_at) select gen_random_uuid(), id, 'owed', now() from users`;
  await unreadInRoom(fake as never, { roomId: room, afterUserId: '00000000-0000-0000-0000-000000000000', limit: 500, bouncesMax: 3 });
  await town.close();
}, 120000);
