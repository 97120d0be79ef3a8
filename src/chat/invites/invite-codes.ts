/**
 * The secret in an invite link. Stored as a hash to find the invite by, and encrypted to show it again to a repeat of the
 * request that made it and in the list of invites.
 */
import { createHash, randomBytes } from 'node:crypto';

/** See auth/credentials/secret-encryption.ts. */
export interface SecretCipher {
  readonly seal: (secret: Buffer, purpose: string) => string;
  readonly open: (sealed: string, purpose: string) => Buffer;
}

export interface InviteCodes {
  /** A new code for the invite with this id, as it is stored. */
  readonly create: (id: string) => { readonly codeHash: Buffer; readonly sealedCode: string };
  readonly hash: (code: string) => Buffer;
  readonly read: (invite: { readonly id: string; readonly sealedCode: string }) => { code: string; url: string };
}

/** 192 bits: too many to guess one. */
const codeBytes = 24;

export function createInviteCodes(cipher: SecretCipher, publicUrl: string): InviteCodes {
  const purposeOf = (id: string) => `invite ${id}`;
  const hash = (code: string) => createHash('sha256').update(code).digest();
  return {
    create: (id) => {
      const code = randomBytes(codeBytes).toString('base64url');
      return { codeHash: hash(code), sealedCode: cipher.seal(Buffer.from(code), purposeOf(id)) };
    },
    hash,
    read: ({ id, sealedCode }) => {
      const code = cipher.open(sealedCode, purposeOf(id)).toString();
      // Behind "#": browsers send that part to no server, so no access log keeps it.
      return { code, url: `${publicUrl.replace(/\/$/, '')}/#/invite/${code}` };
    },
  };
}
