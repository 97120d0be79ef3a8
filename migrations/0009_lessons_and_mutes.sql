ALTER TABLE "learned_examples" ADD COLUMN "author_id" uuid;--> statement-breakpoint
ALTER TABLE "learned_examples" ADD COLUMN "room_id" uuid;--> statement-breakpoint
ALTER TABLE "learned_examples" ADD COLUMN "message_id" uuid;--> statement-breakpoint
ALTER TABLE "membership_changes" ADD COLUMN "muted_until" timestamp (3) with time zone;--> statement-breakpoint
CREATE INDEX "learned_examples_author" ON "learned_examples" USING btree ("author_id");--> statement-breakpoint
CREATE INDEX "learned_examples_message" ON "learned_examples" USING btree ("message_id");