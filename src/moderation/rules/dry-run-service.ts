/** Tries a rule on recent messages before it is created, and says what it would have done. Stores nothing. */
import { unknownProfile } from '../../chat/state/message-shape.ts';
import type { Sql } from '../../database/connect.ts';
import type { Caller } from '../../http/caller/caller.ts';
import type { Profiles, PublicProfile } from '../../user/profile/profiles.ts';
import type { ModerationLabel } from '../scope/label-schema.ts';
import type { ModeratorAccess } from '../scope/moderator-access.ts';
import { type DryRunMessage, readRecentMessages } from './dry-run-repository.ts';
import { DryRunTally } from './dry-run-tally.ts';
import { type RuleCompiler, requireUsable } from './rule-checks.ts';
import type { NewRule } from './rule-repository.ts';

export interface DryRun {
  readonly dryRun: true;
  readonly days: number;
  /** How many messages the rule was tried on. */
  readonly checked: number;
  /** Whether those were all messages of these days. */
  readonly complete: boolean;
  readonly matched: number;
  readonly wouldFlag: number;
  readonly wouldBlock: number;
  /** How many users wrote what matched. */
  readonly authors: number;
  readonly examples: {
    readonly messageId: string;
    readonly roomId: string;
    readonly seq: number;
    readonly sender: PublicProfile;
    readonly text: string;
    readonly createdAt: string;
    readonly labels: ModerationLabel[];
  }[];
}

/** Runs a rule with the engine's own code; see processing/engine/rule-dry-run.ts. */
export interface RuleRunner extends RuleCompiler {
  /**
   * @param nextPage the next texts; an empty page ends the run
   * @param onHit gets the index of a text that matched, counted from the first text of the first page
   * @returns `complete`: false when the time limit ended the run
   */
  readonly run: (
    rule: NewRule,
    nextPage: () => Promise<readonly string[]>,
    onHit: (index: number, labels: ModerationLabel[]) => void,
  ) => Promise<{ checked: number; complete: boolean }>;
}

/** @throws Failure `invalid` naming the field, `unavailable` when too many dry runs are under way, `not_found`, `forbidden` */
export type TryRule = (caller: Caller, rule: NewRule, days: number) => Promise<DryRun>;

export function createDryRunService({
  sql,
  access,
  profiles,
  runner,
  messagesMax,
}: {
  sql: Sql;
  access: ModeratorAccess;
  profiles: Profiles;
  runner: RuleRunner;
  /** Messages that one dry run reads, about. */
  messagesMax: number;
}): TryRule {
  return async (caller, rule, days) => {
    const scope = await access.require(caller, rule.roomId);
    await requireUsable(runner, rule);
    const messages: DryRunMessage[] = [];
    const tally = new DryRunTally();
    const nextPage = async () => {
      if (messages.length >= messagesMax) return [];
      const page = await readRecentMessages(sql, { userId: caller.userId, scope, days }, messages.at(-1));
      messages.push(...page);
      return page.map(({ text }) => text);
    };
    const run = await runner.run(rule, nextPage, (index, labels) => tally.count(messages[index]!, labels));
    const { matched, authors, examples } = tally;
    const people = await profiles.byIds([...new Set(examples.map(({ message }) => message.authorId))]);
    return {
      dryRun: true,
      days,
      checked: run.checked,
      complete: run.complete && messages.length < messagesMax,
      matched,
      wouldFlag: rule.action === 'flag' ? matched : 0,
      wouldBlock: rule.action === 'block' ? matched : 0,
      authors: authors.size,
      examples: examples.map(({ message, labels }) => toExample(message, labels, people)),
    };
  };
}

function toExample(
  { messageId, roomId, seq, authorId, text, at }: DryRunMessage,
  labels: ModerationLabel[],
  people: ReadonlyMap<string, PublicProfile>,
): DryRun['examples'][number] {
  const sender = people.get(authorId) ?? unknownProfile(authorId);
  return { messageId, roomId, seq: Number(seq), sender, text, createdAt: at.toISOString(), labels };
}
