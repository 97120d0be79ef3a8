CREATE TABLE "bookmarks" (
	"user_id" uuid NOT NULL,
	"message_id" uuid NOT NULL,
	"room_id" uuid NOT NULL,
	"note" text DEFAULT '' NOT NULL,
	"remind_at" timestamp (3) with time zone,
	"reminded_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "bookmarks_user_id_message_id_pk" PRIMARY KEY("user_id","message_id")
);
--> statement-breakpoint
CREATE TABLE "custom_emojis" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"type" text NOT NULL,
	"image" "bytea" NOT NULL,
	"created_by" uuid NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "drafts" (
	"user_id" uuid NOT NULL,
	"room_id" uuid NOT NULL,
	"thread_id" uuid NOT NULL,
	"text" text NOT NULL,
	"attachment_ids" uuid[],
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "drafts_user_id_room_id_thread_id_pk" PRIMARY KEY("user_id","room_id","thread_id")
);
--> statement-breakpoint
CREATE TABLE "link_previews" (
	"message_id" uuid PRIMARY KEY NOT NULL,
	"room_id" uuid NOT NULL,
	"previews" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"removed_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "message_streams" (
	"message_id" uuid PRIMARY KEY NOT NULL,
	"room_id" uuid NOT NULL,
	"author_id" uuid NOT NULL,
	"text" text DEFAULT '' NOT NULL,
	"judged_length" integer DEFAULT 0 NOT NULL,
	"touched_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "pins" (
	"message_id" uuid PRIMARY KEY NOT NULL,
	"room_id" uuid NOT NULL,
	"pinned_by" uuid NOT NULL,
	"seq" bigint NOT NULL,
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "poll_votes" (
	"message_id" uuid NOT NULL,
	"option" integer NOT NULL,
	"user_id" uuid NOT NULL,
	"room_id" uuid NOT NULL,
	"seq" bigint NOT NULL,
	CONSTRAINT "poll_votes_message_id_option_user_id_pk" PRIMARY KEY("message_id","option","user_id")
);
--> statement-breakpoint
CREATE TABLE "polls" (
	"message_id" uuid PRIMARY KEY NOT NULL,
	"room_id" uuid NOT NULL,
	"question" text NOT NULL,
	"options" text[] NOT NULL,
	"multiple" boolean NOT NULL,
	"anonymous" boolean NOT NULL,
	"closes_at" timestamp (3) with time zone,
	"closed_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "reactions" (
	"message_id" uuid NOT NULL,
	"emoji" text collate "C" NOT NULL,
	"user_id" uuid NOT NULL,
	"room_id" uuid NOT NULL,
	"seq" bigint NOT NULL,
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "reactions_message_id_emoji_user_id_pk" PRIMARY KEY("message_id","emoji","user_id")
);
--> statement-breakpoint
CREATE TABLE "scheduled_messages" (
	"id" uuid PRIMARY KEY NOT NULL,
	"author_id" uuid NOT NULL,
	"room_id" uuid NOT NULL,
	"client_id" text NOT NULL,
	"draft" jsonb NOT NULL,
	"send_at" timestamp (3) with time zone NOT NULL,
	"state" text DEFAULT 'waiting' NOT NULL,
	"failure" jsonb,
	"message_id" uuid,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "thread_follows" (
	"thread_id" uuid NOT NULL,
	"user_id" uuid NOT NULL,
	"room_id" uuid NOT NULL,
	"following" boolean DEFAULT true NOT NULL,
	"last_read_seq" bigint DEFAULT 0 NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "thread_follows_thread_id_user_id_pk" PRIMARY KEY("thread_id","user_id")
);
--> statement-breakpoint
CREATE TABLE "threads" (
	"thread_id" uuid PRIMARY KEY NOT NULL,
	"room_id" uuid NOT NULL
);
--> statement-breakpoint
CREATE TABLE "attachments" (
	"id" uuid PRIMARY KEY NOT NULL,
	"owner_id" uuid NOT NULL,
	"room_id" uuid,
	"message_id" uuid,
	"position" integer,
	"name" text NOT NULL,
	"type" text NOT NULL,
	"stored_bytes" bigint NOT NULL,
	"size" bigint NOT NULL,
	"width" integer,
	"height" integer,
	"blurhash" text,
	"thumbnail_type" text,
	"thumbnail_size" integer,
	"state" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "file_deletions" (
	"key" text PRIMARY KEY NOT NULL,
	"due_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "events" ADD COLUMN "mentions_all" text;--> statement-breakpoint
ALTER TABLE "events" ADD COLUMN "thread_id" uuid;--> statement-breakpoint
ALTER TABLE "events" ADD COLUMN "also_in_room" boolean;--> statement-breakpoint
ALTER TABLE "events" ADD COLUMN "marks" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "message_edits" ADD COLUMN "mentions_all" text;--> statement-breakpoint
ALTER TABLE "rooms" ADD COLUMN "pins" text DEFAULT 'members' NOT NULL;--> statement-breakpoint
ALTER TABLE "rooms" ADD COLUMN "receipts" boolean;--> statement-breakpoint
ALTER TABLE "unjudged_messages" ADD COLUMN "parts" jsonb;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "status_emoji" text;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "status_text" text;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "status_expires_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "invisible" boolean DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX "bookmarks_room" ON "bookmarks" USING btree ("room_id");--> statement-breakpoint
CREATE INDEX "bookmarks_due" ON "bookmarks" USING btree ("remind_at") WHERE remind_at is not null and reminded_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX "custom_emojis_name" ON "custom_emojis" USING btree ("name");--> statement-breakpoint
CREATE INDEX "drafts_room" ON "drafts" USING btree ("room_id");--> statement-breakpoint
CREATE INDEX "link_previews_room" ON "link_previews" USING btree ("room_id");--> statement-breakpoint
CREATE INDEX "message_streams_touched" ON "message_streams" USING btree ("touched_at");--> statement-breakpoint
CREATE INDEX "message_streams_author" ON "message_streams" USING btree ("author_id");--> statement-breakpoint
CREATE INDEX "pins_room" ON "pins" USING btree ("room_id","seq");--> statement-breakpoint
CREATE INDEX "pins_by" ON "pins" USING btree ("pinned_by");--> statement-breakpoint
CREATE INDEX "poll_votes_user" ON "poll_votes" USING btree ("user_id","room_id");--> statement-breakpoint
CREATE INDEX "polls_room" ON "polls" USING btree ("room_id");--> statement-breakpoint
CREATE INDEX "polls_closing" ON "polls" USING btree ("closes_at") WHERE closed_at is null and closes_at is not null;--> statement-breakpoint
CREATE INDEX "reactions_message" ON "reactions" USING btree ("message_id","seq");--> statement-breakpoint
CREATE INDEX "reactions_user" ON "reactions" USING btree ("user_id","room_id");--> statement-breakpoint
CREATE UNIQUE INDEX "scheduled_messages_client_id" ON "scheduled_messages" USING btree ("author_id","room_id","client_id");--> statement-breakpoint
CREATE INDEX "scheduled_messages_due" ON "scheduled_messages" USING btree ("send_at") WHERE state = 'waiting';--> statement-breakpoint
CREATE INDEX "scheduled_messages_room" ON "scheduled_messages" USING btree ("room_id");--> statement-breakpoint
CREATE INDEX "thread_follows_user" ON "thread_follows" USING btree ("user_id","room_id");--> statement-breakpoint
CREATE INDEX "thread_follows_room" ON "thread_follows" USING btree ("room_id");--> statement-breakpoint
CREATE INDEX "threads_room" ON "threads" USING btree ("room_id");--> statement-breakpoint
CREATE INDEX "attachments_owner" ON "attachments" USING btree ("owner_id");--> statement-breakpoint
CREATE INDEX "attachments_message" ON "attachments" USING btree ("message_id") WHERE message_id is not null;--> statement-breakpoint
CREATE INDEX "attachments_orphans" ON "attachments" USING btree ("created_at") WHERE message_id is null;--> statement-breakpoint
CREATE INDEX "file_deletions_due" ON "file_deletions" USING btree ("due_at");--> statement-breakpoint
CREATE INDEX "events_thread" ON "events" USING btree ("thread_id","seq") WHERE thread_id is not null;--> statement-breakpoint
-- The author of a message in a thread, the people that it mentions and the author of the first message follow the thread.
-- Writing and being mentioned begin it again for those who had stopped. Erased users follow nothing.
CREATE FUNCTION "parley_follow_thread"("thread" uuid, "room" uuid, "message_seq" bigint, "author" uuid, "mentioned" uuid[])
RETURNS void LANGUAGE sql AS $$
  insert into threads (thread_id, room_id) values (thread, room) on conflict do nothing;
  insert into thread_follows (thread_id, user_id, room_id)
    select thread, e.actor_id, room from events e join users u on u.id = e.actor_id and u.erased_at is null
    where e.message_id = thread and e.type = 'message.created'
    on conflict do nothing;
  insert into thread_follows as f (thread_id, user_id, room_id, last_read_seq) values (thread, author, room, message_seq)
    on conflict (thread_id, user_id) do update set following = true where not f.following;
  insert into thread_follows as f (thread_id, user_id, room_id, last_read_seq)
    select thread, m, room, message_seq - 1 from unnest(mentioned) m where m <> author order by m
    on conflict (thread_id, user_id) do update set following = true where not f.following;
$$;
