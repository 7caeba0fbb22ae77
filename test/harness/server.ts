// The real server as processes of their own, for what only processes show: replicas, kills, signals, logs.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { type TestDatabase, urlOf } from './database.ts';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

interface Ask {
  method?: string;
  headers?: Record<string, string>;
  /** A form where it is an object, else sent as it is. */
  body?: string | Buffer | Record<string, string>;
  /** Milliseconds. */
  timeout?: number;
}

export interface ServerProcess {
  pid: number;
  port: number;
  /** The public origin: what browsers, apps and tokens name. Replicas share it. */
  issuer: string;
  /** Where this process listens. */
  address: string;
  /** Its settings: to start another one on the same. */
  env: Readonly<Record<string, string>>;
  /** Every line it wrote. */
  lines: readonly string[];
  /** Lines that are JSON, read. */
  logs(): Record<string, unknown>[];
  /** One request to this very process under the issuer's Host; redirects are not followed. */
  ask(path: string, ask?: Ask): Promise<Answer>;
  exited: Promise<number | null>;
  /** SIGTERM, or SIGKILL after 20 s; the exit code. */
  stop(): Promise<number | null>;
  /** At once and for good. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

export interface ServerOptions {
  /** Without one: the embedded database in the DATA_DIR of `env`. */
  database?: Pick<TestDatabase, 'owner' | 'app'>;
  env?: Record<string, string>;
  port?: number;
  /** Milliseconds until /readyz answers 200; 0: do not wait. */
  ready?: number;
}

const project = fileURLToPath(new URL('../..', import.meta.url));

/** A port nobody listens on, of the kernel's choice. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export const newKey = (): string => randomBytes(32).toString('base64url');

export async function startServer(t: Test, options: ServerOptions = {}): Promise<ServerProcess> {
  const port = options.port ?? (await freePort());
  const { database } = options;
  const env: Record<string, string> = {
    ISSUER: `http://localhost:${port}`,
    PORT: String(port),
    HOST: '127.0.0.1',
    LOG_FORMAT: 'json',
    ...(database
      ? {
          DATABASE_URL: urlOf(database.app),
          DATABASE_OWNER_URL: urlOf(database.owner),
          ENCRYPTION_KEYS: newKey(),
          COOKIE_KEYS: newKey(),
        }
      : {}),
    ...options.env,
  };
  // Only what a program needs of the environment of the tests: settings there are not ours.
  const { PATH = '', HOME = '', TMPDIR } = process.env;
  const child = spawn(process.execPath, ['server/main.ts'], {
    cwd: project,
    env: { PATH, HOME, ...(TMPDIR ? { TMPDIR } : {}), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const running = describe(child, port, env);
  t.teardown(() => running.stop());
  const patience = options.ready ?? 30_000;
  if (patience > 0) await waitUntilReady(running, patience);
  return running;
}

/** Replicas: processes that share database, issuer and keys, started at the same moment. */
export async function startReplicas(
  t: Test,
  count: number,
  options: ServerOptions,
): Promise<ServerProcess[]> {
  const ports = await Promise.all(Array.from({ length: count }, () => freePort()));
  const shared = {
    ENCRYPTION_KEYS: newKey(),
    COOKIE_KEYS: newKey(),
    ISSUER: `http://localhost:${ports[0]}`,
  };
  return Promise.all(
    ports.map((port) => startServer(t, { ...options, port, env: { ...shared, ...options.env } })),
  );
}

async function waitUntilReady(server: ServerProcess, patience: number): Promise<void> {
  let gone: number | null | undefined;
  server.exited.then((code) => {
    gone = code;
  });
  for (const deadline = Date.now() + patience; ; await sleep(20)) {
    if (gone !== undefined) throw new Error(`the server exited with ${gone}:\n${server.lines.join('\n')}`);
    const answer = await server.ask('/readyz', { timeout: 2000 }).catch(() => undefined);
    if (answer?.status === 200) return;
    if (Date.now() > deadline) {
      throw new Error(
        `the server is not ready after ${patience} ms (${answer?.status} ${answer?.body}):\n${server.lines.join('\n')}`,
      );
    }
  }
}

function describe(child: ChildProcess, port: number, env: Record<string, string>): ServerProcess {
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream?.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts);
    });
  }
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const { ISSUER: issuer = '' } = env;
  return {
    pid: child.pid ?? 0,
    port,
    issuer,
    address: `http://127.0.0.1:${port}`,
    env,
    lines,
    logs: () =>
      lines.flatMap((line) => {
        try {
          return [JSON.parse(line) as Record<string, unknown>];
        } catch {
          return [];
        }
      }),
    ask: (path, ask) => send(port, new URL(issuer).host, path, ask),
    exited,
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
      const code = await exited;
      clearTimeout(late);
      return code;
    },
    async kill(signal = 'SIGKILL') {
      child.kill(signal);
      await exited;
    },
  };
}

function send(port: number, host: string, path: string, ask: Ask = {}): Promise<Answer> {
  const form = typeof ask.body === 'object' && !Buffer.isBuffer(ask.body);
  const body = form ? new URLSearchParams(ask.body as Record<string, string>).toString() : ask.body;
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        host: '127.0.0.1',
        port,
        path,
        method: ask.method ?? (body === undefined ? 'GET' : 'POST'),
        agent: false,
        timeout: ask.timeout ?? 30_000,
        headers: {
          host,
          ...(form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
          ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body as string)) }),
          ...ask.headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      },
    );
    request.on('error', reject);
    request.on('timeout', () => request.destroy(new Error(`no answer to ${path} in time`)));
    request.end(body);
  });
}
