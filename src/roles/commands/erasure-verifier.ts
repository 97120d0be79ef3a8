/**
 * Searches for traces of an erased user: in every column of every table in the database, including the job queue, and in
 * Redis. Only the tables where the user's id may stay are known by name, so a new table is searched by itself.
 */
import { Redis } from 'ioredis';
import type { Config } from '../../config/load.ts';
import type { Sql } from '../../database/connect.ts';

export interface Wanted {
  readonly userId: string;
  /** Texts that only this user had: names, addresses, messages. */
  readonly texts: readonly string[];
}

export interface Finding {
  /** `table.column`, or a key of Redis. */
  readonly place: string;
  readonly what: 'the id' | 'a text';
  readonly count: number;
}

/**
 * Columns where the bare id stays. The logs of other users need these rows, and none of them tells who the user was. The
 * other columns of these tables are searched like all others.
 */
const idMayStay = new Set([
  'users.id',
  'erasures.user_id',
  'revocations.user_id',
  'events.actor_id',
  'events.deleted_by',
  'events.data',
  'events.mentions',
  'message_edits.mentions',
  'membership_changes.user_id',
  'rooms.created_by',
  'pins.pinned_by',
  'custom_emojis.created_by',
  'api_keys.created_by',
  'moderation_queue.author_id',
  'moderation_queue.decided_by',
  'moderation_reports.reporter_id',
  'moderation_rules.created_by',
  'moderation_bans.user_id',
  'moderation_bans.created_by',
  'moderation_audit.actor_id',
  'moderation_audit.target_id',
  'learned_examples.moderator_id',
]);
/** Texts of other users may mention the erased user's name, so only the user's own rows count. */
const othersWords: Readonly<Record<string, string>> = {
  'events.text': 'actor_id',
  'events.html': 'actor_id',
};

interface Column {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  readonly type: string;
}

export async function findTraces({
  sql,
  redis,
  wanted,
}: {
  sql: Sql;
  redis: Config['redis'];
  wanted: Wanted;
}): Promise<{ searched: string; findings: Finding[] }> {
  // Every row of every table is read, which takes longer than a request may.
  await sql`set statement_timeout = '10min'`;
  const columns = await listColumns(sql);
  const findings: Finding[] = [];
  for (const column of columns) findings.push(...(await searchColumn(sql, column, wanted)));
  const tables = new Set(columns.map(({ schema, table }) => `${schema}.${table}`)).size;
  const parts = [`${columns.length} columns of ${tables} tables`];
  if (redis.url !== undefined) {
    const { keys, found } = await searchRedis(redis.url, redis.prefix, wanted);
    findings.push(...found);
    parts.push(`${keys} keys of Redis`);
  }
  return { searched: parts.join(' and '), findings };
}

/** Columns that can hold an id or a text, of tables and the queue's private ones alike. */
async function listColumns(sql: Sql): Promise<Column[]> {
  const rows = await sql<Column[]>`
    select c.table_schema as schema, c.table_name as table, c.column_name as column, c.data_type as type
    from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
    where t.table_type = 'BASE TABLE' and c.table_schema not in ('pg_catalog', 'information_schema')
      and c.data_type in ('uuid', 'text', 'character varying', 'json', 'jsonb', 'ARRAY', 'name', 'inet', 'bytea')
    order by 1, 2, c.ordinal_position`;
  return [...rows];
}

async function searchColumn(
  sql: Sql,
  { schema, table, column, type }: Column,
  { userId, texts }: Wanted,
): Promise<Finding[]> {
  const place = `${table}.${column}`;
  // A prefix keeps the query's own names apart from column names.
  const from = sql`${sql(schema)}.${sql(table)} as searched`;
  const content = sql`searched.${sql(column)}`;
  // bytea columns may hold text too.
  const value = type === 'bytea' ? sql`encode(${content}, 'escape')` : sql`${content}::text`;
  const findings: Finding[] = [];
  if (!idMayStay.has(place)) {
    const [row] = await sql<{ count: number }[]>`
      select count(*)::int as count from ${from} where position(${userId} in ${value}) > 0`;
    if (row!.count > 0) findings.push({ place, what: 'the id', count: row!.count });
  }
  const wantedTexts = texts.filter((text) => text !== userId && text !== '').map((text) => text.toLowerCase());
  if (wantedTexts.length > 0) {
    const author = othersWords[place];
    const [row] = await sql<{ count: number }[]>`
      select count(*)::int as count from ${from}
      where exists (select from unnest(${wantedTexts}::text[]) as wanted(word)
          where position(wanted.word in lower(${value})) > 0)
        ${author === undefined ? sql`` : sql`and searched.${sql(author)} = ${userId}`}`;
    if (row!.count > 0) findings.push({ place, what: 'a text', count: row!.count });
  }
  return findings;
}

async function searchRedis(
  url: string,
  prefix: string,
  { userId, texts }: Wanted,
): Promise<{ keys: number; found: Finding[] }> {
  const redis = new Redis(url, { commandTimeout: 5000, maxRetriesPerRequest: 1, lazyConnect: true });
  const words = [userId, ...texts].map((text) => text.toLowerCase());
  const found: Finding[] = [];
  let keys = 0;
  await redis.connect();
  try {
    for (let cursor = '0'; ; ) {
      const [next, page] = await redis.scan(cursor, 'MATCH', `${prefix}*`, 'COUNT', 1000);
      for (const key of page) {
        keys += 1;
        const content = `${key} ${await readKey(redis, key)}`.toLowerCase();
        const word = words.find((each) => each !== '' && content.includes(each));
        if (word !== undefined)
          found.push({ place: `redis ${key}`, what: word === userId ? 'the id' : 'a text', count: 1 });
      }
      if (next === '0') return { keys, found };
      cursor = next;
    }
  } finally {
    redis.disconnect();
  }
}

async function readKey(redis: Redis, key: string): Promise<string> {
  const type = await redis.type(key);
  if (type === 'string') return (await redis.get(key)) ?? '';
  if (type === 'hash') return JSON.stringify(await redis.hgetall(key));
  if (type === 'list') return JSON.stringify(await redis.lrange(key, 0, -1));
  if (type === 'set') return JSON.stringify(await redis.smembers(key));
  if (type === 'zset') return JSON.stringify(await redis.zrange(key, '0', '-1'));
  if (type === 'stream') return JSON.stringify(await redis.xrange(key, '-', '+'));
  return '';
}
