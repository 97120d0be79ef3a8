/** `refresh`: a connection lives on with a newer token of the same person; it never becomes somebody else's. */
import { Type } from 'typebox';
import { Failure } from '../../errors.ts';
import { writeTime } from '../../http/input/times.ts';
import { type ConnectionUser, closeCodes } from '../socket/connection.ts';
import type { ClientFrame } from '../socket/frame-codec.ts';
import { type FrameHandlers, frameHandler } from './frame-handlers.ts';

export interface RefreshSource {
  readonly authenticate: (token: string) => Promise<ConnectionUser>;
  readonly isRevoked: (user: ConnectionUser) => boolean;
  /** Until when a login's newest token is good, milliseconds since the epoch; undefined: it has ended. */
  readonly accessUntilMs: (user: ConnectionUser) => Promise<number | undefined>;
}

export function refreshFrames({ authenticate, isRevoked, accessUntilMs }: RefreshSource): FrameHandlers {
  /** Where the tokens are in cookies a script has none to show: the login was refreshed by REST, and is looked up. */
  async function lookUp(user: ConnectionUser): Promise<ConnectionUser> {
    const expiresAt = await accessUntilMs(user);
    if (expiresAt === undefined) throw new Failure('unauthenticated', 'this login has ended');
    return { ...user, expiresAt: Math.max(expiresAt, user.expiresAt) };
  }

  return {
    refresh: frameHandler(
      { token: Type.Optional(Type.String({ minLength: 1, maxLength: 8192 })) },
      async ({ connection, caller }, frame) => {
        const { token } = frame;
        const user = token === undefined ? await lookUp(caller) : await authenticate(token);
        if (user.userId !== caller.userId) {
          const { code, message } = new Failure('unauthenticated', 'this token is somebody else’s');
          connection.send({ type: 'error', id: (frame as unknown as ClientFrame).id, code, message });
          connection.close(closeCodes.unauthenticated, 'another user');
          return {};
        }
        connection.user = user;
        // What ended while the token was looked at.
        if (isRevoked(user)) connection.close(closeCodes.revoked, 'session revoked');
        return { expiresAt: writeTime(user.expiresAt) };
      },
    ),
  };
}
