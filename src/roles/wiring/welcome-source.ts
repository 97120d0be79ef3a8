/** Where the welcome frame gets its content from: the user, their rooms, and the end of memberships. */
import type { MembershipChanges } from '../../chat/membership/membership-change-repository.ts';
import type { FollowedRoom, RoomLists } from '../../chat/rooms/room-list-repository.ts';
import type { RoomViews } from '../../chat/rooms/room-views.ts';
import { Failure } from '../../errors.ts';
import type { WelcomeRoom, WelcomeSource } from '../../realtime/gateway/hello-handshake.ts';
import type { BlockLookup } from '../../user/blocks/block-lookup.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import type { Cluster } from './cluster-wiring.ts';
import { leftFrame } from './room-wiring.ts';

export function createWelcomeSource({
  profiles,
  roomLists,
  roomViews,
  membershipChanges,
  blocks,
  revocations,
  epoch,
}: Pick<Cluster, 'revocations' | 'epoch'> & {
  profiles: Profiles;
  roomLists: RoomLists;
  roomViews: RoomViews;
  membershipChanges: MembershipChanges;
  blocks: Pick<BlockLookup, 'blockedBy'>;
}): WelcomeSource {
  async function describe(room: FollowedRoom): Promise<WelcomeRoom> {
    const { id, kind, name, seq, history, joinedSeq, lastReadSeq, unread, mentions, readVersion, others } = room;
    return {
      id,
      kind,
      name: await roomViews.nameFor({ kind, name }, others),
      seq,
      readableFrom: history === 'joined' ? joinedSeq : 1,
      lastReadSeq,
      unread,
      mentions,
      readVersion,
    };
  }

  return {
    snapshot: async (user) => {
      const [found, { followed, beyond }, blockedIds] = await Promise.all([
        profiles.byIds([user.userId]),
        roomLists.followedRooms(user.userId),
        blocks.blockedBy(user.userId),
      ]);
      const profile = found.get(user.userId);
      if (!profile) throw new Failure('unauthenticated', 'the account is gone');
      const rooms = await Promise.all(followed.map(describe));
      return { user: { ...profile, role: user.role }, rooms, beyond, blockedIds };
    },
    isRevoked: revocations.isRevoked,
    logId: epoch.logId,
    endsOf: membershipChanges.endsOf,
    leftFrame,
  };
}
