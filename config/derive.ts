// Writes what follows from the settings table: docs/configuration.md and helm/values.schema.json.
// `node config/derive.ts` writes them, `--check` only says which of them is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Option, options } from './options.ts';

const entries = Object.entries(options).map(
  ([room, settings]) => [room, Object.entries(settings) as [string, Option][]] as const,
);

const UNITS: readonly [number, string][] = [
  [365 * 86_400, 'year'],
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
];

/** With the largest unit that divides it: `5400 (90 minutes)`. */
function inSeconds(value: number): string {
  const unit = UNITS.find(([size]) => value >= size && value % size === 0);
  if (!unit) return `${value}`;
  const count = value / unit[0];
  return `${value} (${count} ${unit[1]}${count === 1 ? '' : 's'})`;
}

const TYPES: Record<Option['kind'], string> = {
  text: 'text',
  integer: 'number',
  seconds: 'seconds',
  flag: 'true or false',
  choice: 'choice',
  list: 'list',
};

function defaultOf(option: Option): string {
  if (option.kind === 'list') return option.default.join(', ');
  if (option.default === null) return '';
  return option.kind === 'seconds' ? inSeconds(option.default) : `\`${option.default}\``;
}

function boundsOf(option: Option): string {
  switch (option.kind) {
    case 'integer':
      return `${option.min} to ${option.max}`;
    case 'seconds':
      return `${option.min} to ${inSeconds(option.max)}`;
    case 'choice':
      return option.choices.map((one) => `\`${one}\``).join(', ');
    case 'text':
    case 'list':
      return option.form ?? '';
    case 'flag':
      return '';
  }
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

export function configurationDocument(): string {
  const rooms = entries.map(([room, settings]) => {
    const rows = settings.map(
      ([name, option]) =>
        `| \`${option.env}\` | \`${name}\` | ${TYPES[option.kind]}${option.secret ? ', secret' : ''} | ${cell(defaultOf(option))} | ${cell(boundsOf(option))} | ${cell(option.says)} |`,
    );
    return `### ${room}

| variable | in the file | type | default | bounds | what it does |
|---|---|---|---|---|---|
${rows.join('\n')}
`;
  });
  return `<!-- Derived from config/options.ts by \`node config/derive.ts\`. Do not edit. -->

# Configuration

Nothing has to be set to try Gatehouse. A setting is given in one of three ways; the first that is there counts:

1. **Environment**: \`PORT=8080\`. An empty variable counts as not set.
2. **A file per setting**: every variable has a twin with \`_FILE\` that holds a path, for example
   \`COOKIE_KEYS_FILE=/run/secrets/cookie-keys\`. The value is the content of the file without its last line break.
   A variable and its twin together are refused.
3. **A YAML file** whose path is in \`CONFIG_FILE\`, one group per heading below:

   \`\`\`yaml
   server:
     issuer: https://id.example.com
     trustedProxies: [10.0.0.0/8]
   sessions:
     idle: 3600
   \`\`\`

All faults are reported at once, those of the YAML file with line and column, and the server does not start. An unknown
name in the file is a fault; a variable that nearly is one of ours gives a warning. Faults never repeat a value.

Durations are whole seconds. Lists are separated by commas or line breaks, or are YAML lists. Relative paths are seen
from the folder the server is started in.

## What refuses to start

- An issuer with plain \`http\`, unless it is \`localhost\`, \`127.0.0.1\` or \`[::1]\`.
- \`DATABASE_URL\` without \`ENCRYPTION_KEYS\` and \`COOKIE_KEYS\`, a key that is no random key (such as
  \`AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\`), or one key used for both.
- \`TRUSTED_PROXIES\` or \`OUTBOUND_PRIVATE_NETWORKS\` with a network that is every address.
- Signing keys that leave the JWKS before the tokens they signed expire (\`KEY_KEEP_AFTER\`).
- Password hashing below \`ARGON2_MEMORY\` × \`ARGON2_PASSES\` = 35840, unless the issuer is localhost.

## Keys

With the embedded database, \`encryption.keys\` and \`cookie.keys\` are made in \`DATA_DIR\` at the first start: one key
per line, newest first, readable by their owner only. Back them up, apart from the database. With \`DATABASE_URL\`
every replica is given the same keys; make each with \`openssl rand -base64 32\`. A replica with other keys than the
database was written with is refused.

To change a key while replicas run, first add the new key at the *end* of the list everywhere, so that every replica can
open what it seals; then move it to the front everywhere. The old encryption key is needed until \`gatehouse secrets rotate\`
has sealed everything anew, the old cookie key for \`SESSION_MAX_AGE\`: [operating.md](operating.md#new-encryption-keys).

## Settings

${rooms.join('\n')}`;
}

function schemaOf(option: Option): object {
  const description = option.says;
  switch (option.kind) {
    case 'text':
      return {
        type: 'string',
        description,
        ...(option.default === null ? {} : { default: option.default }),
        ...(option.pattern ? { pattern: option.pattern.source } : {}),
      };
    case 'integer':
    case 'seconds':
      return {
        type: 'integer',
        description: option.kind === 'seconds' ? `${description} In seconds.` : description,
        default: option.default,
        minimum: option.min,
        maximum: option.max,
      };
    case 'flag':
      return {
        type: 'boolean',
        description,
        ...(option.default === null ? {} : { default: option.default }),
      };
    case 'choice':
      return { type: 'string', description, default: option.default, enum: [...option.choices] };
    case 'list':
      return {
        type: 'array',
        description,
        default: [...option.default],
        items: { type: 'string', ...(option.item ? { pattern: option.item.source } : {}) },
      };
  }
}

export function valuesSchema(): string {
  const all = entries.flatMap(([, settings]) => settings.map(([, option]) => option));
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $comment: 'Derived from config/options.ts by `node config/derive.ts`. Do not edit.',
    title: 'Gatehouse chart values',
    type: 'object',
    properties: {
      settings: {
        type: 'object',
        description:
          'Settings by the name of their environment variable; docs/configuration.md describes them.',
        additionalProperties: false,
        properties: Object.fromEntries(
          all.filter((option) => !option.secret).map((option) => [option.env, schemaOf(option)]),
        ),
      },
      secrets: {
        type: 'object',
        description:
          'Credentials, each as a reference to a key of a Kubernetes Secret. Values are not taken here.',
        additionalProperties: false,
        properties: Object.fromEntries(
          all
            .filter((option) => option.secret)
            .map((option) => [option.env, { $ref: '#/$defs/secretReference', description: option.says }]),
        ),
      },
    },
    $defs: {
      secretReference: {
        type: 'object',
        required: ['name', 'key'],
        additionalProperties: false,
        properties: {
          name: { type: 'string', minLength: 1, description: 'Name of the Secret.' },
          key: { type: 'string', minLength: 1, description: 'Key in the Secret.' },
        },
      },
    },
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

/** Files that follow from the table, with the text they must have. */
const derived: readonly { path: string; text: () => string }[] = [
  { path: 'docs/configuration.md', text: configurationDocument },
  { path: 'helm/values.schema.json', text: valuesSchema },
];

const located = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** The derived files whose text is not what the table says. */
export const staleFiles = (): string[] =>
  derived
    .filter(({ path, text }) => {
      try {
        return readFileSync(located(path), 'utf8') !== text();
      } catch {
        return true;
      }
    })
    .map(({ path }) => path);

if (import.meta.main) {
  if (process.argv.includes('--check')) {
    for (const path of staleFiles()) {
      console.error(`${path} is stale: run node config/derive.ts`);
      process.exitCode = 1;
    }
  } else {
    for (const { path, text } of derived) writeFileSync(located(path), text());
  }
}
