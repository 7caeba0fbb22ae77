// Looks at everything that has to be right before people can sign in, and says what to do about what is not.
// It changes nothing: it neither migrates nor makes keys, so that it may be run beside anything at any time.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { Command } from 'commander';
import { loadConfig, SettingsError, withKeyFiles } from '../../config/load.ts';
import type { Config } from '../../config/options.ts';
import {
  type Connection,
  clockAhead,
  closeDatabase,
  type Database,
  faultCode,
  inTransaction,
  isUnavailable,
  openDatabase,
  parseConnection,
} from '../../drizzle/database.ts';
import { EmbeddedError, openEmbedded } from '../../drizzle/embedded.ts';
import { schemaCurrent } from '../../drizzle/migrate.ts';
import { createKeys } from '../keys/keys.ts';
import { checkCanary } from '../lib/canary.ts';
import { createLog } from '../lib/log.ts';
import { type Op, systemOp } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';
import { createKeyRing, type KeyRing } from '../lib/seal.ts';
import { SmtpError, tryServer } from '../mail/mail.ts';
import { createPasswords } from '../passwords/passwords.ts';
import { administratorExists } from '../roles/roles.ts';
import { keyAdvice, overview } from '../secrets/secrets.ts';
import { healthOf } from './health.ts';
import { command, prints } from './terminal.ts';

interface Finding {
  check: string;
  state: 'ok' | 'warning' | 'fault';
  says: string;
  /** What mends it. */
  mend?: string;
}

const ok = (check: string, says: string): Finding => ({ check, state: 'ok', says });
const warning = (check: string, says: string, mend: string): Finding => ({
  check,
  state: 'warning',
  says,
  mend,
});
const fault = (check: string, says: string, mend: string): Finding => ({ check, state: 'fault', says, mend });

const PATIENCE = 5000;
/** Seconds. */
const MAIL_PATIENCE = 15;
const DAY = 86_400_000;
const MB = 1_000_000;
const LEAST_POSTGRES = 14;

// ---------------------------------------------------------------- how it is reached

/** Through the front door, as an app does: only this shows whether a proxy hands Host and scheme on. */
async function throughTheIssuer(issuer: string): Promise<Finding> {
  const check = 'issuer';
  let answer: Response;
  try {
    answer = await fetch(`${issuer}/.well-known/openid-configuration`, {
      redirect: 'manual',
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(PATIENCE),
    });
  } catch (error) {
    const code = faultCode(error) ?? (error as Error).name;
    if (/CERT|SIGNATURE|ERR_TLS/.test(code)) {
      return fault(
        check,
        `This machine does not trust the certificate of ${issuer} (${code}).`,
        'Use a certificate that apps and browsers trust and that names this host; for a private authority set NODE_EXTRA_CA_CERTS for the apps and for this command.',
      );
    }
    return warning(
      check,
      `${issuer} cannot be reached from this machine (${code}).`,
      'Check DNS, the proxy and the firewall; apps must reach it from where they run.',
    );
  }
  const text = await answer.text().catch(() => '');
  if (answer.status === 421) {
    return fault(
      check,
      `The server does not know ${issuer} as its own: the proxy in front hands on another Host.`,
      'Have the proxy hand the Host header on (nginx: proxy_set_header Host $host), or set ISSUER to the address people use.',
    );
  }
  if (text.includes('request.insecure') || answer.status === 301 || answer.status === 308) {
    return fault(
      check,
      `${issuer} reaches the server, which cannot tell that the connection was https.`,
      'List the address of the proxy in TRUSTED_PROXIES and have it send X-Forwarded-Proto and X-Forwarded-For.',
    );
  }
  let found: unknown;
  try {
    found = (JSON.parse(text) as { issuer?: unknown }).issuer;
  } catch {
    found = undefined;
  }
  if (answer.status === 200 && found === issuer) return ok(check, `${issuer} answers as this issuer.`);
  return fault(
    check,
    `What answers at ${issuer} is not this server (status ${answer.status}).`,
    'Check where DNS and the proxy lead, and ISSUER.',
  );
}

async function reached({ server }: Config): Promise<Finding[]> {
  const findings: Finding[] = [];
  const https = server.issuer.startsWith('https:');
  const proxied = https && server.tlsCert === null;
  if (proxied && server.trustedProxies.length === 0) {
    findings.push(
      fault(
        'proxies',
        'The issuer is https, the server speaks plain http, and no proxy is trusted: every request will be refused.',
        'Set TRUSTED_PROXIES to the address of the proxy that speaks https, or TLS_CERT and TLS_KEY.',
      ),
    );
  } else if (proxied) findings.push(ok('proxies', `Trusted are ${server.trustedProxies.join(', ')}.`));

  const { alive, says } = await healthOf(server);
  if (alive) findings.push(ok('server', says));
  else {
    findings.push(
      warning(
        'server',
        says,
        'Start it (npm start), or run this command where it runs and with its settings.',
      ),
    );
  }
  const local = new URL(server.issuer).hostname === 'localhost' || server.issuer.startsWith('http:');
  if (alive || !local) findings.push(await throughTheIssuer(server.issuer));
  return findings;
}

