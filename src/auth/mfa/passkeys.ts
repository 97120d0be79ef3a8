/**
 * Passkeys (Web Authentication Level 3), checked by @simplewebauthn/server. A ceremony is begun (options with a challenge
 * that works once, within five minutes) → finished by the authenticator's answer.
 */
import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
  RegistrationResponseJSON,
} from '@simplewebauthn/server';
import { and, eq, getTableColumns, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { isUniqueViolation } from '../../database/database-errors.ts';
import { mfaFactors } from '../../database/tables/credential-tables.ts';
import { users } from '../../database/tables/user-tables.ts';
import { Failure } from '../../errors.ts';
import type { LockedAccount } from '../../user/account/account-lock.ts';
import type { OneTimeTokens } from '../credentials/one-time-tokens.ts';
import { type LockedSession, lockSession } from '../sessions/session-lock.ts';
import type { ProvedAccount } from '../sessions/session-opener.ts';
import type { MfaFactors } from './mfa-factors.ts';

export interface Ceremony<Options> {
  /** A token that the client sends back with the authenticator's answer. */
  readonly ceremony: string;
  /** For `navigator.credentials`, in the standard's JSON form. */
  readonly options: Options;
}

/** `login` identifies the user by the passkey alone; the other two are for a user who is known already. */
export type PasskeyUse = 'login' | 'second_step' | 'step_up';

interface RegistrationAnswer {
  readonly ceremony: string;
  readonly response: RegistrationResponseJSON;
  readonly name: string;
}

interface ProofAnswer {
  readonly ceremony: string;
  readonly response: AuthenticationResponseJSON;
}

export interface Passkeys {
  readonly beginRegistration: (user: {
    id: string;
    username: string;
    displayName: string;
  }) => Promise<Ceremony<PublicKeyCredentialCreationOptionsJSON>>;
  /** @throws Failure `invalid` for an answer that does not verify, `conflict` for a known passkey or one too many */
  readonly finishRegistration: (
    session: LockedSession,
    answer: RegistrationAnswer,
  ) => Promise<{ id: string; recoveryCodes: readonly string[] | undefined }>;
  readonly beginProof: (use: PasskeyUse, userId?: string) => Promise<Ceremony<PublicKeyCredentialRequestOptionsJSON>>;
  /** @returns the account that the passkey belongs to. @throws Failure `unauthenticated` for anything that does not verify */
  readonly finishProof: (use: PasskeyUse, answer: ProofAnswer) => Promise<ProvedAccount>;
}

export interface RelyingParty {
  /** The domain that passkeys belong to. */
  readonly id: string;
  readonly name: string;
  /** Pages that may use them. */
  readonly origins: readonly string[];
}

/** The `data` of a passkey's row. */
interface StoredKey {
  /** COSE, base64url. */
  readonly publicKey: string;
  readonly counter: number;
  readonly transports: string[];
  /** It has verified its owner (PIN, finger, face) at least once, so it can be a login by itself. */
  readonly verifiesUser?: boolean;
}

const ceremonyLifetimeMs = 5 * 60_000;
/** Passkeys of one account. */
const passkeysMax = 20;

/** Imported at the first use: most processes start without anybody using a passkey. */
const library = () => import('@simplewebauthn/server');

export function createPasskeys({
  db,
  factors,
  oneTimeTokens,
  relyingParty,
}: {
  db: Database;
  factors: Pick<MfaFactors, 'addedFactor'>;
  oneTimeTokens: OneTimeTokens;
  relyingParty: RelyingParty;
}): Passkeys {
  const beginRegistration: Passkeys['beginRegistration'] = async ({ id, username, displayName }) => {
    const { generateRegistrationOptions } = await library();
    const options = await generateRegistrationOptions({
      rpID: relyingParty.id,
      rpName: relyingParty.name,
      userName: username,
      userDisplayName: displayName,
      userID: new Uint8Array(Buffer.from(id.replaceAll('-', ''), 'hex')),
      excludeCredentials: await passkeysOf(db, id),
      authenticatorSelection: { residentKey: 'required', userVerification: 'preferred' },
    });
    const data = { challenge: options.challenge };
    return { ceremony: await oneTimeTokens.issue(db, 'passkey_registration', id, data, ceremonyLifetimeMs), options };
  };

  const finishRegistration: Passkeys['finishRegistration'] = async (session, { ceremony, response, name }) => {
    const { userId } = session;
    const begun = await oneTimeTokens.redeem(db, 'passkey_registration', ceremony);
    if (begun?.userId !== userId) throw new Failure('invalid', 'this passkey was not begun here, or too long ago');
    const { id, data } = await verifyRegistration(response, String(begun.data.challenge), relyingParty);
    try {
      return await db.transaction(async (tx) => {
        const account = await lockSession(tx, session);
        await insertPasskey(tx, account, { id, name, data });
        return { id, recoveryCodes: await factors.addedFactor(tx, userId) };
      });
    } catch (error) {
      if (isUniqueViolation(error, 'second_factors'))
        throw new Failure('conflict', 'this passkey is registered already');
      throw error;
    }
  };

  const beginProof: Passkeys['beginProof'] = async (use, userId) => {
    const { generateAuthenticationOptions } = await library();
    const options = await generateAuthenticationOptions({
      rpID: relyingParty.id,
      userVerification: use === 'login' ? 'required' : 'preferred',
      ...(userId === undefined ? {} : { allowCredentials: await passkeysOf(db, userId) }),
    });
    const data = { challenge: options.challenge };
    const ceremony = await oneTimeTokens.issue(db, `passkey_${use}`, userId ?? null, data, ceremonyLifetimeMs);
    return { ceremony, options };
  };

  const finishProof: Passkeys['finishProof'] = async (use, { ceremony, response }) => {
    const begun = await oneTimeTokens.redeemAny(db, `passkey_${use}`, ceremony);
    if (!begun) throw invalidPasskey();
    const passkey = await findPasskey(db, response.id);
    if (!passkey || (begun.userId !== null && begun.userId !== passkey.userId)) throw invalidPasskey();
    const seen = await verifyProof(response, {
      passkey,
      relyingParty,
      challenge: String(begun.data.challenge),
      mustVerifyUser: use === 'login',
    });
    if (!(await recordUse(db, passkey.id, seen))) throw invalidPasskey();
    return { id: passkey.userId, passwordHash: passkey.passwordHash };
  };

  return { beginRegistration, finishRegistration, beginProof, finishProof };
}

function invalidPasskey(cause?: unknown): Failure {
  return new Failure('unauthenticated', 'this passkey is not valid here', { cause });
}

async function passkeysOf(db: Database, userId: string): Promise<{ id: string; transports: string[] }[]> {
  const rows = await db
    .select({ id: mfaFactors.id, data: mfaFactors.data })
    .from(mfaFactors)
    .where(and(eq(mfaFactors.userId, userId), eq(mfaFactors.kind, 'passkey')));
  return rows.map(({ id, data }) => ({ id, transports: (data as unknown as StoredKey).transports }));
}

/** @throws Failure `invalid` */
async function verifyRegistration(
  response: RegistrationResponseJSON,
  challenge: string,
  { id: rpID, origins }: RelyingParty,
): Promise<{ id: string; data: StoredKey }> {
  const { verifyRegistrationResponse } = await library();
  const { verified, registrationInfo } = await verifyRegistrationResponse({
    response,
    expectedChallenge: challenge,
    expectedOrigin: [...origins],
    expectedRPID: rpID,
    requireUserVerification: false,
  }).catch((cause: unknown) => {
    throw new Failure('invalid', 'the passkey could not be verified', { cause });
  });
  if (!verified) throw new Failure('invalid', 'the passkey could not be verified');
  const { id, publicKey, counter, transports = [] } = registrationInfo.credential;
  const verifiesUser = registrationInfo.userVerified;
  return { id, data: { publicKey: Buffer.from(publicKey).toString('base64url'), counter, transports, verifiesUser } };
}

/** The account's lock keeps two registrations from passing the limit together. @throws Failure `conflict` */
async function insertPasskey(
  tx: Transaction,
  { id: userId }: LockedAccount,
  { id, name, data }: { id: string; name: string; data: StoredKey },
): Promise<void> {
  const count = await tx.$count(mfaFactors, and(eq(mfaFactors.userId, userId), eq(mfaFactors.kind, 'passkey')));
  if (count >= passkeysMax) throw new Failure('conflict', `at most ${passkeysMax} passkeys`);
  await tx.insert(mfaFactors).values({
    id,
    userId,
    kind: 'passkey',
    name,
    data: { ...data },
    confirmedAt: sql`now()` as unknown as Date,
  });
}

async function findPasskey(db: Database, id: string) {
  const [row] = await db
    .select({ ...getTableColumns(mfaFactors), passwordHash: users.passwordHash })
    .from(mfaFactors)
    .innerJoin(users, eq(users.id, mfaFactors.userId))
    .where(and(eq(mfaFactors.id, id), eq(mfaFactors.kind, 'passkey')));
  return row;
}

interface SeenPasskey {
  readonly newCounter: number;
  readonly userVerified: boolean;
}

/** @throws Failure `unauthenticated` */
async function verifyProof(
  response: AuthenticationResponseJSON,
  expected: {
    readonly passkey: { readonly id: string; readonly data: unknown };
    readonly relyingParty: RelyingParty;
    readonly challenge: string;
    readonly mustVerifyUser: boolean;
  },
): Promise<SeenPasskey> {
  const { passkey, relyingParty, challenge, mustVerifyUser } = expected;
  const { publicKey, counter, transports } = passkey.data as StoredKey;
  const { verifyAuthenticationResponse } = await library();
  const { verified, authenticationInfo } = await verifyAuthenticationResponse({
    response,
    expectedChallenge: challenge,
    expectedOrigin: [...relyingParty.origins],
    expectedRPID: relyingParty.id,
    credential: { id: passkey.id, publicKey: new Uint8Array(Buffer.from(publicKey, 'base64url')), counter, transports },
    requireUserVerification: mustVerifyUser,
  }).catch((cause: unknown) => {
    throw invalidPasskey(cause);
  });
  if (!verified) throw invalidPasskey();
  return authenticationInfo;
}

/** @returns false if the counter did not grow: a copy of the authenticator is in use (Web Authentication §7.2 step 22) */
async function recordUse(db: Database, id: string, { newCounter, userVerified }: SeenPasskey): Promise<boolean> {
  const counted = await db
    .update(mfaFactors)
    .set({
      data: sql`${mfaFactors.data} || jsonb_build_object('counter', ${newCounter}::bigint)
        || case when ${userVerified}::boolean then '{"verifiesUser":true}'::jsonb else '{}'::jsonb end`,
      lastUsedAt: sql`now()`,
    })
    .where(
      and(eq(mfaFactors.id, id), sql`((${mfaFactors.data}->>'counter')::bigint < ${newCounter} or ${newCounter} = 0)`),
    )
    .returning({ id: mfaFactors.id });
  return counted.length > 0;
}

/**
 * The relying party of a deployment: the domain of its public address.
 * @param origins other pages that may call the API. Those on the same domain or a subdomain may use its passkeys, too
 */
export function relyingPartyOf(publicUrl: string, origins: readonly string[]): RelyingParty {
  const { hostname, origin } = new URL(publicUrl);
  const related = origins.filter((each) => {
    const host = URL.canParse(each) ? new URL(each).hostname : '';
    return host === hostname || host.endsWith(`.${hostname}`);
  });
  return { id: hostname, name: 'Parley', origins: [origin, ...related] };
}
