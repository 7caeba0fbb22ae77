-- Everything of the first version. Written by drizzle-kit from drizzle/schema, then edited by hand where it says so.
CREATE TABLE "account_roles" (
	"account_id" uuid NOT NULL,
	"role" text NOT NULL,
	"granted_at" timestamp with time zone NOT NULL,
	"granted_by" text NOT NULL,
	CONSTRAINT "account_roles_account_id_role_pk" PRIMARY KEY("account_id","role")
);
--> statement-breakpoint
CREATE TABLE "accounts" (
	"id" uuid PRIMARY KEY NOT NULL,
	"email" text NOT NULL,
	"email_key" text NOT NULL,
	"email_verified_at" timestamp with time zone,
	"name" text,
	"claims" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"password_hash" text,
	"password_changed_at" timestamp with time zone,
	"epoch" integer DEFAULT 0 NOT NULL,
	"disabled_at" timestamp with time zone,
	"last_sign_in_at" timestamp with time zone,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	"version" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "accounts_emailKey_unique" UNIQUE("email_key")
);
--> statement-breakpoint
CREATE TABLE "setup_tokens" (
	"token_hash" text PRIMARY KEY NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"used_at" timestamp with time zone
);
--> statement-breakpoint
-- By hand: partitioned by month, so that retention drops partitions instead of deleting rows.
CREATE TABLE "audit_events" (
	"id" uuid NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"type" text NOT NULL,
	"severity" text NOT NULL,
	"actor_kind" text NOT NULL,
	"actor_id" text,
	"subject_id" uuid,
	"client_id" text,
	"session_uid" text,
	"grant_id" text,
	"request_id" text,
	"data" jsonb NOT NULL,
	"personal_commitment" "bytea",
	CONSTRAINT "audit_events_at_id_pk" PRIMARY KEY("at","id")
) PARTITION BY RANGE (at);
--> statement-breakpoint
-- By hand: partitioned by month, so that retention drops partitions instead of deleting rows.
CREATE TABLE "audit_personal" (
	"event_id" uuid NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"subject_id" uuid,
	"salt" "bytea" NOT NULL,
	"address" "inet",
	"device" text,
	"data" jsonb NOT NULL,
	CONSTRAINT "audit_personal_at_event_id_pk" PRIMARY KEY("at","event_id")
) PARTITION BY RANGE (at);
--> statement-breakpoint
CREATE TABLE "client_secrets" (
	"id" uuid PRIMARY KEY NOT NULL,
	"client_id" text NOT NULL,
	"secret_hash" "bytea" NOT NULL,
	"hint" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "clients" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"application_type" text DEFAULT 'web' NOT NULL,
	"token_endpoint_auth_method" text DEFAULT 'client_secret_basic' NOT NULL,
	"grant_types" text[] NOT NULL,
	"redirect_uris" text[] NOT NULL,
	"post_logout_redirect_uris" text[] NOT NULL,
	"allowed_origins" text[] NOT NULL,
	"scopes" text[] NOT NULL,
	"response_modes" text[] NOT NULL,
	"id_token_signed_response_alg" text DEFAULT 'ES256' NOT NULL,
	"require_pkce" boolean DEFAULT true NOT NULL,
	"require_nonce" boolean DEFAULT true NOT NULL,
	"first_party" boolean DEFAULT false NOT NULL,
	"resource_server" boolean DEFAULT false NOT NULL,
	"client_uri" text,
	"initiate_login_uri" text,
	"access_token_ttl" integer,
	"refresh_token_idle" integer,
	"refresh_replay_window" integer,
	"default_max_age" integer,
	"disabled_at" timestamp with time zone,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	"version" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "consents" (
	"id" uuid PRIMARY KEY NOT NULL,
	"account_id" uuid NOT NULL,
	"client_id" text NOT NULL,
	"scopes" text[] NOT NULL,
	"client_fingerprint" text NOT NULL,
	"granted_at" timestamp with time zone NOT NULL,
	"ended_at" timestamp with time zone,
	"end_reason" text
);
--> statement-breakpoint
CREATE TABLE "canaries" (
	"name" text PRIMARY KEY NOT NULL,
	"sealed" "bytea" NOT NULL
);
--> statement-breakpoint
CREATE TABLE "signing_keys" (
	"kid" text PRIMARY KEY NOT NULL,
	"alg" text NOT NULL,
	"public_jwk" jsonb NOT NULL,
	"private_sealed" "bytea" NOT NULL,
	"published_at" timestamp with time zone NOT NULL,
	"activates_at" timestamp with time zone NOT NULL,
	"removed_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "failures" (
	"scope" text NOT NULL,
	"key" text NOT NULL,
	"count" integer NOT NULL,
	"resets_at" timestamp with time zone NOT NULL,
	CONSTRAINT "failures_scope_key_pk" PRIMARY KEY("scope","key")
);
--> statement-breakpoint
CREATE TABLE "access_tokens" (
	"id_hash" "bytea" PRIMARY KEY NOT NULL,
	"account_id" uuid NOT NULL,
	"account_epoch" integer NOT NULL,
	"client_id" text NOT NULL,
	"grant_id" text NOT NULL,
	"session_uid" text,
	"session_bound" boolean NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"payload" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "authorization_codes" (
	"id_hash" "bytea" PRIMARY KEY NOT NULL,
	"account_id" uuid NOT NULL,
	"account_epoch" integer NOT NULL,
	"client_id" text NOT NULL,
	"grant_id" text NOT NULL,
	"session_uid" text,
	"session_bound" boolean NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"payload" jsonb NOT NULL,
	"consumed_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "grants" (
	"id" text PRIMARY KEY NOT NULL,
	"account_id" uuid NOT NULL,
	"account_epoch" integer NOT NULL,
	"client_id" text NOT NULL,
	"session_uid" text,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"revoked_at" timestamp with time zone,
	"revoke_reason" text,
	"payload" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "interactions" (
	"uid_hash" "bytea" PRIMARY KEY NOT NULL,
	"client_id" text,
	"browser_hash" "bytea",
	"prompt" text NOT NULL,
	"payload" jsonb NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"taken_at" timestamp with time zone,
	"account_id" uuid,
	"account_epoch" integer,
	"password_at" timestamp with time zone,
	"finished_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "refresh_tokens" (
	"id_hash" "bytea" PRIMARY KEY NOT NULL,
	"account_id" uuid NOT NULL,
	"account_epoch" integer NOT NULL,
	"client_id" text NOT NULL,
	"grant_id" text NOT NULL,
	"session_uid" text,
	"session_bound" boolean NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"payload" jsonb NOT NULL,
	"consumed_at" timestamp with time zone,
	"successor_hash" "bytea",
	"successor_sealed" "bytea",
	"replay_until" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "replay_detections" (
	"id_hash" "bytea" PRIMARY KEY NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sessions" (
	"uid" text PRIMARY KEY NOT NULL,
	"id_hash" "bytea" NOT NULL,
	"account_id" uuid,
	"account_epoch" integer,
	"login_at" timestamp with time zone,
	"created_at" timestamp with time zone NOT NULL,
	"last_seen_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"ended_at" timestamp with time zone,
	"end_reason" text,
	"address" "inet",
	"user_agent" text,
	"payload" jsonb NOT NULL,
	CONSTRAINT "sessions_idHash_unique" UNIQUE("id_hash")
);
--> statement-breakpoint
ALTER TABLE "account_roles" ADD CONSTRAINT "account_roles_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "client_secrets" ADD CONSTRAINT "client_secrets_client_id_clients_id_fk" FOREIGN KEY ("client_id") REFERENCES "public"."clients"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "consents" ADD CONSTRAINT "consents_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "account_roles_role_index" ON "account_roles" USING btree ("role");--> statement-breakpoint
CREATE INDEX "audit_events_type_at_index" ON "audit_events" USING btree ("type","at");--> statement-breakpoint
CREATE INDEX "audit_events_actor_id_at_index" ON "audit_events" USING btree ("actor_id","at");--> statement-breakpoint
CREATE INDEX "audit_events_subject_id_at_index" ON "audit_events" USING btree ("subject_id","at");--> statement-breakpoint
CREATE INDEX "audit_events_client_id_at_index" ON "audit_events" USING btree ("client_id","at");--> statement-breakpoint
CREATE INDEX "audit_events_session_uid_index" ON "audit_events" USING btree ("session_uid");--> statement-breakpoint
CREATE INDEX "audit_events_grant_id_index" ON "audit_events" USING btree ("grant_id");--> statement-breakpoint
CREATE INDEX "audit_events_request_id_index" ON "audit_events" USING btree ("request_id");--> statement-breakpoint
CREATE INDEX "audit_personal_subject_id_index" ON "audit_personal" USING btree ("subject_id");--> statement-breakpoint
CREATE INDEX "audit_personal_address_at_index" ON "audit_personal" USING btree ("address","at");--> statement-breakpoint
CREATE INDEX "audit_personal_device_at_index" ON "audit_personal" USING btree ("device","at");--> statement-breakpoint
CREATE INDEX "client_secrets_client_id_index" ON "client_secrets" USING btree ("client_id");--> statement-breakpoint
CREATE UNIQUE INDEX "consents_in_force" ON "consents" USING btree ("account_id","client_id") WHERE ended_at IS NULL;--> statement-breakpoint
CREATE INDEX "consents_client_id_index" ON "consents" USING btree ("client_id");--> statement-breakpoint
CREATE INDEX "failures_resets_at_index" ON "failures" USING btree ("resets_at");--> statement-breakpoint
CREATE INDEX "access_tokens_grant_id_index" ON "access_tokens" USING btree ("grant_id");--> statement-breakpoint
CREATE INDEX "access_tokens_account_id_index" ON "access_tokens" USING btree ("account_id");--> statement-breakpoint
CREATE INDEX "access_tokens_session_uid_index" ON "access_tokens" USING btree ("session_uid");--> statement-breakpoint
CREATE INDEX "access_tokens_expires_at_index" ON "access_tokens" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "authorization_codes_grant_id_index" ON "authorization_codes" USING btree ("grant_id");--> statement-breakpoint
CREATE INDEX "authorization_codes_account_id_index" ON "authorization_codes" USING btree ("account_id");--> statement-breakpoint
CREATE INDEX "authorization_codes_session_uid_index" ON "authorization_codes" USING btree ("session_uid");--> statement-breakpoint
CREATE INDEX "authorization_codes_expires_at_index" ON "authorization_codes" USING btree ("expires_at");--> statement-breakpoint
CREATE UNIQUE INDEX "grants_of_session" ON "grants" USING btree ("session_uid","client_id") WHERE revoked_at IS NULL;--> statement-breakpoint
CREATE INDEX "grants_account_id_index" ON "grants" USING btree ("account_id");--> statement-breakpoint
CREATE INDEX "grants_client_id_index" ON "grants" USING btree ("client_id");--> statement-breakpoint
CREATE INDEX "grants_expires_at_index" ON "grants" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "interactions_expires_at_index" ON "interactions" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "interactions_account_id_index" ON "interactions" USING btree ("account_id");--> statement-breakpoint
CREATE INDEX "refresh_tokens_grant_id_index" ON "refresh_tokens" USING btree ("grant_id");--> statement-breakpoint
CREATE INDEX "refresh_tokens_account_id_index" ON "refresh_tokens" USING btree ("account_id");--> statement-breakpoint
CREATE INDEX "refresh_tokens_session_uid_index" ON "refresh_tokens" USING btree ("session_uid");--> statement-breakpoint
CREATE INDEX "refresh_tokens_expires_at_index" ON "refresh_tokens" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "refresh_tokens_sealed" ON "refresh_tokens" USING btree ("replay_until") WHERE successor_sealed IS NOT NULL;--> statement-breakpoint
CREATE INDEX "replay_detections_expires_at_index" ON "replay_detections" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "sessions_account_id_index" ON "sessions" USING btree ("account_id");--> statement-breakpoint
CREATE INDEX "sessions_expires_at_index" ON "sessions" USING btree ("expires_at");
--> statement-breakpoint
-- By hand from here on.
-- A row whose month has no partition yet lands in the default one instead of failing the act it records.
CREATE TABLE audit_events_default PARTITION OF audit_events DEFAULT;
--> statement-breakpoint
CREATE TABLE audit_personal_default PARTITION OF audit_personal DEFAULT;
--> statement-breakpoint
-- The application's role owns no table, so partitions are made for it by the owner. Idempotent and safe in
-- parallel; a month that already has rows in the default partition stays there until they are moved.
CREATE FUNCTION gatehouse_make_audit_partitions(months_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  month timestamptz := date_trunc('month', now(), 'UTC');
  last_month timestamptz;
  table_name text;
  made integer := 0;
BEGIN
  last_month := date_trunc('month', now() + make_interval(months => least(greatest(months_ahead, 0), 24)), 'UTC');
  PERFORM pg_advisory_xact_lock(hashtext('gatehouse.audit.partitions'));
  WHILE month <= last_month LOOP
    FOREACH table_name IN ARRAY ARRAY['audit_events', 'audit_personal'] LOOP
      IF to_regclass(format('public.%I', table_name || to_char(month AT TIME ZONE 'UTC', '"_"YYYY"_"MM'))) IS NULL THEN
        BEGIN
          EXECUTE format('CREATE TABLE public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)',
            table_name || to_char(month AT TIME ZONE 'UTC', '"_"YYYY"_"MM'), table_name, month, month + interval '1 month');
          made := made + 1;
        EXCEPTION WHEN check_violation THEN NULL; -- rows of that month are in the default partition
        END;
      END IF;
    END LOOP;
    month := month + interval '1 month';
  END LOOP;
  RETURN made;
END $$;
--> statement-breakpoint
REVOKE ALL ON FUNCTION gatehouse_make_audit_partitions(integer) FROM PUBLIC;
--> statement-breakpoint
SELECT gatehouse_make_audit_partitions(3);
--> statement-breakpoint
-- Second line behind the grants, for a server where one role does both: the trail is only ever added to.
-- Erasing a person (audit_personal) and retention (dropping partitions) are not row changes of audit_events.
CREATE FUNCTION gatehouse_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit_events is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
--> statement-breakpoint
CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE ON audit_events
FOR EACH ROW EXECUTE FUNCTION gatehouse_refuse_change();
--> statement-breakpoint
CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON audit_events
FOR EACH STATEMENT EXECUTE FUNCTION gatehouse_refuse_change();