function certificate({ server }: Config): Finding[] {
  if (server.tlsCert === null || server.tlsKey === null) return [];
  const check = 'certificate';
  let first: X509Certificate;
  let fits: boolean;
  try {
    first = new X509Certificate(readFileSync(server.tlsCert));
    fits = first.checkPrivateKey(createPrivateKey(readFileSync(server.tlsKey)));
  } catch (error) {
    const why = faultCode(error) ?? (error as Error).message;
    return [
      fault(
        check,
        `TLS_CERT or TLS_KEY is not what it should be (${why}).`,
        'Both are PEM files: the chain with the server’s own certificate first, and its key without a passphrase.',
      ),
    ];
  }
  const name = new URL(server.issuer).hostname.replace(/^\[|\]$/g, '');
  const until = new Date(first.validTo);
  const days = Math.floor((until.getTime() - Date.now()) / DAY);
  const ends = until.toISOString().slice(0, 10);
  const renew = 'Renew it; the server reads the files again by itself.';
  if (!fits) {
    return [
      fault(
        check,
        'TLS_KEY is not the key of the first certificate in TLS_CERT.',
        'Use a pair that belongs together; the server’s own certificate comes first in the chain.',
      ),
    ];
  }
  if ((isIP(name) ? first.checkIP(name) : first.checkHost(name)) === undefined) {
    return [
      fault(
        check,
        `The certificate does not name ${name}.`,
        'Get one whose subject alternative names hold the host of ISSUER.',
      ),
    ];
  }
  if (new Date(first.validFrom).getTime() > Date.now()) {
    return [
      fault(
        check,
        `The certificate is valid from ${first.validFrom} only.`,
        'Check the clock of this machine.',
      ),
    ];
  }
  if (days < 0) return [fault(check, `The certificate ended on ${ends}.`, renew)];
  if (days < 14) return [warning(check, `The certificate ends on ${ends}.`, renew)];
  return [ok(check, `The certificate names ${name} and ends on ${ends}.`)];
}

/** Up to the sign-in at the mail server; nothing is sent. */
async function mailServer({ mail, server }: Config): Promise<Finding> {
  try {
    const timeout = Math.min(mail.timeout, MAIL_PATIENCE);
    const at = await tryServer({ smtpUrl: mail.smtpUrl, timeout }, server.issuer);
    if (at !== null) return ok('mail', `${at} lets this server send.`);
  } catch (error) {
    if (!(error instanceof SmtpError)) throw error;
    return fault(
      'mail',
      error.message,
      'Check SMTP_URL and the mail server; mails wait and are tried for a day.',
    );
  }
  return warning(
    'mail',
    'There is no mail server: mails to people wait (gatehouse mail list).',
    'SMTP_URL=smtp://user:password@mail.example.com:587 and MAIL_FROM=no-reply@example.com',
  );
}

// ---------------------------------------------------------------- what it keeps

/** Only the embedded database and its keys are kept there. */
function space({ server }: Config): Finding {
  const { bavail, bsize } = statfsSync(server.dataDir);
  const free = Math.floor((bavail * bsize) / MB);
  const says = `${free} MB are free where ${server.dataDir} is.`;
  const mend = 'Make room, or move DATA_DIR to a larger disk while the server is stopped.';
  if (free < 200) return fault('disk', says, mend);
  return free < 1000 ? warning('disk', says, mend) : ok('disk', says);
}

interface Place {
  app: Connection;
  owner: Connection | null;
  name: string;
  stop(): Promise<void>;
}

async function placeOf(config: Config): Promise<Place> {
  const { url, ownerUrl } = config.database;
  if (url === null) {
    const embedded = await openEmbedded({ dataDir: config.server.dataDir, role: 'command' });
    const { app, owner, dataDir } = embedded;
    return { app, owner, name: `the embedded database in ${dataDir}`, stop: () => embedded.stop() };
  }
  const app = parseConnection(url);
  return {
    app,
    owner: ownerUrl === null ? null : parseConnection(ownerUrl),
    name: `${app.host}:${app.port}/${app.database}`,
    stop: async () => {},
  };
}

