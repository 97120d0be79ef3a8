/** Schemas that every route which opens a session shares. */
import { Type } from 'typebox';
import { named } from '../../http/input/schemas.ts';
import { OwnUserShape } from '../../user/profile/user-routes.ts';

export const LoginShape = named(
  'Login',
  Type.Object({
    user: OwnUserShape,
    accessToken: Type.Optional(Type.String({ description: 'Absent if the tokens are in cookies' })),
    refreshToken: Type.Optional(Type.String({ description: 'Absent if the tokens are in cookies' })),
    expiresIn: Type.Integer({ description: 'Lifetime of the access token in seconds' }),
  }),
);

export const LoginHeaders = Type.Object({
  'parley-session': Type.Optional(
    Type.Literal('cookie', { description: 'Set the tokens as HttpOnly cookies instead of returning them' }),
  ),
});

/** Bounds the body only. The real limits of a password are checked before it is hashed (passwords.ts). */
export const Password = Type.String({ minLength: 1, maxLength: 4096 });
/** A token that Parley issued: a refresh token, a mailed token, a challenge. */
export const Secret = Type.String({ minLength: 1, maxLength: 512 });

/** For the description of a sensitive route. */
export const needsFreshLogin = 'Needs a recent login or step-up, otherwise answers `step_up_required`.';
