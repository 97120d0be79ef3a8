/** Rules of rooms and of the deployment: made, taken back, and tried on what was said before they are made. */
import { and, count, eq, isNull, sql } from 'drizzle-orm';
import { unknownProfile } from '../../chat/state/message-shape.ts';
import type { RecordAct } from '../../chat/state/moderator-acts.ts';
import type { Database, Sql, Transaction } from '../../database/connect.ts';
import { moderationRules } from '../../database/tables/moderation-tables.ts';
import { Failure, invalid } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import { writeCursor } from '../../http/input/cursors.ts';
import { readLine } from '../../http/input/line-text.ts';
import type { Profiles, PublicProfile } from '../../user/profile/profiles.ts';
import type { QueueLabel } from '../queue/queue-repository.ts';
import type { Place } from '../scope/moderation-schemas.ts';
import type { ModeratorAccess, Scope } from '../scope/moderator-access.ts';

export interface NewRule {
  readonly kind: 'word' | 'phrase' | 'regex' | 'link';
  readonly pattern: string;
  readonly action: 'flag' | 'block';
  readonly roomId?: string;
  readonly note?: string;
}

export interface RuleView extends Required<Pick<NewRule, 'kind' | 'pattern' | 'action'>> {
  readonly id: string;
  readonly roomId: string | null;
  readonly note: string | null;
  readonly createdBy: PublicProfile;
  readonly createdAt: string;
}

export interface Rehearsal {
  readonly dryRun: true;
  readonly days: number;
  readonly checked: number;
  readonly complete: boolean;
  readonly matched: number;
  readonly wouldFlag: number;
  readonly wouldBlock: number;
  readonly authors: number;
  readonly examples: {
    readonly messageId: string;
    readonly roomId: string;
    readonly seq: number;
    readonly sender: PublicProfile;
    readonly text: string;
    readonly createdAt: string;
    readonly labels: QueueLabel[];
  }[];
}

/** Compiles and tries patterns with the engine's own code; see processing/engine/rule-dry-run.ts. */
export interface RuleDryRun {
  readonly findProblem: (rule: Pick<NewRule, 'kind' | 'pattern'>) => Promise<string | undefined>;
  readonly cost: (rules: readonly Pick<NewRule, 'kind' | 'pattern'>[]) => Promise<number>;
  readonly run: (
    rule: NewRule,
    nextPage: () => Promise<readonly string[]>,
    onHit: (index: number, labels: QueueLabel[]) => void,
  ) => Promise<{ checked: number; complete: boolean }>;
}

export interface RuleService {
  /**
   * @param id of the rule: the same again answers with the one that is there
   * @throws Failure `invalid` naming the field, `conflict` at the bounds, and of authority
   */
  readonly create: (caller: Caller, rule: NewRule, id: string) => Promise<RuleView>;
  readonly remove: (caller: Caller, id: string) => Promise<void>;
  readonly list: (
    caller: Caller,
    roomId: string | undefined,
    after: Place | undefined,
    limit: number,
  ) => Promise<RuleView[]>;
  readonly cursorOf: (rule: RuleView) => string;
  /** What the rule would have done; nothing is stored. Direct messages are not looked at. */
  readonly rehearse: (caller: Caller, rule: NewRule, days: number) => Promise<Rehearsal>;
}

export interface RuleSettings {
  /** Rules of one room, or of the deployment. */
  readonly rulesMax: number;
  /** Newest messages that a rehearsal looks at. */
  readonly rehearsalMessages: number;
  /** Steps per character of all expressions of one scope. */
  readonly costMax: number;
}

/** Code points of a note. */
const noteMax = 1000;
const examplesMax = 20;
const pageSize = 500;

interface SaidRow {
  message_id: string;
  room_id: string;
  seq: bigint;
  actor_id: string;
  text: string;
  at: Date;
  /** The caller may read it. */
  readable: boolean;
}

