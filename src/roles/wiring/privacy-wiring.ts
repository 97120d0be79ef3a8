/** Export and erasure: the list of all features that store personal data. */
import { createLoginPersonalData } from '../../auth/account/login-personal-data.ts';
import type { Passwords } from '../../auth/credentials/passwords.ts';
import type { StepUp } from '../../auth/mfa/step-up.ts';
import type { Revocations } from '../../auth/sessions/revocations.ts';
import type { EventLog } from '../../chat/events/event-log.ts';
import { createChatPersonalData } from '../../chat/personal-data/chat-personal-data.ts';
import { countChangeForUser } from '../../chat/reads/read-repository.ts';
import type { RoomState } from '../../chat/state/room-state.ts';
import type { Database } from '../../database/connect.ts';
import type { PersonalData } from '../../database/personal-data.ts';
import { Failure } from '../../errors.ts';
import type { Authenticator, Caller } from '../../http/caller/caller.ts';
import { type RateCounters, requireRate } from '../../http/limits/rate-counters.ts';
import type { App } from '../../http/server/app-type.ts';
import { createMailData } from '../../jobs/mail/mail-data.ts';
import { createModerationPersonalData } from '../../moderation/records/moderation-personal-data.ts';
import type { Hub } from '../../realtime/feed/hub.ts';
import type { UserRepository } from '../../user/account/user-repository.ts';
import { blockRoutes } from '../../user/blocks/block-routes.ts';
import { createBlockService } from '../../user/blocks/block-service.ts';
import { startErasures } from '../../user/privacy/erasure-service.ts';
import { privacyRoutes } from '../../user/privacy/privacy-routes.ts';
import { createProfileData } from '../../user/privacy/profile-data.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import type { PersonChanges } from '../../user/status/person-changes.ts';
import type { RoleContext } from '../lifecycle/role-lifecycle.ts';
import type { MessageParts } from './message-parts.ts';

export interface PrivacyWiring {
  /** Registers the routes under `/v1`. */
  readonly register: (v1: App) => Promise<void>;
  readonly stop: ReturnType<typeof startErasures>['stop'];
}

const minuteMs = 60_000;
const guessWindowMs = 15 * minuteMs;

export function startPrivacy({
  config,
  logger,
  db,
  users,
  profiles,
  eventLog,
  hub,
  revocations,
  passwords,
  stepUp,
  counters,
  authenticator,
  onRevoked,
  personChanges,
  parts: messageParts,
}: Pick<RoleContext, 'config' | 'logger'> & {
  db: Database;
  users: UserRepository;
  profiles: Profiles;
  eventLog: EventLog;
  hub: Hub<RoomState>;
  revocations: Revocations;
  passwords: Passwords;
  stepUp: StepUp;
  counters: RateCounters;
  authenticator: Authenticator;
  /** Tells other instances to read the revocations. */
  onRevoked: () => void;
  /** Hears that somebody blocks another user, or no longer does. */
  personChanges: PersonChanges;
  parts: MessageParts;
}): PrivacyWiring {
  const parts: readonly PersonalData[] = [
    createProfileData(db),
    createLoginPersonalData(db),
    createMailData(db),
    createModerationPersonalData(db),
    createChatPersonalData({ db, eventLog, purge: messageParts.extras.purge }),
    ...messageParts.personalData(eventLog),
  ];
  revocations.onAccountEnd((userId) => {
    profiles.invalidate(userId);
    hub.forgetRecent();
    // Watchers no longer see the status of somebody who was erased.
    personChanges.announce(userId);
  });
  const erasures = startErasures({
    db,
    parts,
    onRequested: async () => {
      onRevoked();
      await revocations.sync();
    },
    logger,
    settings: { pollMs: config.erasure.poll, claimMs: config.erasure.claim },
  });

  /** @throws Failure `forbidden` for a wrong password, `step_up_required` without a password if the login is old */
  async function prove(caller: Caller, password: string | undefined): Promise<void> {
    if (password !== undefined) return provePassword(caller, password);
    // A guest has no password. The account is read again, because a guest's token stays valid after an upgrade to a user.
    if (caller.kind === 'guest' && (await users.find(caller.userId))?.kind === 'guest') return;
    if (caller.kind !== 'host') return stepUp.requireFresh(caller);
    if ((caller.issuedAt ?? 0) < Date.now() - config.auth.stepUpLifetime)
      throw new Failure('step_up_required', 'a token that was issued just now is needed');
  }

  async function provePassword({ userId, sessionId }: Caller, password: string): Promise<void> {
    const key = `password ${userId} ${sessionId ?? ''}`;
    const window = { max: config.limits.loginsPerAccount, windowMs: guessWindowMs };
    await requireRate(counters, key, window, 'too many wrong passwords');
    const user = await users.find(userId);
    if (!(await passwords.verify(user?.passwordHash, password)))
      throw new Failure('forbidden', 'this is not your password');
  }

  return {
    register: async (v1: App): Promise<void> => {
      await v1.register(blockRoutes, {
        blocks: createBlockService({
          ...{ db, profiles, changes: personChanges },
          listener: {
            onChange: countChangeForUser,
            onChanged: (userId, blockedId, blocked) =>
              hub.signalUser(userId, JSON.stringify({ type: 'block.updated', data: { userId: blockedId, blocked } })),
          },
          settings: { blocksMax: config.limits.blocksPerUser },
        }),
        authenticator,
      });
      await v1.register(privacyRoutes, {
        parts,
        erasures,
        authenticator,
        prove,
        countExport: (userId) =>
          requireRate(
            counters,
            `export ${userId}`,
            { max: config.limits.exportsPerHour, windowMs: 60 * minuteMs },
            'too many archives',
          ),
        eraseLimit: { max: config.limits.loginsPerMinute, timeWindow: minuteMs },
      });
    },
    stop: erasures.stop,
  };
}
