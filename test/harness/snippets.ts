// The fenced snippets of docs/integrate/, run as they are pasted. A fence says what becomes of it after its language:
//
//   ```sh run             a shell runs it, with `gatehouse` as the command line of the server under test
//   ```js run=app.mjs     it is saved under this name, for a program to be started with
//
// One rule puts the test's values in the place of the pages': http://localhost:3000 is the issuer, and each other port
// of this machine is a free one. Secrets are never in a page: snippets read them from the environment.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { temporaryFolder } from './folders.ts';
import { freePort } from './server.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
const pages = join(project, 'docs', 'integrate');

export interface Snippet {
  page: string;
  language: string;
  /** Null where it is not marked as runnable; empty for the shell. */
  run: string | null;
  code: string;
}

/** Every fenced snippet of the pages, in order. */
export function readSnippets(): Snippet[] {
  const names = readdirSync(pages).filter((name) => name.endsWith('.md'));
  return names.sort().flatMap((page) => {
    const text = readFileSync(join(pages, page), 'utf8');
    return [...text.matchAll(/^```(\S+)(?: (run)(?:=(\S+))?)?\n(.*?)^```$/gms)].map(
      ([, language = '', marked, name = '', code = '']) => ({
        page,
        language,
        run: marked ? name : null,
        code,
      }),
    );
  });
}

export interface Running {
  /** What it wrote, standard output and error, as it came. */
  readonly output: string;
  child: ChildProcess;
  /** Waits until its output matches. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  ended: Promise<number | null>;
  stop(): Promise<void>;
}

/** A folder of one reader, who pastes the snippets of one page. */
export interface Desk {
  folder: string;
  env: Record<string, string>;
  /** The page's text with the test's values. */
  here(text: string): string;
  /** Where the port that the page names is. */
  port(named: number): number;
  /** Saves the page's snippet of this name; its path. */
  save(name: string): string;
  /** Saves and starts it with Node. */
  node(name: string): Running;
  /** Runs a shell snippet of the page: the one that contains this text. */
  shell(containing: string): Promise<string>;
  /** Starts a shell snippet that goes on for a while. */
  begin(containing: string): Running;
  start(command: string, args: readonly string[]): Running;
  /** Which snippets were used. */
  used: ReadonlySet<Snippet>;
}

export async function openDesk(
  t: Test,
  page: string,
  { issuer, env }: { issuer: string; env: Readonly<Record<string, string>> },
): Promise<Desk> {
  const folder = temporaryFolder(t);
  const snippets = readSnippets().filter((one) => one.page === page && one.run !== null);
  const all = snippets.map(({ code }) => code).join('\n');
  const ports = new Map<string, number>();
  for (const [, port = ''] of all.matchAll(
    /(?:localhost|127\.0\.0\.1|listen\(|Listen |listen )[: ]?(\d{4})\b/g,
  )) {
    if (port !== '3000' && !ports.has(port)) ports.set(port, await freePort());
  }
  const here = (text: string) =>
    text
      .replaceAll('http://localhost:3000', issuer)
      .replace(/\b\d{4}\b/g, (number) => String(ports.get(number) ?? number));

  const bin = join(folder, 'bin');
  mkdirSync(bin);
  // Installed beside the file, as npm would.
  symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(
    join(bin, 'gatehouse'),
    `#!/bin/sh\nexec '${process.execPath}' '${join(project, 'server/cli.ts')}' "$@"\n`,
  );
  chmodSync(join(bin, 'gatehouse'), 0o700);
  const { PATH = '', HOME = '' } = process.env;
  const used = new Set<Snippet>();
  const mine: Record<string, string> = { ...env, PATH: `${bin}:${PATH}`, HOME };

  const find = (what: string, wanted: (snippet: Snippet) => boolean): string => {
    const found = snippets.find(wanted);
    if (!found) throw new Error(`${page} has no snippet to run: ${what}`);
    used.add(found);
    return here(found.code);
  };
  const shellCode = (text: string) => find(text, ({ run, code }) => run === '' && code.includes(text));

  const desk: Desk = {
    folder,
    env: mine,
    here,
    port: (named) => {
      const port = ports.get(String(named));
      if (port === undefined) throw new Error(`${page} names no port ${named}`);
      return port;
    },
    save(name) {
      const path = join(folder, name);
      writeFileSync(
        path,
        find(name, ({ run }) => run === name),
      );
      return path;
    },
    node: (name) => desk.start(process.execPath, [desk.save(name)]),
    async shell(containing) {
      const running = desk.begin(containing);
      const code = await running.ended;
      if (code !== 0) throw new Error(`${page}: ${containing}: exit ${code}\n${running.output}`);
      return running.output;
    },
    begin: (containing) => desk.start('sh', ['-ec', shellCode(containing)]),
    start(command, args) {
      const child = spawn(command, args, { cwd: folder, env: mine, stdio: ['ignore', 'pipe', 'pipe'] });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text;
        });
      }
      const ended = once(child, 'close').then(([code]) => code as number | null);
      const running: Running = {
        get output() {
          return output;
        },
        child,
        ended,
        async says(pattern) {
          for (let tries = 0; tries < 400; tries++) {
            const match = pattern.exec(output);
            if (match) return match;
            if (child.exitCode !== null) break;
            await sleep(50);
          }
          throw new Error(`${page}: ${command} does not say ${pattern}:\n${output}`);
        },
        async stop() {
          child.kill('SIGTERM');
          await ended;
        },
      };
      t.teardown(() => running.stop());
      return running;
    },
    used,
  };
  return desk;
}

/** Until somebody answers there. */
export async function listening(url: string, running: Running): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const answered = await fetch(url, { redirect: 'manual' }).then(
      () => true,
      () => false,
    );
    if (answered) return;
    if (running.child.exitCode !== null) break;
    await sleep(30);
  }
  throw new Error(`nobody listens at ${url}:\n${running.output}`);
}