const unreachable = (setting: string, name: string, error: unknown): Finding =>
  fault(
    'database',
    `${name} cannot be used: ${isUnavailable(error) ? 'it does not answer' : (error as Error).message} (${faultCode(error) ?? 'no code'}).`,
    `Check that PostgreSQL runs, that this machine may reach it, and the user, password and database in ${setting}.`,
  );

async function serverOf(db: Database, name: string): Promise<Finding[]> {
  const [row] = await db.$client<{ version: string; number: number; encoding: string }[]>`
    SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
           current_setting('server_encoding') AS encoding`;
  if (!row) throw new Error('the database gave no answer');
  const findings: Finding[] = [];
  const says = `${name}: PostgreSQL ${row.version}.`;
  if (Math.floor(row.number / 10_000) < LEAST_POSTGRES) {
    findings.push(fault('database', says, `Upgrade it to ${LEAST_POSTGRES} or newer.`));
  } else if (row.encoding !== 'UTF8') {
    findings.push(
      fault('database', `${name} has the encoding ${row.encoding}.`, 'Make a database with ENCODING UTF8.'),
    );
  } else findings.push(ok('database', says));

  const apart = Math.abs(await clockAhead(db));
  const clock = `The clocks of this machine and of the database are ${apart.toFixed(1)} seconds apart.`;
  const mend = 'Synchronise both with a time server (NTP): tokens and codes live for seconds.';
  if (apart > 30) findings.push(fault('clock', clock, mend));
  else findings.push(apart > 2 ? warning('clock', clock, mend) : ok('clock', clock));
  return findings;
}

/** What the role that runs may do to the trail, whatever the settings say. */
async function rights(db: Database): Promise<Finding> {
  const [row] = await db.$client<{ alters: boolean; name: string }[]>`
    SELECT current_user::text AS name,
           has_table_privilege('audit_events', 'UPDATE, DELETE, TRUNCATE') AS alters`;
  if (!row?.alters)
    return ok('roles', `The server runs as ${row?.name}, which cannot alter the audit trail.`);
  return warning(
    'roles',
    `The server runs as ${row.name}, which could alter the audit trail.`,
    'Make a second role that owns the tables and set DATABASE_OWNER_URL to it; DATABASE_URL stays with a role that owns nothing.',
  );
}

async function canary(op: Op, ring: KeyRing): Promise<Finding> {
  const undo = new Error('looked at');
  try {
    await inTransaction(op, async (op) => {
      await checkCanary(op, ring);
      throw undo;
    });
  } catch (error) {
    if (error instanceof Problem) {
      return fault(
        'encryption',
        error.message,
        'Set ENCRYPTION_KEYS to what the other servers of this database have.',
      );
    }
    if (error !== undo) throw error;
  }
  return ok('encryption', `The encryption keys fit the database (newest: ${ring.newestKeyId}).`);
}

async function sealedSecrets(op: Op, ring: KeyRing): Promise<Finding[]> {
  const check = 'sealed secrets';
  const rotate = 'gatehouse secrets rotate; docs/operating.md, “New encryption keys”, has all steps.';
  const findings = keyAdvice(await overview(op, ring), ring).flatMap(({ state, says }): Finding[] => {
    if (state === 'newest') return [];
    if (state === 'missing' || state === 'damaged') {
      return [fault(check, says, 'Restore the database and its encryption keys from one backup.')];
    }
    const mend = state === 'spare' ? 'A key that is kept without need can still be stolen.' : rotate;
    return [warning(check, says, mend)];
  });
  return findings.length > 0 ? findings : [ok(check, `All are sealed by key ${ring.newestKeyId}.`)];
}

async function signingKeys(op: Op, config: Config, ring: KeyRing): Promise<Finding> {
  const keys = createKeys(config.keys, { ring, log: createLog({ level: 'silent', format: 'json' }) });
  const active = (await keys.list(op)).filter(({ state }) => state === 'active');
  if (active.length === 0) {
    return warning('signing keys', 'There are none yet.', 'The first start of the server makes them.');
  }
  try {
    // Opens each of them.
    await keys.current(op);
  } catch (error) {
    if (faultCode(error)?.includes('.') === false) throw error;
    return fault(
      'signing keys',
      (error as Error).message,
      'Restore the database and its encryption keys from one backup, or make new ones: gatehouse keys rotate --compromised.',
    );
  }
  return ok('signing keys', `Signing are ${active.map(({ alg, kid }) => `${alg} ${kid}`).join(', ')}.`);
}

