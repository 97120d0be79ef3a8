CREATE TABLE "erased_identities" (
	"hash" "bytea" PRIMARY KEY NOT NULL,
	"erased_at" timestamp (3) with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "erasures" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"requested_at" timestamp (3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"claimed_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone
);
--> statement-breakpoint
ALTER TABLE "identities" ADD COLUMN "id" uuid DEFAULT gen_random_uuid() NOT NULL;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "tokens_ended_at" timestamp (3) with time zone;--> statement-breakpoint
CREATE INDEX "erased_identities_age" ON "erased_identities" USING btree ("erased_at");--> statement-breakpoint
CREATE UNIQUE INDEX "erasures_user" ON "erasures" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "erasures_open" ON "erasures" USING btree ("requested_at") WHERE finished_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX "identities_id" ON "identities" USING btree ("id");