// Starts the server: settings, database, rooms, port; then one box in the log that says where it is.
import closeWithGrace from 'close-with-grace';
import { SettingsError } from '../config/load.ts';
import { EmbeddedError } from '../drizzle/embedded.ts';
import { DatabaseError } from '../drizzle/unusable.ts';
import { type App, createApp } from './app.ts';
import { announce } from './lib/log.ts';
import { systemOp } from './lib/op.ts';
import { Problem } from './lib/problems.ts';
import { administratorExists } from './roles/roles.ts';
import { makeLink } from './setup/setup.ts';
import { openStore } from './store.ts';
import { version } from './version.ts';

/** The most that SHUTDOWN_GRACE can be, in milliseconds; the setting itself is known once the settings are read. */
const LONGEST_GRACE = 600_000;

/** How often a server that npm started looks whether npm is still there, in milliseconds. */
const PARENT_CHECK = 500;

/**
 * Signals within this time are one wish to stop: a signal to a whole process group arrives here twice, once passed
 * on by the launcher. A later one means now. Milliseconds.
 */
const SAME_WISH = 2000;

const STOPS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function onStop(stop: (signal: NodeJS.Signals) => void): void {
  let since: number | undefined;
  const heard = (signal: NodeJS.Signals) => {
    if (since !== undefined && performance.now() - since > SAME_WISH) process.exit(1);
    if (since !== undefined) return;
    since = performance.now();
    stop(signal);
  };
  for (const signal of STOPS) process.on(signal, heard);
}

/**
 * npm passes a signal on to the shell between us, which ends without us. So a server that npm started stops when
 * that shell is gone, as it would on the signal.
 */
function followNpm(): void {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, PARENT_CHECK);
  watch.unref();
}

const LISTEN_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'PORT is taken: another program listens on',
  EACCES: 'PORT is not for this user (below 1024 a right is needed):',
  EADDRNOTAVAIL: 'HOST is not an address of this machine:',
  ENOTFOUND: 'HOST is not known to the name service:',
  EAI_AGAIN: 'HOST is not known to the name service:',
};

/** The port's faults are the operator's to mend; any other error stays as it is. */
function listenFault(error: unknown, host: string, port: number): unknown {
  const { code = '' } = error as NodeJS.ErrnoException;
  const what = LISTEN_FAULTS[code];
  return what === undefined ? error : new SettingsError([`${what} ${host} port ${port} (${code}).`]);
}

async function main(): Promise<void> {
  followNpm();
  const opening = openStore({ env: process.env, cwd: process.cwd(), role: 'server' });
  let app: App | null = null;
  // From the first moment: an embedded database that is being started is stopped again, too.
  let asked: NodeJS.Signals | undefined;
  const grace = closeWithGrace(
    { delay: LONGEST_GRACE, logger: false, skip: [...STOPS] },
    async ({ signal, err }) => {
      const store = await opening;
      const { log, config } = store;
      if (err) log.fatal({ err }, 'stopping after a fault nobody caught');
      else log.info({ signal: asked ?? signal }, 'stopping');
      setTimeout(() => process.exit(1), config.server.shutdownGrace * 1000).unref();
      await app?.stop();
      await store.close();
    },
  );

  onStop((signal) => {
    asked = signal;
    void grace.close();
  });

  const store = await opening.catch((error) => {
    grace.uninstall();
    throw error;
  });
  const { config, db } = store;
  const { issuer, host, port } = config.server;

  try {
    app = createApp(store);
    await app.start();
    await app.http.listen({ host, port }).catch((error) => {
      throw listenFault(error, host, port);
    });
  } catch (error) {
    // Cut short because it was told to stop: what does that ends the process, too.
    if (asked !== undefined) return;
    await app?.stop();
    await store.close();
    throw error;
  }

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
  const mendable = [SettingsError, EmbeddedError, DatabaseError, Problem].some(
    (kind) => error instanceof kind,
  );
  process.stderr.write(
    `${mendable ? (error as Error).message : ((error as Error).stack ?? String(error))}\n`,
  );
  process.exit(1);
}
