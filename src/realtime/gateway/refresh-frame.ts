/** `refresh`: gives a connection a newer token of the same user. A token of another user closes it. */
import { Type } from 'typebox';
import { Failure } from '../../errors.ts';
import { writeTime } from '../../http/input/times.ts';
import { type ConnectionUser, closeCodes } from '../socket/connection.ts';
import type { ClientFrame } from '../socket/frame-codec.ts';
import { type FrameHandlers, frameHandler } from './frame-handlers.ts';

export interface RefreshSource {
  readonly authenticate: (token: string) => Promise<ConnectionUser>;
  readonly isRevoked: (user: ConnectionUser) => boolean;
  /** When the newest token of the session expires, in milliseconds since 1970; undefined if the session has ended. */
  readonly accessUntilMs: (user: ConnectionUser) => Promise<number | undefined>;
}

export function refreshFrames({ authenticate, isRevoked, accessUntilMs }: RefreshSource): FrameHandlers {
  /** Scripts cannot read tokens in cookies. The session was refreshed over REST, so its expiry is read from the store. */
  async function lookUp(user: ConnectionUser): Promise<ConnectionUser> {
    const expiresAt = await accessUntilMs(user);
    if (expiresAt === undefined) throw new Failure('unauthenticated', 'this session has ended');
    return { ...user, expiresAt: Math.max(expiresAt, user.expiresAt) };
  }

  return {
    refresh: frameHandler(
      { token: Type.Optional(Type.String({ minLength: 1, maxLength: 8192 })) },
      async ({ connection, caller }, frame) => {
        const { token } = frame;
        const user = token === undefined ? await lookUp(caller) : await authenticate(token);
        if (user.userId !== caller.userId) {
          const { code, message } = new Failure('unauthenticated', 'this token belongs to another user');
          connection.send({ type: 'error', id: (frame as unknown as ClientFrame).id, code, message });
          connection.close(closeCodes.unauthenticated, 'another user');
          return {};
        }
        connection.user = user;
        // The session may have ended while the token was checked.
        if (isRevoked(user)) connection.close(closeCodes.revoked, 'session revoked');
        return { expiresAt: writeTime(user.expiresAt) };
      },
    ),
  };
}
