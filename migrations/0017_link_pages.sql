CREATE TABLE "link_pages" (
	"url" text collate "C" PRIMARY KEY NOT NULL,
	"page" jsonb,
	"picture" "bytea",
	"fetched_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "link_pages_fetched" ON "link_pages" USING btree ("fetched_at");