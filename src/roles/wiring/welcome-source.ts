/** Where the welcome frame gets its content from: the user, their rooms, and the end of memberships. */
import type { MembershipChanges } from '../../chat/membership/membership-changes.ts';
import type { FollowedRoomRow, RoomRepository } from '../../chat/rooms/room-repository.ts';
import type { RoomService } from '../../chat/rooms/room-service.ts';
import { Failure } from '../../errors.ts';
import type { WelcomeRoom, WelcomeSource } from '../../realtime/gateway/hello-handshake.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import type { Cluster } from './cluster-wiring.ts';
import { leftFrame } from './room-wiring.ts';

export function createWelcomeSource({
  profiles,
  roomRepository,
  roomService,
  membershipChanges,
  revocations,
  epoch,
}: Pick<Cluster, 'revocations' | 'epoch'> & {
  profiles: Profiles;
  roomRepository: RoomRepository;
  roomService: RoomService;
  membershipChanges: MembershipChanges;
}): WelcomeSource {
  async function describe(room: FollowedRoomRow): Promise<WelcomeRoom> {
    const { id, kind, name, seq, history, joinedSeq, lastReadSeq, unread, mentions, others } = room;
    return {
      id,
      kind,
      name: await roomService.nameFor({ kind, name }, others),
      seq,
      readableFrom: history === 'joined' ? joinedSeq : 1,
      lastReadSeq,
      unread,
      mentions,
    };
  }

  return {
    snapshot: async (user) => {
      const [found, { followed, beyond }] = await Promise.all([
        profiles.byIds([user.userId]),
        roomRepository.followedRooms(user.userId),
      ]);
      const profile = found.get(user.userId);
      if (!profile) throw new Failure('unauthenticated', 'the account is gone');
      return { user: { ...profile, role: user.role }, rooms: await Promise.all(followed.map(describe)), beyond };
    },
    isRevoked: revocations.isRevoked,
    logId: epoch.logId,
    endsOf: membershipChanges.endsOf,
    leftFrame,
  };
}
