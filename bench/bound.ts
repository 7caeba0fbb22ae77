// The bound: the bare library on the plainest PostgreSQL adapter, one table of JSON, every statement prepared, and
// passwords in argon2id. No compare-and-set, no transactions, no hashed ids, no trail: a product on this stack can only
// come near it.
import type { AdapterPayload } from 'oidc-provider';
import { parseConnection } from '../drizzle/database.ts';
import { postgres } from '../drizzle/postgres.ts';
import { loadArgon2 } from '../server/passwords/argon2.ts';
import { type Person, serveBare } from './bare.ts';
import { emailOf } from './visitor.ts';

const { DATABASE_URL = '', BENCH_PEOPLE = '0', BENCH_HASH = '' } = process.env;
const sql = postgres({ ...parseConnection(DATABASE_URL), max: 10, onnotice: () => {} });

await sql.unsafe(`
  CREATE TABLE models (model text, id text, payload jsonb NOT NULL, grant_id text, uid text, expires_at timestamptz,
    consumed_at timestamptz, PRIMARY KEY (model, id));
  CREATE INDEX ON models (grant_id);
  CREATE INDEX ON models (uid);
  CREATE TABLE accounts (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text UNIQUE, name text, password_hash text)`);
for (let at = 0; at < Number(BENCH_PEOPLE); at++) {
  await sql`INSERT INTO accounts (email, name, password_hash) VALUES (${emailOf(at)}, 'Pat Person', ${BENCH_HASH})`;
}

interface Row {
  payload: AdapterPayload;
  consumed_at: Date | null;
}

const payloadOf = ([row]: readonly Row[]): AdapterPayload | undefined =>
  row && { ...row.payload, ...(row.consumed_at ? { consumed: true } : {}) };

const tableAdapter = (model: string) => ({
  find: async (id: string) =>
    payloadOf(
      await sql<
        Row[]
      >`SELECT payload, consumed_at FROM models WHERE model = ${model} AND id = ${id} AND expires_at > now()`,
    ),
  findByUid: async (uid: string) =>
    payloadOf(
      await sql<
        Row[]
      >`SELECT payload, consumed_at FROM models WHERE model = ${model} AND uid = ${uid} AND expires_at > now()`,
    ),
  async findByUserCode() {
    return undefined;
  },
  async upsert(id: string, payload: AdapterPayload, seconds: number) {
    await sql`INSERT INTO models (model, id, payload, grant_id, uid, expires_at)
      VALUES (${model}, ${id}, ${JSON.stringify(payload)}::text::jsonb, ${payload.grantId ?? null}, ${payload.uid ?? null},
        now() + make_interval(secs => ${seconds}))
      ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload, grant_id = excluded.grant_id, uid = excluded.uid,
        expires_at = excluded.expires_at`;
  },
  async consume(id: string) {
    await sql`UPDATE models SET consumed_at = now() WHERE model = ${model} AND id = ${id}`;
  },
  async destroy(id: string) {
    await sql`DELETE FROM models WHERE model = ${model} AND id = ${id}`;
  },
  async revokeByGrantId(grantId: string) {
    await sql`DELETE FROM models WHERE model = ${model} AND grant_id = ${grantId}`;
  },
});

const argon2 = loadArgon2();

serveBare({
  adapter: tableAdapter,
  find: async (id) => (await sql<Person[]>`SELECT id, email, name FROM accounts WHERE id = ${id}`)[0],
  async signIn(email, password) {
    const [account] = await sql<{ id: string; password_hash: string }[]>`
      SELECT id, password_hash FROM accounts WHERE email = ${email}`;
    return account && (await argon2.verify(account.password_hash, password)) ? account.id : undefined;
  },
});
