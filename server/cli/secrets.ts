// The keys that seal stored secrets, from the command line: how much is sealed by which, sealing anew, a new key for
// the embedded database.
import type { Command } from 'commander';
import { encryptionKeyFile, loadConfig, prependKey } from '../../config/load.ts';
import { inTransaction } from '../../drizzle/database.ts';
import { holders, holdStarts } from '../lib/canary.ts';
import { Problem } from '../lib/problems.ts';
import { createKeyRing } from '../lib/seal.ts';
import { keyAdvice, overview, rotate } from '../secrets/secrets.ts';
import { withStore } from './open.ts';
import { command, group, prints, table, UsageError } from './terminal.ts';

const status = () =>
  withStore(async (op, { ring }) => {
    const found = await overview(op, ring);
    const advice = keyAdvice(found, ring);
    const unreadable = advice.some(({ state }) => state === 'missing' || state === 'damaged');
    const columns = found.columns.flatMap(({ table, column, values }) =>
      Object.entries(values).map(([key, count]) => [`${table}.${column}`, key, String(count)]),
    );
    return {
      json: { columns: found.columns, keys: found.keys, advice },
      text: `${table(['SECRET', 'KEY', 'VALUES'], columns, 'Nothing is sealed yet.')}\n\n${advice.map(({ says }) => says).join('\n')}`,
      ...(unreadable ? { exitCode: 1 as const } : {}),
    };
  });

const MOST = 10_000;

const rotateSecrets = (options: { batch: string; json?: true }) => {
  const batch = /^\d{1,5}$/.test(options.batch) ? Number(options.batch) : 0;
  if (batch < 1 || batch > MOST) throw new UsageError(`--batch takes a number from 1 to ${MOST}.`);
  return withStore(async (op, { ring }) => {
    let told = 0;
    const rotated = await rotate(op, ring, {
      batch,
      progress({ table, column, resealed }) {
        // Standard output is for the result.
        if (options.json || Date.now() - told < 1000) return;
        told = Date.now();
        process.stderr.write(`${table}.${column}: ${resealed} sealed anew …\n`);
      },
    });
    const { resealed, unreadable, busy, retired } = rotated;
    const advice = keyAdvice(await overview(op, ring), ring);
    const lines = [
      `${resealed} sealed anew by key ${ring.newestKeyId}.`,
      ...unreadable.map(
        ({ table, column, row, why }) =>
          `Not readable: ${table}.${column} of row ${row}: ${why === 'key' ? 'sealed by a key that is not in ENCRYPTION_KEYS.' : 'changed, or moved there from another row.'}`,
      ),
      ...(busy > 0 ? [`${busy} were in use all the time; run this once more.`] : []),
      ...advice.map(({ says }) => says),
    ];
    return {
      json: { key: ring.newestKeyId, resealed, unreadable, busy, retired, advice },
      text: lines.join('\n'),
      ...(unreadable.length > 0 || busy > 0 ? { exitCode: 1 as const } : {}),
    };
  });
};

const newKey = () =>
  withStore(async (op, { config, ring }) => {
    const given = loadConfig({ env: process.env, cwd: process.cwd() }).config.secrets.encryptionKeys;
    if (config.database.url !== null || given.length > 0) {
      throw new Problem('key.notInFile', {
        message:
          'The keys are in ENCRYPTION_KEYS: make one with openssl rand -base64 32 (docs/operating.md, “New encryption keys”).',
      });
    }
    const path = encryptionKeyFile(config);
    const keys = await inTransaction(op, async (op) => {
      // Whoever was faster has changed the file, or is connected.
      await holdStarts(op);
      if ((await holders(op)).some(({ role }) => role === 'server')) {
        throw new Problem('key.serverRuns', {
          message:
            'A server runs on this database, and could not read what commands seal by the new key. Stop it, make the key, start it again.',
        });
      }
      return prependKey(path, config.secrets.encryptionKeys);
    });
    const { newestKeyId } = createKeyRing(keys);
    return {
      json: { file: path, key: newestKeyId, before: ring.keyIds },
      text: `${path} begins with the new key ${newestKeyId}. Back the file up, start the server, and run: gatehouse secrets rotate`,
    };
  });

export function add(program: Command): void {
  const secrets = group(
    program,
    'secrets',
    'Shows and renews the keys that seal secrets in the database (ENCRYPTION_KEYS).',
  );
  command(
    secrets,
    'status',
    'Lists how much is sealed by which key, and says which keys are still needed.',
  ).action(prints(status));
  command(
    secrets,
    'rotate',
    'Seals everything anew that is not under the newest key, while servers run. Can be interrupted and run again at any time.',
  )
    .option('--batch <number>', 'values in one transaction', '500')
    .action(prints(rotateSecrets));
  command(
    secrets,
    'new-key',
    'Puts a fresh key before the others in encryption.keys of the embedded database, while no server runs.',
  ).action(prints(newKey));
}
