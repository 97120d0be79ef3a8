/** What the routes that log somebody in share. */
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { OwnUserShape } from '../user/user-routes.ts';
import type { Device } from './session-store.ts';

export const LoginShape = Type.Object({
  user: OwnUserShape,
  accessToken: Type.String(),
  refreshToken: Type.String(),
  expiresIn: Type.Integer({ description: 'Seconds that the access token is good for' }),
});

export function deviceOf(request: FastifyRequest): Device {
  return { userAgent: request.headers['user-agent'], address: request.ip };
}