export function createRuleService({
  db,
  sql: reads,
  access,
  profiles,
  trier,
  recordAct,
  settings,
}: {
  db: Database;
  sql: Sql;
  access: ModeratorAccess;
  profiles: Profiles;
  trier: RuleDryRun;
  recordAct: RecordAct;
  settings: RuleSettings;
}): RuleService {
  /** @returns the rule with its note as it is stored */
  async function requireUsable(rule: NewRule): Promise<NewRule> {
    const { pattern, kind, note, ...rest } = rule;
    if (!pattern.isWellFormed() || pattern.includes('\0')) throw invalid('/pattern', 'not a text');
    // An expression may name a control; words and links have none.
    if (kind !== 'regex' && /\p{Cc}/u.test(pattern)) throw invalid('/pattern', 'must be one line');
    const line = readLine(note, '/note', { max: noteMax });
    const problem = await trier.findProblem(rule);
    if (problem) throw invalid('/pattern', problem);
    return { ...rest, pattern, kind, ...(line === undefined ? {} : { note: line }) };
  }

  const scopeOf = (roomId: string | undefined) =>
    and(
      isNull(moderationRules.deletedAt),
      roomId === undefined ? isNull(moderationRules.roomId) : eq(moderationRules.roomId, roomId),
    );

  async function create(caller: Caller, draft: NewRule, id: string): Promise<RuleView> {
    await access.require(caller, draft.roomId);
    const rule = await requireUsable(draft);
    await db.transaction(async (tx) => {
      await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`rules ${rule.roomId ?? ''}`}, 0))`);
      const [there] = await tx
        .select({ id: moderationRules.id })
        .from(moderationRules)
        .where(eq(moderationRules.id, id));
      if (there) return;
      await requireRoomFor(tx, rule);
      const { kind, pattern, action, roomId, note } = rule;
      await tx.insert(moderationRules).values({ id, kind, pattern, action, roomId, note, createdBy: caller.userId });
      const act = { action: 'rule.create', actorId: caller.userId, targetId: id, details: { kind, pattern, action } };
      await recordAct(tx, roomId === undefined ? act : { ...act, roomId });
    });
    const [stored] = await read(reads`id = ${id}`, 1);
    if (!stored) throw new Failure('not_found', 'the rule was taken back meanwhile');
    return stored;
  }

  /** The sum counts: many small patterns cost what one large one does. */
  async function requireRoomFor(tx: Transaction, rule: NewRule): Promise<void> {
    const [present] = await tx.select({ count: count() }).from(moderationRules).where(scopeOf(rule.roomId));
    if (present!.count >= settings.rulesMax) throw new Failure('conflict', `at most ${settings.rulesMax} rules`);
    if (rule.kind !== 'regex') return;
    const others = await tx
      .select({ kind: moderationRules.kind, pattern: moderationRules.pattern })
      .from(moderationRules)
      .where(and(scopeOf(rule.roomId), eq(moderationRules.kind, 'regex')));
    const total = await trier.cost([...others, rule]);
    if (total > settings.costMax)
      throw new Failure(
        'conflict',
        `all expressions together take ${total} steps where ${settings.costMax} are allowed`,
      );
  }

  async function remove(caller: Caller, id: string): Promise<void> {
    const [rule] = await db
      .select({ roomId: moderationRules.roomId })
      .from(moderationRules)
      .where(and(eq(moderationRules.id, id), isNull(moderationRules.deletedAt)));
    if (!rule) throw new Failure('not_found', 'no such rule');
    await access.require(caller, rule.roomId ?? undefined).catch((error: unknown) => {
      // Whose rule it is, is the business of those who may see it: to others it answers as one that never was.
      const hidden =
        error instanceof Failure &&
        (error.code === 'not_found' || (error.code === 'forbidden' && rule.roomId === null));
      throw hidden ? new Failure('not_found', 'no such rule') : error;
    });
    await db.transaction(async (tx) => {
      const [gone] = await tx
        .update(moderationRules)
        .set({ deletedAt: sql`now()` })
        .where(and(eq(moderationRules.id, id), isNull(moderationRules.deletedAt)))
        .returning();
      if (!gone) return;
      const { kind, pattern, action } = gone;
      const act = { action: 'rule.delete', actorId: caller.userId, targetId: id, details: { kind, pattern, action } };
      await recordAct(tx, rule.roomId === null ? act : { ...act, roomId: rule.roomId });
    });
  }

  async function read(condition: ReturnType<Sql>, limit: number): Promise<RuleView[]> {
    const rows = await reads<
      {
        id: string;
        room_id: string | null;
        kind: NewRule['kind'];
        pattern: string;
        action: NewRule['action'];
        note: string | null;
        created_by: string;
        created_at: Date;
      }[]
    >`
      select id, room_id, kind, pattern, action, note, created_by, created_at from moderation_rules
      where ${condition} and deleted_at is null order by created_at desc, id desc limit ${limit}`;
    const people = await profiles.byIds([...new Set(rows.map((row) => row.created_by))]);
    return rows.map(({ id, kind, pattern, action, note, ...row }) => ({
      id,
      roomId: row.room_id,
      kind,
      pattern,
      action,
      note,
      createdBy: people.get(row.created_by) ?? unknownProfile(row.created_by),
      createdAt: row.created_at.toISOString(),
    }));
  }

  async function rehearse(caller: Caller, rule: NewRule, days: number): Promise<Rehearsal> {
    const scope = await access.require(caller, rule.roomId);
    await requireUsable(rule);
    const rows: SaidRow[] = [];
    const hits: { row: SaidRow; labels: QueueLabel[] }[] = [];
    const authors = new Set<string>();
    let matched = 0;
    const { checked, complete } = await trier.run(
      rule,
      async () => {
        if (rows.length >= settings.rehearsalMessages) return [];
        const page = await readSaid(caller, scope, days, rows.at(-1));
        rows.push(...page);
        return page.map(({ text }) => text);
      },
      (index, labels) => {
        matched += 1;
        authors.add(rows[index]!.actor_id);
        if (rows[index]!.readable && hits.length < examplesMax) hits.push({ row: rows[index]!, labels });
      },
    );
    const people = await profiles.byIds([...new Set(hits.map(({ row }) => row.actor_id))]);
    return {
      dryRun: true,
      days,
      checked,
      complete: complete && rows.length < settings.rehearsalMessages,
      matched,
      wouldFlag: rule.action === 'flag' ? matched : 0,
      wouldBlock: rule.action === 'block' ? matched : 0,
      authors: authors.size,
      examples: hits.map(({ row, labels }) => ({
        messageId: row.message_id,
        roomId: row.room_id,
        seq: Number(row.seq),
        sender: people.get(row.actor_id) ?? unknownProfile(row.actor_id),
        text: row.text,
        createdAt: row.at.toISOString(),
        labels,
      })),
    };
  }

  /** What is there to be read in these rooms, newest first. A room's log is in the order of time, near enough to page by seq. */
  async function readSaid(
    { userId }: Caller,
    { roomId, from }: Scope,
    days: number,
    last: SaidRow | undefined,
  ): Promise<SaidRow[]> {
    // Staff is shown nothing of private rooms that it is no member of; there the messages are counted only.
    const columns = reads`e.message_id, e.room_id, e.seq, e.actor_id, e.text, e.at, (r.visibility = 'public'
      and r.history = 'all' or exists (select from members m where m.room_id = r.id and m.user_id = ${userId})) as readable`;
    const recent = reads`e.type = 'message.created' and e.deleted_at is null and e.at > now() - ${days} * interval '1 day'`;
    if (roomId !== undefined)
      return reads<SaidRow[]>`
        select ${columns} from events e join rooms r on r.id = e.room_id and r.kind = 'room'
        where e.room_id = ${roomId} and e.seq >= ${String(from)} and e.seq < ${String(last?.seq ?? Number.MAX_SAFE_INTEGER)} and ${recent}
        order by e.seq desc limit ${pageSize}`;
    // Message ids are UUIDv7: their order is that of time, and an index has it.
    return reads<SaidRow[]>`
      select ${columns} from events e join rooms r on r.id = e.room_id and r.kind = 'room' and r.deleted_at is null
      where e.message_id < ${last?.message_id ?? 'ffffffff-ffff-ffff-ffff-ffffffffffff'} and ${recent}
      order by e.message_id desc limit ${pageSize}`;
  }

  return {
    create,
    remove,
    list: async (caller, roomId, after, limit) => {
      await access.require(caller, roomId);
      const scope = roomId === undefined ? reads`room_id is null` : reads`room_id = ${roomId}`;
      const further = after ? reads`(created_at, id) < (${after.at}::timestamptz, ${after.id}::uuid)` : reads`true`;
      return read(reads`${scope} and ${further}`, limit + 1);
    },
    cursorOf: ({ createdAt, id }) => writeCursor([createdAt, id]),
    rehearse,
  };
}
