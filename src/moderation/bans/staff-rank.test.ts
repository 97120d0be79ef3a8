import { expect, test } from 'vitest';
import type { DeploymentRole } from '../../permissions.ts';
import { requireHigherStaff } from './ban-service.ts';

test.each([
  ['admin', ['user', 'moderator']],
  ['moderator', ['user']],
  ['user', []],
  ['server', []],
] as const)('%s bans from the deployment only: %j', (role, targets: readonly DeploymentRole[]) => {
  const mayBan = (target: DeploymentRole) => {
    try {
      requireHigherStaff({ role }, target);
      return true;
    } catch {
      return false;
    }
  };
  const all: readonly DeploymentRole[] = ['user', 'moderator', 'admin', 'server'];
  expect(all.filter(mayBan)).toEqual(targets);
});
