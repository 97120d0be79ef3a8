import type { OwnUser, ParleyClient } from '../../../client/parley-client.ts';

/** The props of each pane of the account settings. */
export interface SettingsProps {
  readonly client: ParleyClient;
  readonly user: OwnUser;
  /** To be called after the account was changed. */
  readonly onChange: (user: OwnUser) => void;
}
