// What processes have used, from /proc: processor time of a server's process tree and of all of PostgreSQL's, and
// resident memory. Where there is no /proc the figures are null and the bench says so.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

interface Process {
  pid: number;
  parent: number;
  name: string;
  /** Ticks of itself; `gone`: of the children it has waited for. */
  used: number;
  gone: number;
}

const linux = process.platform === 'linux' && existsSync('/proc/self/stat');

const tick = (() => {
  if (!linux) return Number.NaN;
  try {
    return 1000 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  } catch {
    return 10;
  }
})();

function processOf(pid: number): Process | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  const number = (at: number) => Number(fields[at - 3]);
  return {
    pid,
    parent: number(4),
    name: text.slice(text.indexOf('(') + 1, end),
    used: number(14) + number(15),
    gone: number(16) + number(17),
  };
}

const everything = (): Process[] =>
  readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (processOf(Number(name)) ?? []) : []));

/** A process and its descendants. A PostgreSQL that a server has started is not part of the server. */
function tree(root: number): Process[] {
  const all = everything();
  const found: Process[] = [];
  const database = processOf(root)?.name === 'postgres';
  const visit = (pid: number) => {
    const one = all.find((process) => process.pid === pid);
    if (!one || (one.name === 'postgres') !== database) return;
    found.push(one);
    for (const { pid: child, parent } of all) if (parent === pid) visit(child);
  };
  visit(root);
  return found;
}

const milliseconds = (processes: Process[]) =>
  processes.reduce((sum, { used, gone }) => sum + used + gone, 0) * tick;

/** User and system milliseconds of a process tree since it began; null where that cannot be read. */
export const processorOf = (root: number | null): number | null =>
  linux && root !== null ? milliseconds(tree(root)) : null;

/** Resident megabytes, memory shared among the tree's processes counted once. */
export function residentOf(root: number | null): number | null {
  if (!linux || root === null) return null;
  let kilobytes = 0;
  for (const { pid } of tree(root)) {
    try {
      const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
      kilobytes += Number(/^Pss: +(\d+)/m.exec(rollup)?.[1] ?? 0);
    } catch {
      const status = existsSync(`/proc/${pid}/status`) ? readFileSync(`/proc/${pid}/status`, 'utf8') : '';
      kilobytes += Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    }
  }
  return kilobytes / 1024;
}

/** The postmaster above one of its own processes, if it runs on this machine. */
export function postmasterOf(backend: number): number | null {
  const one = linux ? processOf(backend) : null;
  return one?.name === 'postgres' && processOf(one.parent)?.name === 'postgres' ? one.parent : null;
}

/** Two processors to keep server and driver apart, or null: fewer than two, or no taskset. */
export function apart(): { server: number; driver: number } | null {
  if (!linux) return null;
  const allowed = /^Cpus_allowed_list:\s+(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  const processors = allowed.split(',').flatMap((range) => {
    const [from = 0, to = from] = range.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, at) => from + at);
  });
  const [server, driver] = processors;
  if (server === undefined || driver === undefined) return null;
  try {
    execFileSync('taskset', ['-p', String(process.pid)], { stdio: 'ignore' });
  } catch {
    return null;
  }
  return { server, driver };
}

export const pinMyself = (processor: number): void => {
  execFileSync('taskset', ['-acp', String(processor), String(process.pid)], { stdio: 'ignore' });
};
