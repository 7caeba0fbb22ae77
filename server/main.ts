// Starts the server: settings, database, rooms, port; then one box in the log that says where it is.
import closeWithGrace from 'close-with-grace';
import { SettingsError } from '../config/load.ts';
import { EmbeddedError } from '../drizzle/embedded.ts';
import { createApp } from './app.ts';
import { announce } from './lib/log.ts';
import { systemOp } from './lib/op.ts';
import { Problem } from './lib/problems.ts';
import { administratorExists } from './roles/roles.ts';
import { makeLink } from './setup/setup.ts';
import { openStore } from './store.ts';
import { version } from './version.ts';

async function main(): Promise<void> {
  const store = await openStore({ env: process.env, cwd: process.cwd(), role: 'server' });
  const { config, db, log } = store;
  const app = createApp(store);
  const { issuer, host, port, shutdownGrace } = config.server;

  closeWithGrace({ delay: shutdownGrace * 1000, logger: false }, async ({ signal, err }) => {
    if (err) log.fatal({ err }, 'stopping after a fault nobody caught');
    else log.info({ signal }, 'stopping');
    await app.stop();
    await store.close();
  });

  await app.start();
  await app.http.listen({ host, port });

  const facts: Record<string, string> = { Version: version, Issuer: issuer, Database: store.databaseName };
  if (config.server.demo) facts.Demo = `${issuer}/demo`;
  const op = systemOp(db, 'start');
  if (!(await administratorExists(op))) {
    const link = await makeLink(op, { issuer, ttl: config.bootstrap.setupLinkTtl });
    facts['Setup link'] = link.url;
    facts['Link works'] =
      `once, until ${link.expiresAt.toISOString()}; \`npm run setup-link\` prints another`;
  }
  announce(config.log, 'Gatehouse is ready', facts);
}

try {
  await main();
} catch (error) {
  // What an operator can mend is a sentence; anything else keeps its stack.
  const mendable =
    error instanceof SettingsError || error instanceof EmbeddedError || error instanceof Problem;
  process.stderr.write(`${mendable ? error.message : ((error as Error).stack ?? String(error))}\n`);
  process.exit(1);
}
