CREATE TABLE "job_workers" (
	"id" uuid PRIMARY KEY NOT NULL,
	"lock_names" text[] DEFAULT '{}' NOT NULL,
	"seen_at" timestamp (3) with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "mails" ADD COLUMN "template" text;--> statement-breakpoint
ALTER TABLE "mails" ADD COLUMN "recipient" text;--> statement-breakpoint
ALTER TABLE "mails" ADD COLUMN "unsubscribe_hash" "bytea";--> statement-breakpoint
ALTER TABLE "mails" ADD COLUMN "claimed_by" uuid;--> statement-breakpoint
ALTER TABLE "mails" ADD COLUMN "handed_at" timestamp (3) with time zone;--> statement-breakpoint
CREATE UNIQUE INDEX "mails_one_unread" ON "mails" USING btree ("user_id") WHERE kind = 'unread' and state in ('owed', 'claimed');--> statement-breakpoint
CREATE UNIQUE INDEX "mails_unsubscribe" ON "mails" USING btree ("unsubscribe_hash");--> statement-breakpoint
CREATE INDEX "mails_age" ON "mails" USING btree ("finished_at");