/**
 * Tells the parts of this process that what others see of a person has changed: the custom status, whether they are invisible, or which
 * users they block. It is called after the commit. Parts on other instances get it over Redis (realtime/presence).
 */
export interface PersonChanges {
  readonly announce: (userId: string) => void;
  readonly onChange: (listener: (userId: string) => void) => void;
}

export function createPersonChanges(): PersonChanges {
  const listeners: ((userId: string) => void)[] = [];
  return {
    announce: (userId) => {
      for (const listener of listeners) listener(userId);
    },
    onChange: (listener) => void listeners.push(listener),
  };
}
