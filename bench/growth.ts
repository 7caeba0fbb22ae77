// The same operations with few rows and with many in the tables the protocol reads and writes, purge running. A read
// that misses its index, or a purge that holds locks, shows as a ratio above 1.2.
import type { Sql } from 'postgres';
import { type Fresh, open } from './databases.ts';
import { median, type Sample } from './load.ts';
import { type Crew, hire } from './operations.ts';
import { type Machine, machineWords, number, ratio, ratioWords, say, table } from './report.ts';
import { startOurs } from './servers.ts';

export interface GrowthOptions {
  rows: readonly string[];
  /** Of the large database: ten times as many tokens, sessions and audit events. */
  accounts: number;
  rounds: number;
  seconds: number;
  json: boolean;
}

const FEW_ACCOUNTS = 1000;
const PER_ACCOUNT = 10;

/** Rows like those of real use, a tenth of the short-lived ones expired and due for the purge. */
async function fill(sql: Sql, accounts: number): Promise<void> {
  const many = accounts * PER_ACCOUNT;
  const account = (n: string) => `md5('account' || ((${n}) % ${accounts}))::uuid`;
  const hash = (what: string) => `sha256(convert_to('${what}' || n, 'UTF8'))`;
  const expires = `now() + CASE WHEN n % 10 = 0 THEN interval '-1 minute' ELSE interval '1 day' END`;
  const token = (what: string, name: string) => `
    INSERT INTO ${name} (id_hash, account_id, account_epoch, client_id, grant_id, session_uid, session_bound, created_at,
      expires_at, payload)
    SELECT ${hash(what)}, ${account('n')}, 0, 'filler', 'grant' || n, 'session' || n, false, now() - interval '1 hour',
      ${expires}, '{"scope":"openid"}' FROM generate_series(1, ${many}) n`;
  await sql.begin(async (tx) => {
    for (const text of [
      `INSERT INTO accounts (id, email, email_key, name, created_at, updated_at)
       SELECT ${account('n')}, 'filler-' || n || '@example.net', 'filler-' || n || '@example.net', 'Filler', now(), now()
       FROM generate_series(0, ${accounts - 1}) n`,
      `INSERT INTO sessions (uid, id_hash, account_id, account_epoch, login_at, created_at, last_seen_at, expires_at, payload)
       SELECT 'session' || n, ${hash('session')}, ${account('n')}, 0, now(), now(), now(), ${expires}, '{}'
       FROM generate_series(1, ${many}) n`,
      `INSERT INTO grants (id, account_id, account_epoch, client_id, session_uid, created_at, expires_at, payload)
       SELECT 'grant' || n, ${account('n')}, 0, 'filler', 'session' || n, now(), now() + interval '30 days',
       '{"openid":{"scope":"openid"}}' FROM generate_series(1, ${many}) n`,
      token('access', 'access_tokens'),
      token('refresh', 'refresh_tokens'),
      `INSERT INTO audit_events (id, at, type, severity, actor_kind, actor_id, subject_id, client_id, session_uid, grant_id,
       request_id, data)
       SELECT gen_random_uuid(), now() - n * interval '1 millisecond', 'token.refreshed', 'info', 'client', 'filler',
       ${account('n')}, 'filler', 'session' || n, 'grant' || n, 'request' || n, '{}' FROM generate_series(1, ${many}) n`,
    ]) {
      await tx.unsafe(text);
    }
  });
  await sql`VACUUM ANALYZE`;
}

export async function growth(machine: Machine, options: GrowthOptions): Promise<void> {
  const { databases, processor, stops } = machine;
  const { rounds, seconds } = options;
  const crews: { name: string; accounts: number; crew: Crew }[] = [];
  for (const [name, accounts] of [
    ['few', FEW_ACCOUNTS],
    ['many', options.accounts],
  ] as const) {
    say(
      `${name}: ${number(accounts)} accounts, ${number(accounts * PER_ACCOUNT)} rows in each table of the protocol`,
    );
    const target = await startOurs(databases, {
      name,
      processor,
      env: { PURGE_INTERVAL: '5' },
      async prepare({ superuser }: Fresh) {
        const sql = open(superuser);
        await fill(sql, accounts).finally(() => sql.end({ timeout: 5 }));
      },
    });
    stops.push(() => target.stop());
    const crew = await hire(target, databases.postmaster);
    stops.push(async () => crew.close());
    crews.push({ name, accounts, crew });
  }

  const figures: {
    row: string;
    few: number;
    many: number;
    rate: string;
    processor: string;
    errors: number;
  }[] = [];
  for (const row of options.rows) {
    const samples = new Map<string, Sample[]>(crews.map(({ name }) => [name, []]));
    for (const { crew } of crews) await crew.run(row, Math.min(seconds, 2));
    for (let round = 0; round < rounds; round++) {
      for (const { name, crew } of round % 2 === 0 ? crews : crews.toReversed()) {
        samples.get(name)?.push(await crew.run(row, seconds));
      }
    }
    const [few = [], many = []] = [samples.get('few'), samples.get('many')];
    const rates = (all: Sample[]) => all.map(({ rate }) => rate);
    const spent = (all: Sample[]) =>
      all.map(({ server, database }) => (server === null ? null : server + (database ?? 0)));
    figures.push({
      row,
      few: median(rates(few)),
      many: median(rates(many)),
      rate: ratioWords(ratio(rates(few), rates(many))),
      processor: ratioWords(ratio(spent(many), spent(few))),
      errors: [...few, ...many].reduce((sum, { errors }) => sum + errors, 0),
    });
  }
  const about = machineWords(databases.version);
  const sizes = crews.map(({ name, accounts }) => ({ name, accounts, rows: accounts * PER_ACCOUNT }));
  if (options.json) return console.log(JSON.stringify({ machine: about, sizes, figures }, null, 2));
  console.log(
    [
      about,
      '',
      table(
        ['row', 'per second, few', 'per second, many', 'rate few / many', 'CPU many / few', 'errors'],
        figures.map((one) => [
          one.row,
          number(one.few),
          number(one.many),
          one.rate,
          one.processor,
          String(one.errors),
        ]),
      ),
    ].join('\n'),
  );
}
