CREATE TABLE "moderation_blocks" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "moderation_blocks_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"author_id" uuid NOT NULL,
	"room_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"labels" jsonb NOT NULL,
	"engine_version" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "moderation_removals" (
	"message_id" uuid PRIMARY KEY NOT NULL,
	"room_id" uuid NOT NULL,
	"author_id" uuid NOT NULL,
	"text" text NOT NULL,
	"html" text NOT NULL,
	"mentions" uuid[],
	"versions" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"removed_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "unjudged_messages" (
	"message_id" uuid PRIMARY KEY NOT NULL,
	"position" bigint GENERATED ALWAYS AS IDENTITY (sequence name "unjudged_messages_position_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"mode" text NOT NULL,
	"room_id" uuid NOT NULL,
	"author_id" uuid NOT NULL,
	"client_id" text NOT NULL,
	"digest" bigint NOT NULL,
	"text" text NOT NULL,
	"reply_to" uuid,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"claimed_until" timestamp (3) with time zone
);
--> statement-breakpoint
DROP INDEX "moderation_audit_room";--> statement-breakpoint
ALTER TABLE "moderation_queue" ADD COLUMN "engine_version" text;--> statement-breakpoint
CREATE INDEX "moderation_blocks_author" ON "moderation_blocks" USING btree ("author_id","created_at");--> statement-breakpoint
CREATE INDEX "moderation_blocks_room" ON "moderation_blocks" USING btree ("room_id","id");--> statement-breakpoint
CREATE INDEX "moderation_blocks_age" ON "moderation_blocks" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "moderation_removals_author" ON "moderation_removals" USING btree ("author_id");--> statement-breakpoint
CREATE INDEX "moderation_removals_age" ON "moderation_removals" USING btree ("removed_at");--> statement-breakpoint
CREATE UNIQUE INDEX "unjudged_messages_client_id" ON "unjudged_messages" USING btree ("room_id","author_id","client_id");--> statement-breakpoint
CREATE INDEX "unjudged_messages_position" ON "unjudged_messages" USING btree ("position");--> statement-breakpoint
CREATE INDEX "moderation_audit_age" ON "moderation_audit" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "moderation_queue_author" ON "moderation_queue" USING btree ("author_id","created_at");--> statement-breakpoint
CREATE INDEX "moderation_reports_reporter" ON "moderation_reports" USING btree ("reporter_id","created_at");--> statement-breakpoint
CREATE INDEX "moderation_rules_active" ON "moderation_rules" USING btree ("id") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "moderation_audit_room" ON "moderation_audit" USING btree ("room_id","created_at");