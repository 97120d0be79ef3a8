/** The moderators' desk: of one room, or for the staff of all rooms. */
import { useState } from 'preact/hooks';
import type { ChatStore } from '../components/chat-store.ts';
import { Dialog } from '../components/dialog.tsx';
import { LessonsPane } from './moderation-lessons.tsx';
import { AuditPane, BansPane, RefusalsPane } from './moderation-lists.tsx';
import { PacePane } from './moderation-pace.tsx';
import { QueuePane } from './moderation-queue.tsx';
import { RulesPane } from './moderation-rules.tsx';

const panes = {
  queue: 'Queue',
  rules: 'Rules',
  bans: 'Bans',
  blocked: 'Blocked',
  pace: 'Slow mode',
  learned: 'Learned',
  log: 'Log',
} as const;
type Pane = keyof typeof panes;
/** A room has its pace; what was learned is the deployment's. */
const shownFor = (pane: Pane, roomId: string | undefined): boolean =>
  pane === 'pace' ? roomId !== undefined : pane !== 'learned' || roomId === undefined;

export interface DeskProps {
  readonly store: ChatStore;
  /** Undefined: all rooms. */
  readonly roomId: string | undefined;
}

export function ModerationDialog({ store, roomId, name, onClose }: DeskProps & { name: string; onClose: () => void }) {
  const [pane, setPane] = useState<Pane>('queue');
  const desk = { store, roomId };
  return (
    <Dialog
      title={
        <>
          Moderation of <bdi>{name}</bdi>
        </>
      }
      look="wide"
      onClose={onClose}
    >
      <div class="settings desk">
        <nav aria-label="Moderation">
          <ul>
            {(Object.keys(panes) as Pane[])
              .filter((each) => shownFor(each, roomId))
              .map((each) => (
                <li key={each}>
                  <button type="button" aria-current={pane === each ? 'page' : undefined} onClick={() => setPane(each)}>
                    {panes[each]}
                  </button>
                </li>
              ))}
          </ul>
        </nav>
        <div class="settings-body">
          {pane === 'queue' && <QueuePane {...desk} />}
          {pane === 'rules' && <RulesPane {...desk} />}
          {pane === 'bans' && <BansPane {...desk} />}
          {pane === 'blocked' && <RefusalsPane {...desk} />}
          {pane === 'pace' && <PacePane {...desk} />}
          {pane === 'learned' && <LessonsPane {...desk} />}
          {pane === 'log' && <AuditPane {...desk} />}
        </div>
      </div>
    </Dialog>
  );
}