async function kept(db: Database, config: Config): Promise<Finding[]> {
  if (!(await schemaCurrent(db))) {
    return [
      warning(
        'migrations',
        'The database lacks migrations of this version.',
        'The next start of the server applies them; gatehouse migrate does so now.',
      ),
    ];
  }
  const op = systemOp(db, 'cli');
  const findings = [ok('migrations', 'All are applied.'), await rights(db)];
  const ring = createKeyRing(config.secrets.encryptionKeys);
  const sealed = await canary(op, ring);
  findings.push(sealed);
  if (sealed.state === 'ok') {
    findings.push(...(await sealedSecrets(op, ring)), await signingKeys(op, config, ring));
  }
  if (await administratorExists(op)) findings.push(ok('administrator', 'There is one.'));
  else {
    findings.push(
      warning('administrator', 'There is none yet.', 'gatehouse setup-link prints the link that makes one.'),
    );
  }
  return findings;
}

async function asked(connection: Connection, look: (db: Database) => Promise<Finding[]>): Promise<Finding[]> {
  const db = openDatabase(
    connection,
    { poolSize: 2, statementTimeout: 10, lockTimeout: 5 },
    'gatehouse doctor',
  );
  try {
    return await look(db);
  } finally {
    await closeDatabase(db);
  }
}

async function database(config: Config): Promise<Finding[]> {
  const { dataDir } = config.server;
  const begun = ['start.lock', 'postgres'].some((name) => existsSync(join(dataDir, name)));
  if (config.database.url === null && !begun) {
    return [
      warning('database', `There is none in ${dataDir} yet.`, 'The first start of the server makes it.'),
    ];
  }
  const findings: Finding[] = [];
  let settled: Config;
  let place: Place;
  try {
    const withKeys = withKeyFiles(config, { databaseExists: true });
    settled = withKeys.config;
    for (const sentence of withKeys.warnings) findings.push(warning('key files', sentence, 'chmod 600'));
    place = await placeOf(settled);
  } catch (error) {
    if (error instanceof SettingsError) {
      return error.faults.map((one) => fault('key files', one, 'See docs/configuration.md, “Keys”.'));
    }
    if (error instanceof EmbeddedError) return [fault('database', error.message, `See ${dataDir}.`)];
    if (config.database.url === null) throw error;
    const { message } = error as Error;
    return [fault('database', `DATABASE_URL or DATABASE_OWNER_URL: ${message}.`, 'Write it in that form.')];
  }
  try {
    try {
      findings.push(
        ...(await asked(place.app, async (db) => [
          ...(await serverOf(db, place.name)),
          ...(await kept(db, settled)),
        ])),
      );
    } catch (error) {
      findings.push(unreachable('DATABASE_URL', place.name, error));
    }
    if (place.owner !== null) {
      try {
        await asked(place.owner, async (db) => {
          await db.$client`SELECT 1`;
          return [];
        });
      } catch (error) {
        findings.push(unreachable('DATABASE_OWNER_URL', `${place.name} as ${place.owner.user}`, error));
      }
    }
    if (config.database.url === null) findings.push(space(config));
  } finally {
    await place.stop();
  }
  return findings;
}

// ---------------------------------------------------------------- the report

async function examine(): Promise<Finding[]> {
  let loaded: ReturnType<typeof loadConfig>;
  try {
    loaded = loadConfig({ env: process.env, cwd: process.cwd() });
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return error.faults.map((one) =>
      fault('settings', one, 'Every setting is described in docs/configuration.md.'),
    );
  }
  const { config, warnings } = loaded;
  const { implementation } = createPasswords(config.passwords, { words: [] });
  return [
    ...(warnings.length === 0 ? [ok('settings', 'Nothing is wrong with them.')] : []),
    ...warnings.map((one) => warning('settings', one, 'See docs/configuration.md.')),
    ...(await reached(config)),
    ...certificate(config),
    await mailServer(config),
    ...(await database(config)),
    ok('passwords', `They are hashed by ${implementation}.`),
  ];
}

async function doctor() {
  const findings = await examine();
  const wide = Math.max(...findings.map(({ check }) => check.length));
  const count = (state: Finding['state']) => findings.filter((one) => one.state === state).length;
  const lines = findings.flatMap(({ check, state, says, mend }) => [
    `${state.padEnd(7)}  ${check.padEnd(wide)}  ${says}`,
    ...(mend === undefined ? [] : [`${' '.repeat(wide + 11)}→ ${mend}`]),
  ]);
  const faults = count('fault');
  const number = (many: number, of: string) => `${many} ${of}${many === 1 ? '' : 's'}`;
  return {
    json: { healthy: faults === 0, findings },
    text: [...lines, '', `${number(faults, 'fault')}, ${number(count('warning'), 'warning')}.`].join('\n'),
    ...(faults > 0 ? { exitCode: 1 as const } : {}),
  };
}

export function add(program: Command): void {
  command(
    program,
    'doctor',
    'Looks at settings, addresses, certificate, database and keys, and says what mends what is wrong. Changes nothing.',
  ).action(prints(doctor));
}
