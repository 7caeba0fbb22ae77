CREATE TABLE "refusals" (
	"id" uuid PRIMARY KEY NOT NULL,
	"client_id" text NOT NULL,
	"endpoint" text NOT NULL,
	"error" text NOT NULL,
	"parameter" text NOT NULL,
	"why" text NOT NULL,
	"registered" text,
	"came" text,
	"count" integer DEFAULT 1 NOT NULL,
	"first_at" timestamp with time zone NOT NULL,
	"last_at" timestamp with time zone NOT NULL,
	"request_id" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "registration_tokens" (
	"id_hash" "bytea" PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"client_id" text,
	"note" text,
	"uses_left" integer,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone,
	"payload" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "resources" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"scopes" text[] NOT NULL,
	"access_token_format" text DEFAULT 'jwt' NOT NULL,
	"signing_alg" text DEFAULT 'ES256' NOT NULL,
	"access_token_ttl" integer,
	"introspection_client_id" text,
	"disabled_at" timestamp with time zone,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	"version" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "client_tokens" (
	"id_hash" "bytea" PRIMARY KEY NOT NULL,
	"client_id" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"payload" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "device_codes" (
	"id_hash" "bytea" PRIMARY KEY NOT NULL,
	"user_code_hash" "bytea" NOT NULL,
	"client_id" text NOT NULL,
	"account_id" uuid,
	"account_epoch" integer,
	"grant_id" text,
	"session_uid" text,
	"session_bound" boolean DEFAULT false NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"in_flight_at" timestamp with time zone,
	"denied_at" timestamp with time zone,
	"consumed_at" timestamp with time zone,
	"polled_at" timestamp with time zone,
	"poll_interval" integer NOT NULL,
	"payload" jsonb NOT NULL,
	CONSTRAINT "device_codes_user_code" UNIQUE("user_code_hash")
);
--> statement-breakpoint
CREATE TABLE "logout_deliveries" (
	"id" uuid PRIMARY KEY NOT NULL,
	"session_uid" text NOT NULL,
	"client_id" text NOT NULL,
	"account_id" uuid NOT NULL,
	"reason" text NOT NULL,
	"state" text DEFAULT 'pending' NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"last_attempt_at" timestamp with time zone,
	"settled_at" timestamp with time zone,
	"last_failure" text
);
--> statement-breakpoint
CREATE TABLE "pushed_requests" (
	"id_hash" "bytea" PRIMARY KEY NOT NULL,
	"client_id" text,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"consumed_at" timestamp with time zone,
	"payload" jsonb NOT NULL
);
--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "token_endpoint_auth_signing_alg" text;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "jwks" jsonb;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "jwks_uri" text;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "resources" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "dpop_bound_access_tokens" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "require_pushed_authorization_requests" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "request_object_signing_alg" text;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "require_signed_request_object" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "subject_type" text DEFAULT 'public' NOT NULL;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "sector_identifier_uri" text;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "backchannel_logout_uri" text;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "backchannel_logout_session_required" boolean DEFAULT true NOT NULL;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "registered_by" text DEFAULT 'operator' NOT NULL;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "logo_uri" text;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "policy_uri" text;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "tos_uri" text;--> statement-breakpoint
ALTER TABLE "clients" ADD COLUMN "contacts" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "consents" ADD COLUMN "resource_scopes" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "refusals" ADD CONSTRAINT "refusals_client_id_clients_id_fk" FOREIGN KEY ("client_id") REFERENCES "public"."clients"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "registration_tokens" ADD CONSTRAINT "registration_tokens_client_id_clients_id_fk" FOREIGN KEY ("client_id") REFERENCES "public"."clients"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "refusals_of_client" ON "refusals" USING btree ("client_id","endpoint","error","parameter");--> statement-breakpoint
CREATE INDEX "refusals_last_at_index" ON "refusals" USING btree ("last_at");--> statement-breakpoint
CREATE INDEX "registration_tokens_client_id_index" ON "registration_tokens" USING btree ("client_id");--> statement-breakpoint
CREATE INDEX "registration_tokens_expires_at_index" ON "registration_tokens" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "client_tokens_client_id_index" ON "client_tokens" USING btree ("client_id");--> statement-breakpoint
CREATE INDEX "client_tokens_expires_at_index" ON "client_tokens" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "device_codes_grant_id_index" ON "device_codes" USING btree ("grant_id");--> statement-breakpoint
CREATE INDEX "device_codes_account_id_index" ON "device_codes" USING btree ("account_id");--> statement-breakpoint
CREATE INDEX "device_codes_expires_at_index" ON "device_codes" USING btree ("expires_at");--> statement-breakpoint
CREATE UNIQUE INDEX "logout_deliveries_once" ON "logout_deliveries" USING btree ("session_uid","client_id");--> statement-breakpoint
CREATE INDEX "logout_deliveries_client_id_created_at_index" ON "logout_deliveries" USING btree ("client_id","created_at");--> statement-breakpoint
CREATE INDEX "logout_deliveries_created_at_index" ON "logout_deliveries" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "pushed_requests_expires_at_index" ON "pushed_requests" USING btree ("expires_at");--> statement-breakpoint
ALTER TABLE "clients" DROP COLUMN "resource_server";--> statement-breakpoint
CREATE TABLE "lasting_secrets" (
	"name" text PRIMARY KEY NOT NULL,
	"sealed" "bytea" NOT NULL,
	"created_at" timestamp with time zone NOT NULL
);--> statement-breakpoint
CREATE INDEX "sessions_alive" ON "sessions" USING btree ("expires_at") WHERE ended_at IS NULL AND account_id IS NOT NULL;