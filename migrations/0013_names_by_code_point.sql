-- Usernames and addresses are ASCII, and lower() has to mean the same for them in every database: with a Turkish locale it makes a
-- dotless i of I, so that people who signed up as IVAN could not log in as ivan. Indexes over lower() follow the column.
ALTER TABLE "users" ALTER COLUMN "username" SET DATA TYPE text COLLATE "C", ALTER COLUMN "email" SET DATA TYPE text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "mails" ALTER COLUMN "recipient" SET DATA TYPE text COLLATE "C";
