/**
 * Passkeys (Web Authentication Level 3), checked by @simplewebauthn/server. A ceremony is begun (options with a challenge
 * that is good once, for five minutes) → finished by what the authenticator answers.
 */
import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
  RegistrationResponseJSON,
} from '@simplewebauthn/server';
import { and, eq, getTableColumns, sql } from 'drizzle-orm';
import type { Database } from '../../database/connect.ts';
import { isUniqueViolation } from '../../database/database-errors.ts';
import { mfaFactors } from '../../database/tables/credential-tables.ts';
import { users } from '../../database/tables/user-tables.ts';
import { Failure } from '../../errors.ts';
import type { OneTimeTokens } from '../credentials/one-time-tokens.ts';
import type { ProvedAccount } from '../sessions/proved-account.ts';
import { type LockedSession, lockSession } from '../sessions/session-lock.ts';
import { type MfaFactors, passkeysMax } from './mfa-factors.ts';

export interface Ceremony<Options> {
  /** Brought back with the authenticator's answer. */
  readonly ceremony: string;
  /** For `navigator.credentials`, in the JSON form of the standard. */
  readonly options: Options;
}

/** `login`: by the passkey alone; the others: of a person who is known already. */
export type PasskeyUse = 'login' | 'second_step' | 'step_up';

export interface Passkeys {
  readonly beginRegistration: (user: {
    id: string;
    username: string;
    displayName: string;
  }) => Promise<Ceremony<PublicKeyCredentialCreationOptionsJSON>>;
  /** @throws Failure `invalid` for an answer that does not fit, `conflict` for a passkey that is known */
  readonly finishRegistration: (
    login: LockedSession,
    answer: { ceremony: string; response: RegistrationResponseJSON; name: string },
  ) => Promise<{ id: string; recoveryCodes: readonly string[] | undefined }>;
  readonly beginProof: (use: PasskeyUse, userId?: string) => Promise<Ceremony<PublicKeyCredentialRequestOptionsJSON>>;
  /** @returns whose passkey it is. @throws Failure `unauthenticated` for anything that does not fit */
  readonly finishProof: (
    use: PasskeyUse,
    answer: { ceremony: string; response: AuthenticationResponseJSON },
  ) => Promise<ProvedAccount>;
}

export interface RelyingParty {
  /** The domain that passkeys belong to. */
  readonly id: string;
  readonly name: string;
  /** Pages that may use them. */
  readonly origins: readonly string[];
}

interface StoredKey {
  /** COSE, base64url. */
  readonly publicKey: string;
  readonly counter: number;
  readonly transports: string[];
  /** It has asked for its owner (PIN, finger, face) at least once, so that it can be a login by itself. */
  readonly verifiesUser?: boolean;
}

const lifetimeMs = 5 * 60_000;

/** The library is read when it is first needed: most processes start without anybody asking for a passkey. */
const library = () => import('@simplewebauthn/server');

