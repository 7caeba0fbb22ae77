// The shape of the code: one ordered list of folders, each importing only what stands before it; rooms entered
// through their main file; no cycles between files; drizzle and postgres.js behind one door.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import tap from 'tap';

const project = fileURLToPath(new URL('..', import.meta.url));

/** Folders in order. Those in one line are neighbours that never import one another. */
const ORDER: readonly { folders: readonly string[]; because: string }[] = [
  { folders: ['config'], because: 'settings are read before anything exists that could need them' },
  { folders: ['views', 'drizzle'], because: 'pages are functions of their props, tables know no rules' },
  { folders: ['server/lib'], because: 'plumbing that every room stands on knows no room' },
  { folders: ['server/http'], because: 'how requests arrive is settled before what they are about' },
  { folders: ['server/jobs'], because: 'the queue runs what rooms hand it' },
  { folders: ['server/egress'], because: 'what goes out is guarded before anyone has something to send' },
  { folders: ['server/audit'], because: 'every record writes its acts into the trail' },
  { folders: ['server/secrets'], because: 'secrets are sealed anew without knowing what they are for' },
  { folders: ['server/keys'], because: 'keys are needed by whoever signs, and need nobody' },
  {
    folders: ['server/mail'],
    because: 'people are told of acts of every record, in the transaction of the act',
  },
  { folders: ['server/logouts'], because: 'what its apps are told is a part of every ending of a session' },
  { folders: ['server/passwords'], because: 'a password is judged and hashed without knowing whose it is' },
  { folders: ['server/sessions'], because: 'ending sessions is a part of many acts on accounts' },
  { folders: ['server/accounts'], because: 'people come before what they may do' },
  { folders: ['server/roles'], because: 'roles are given to accounts' },
  { folders: ['server/resources'], because: 'apps are registered for APIs that are there' },
  { folders: ['server/clients'], because: 'apps are kept without knowing who uses them' },
  { folders: ['server/refusals'], because: 'what was wrong with a request is judged by what its app may' },
  { folders: ['server/consents'], because: 'what people allowed which app refers to both' },
  { folders: ['server/lockouts'], because: 'what is counted is named by the records before' },
  { folders: ['server/oidc'], because: 'the protocol reads records and knows no page' },
  {
    folders: [
      'server/login',
      'server/consent',
      'server/setup',
      'server/account',
      'server/demo',
      'server/start',
    ],
    because: 'conversations meet in stored state, not in code: importing one another they would become one',
  },
  { folders: ['server'], because: 'app.ts, main.ts and cli.ts put the rooms together' },
];

const place = new Map(
  ORDER.flatMap(({ folders }, index) => folders.map((folder) => [folder, index] as const)),
);

/** Files beside the main one that the composition root puts together, by the roles that are fixed. */
const ROLES = new Set(['admin', 'routes', 'jobs', 'guard']);

/** These are collections of files without a main one. */
const OPEN = new Set(['config', 'views', 'drizzle', 'server/lib', 'server/http', 'server']);

/** Doors beside a room's main one, each with its reason. */
const DOORS: Readonly<Record<string, string>> = {
  'server/accounts/import.ts': 'accounts from a file concern the command line alone',
  'server/jobs/tries.ts': 'what a try at a row is, is said by the room that owns the table, not by the queue',
  'server/accounts/notices.ts': 'who acts on an account sends the mail that tells its owner',
  'server/accounts/claims.ts':
    'how an account is described to apps changes for other reasons than the account',
  'server/clients/registration.ts':
    'apps that register themselves concern the endpoint for it and the command line',
  'server/oidc/interactions.ts': 'the state machine that the pages of a sign-in move',
  'server/oidc/grants.ts': 'what a consent page turns an answer into',
};

interface Source {
  path: string;
  folder: string;
  text: string;
  /** Project paths of what it imports by relative paths; types too, for they are knowledge as well. */
  imports: string[];
  packages: string[];
}

/** The folder of the list a file belongs to: the longest that contains it. */
function folderOf(path: string): string {
  for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) {
    if (place.has(folder)) return folder;
  }
  return dirname(path);
}

