/** The rows of moderation rules. A deleted rule stays for the audit log; every function but `ruleExists` skips it. */
import { and, count, eq, sql as fragment, isNull } from 'drizzle-orm';
import type { Database, Sql, Transaction } from '../../database/connect.ts';
import { moderationRules } from '../../database/tables/moderation-tables.ts';
import type { Place } from '../scope/list-place.ts';

export interface RulePattern {
  readonly kind: 'word' | 'phrase' | 'regex' | 'link';
  readonly pattern: string;
}

export interface NewRule extends RulePattern {
  readonly action: 'flag' | 'block';
  /** Absent: a rule of the deployment. */
  readonly roomId?: string;
  readonly note?: string;
}

export interface RuleRow extends RulePattern {
  readonly id: string;
  readonly action: NewRule['action'];
  readonly roomId: string | null;
  readonly note: string | null;
  /** User id. */
  readonly createdBy: string;
  readonly createdAt: Date;
}

declare const rulesLocked: unique symbol;

/** Proof that the transaction holds the lock of a room's rules, or of the deployment's. Bounds are counted under it. */
export interface RulesLock {
  readonly roomId: string | undefined;
  readonly [rulesLocked]: true;
}

export async function lockRules(tx: Transaction, roomId: string | undefined): Promise<RulesLock> {
  await tx.execute(fragment`select pg_advisory_xact_lock(hashtextextended(${`rules ${roomId ?? ''}`}, 0))`);
  return { roomId } as RulesLock;
}

const present = isNull(moderationRules.deletedAt);
const inScope = ({ roomId }: RulesLock) =>
  and(present, roomId === undefined ? isNull(moderationRules.roomId) : eq(moderationRules.roomId, roomId));

/** Also a deleted one: its id is used up. */
export async function ruleExists(tx: Transaction, id: string): Promise<boolean> {
  const found = await tx.select({ id: moderationRules.id }).from(moderationRules).where(eq(moderationRules.id, id));
  return found.length > 0;
}

export async function countRules(tx: Transaction, lock: RulesLock): Promise<number> {
  const [rules] = await tx.select({ count: count() }).from(moderationRules).where(inScope(lock));
  return rules!.count;
}

export async function listExpressions(tx: Transaction, lock: RulesLock): Promise<RulePattern[]> {
  return tx
    .select({ kind: moderationRules.kind, pattern: moderationRules.pattern })
    .from(moderationRules)
    .where(and(inScope(lock), eq(moderationRules.kind, 'regex')));
}

export async function insertRule(
  tx: Transaction,
  { roomId }: RulesLock,
  rule: Omit<NewRule, 'roomId'> & { id: string; createdBy: string },
): Promise<void> {
  const { id, kind, pattern, action, note, createdBy } = rule;
  await tx.insert(moderationRules).values({ id, kind, pattern, action, roomId, note, createdBy });
}

/** @returns the rule's room, null for the deployment; undefined when there is no such rule */
export async function findRuleScope(db: Database, id: string): Promise<{ roomId: string | null } | undefined> {
  const [rule] = await db
    .select({ roomId: moderationRules.roomId })
    .from(moderationRules)
    .where(and(eq(moderationRules.id, id), present));
  return rule;
}

/** @returns what it was; undefined when another request has deleted it */
export async function deleteRule(
  tx: Transaction,
  id: string,
): Promise<(RulePattern & Pick<NewRule, 'action'>) | undefined> {
  const [deleted] = await tx
    .update(moderationRules)
    .set({ deletedAt: fragment`now()` })
    .where(and(eq(moderationRules.id, id), present))
    .returning();
  return deleted;
}

export async function findRule(sql: Sql, id: string): Promise<RuleRow | undefined> {
  return (await select(sql, sql`id = ${id}`, 1))[0];
}

/** Newest first. @param roomId undefined: the rules of the deployment */
export async function listRules(
  sql: Sql,
  roomId: string | undefined,
  after: Place | undefined,
  limit: number,
): Promise<RuleRow[]> {
  const scope = roomId === undefined ? sql`room_id is null` : sql`room_id = ${roomId}`;
  const older = after ? sql`(created_at, id) < (${after.at}::timestamptz, ${after.id}::uuid)` : sql`true`;
  return select(sql, sql`${scope} and ${older}`, limit);
}

async function select(sql: Sql, condition: ReturnType<Sql>, limit: number): Promise<RuleRow[]> {
  return sql<RuleRow[]>`
      select id, room_id as "roomId", kind, pattern, action, note, created_by as "createdBy", created_at as "createdAt" from moderation_rules
      where ${condition} and deleted_at is null order by created_at desc, id desc limit ${limit}`;
}
