// Runs Gatehouse from a clone, whatever Node from 20 on is there: installs when node_modules is missing or not
// what package-lock.json says, then runs on the Node 24 that came with it (the dev dependency `node`).
// Plain JavaScript, and nothing but Node's own modules: at this point there may be nothing else.
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const project = fileURLToPath(new URL('..', import.meta.url));
const modules = join(project, 'node_modules');
const node = join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
const tap = join('node_modules', 'tap', 'dist', 'esm', 'run.mjs');

/**
 * Megabytes of half of the young generation. Node would let it grow to 64 and keep it: 70 MB more after the first load, of
 * which nothing is in use. The Dockerfile and bench/servers.ts say the same.
 */
const YOUNG = '--max-semi-space-size=32';

/** What each command runs, under the project's Node. `LONG` makes races and faults run their full counts. */
const commands = {
  start: (args) => [YOUNG, 'server/main.ts', ...args],
  'setup-link': (args) => ['server/cli.ts', 'setup-link', ...args],
  gatehouse: (args) => ['server/cli.ts', ...args],
  bench: (args) => ['bench/bench.ts', ...args],
  test: (args) => [tap, 'run', ...(args.length > 0 ? args : ['--exclude=test/long/**'])],
  'test:long': (args) => [tap, 'run', '--timeout=3600', ...args],
};

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** npm records in node_modules/.package-lock.json what it installed, as the last thing it does. */
function installed() {
  const record = join(modules, '.package-lock.json');
  if (!existsSync(node) || !existsSync(record)) return false;
  const wanted = readJson(join(project, 'package-lock.json')).packages;
  const found = readJson(record).packages;
  return Object.entries(wanted).every(
    ([path, { version, optional, link }]) =>
      path === '' || link || (found[path] ? found[path].version === version : optional),
  );
}

function writable(folder) {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** A home for programs that insist on one, where ours cannot be written. */
function home() {
  if (process.env.HOME && writable(process.env.HOME)) return process.env.HOME;
  if (!process.env.HOME) {
    try {
      if (writable(homedir())) return homedir();
    } catch {
      // This user is not in the password file.
    }
  }
  const folder = join(tmpdir(), `gatehouse-home-${process.getuid?.() ?? 0}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

function install() {
  console.error('Installing what Gatehouse needs (npm ci); this happens once.');
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  // Not by the Node inside node_modules, which npm is about to remove.
  const { npm_execpath: npm, npm_node_execpath: by } = process.env;
  const own = npm && by && !by.startsWith(modules) && npm.endsWith('.js');
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.startsWith(modules));
  const env = { ...process.env, HOME: home(), PATH: path.join(delimiter) };
  // npm hands its cache down by name, also where that cannot be written.
  if (env.HOME !== process.env.HOME) env.npm_config_cache = join(env.HOME, '.npm');
  const { status, error } = spawnSync(own ? by : 'npm', own ? [npm, ...args] : args, {
    cwd: project,
    stdio: ['ignore', 2, 2],
    env,
    shell: process.platform === 'win32',
  });
  if (status !== 0 || !existsSync(node)) {
    console.error(`The installation failed${error ? `: ${error.message}` : ''}. Run npm ci to see why.`);
    process.exit(status || 1);
  }
}

function run(args, env) {
  if (process.execve) process.execve(node, [node, ...args], env);
  const child = spawn(node, args, { cwd: project, stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to us both, and a server takes the second one for impatience.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  // npm passes a signal on to the shell between us, which ends without us.
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (!process.env.npm_lifecycle_event || process.ppid === parent) return;
    clearInterval(watch);
    child.kill('SIGTERM');
  }, 500);
  watch.unref();
  child.on('exit', (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else process.exit(code ?? 1);
  });
}

const [name = '', ...args] = process.argv.slice(2);
const command = commands[name];
if (!command) {
  console.error(`unknown command ${JSON.stringify(name)}; there are ${Object.keys(commands).join(', ')}`);
  process.exit(2);
}
if (Number(process.versions.node.split('.')[0]) < 20) {
  console.error(`Gatehouse needs Node.js 20 or newer to install itself; this is ${process.version}.`);
  process.exit(1);
}
process.chdir(project);
if (!installed()) install();

const env = {
  ...process.env,
  HOME: home(),
  PATH: [join(modules, '.bin'), process.env.PATH].join(delimiter),
  ...(name === 'test:long' ? { LONG: '1' } : {}),
};
// Saves a good part of each start: modules are kept compiled. Tests would have it in every one of their processes.
if (!name.startsWith('test') && writable(modules)) {
  env.NODE_COMPILE_CACHE ??= join(modules, '.cache', 'compiled');
}
run(command(args), env);
