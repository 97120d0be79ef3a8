CREATE TABLE "log_server" (
	"singleton" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"started_at" text NOT NULL,
	"adopted_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "log_witnesses" (
	"id" uuid PRIMARY KEY NOT NULL,
	"beat" bigint NOT NULL,
	"born_in" text NOT NULL,
	"confirmed_in" text NOT NULL,
	"seen_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"ended_at" timestamp (3) with time zone
);
