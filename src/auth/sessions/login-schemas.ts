/** What the routes that log somebody in share. */
import { Type } from 'typebox';
import { OwnUserShape } from '../../user/profile/user-routes.ts';

export const LoginShape = Type.Object({
  user: OwnUserShape,
  accessToken: Type.Optional(Type.String({ description: 'Absent where the login is kept in cookies' })),
  refreshToken: Type.Optional(Type.String({ description: 'Absent where the login is kept in cookies' })),
  expiresIn: Type.Integer({ description: 'Seconds that the access token is good for' }),
});

export const LoginHeaders = Type.Object({
  'parley-session': Type.Optional(
    Type.Literal('cookie', { description: 'Keep the login in HttpOnly cookies instead of answering with its tokens' }),
  ),
});

/** Longer passwords are refused by the rule about their bytes, before they are hashed. */
export const Password = Type.String({ minLength: 1, maxLength: 4096 });
export const Secret = Type.String({ minLength: 1, maxLength: 512 });