export function createPasskeys({
  db,
  factors,
  oneTimeTokens,
  relyingParty,
}: {
  db: Database;
  factors: MfaFactors;
  oneTimeTokens: OneTimeTokens;
  relyingParty: RelyingParty;
}): Passkeys {
  const { id: rpID, name: rpName, origins } = relyingParty;

  async function passkeysOf(userId: string): Promise<{ id: string; transports: string[] }[]> {
    const rows = await db
      .select({ id: mfaFactors.id, data: mfaFactors.data })
      .from(mfaFactors)
      .where(and(eq(mfaFactors.userId, userId), eq(mfaFactors.kind, 'passkey')));
    return rows.map(({ id, data }) => ({ id, transports: (data as unknown as StoredKey).transports }));
  }

  async function finishRegistration(
    login: LockedSession,
    { ceremony, response, name }: { ceremony: string; response: RegistrationResponseJSON; name: string },
  ): Promise<{ id: string; recoveryCodes: readonly string[] | undefined }> {
    const { userId } = login;
    const begun = await oneTimeTokens.redeem(db, 'passkey_registration', ceremony);
    if (begun?.userId !== userId) throw new Failure('invalid', 'this passkey was not begun here, or too long ago');
    const { verifyRegistrationResponse } = await library();
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response,
      expectedChallenge: String(begun.data.challenge),
      expectedOrigin: [...origins],
      expectedRPID: rpID,
      requireUserVerification: false,
    }).catch((cause: unknown) => {
      throw new Failure('invalid', 'the passkey does not fit', { cause });
    });
    if (!verified) throw new Failure('invalid', 'the passkey does not fit');
    const { id, publicKey, counter, transports = [] } = registrationInfo.credential;
    const stored: StoredKey = {
      publicKey: Buffer.from(publicKey).toString('base64url'),
      counter,
      transports,
      verifiesUser: registrationInfo.userVerified,
    };
    try {
      return await db.transaction(async (tx) => {
        await lockSession(tx, login);
        if (
          (await tx.$count(mfaFactors, and(eq(mfaFactors.userId, userId), eq(mfaFactors.kind, 'passkey')))) >=
          passkeysMax
        )
          throw new Failure('conflict', `at most ${passkeysMax} passkeys`);
        await tx.insert(mfaFactors).values({
          id,
          userId,
          kind: 'passkey',
          name,
          data: { ...stored },
          confirmedAt: sql`now()` as unknown as Date,
        });
        return { id, recoveryCodes: await factors.addedFactor(tx, userId) };
      });
    } catch (error) {
      if (isUniqueViolation(error, 'second_factors')) throw new Failure('conflict', 'this passkey is known already');
      throw error;
    }
  }

  async function finishProof(
    use: PasskeyUse,
    { ceremony, response }: { ceremony: string; response: AuthenticationResponseJSON },
  ): Promise<ProvedAccount> {
    const refusal = (cause?: unknown) => new Failure('unauthenticated', 'this passkey is not good here', { cause });
    const begun = await oneTimeTokens.redeemAny(db, `passkey_${use}`, ceremony);
    if (!begun) throw refusal();
    const [row] = await db
      .select({ ...getTableColumns(mfaFactors), passwordHash: users.passwordHash })
      .from(mfaFactors)
      .innerJoin(users, eq(users.id, mfaFactors.userId))
      .where(and(eq(mfaFactors.id, response.id), eq(mfaFactors.kind, 'passkey')));
    if (!row || (begun.userId !== null && begun.userId !== row.userId)) throw refusal();
    const { publicKey, counter, transports } = row.data as unknown as StoredKey;
    const { verifyAuthenticationResponse } = await library();
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response,
      expectedChallenge: String(begun.data.challenge),
      expectedOrigin: [...origins],
      expectedRPID: rpID,
      credential: { id: row.id, publicKey: new Uint8Array(Buffer.from(publicKey, 'base64url')), counter, transports },
      requireUserVerification: use === 'login',
    }).catch((cause: unknown) => {
      throw refusal(cause);
    });
    if (!verified) throw refusal();
    const { newCounter, userVerified } = authenticationInfo;
    // Web Authentication §7.2 step 22: a counter that does not grow means a copy of the authenticator.
    const counted = await db
      .update(mfaFactors)
      .set({
        data: sql`${mfaFactors.data} || jsonb_build_object('counter', ${newCounter}::bigint)
          || case when ${userVerified}::boolean then '{"verifiesUser":true}'::jsonb else '{}'::jsonb end`,
        lastUsedAt: sql`now()`,
      })
      .where(
        and(
          eq(mfaFactors.id, row.id),
          sql`((${mfaFactors.data}->>'counter')::bigint < ${newCounter} or ${newCounter} = 0)`,
        ),
      )
      .returning({ id: mfaFactors.id });
    if (counted.length === 0) throw refusal();
    return { id: row.userId, passwordHash: row.passwordHash };
  }

  return {
    beginRegistration: async ({ id, username, displayName }) => {
      const { generateRegistrationOptions } = await library();
      const options = await generateRegistrationOptions({
        rpID,
        rpName,
        userName: username,
        userDisplayName: displayName,
        userID: new Uint8Array(Buffer.from(id.replaceAll('-', ''), 'hex')),
        excludeCredentials: await passkeysOf(id),
        authenticatorSelection: { residentKey: 'required', userVerification: 'preferred' },
      });
      const data = { challenge: options.challenge };
      return { ceremony: await oneTimeTokens.issue(db, 'passkey_registration', id, data, lifetimeMs), options };
    },
    finishRegistration,
    beginProof: async (use, userId) => {
      const { generateAuthenticationOptions } = await library();
      const options = await generateAuthenticationOptions({
        rpID,
        userVerification: use === 'login' ? 'required' : 'preferred',
        ...(userId === undefined ? {} : { allowCredentials: await passkeysOf(userId) }),
      });
      const data = { challenge: options.challenge };
      return { ceremony: await oneTimeTokens.issue(db, `passkey_${use}`, userId ?? null, data, lifetimeMs), options };
    },
    finishProof,
  };
}

/**
 * The relying party of a deployment: the domain of its public address.
 * @param origins other pages that may call; those on the same domain or below it may use its passkeys too
 */
export function relyingPartyOf(publicUrl: string, origins: readonly string[]): RelyingParty {
  const { hostname, origin } = new URL(publicUrl);
  const related = origins.filter((each) => {
    const host = URL.canParse(each) ? new URL(each).hostname : '';
    return host === hostname || host.endsWith(`.${hostname}`);
  });
  return { id: hostname, name: 'Parley', origins: [origin, ...related] };
}