const IMPORT =
  /(?:^|[\s;}])(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/g;

function read(path: string): Source {
  const text = readFileSync(join(project, path), 'utf8');
  const named = [...text.matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? '');
  const local = named.filter((name) => name.startsWith('.'));
  return {
    path,
    folder: folderOf(path),
    text,
    imports: local.map((name) => normalize(join(dirname(path), name))),
    packages: named.filter((name) => !name.startsWith('.')),
  };
}

const sources = ['config', 'views', 'drizzle', 'server']
  .flatMap((top) =>
    readdirSync(join(project, top), { recursive: true, encoding: 'utf8' }).map((name) => join(top, name)),
  )
  .filter((path) => path.endsWith('.ts'))
  .map(read);
const byPath = new Map(sources.map((source) => [source.path, source]));

/** Every cycle among files found by walking in depth, as the list of its files. */
function cycles(graph: ReadonlyMap<string, { imports: readonly string[] }>): string[][] {
  const found: string[][] = [];
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (path: string): void => {
    const at = trail.indexOf(path);
    if (at !== -1) found.push([...trail.slice(at), path]);
    if (at !== -1 || done.has(path)) return;
    trail.push(path);
    for (const next of graph.get(path)?.imports ?? []) visit(next);
    trail.pop();
    done.add(path);
  };
  for (const path of graph.keys()) visit(path);
  return found;
}

tap.test('architecture: the reading of imports sees what there is', async (t) => {
  t.ok(sources.length > 20);
  const lines = [
    `import a from './a.ts';`,
    `import {\n  type B,\n  c,\n} from '../b.ts';`,
    `import type { D } from './d.ts';`,
    `import './e.ts';`,
    `export { f } from './f.ts';`,
    `const g = await import('./g.ts');`,
    `let h: typeof import('./h.ts');`,
  ];
  t.same(
    [...lines.join('\n').matchAll(IMPORT)].map((match) => match[1] ?? match[2]),
    ['./a.ts', '../b.ts', './d.ts', './e.ts', './f.ts', './g.ts', './h.ts'],
  );
  for (const { path, imports } of sources) {
    for (const target of imports) {
      if (target.endsWith('.ts')) t.ok(byPath.has(target), `${path} imports ${target}, which exists`);
    }
  }
});

tap.test('architecture: a folder imports only what stands before it', async (t) => {
  const unlisted = [...new Set(sources.map(({ folder }) => folder))].filter((folder) => !place.has(folder));
  t.same(unlisted, [], 'every folder has its place in the list');
  for (const { path, folder, imports } of sources) {
    for (const target of imports) {
      const to = folderOf(target);
      if (to === folder) continue;
      const [from = -1, before = -1] = [place.get(folder), place.get(to)];
      t.ok(before < from, `${path} may not import ${target}: ${ORDER[before]?.because}`);
    }
  }
});

tap.test('architecture: a room is entered through its main file', async (t) => {
  for (const { path, folder, imports } of sources) {
    for (const target of imports) {
      const to = folderOf(target);
      if (to === folder || OPEN.has(to) || !target.endsWith('.ts')) continue;
      const room = relative('server', to);
      const file = relative(to, target).replace(/\.ts$/, '');
      const composing = folder === 'server' && ROLES.has(file);
      // The table of what can happen is a room's catalogue, read by whoever reports it.
      t.ok(
        file === room || file === 'events' || composing || target in DOORS,
        `${path} enters ${to} through ${target}`,
      );
    }
  }
});

tap.test('architecture: no import cycles between files', async (t) => {
  const planted = new Map([
    ['a', { imports: ['b'] }],
    ['b', { imports: ['c'] }],
    ['c', { imports: ['a'] }],
  ]);
  t.same(cycles(planted), [['a', 'b', 'c', 'a']], 'a cycle would be seen');
  t.same(cycles(byPath), []);
});

tap.test('architecture: drizzle-orm and postgres.js come through one door', async (t) => {
  for (const { path, text, packages } of sources) {
    if (path === 'drizzle/orm.ts' || path === 'drizzle/postgres.ts') continue;
    // Types cost nothing at run time; values would load the libraries a second time, and the slow way.
    const values = packages.filter((name) => /^(postgres$|drizzle-orm)/.test(name));
    for (const name of values) {
      const statement = new RegExp(`import type [^;]*from '${name}'|typeof import\\('${name}'\\)`);
      t.match(text, statement, `${path} imports ${name} for its types alone`);
    }
  }
});

/** Who asks another server without the guard, and why that is right. */
const ASKS: Readonly<Record<string, string>> = {
  'server/cli/doctor.ts': 'the operator asks their own issuer',
  'server/cli/health.ts': 'the operator asks the local port',
  'server/demo/demo.ts': 'the demo app asks its own issuer',
  'server/setup/snippets.ts': 'code of other apps, shown as text',
};

tap.test('architecture, R55: whatever asks another server does so through egress', async (t) => {
  const asks =
    /(?<![.\w])fetch\(|import \{[^}]*\b(request|get|Agent|connect|createConnection)\b[^}]*\} from 'node:(https?|http2|net|tls)'|'undici'/;
  for (const line of [
    `await fetch(url)`,
    `import { request as ask } from 'node:http';`,
    `import { isIP, connect } from 'node:net';`,
  ]) {
    t.match(line, asks, `would be seen: ${line}`);
  }
  const found = sources.filter(({ path, text }) => /^(server|views)\//.test(path) && asks.test(text));
  t.same(
    found.map(({ path }) => path).filter((path) => !path.startsWith('server/egress/') && !(path in ASKS)),
    [],
  );
});

/** Acts of a room on an account that its owner is to learn of. */
const TOLD = /\b(setPassword|signOutEverywhere)\(/;

tap.test(
  'architecture, A14: who changes a password or signs somebody out everywhere tells them',
  async (t) => {
    const acting = sources.filter(
      ({ path, text }) => !path.startsWith('server/accounts/') && TOLD.test(text),
    );
    t.ok(acting.length >= 2);
    for (const { path, imports } of acting) t.ok(imports.includes('server/accounts/notices.ts'), path);
  },
);

tap.test('architecture: no drawers', async (t) => {
  const drawers = sources.filter(({ path }) =>
    /\b(utils?|helpers?|common|services?|controllers?)\b/.test(path),
  );
  t.same(
    drawers.map(({ path }) => path),
    [],
  );
});
