/**
 * A simple implementation: Fastify with its WebSocket plugin, a Drizzle insert and a publish per message, and a frame encoded for each
 * socket. One room, no moderation, no resume, no authentication.
 */
import websocket from '@fastify/websocket';
import { bigint, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { drizzle } from 'drizzle-orm/postgres-js';
import Fastify from 'fastify';
import { Redis } from 'ioredis';
import postgres from 'postgres';
import { v4 } from 'uuid';
import type { WebSocket } from 'ws';

const [port = '0', databaseUrl = '', redisUrl = ''] = process.argv.slice(2);
const messages = pgTable('naive_messages', {
  id: uuid('id').primaryKey(),
  seq: bigint('seq', { mode: 'number' }).generatedAlwaysAsIdentity(),
  roomId: text('room_id').notNull(),
  text: text('text').notNull(),
  at: timestamp('at').notNull().defaultNow(),
});
const client = postgres(databaseUrl, { max: 10, onnotice: () => {} });
await client`create table if not exists naive_messages (id uuid primary key, seq bigint generated always as identity, room_id text not null, text text not null, at timestamp not null default now())`;
const db = drizzle(client);
const publisher = new Redis(redisUrl);
const subscriber = new Redis(redisUrl);
const sockets = new Set<WebSocket>();

subscriber.on('message', (_channel, payload: string) => {
  const message = JSON.parse(payload) as unknown;
  for (const socket of sockets) socket.send(JSON.stringify({ type: 'message.created', data: { message } }));
});
await subscriber.subscribe('room');

const app = Fastify();
await app.register(websocket);
app.get('/v1/ws', { websocket: true }, (socket) => {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
  socket.on('message', async (data: Buffer) => {
    const frame = JSON.parse(data.toString()) as { type: string; id: string; roomId: string; text: string };
    if (frame.type === 'hello') return socket.send(JSON.stringify({ type: 'welcome', id: frame.id }));
    const [stored] = await db.insert(messages).values({ id: v4(), roomId: frame.roomId, text: frame.text }).returning();
    await publisher.publish('room', JSON.stringify({ ...stored, sender: { id: v4(), username: 'somebody' } }));
    socket.send(JSON.stringify({ type: 'ack', id: frame.id, seq: stored!.seq }));
  });
});
await app.listen({ port: Number(port), host: '127.0.0.1' });
process.on('disconnect', () => process.exit(0));
process.send!('listening');
