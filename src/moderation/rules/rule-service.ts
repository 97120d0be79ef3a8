/** Creates, lists and deletes the rules of rooms and of the deployment. */
import { unknownProfile } from '../../chat/state/message-shape.ts';
import type { RecordAct } from '../../chat/state/moderator-acts.ts';
import type { Database, Sql } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import { writeCursor } from '../../http/input/cursors.ts';
import type { Profiles, PublicProfile } from '../../user/profile/profiles.ts';
import type { Place } from '../scope/list-place.ts';
import { hideFailure, type ModeratorAccess } from '../scope/moderator-access.ts';
import { type RuleBounds, type RuleCompiler, requireSpace, requireUsable } from './rule-checks.ts';
import {
  deleteRule,
  findRule,
  findRuleScope,
  insertRule,
  listRules,
  lockRules,
  type NewRule,
  type RuleRow,
  ruleExists,
} from './rule-repository.ts';

export interface Rule extends Required<Pick<NewRule, 'kind' | 'pattern' | 'action'>> {
  readonly id: string;
  readonly roomId: string | null;
  readonly note: string | null;
  readonly createdBy: PublicProfile;
  /** RFC 3339. */
  readonly createdAt: string;
}

export interface RuleService {
  /**
   * @param id of the rule: the same id again answers with the rule that is there
   * @throws Failure `invalid` naming the field, `conflict` at the bounds, `not_found` and `forbidden` as `ModeratorAccess`
   */
  readonly create: (caller: Caller, rule: NewRule, id: string) => Promise<Rule>;
  /** @throws Failure `not_found`, `forbidden` */
  readonly remove: (caller: Caller, id: string) => Promise<void>;
  /** Newest first, `limit` and one more. @param roomId undefined: the rules of the deployment */
  readonly list: (
    caller: Caller,
    roomId: string | undefined,
    after: Place | undefined,
    limit: number,
  ) => Promise<Rule[]>;
  readonly cursorOf: (rule: Rule) => string;
}

export interface RuleServiceParts {
  readonly db: Database;
  readonly sql: Sql;
  readonly access: ModeratorAccess;
  readonly profiles: Profiles;
  readonly compiler: RuleCompiler;
  readonly recordAct: RecordAct;
  readonly bounds: RuleBounds;
}

export function createRuleService(parts: RuleServiceParts): RuleService {
  const { db, sql, access, profiles, compiler, recordAct, bounds } = parts;

  async function create(caller: Caller, draft: NewRule, id: string): Promise<Rule> {
    await access.require(caller, draft.roomId);
    const rule = await requireUsable(compiler, draft);
    await db.transaction(async (tx) => {
      const lock = await lockRules(tx, rule.roomId);
      if (await ruleExists(tx, id)) return;
      await requireSpace(tx, lock, rule, { compiler, bounds });
      await insertRule(tx, lock, { ...rule, id, createdBy: caller.userId });
      const { kind, pattern, action } = rule;
      const act = { action: 'rule.create', actorId: caller.userId, targetId: id, details: { kind, pattern, action } };
      await recordAct(tx, rule.roomId === undefined ? act : { ...act, roomId: rule.roomId });
    });
    const stored = await findRule(sql, id);
    if (!stored) throw new Failure('not_found', 'the rule was deleted by another request');
    return (await toRules([stored]))[0]!;
  }

  async function remove(caller: Caller, id: string): Promise<void> {
    const noSuchRule = () => new Failure('not_found', 'no such rule');
    const rule = await findRuleScope(db, id);
    if (!rule) throw noSuchRule();
    const { roomId } = rule;
    // Callers who may not see the rule learn nothing of it: neither that it exists nor that it is a rule of the deployment.
    const isHidden = ({ code }: Failure) => code === 'not_found' || (code === 'forbidden' && roomId === null);
    await hideFailure(access.require(caller, roomId ?? undefined), isHidden, noSuchRule);
    await db.transaction(async (tx) => {
      const deleted = await deleteRule(tx, id);
      if (!deleted) return;
      const { kind, pattern, action } = deleted;
      const act = { action: 'rule.delete', actorId: caller.userId, targetId: id, details: { kind, pattern, action } };
      await recordAct(tx, roomId === null ? act : { ...act, roomId });
    });
  }

  async function toRules(rows: readonly RuleRow[]): Promise<Rule[]> {
    const people = await profiles.byIds([...new Set(rows.map((row) => row.createdBy))]);
    return rows.map(({ createdBy, createdAt, ...rule }) => ({
      ...rule,
      createdBy: people.get(createdBy) ?? unknownProfile(createdBy),
      createdAt: createdAt.toISOString(),
    }));
  }

  return {
    create,
    remove,
    list: async (caller, roomId, after, limit) => {
      await access.require(caller, roomId);
      return toRules(await listRules(sql, roomId, after, limit + 1));
    },
    cursorOf: ({ createdAt, id }) => writeCursor([createdAt, id]),
  };
}
