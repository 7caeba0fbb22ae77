// Writes docs/audit.md from the event catalogue: `node server/audit/document.ts` writes it, `--check` only says whether
// it is stale. What an event carries exists as types alone, so those are read from the source.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { events } from './events.ts';

const documentPath = fileURLToPath(new URL('../../docs/audit.md', import.meta.url));
const source = readFileSync(fileURLToPath(new URL('./events.ts', import.meta.url)), 'utf8');

/** Type to the fields of `data` and of the side row. Throws Error when the source has an entry of another form. */
function fieldsOfEvents(): Map<string, { data: string; personal: string }> {
  const found = new Map<string, { data: string; personal: string }>();
  const ENTRY = /'([\w.]+)': event(?:<\s*\{([^{}]*)\}\s*(?:,\s*\{([^{}]*)\}\s*)?,?\s*>)?\(/g;
  for (const [, type = '', data = '', personal = ''] of source.matchAll(ENTRY)) {
    found.set(type, { data: fields(data), personal: fields(personal) });
  }
  const missing = Object.keys(events).filter((type) => !found.has(type));
  if (missing.length > 0) throw new Error(`server/audit/events.ts has ${missing.join(', ')} in another form`);
  return found;
}

/** `by: 'setup' | 'cli'; seconds: number` as a cell. */
const fields = (type: string): string =>
  type
    .split(/[;\n]/)
    .map((field) => field.trim().replace(/\s+/g, ' '))
    .filter(Boolean)
    .map((field) => `\`${field.replaceAll('|', '\\|')}\``)
    .join(', ');

function catalogue(): string {
  const of = fieldsOfEvents();
  return Object.entries(events)
    .map(
      ([type, { severity, says }]) =>
        `| \`${type}\` | ${severity} | ${says} | ${of.get(type)?.data} | ${of.get(type)?.personal} |`,
    )
    .join('\n');
}

function auditDocument(): string {
  return `<!-- Derived from server/audit/events.ts by \`node server/audit/document.ts\`. Do not edit. -->

# The audit trail

Every act that matters is a row in \`audit_events\`, written in the act's own transaction: both are there or neither.
Refused sign-ins, and requests refused to a known app, are written too. Rows are only ever added. There is no page or
command to read them yet; SQL is the way in.

## What a row holds

| column | what |
|---|---|
| \`id\`, \`at\` | UUIDv7 and time; the key is \`(at, id)\` |
| \`type\`, \`severity\` | from the catalogue below |
| \`actor_kind\`, \`actor_id\` | who acted: \`account\`, \`client\`, \`system\` (\`cli\`, \`setup\`, \`jobs.…\`) or \`anonymous\`, who has proved nothing yet |
| \`subject_id\` | the account it happened to |
| \`client_id\`, \`session_uid\`, \`grant_id\` | where it happened; all indexed |
| \`request_id\` | the same as in the log line and in the answer's \`X-Request-Id\` |
| \`data\` | facts that name nobody, as the catalogue says |
| \`personal_commitment\` | HMAC-SHA-256 over the side row under its salt; null: there is no side row |

What names a person stands beside, in \`audit_personal\`: client address, User-Agent (400 characters at most), the personal
fields of the catalogue, and the salt. To erase a person, side rows are removed and the trail stays as it is: without the
salt the commitment says nothing. While a side row is there, the commitment shows that nobody has changed it.

Both tables have one partition per month, made three months ahead, and a default one: an act never fails because the
month's is missing. With two database roles the server can only add to and read both tables; with one, a trigger refuses
to change or remove rows of \`audit_events\`, which its owner could drop. See [SECURITY.md](../SECURITY.md).

**Not there yet:** removing old months by itself; how an operator drops one is in [operating.md](operating.md).

## Looking

\`\`\`sql
-- What happened to one person today, and from where
SELECT e.at, e.type, e.actor_kind, e.actor_id, e.data, p.address, p.device
FROM audit_events e LEFT JOIN audit_personal p ON p.at = e.at AND p.event_id = e.id
WHERE e.subject_id = (SELECT id FROM accounts WHERE email_key = 'ada@example.com') AND e.at > now() - interval '1 day'
ORDER BY e.at;

-- Everything one request did
SELECT at, type, data FROM audit_events WHERE request_id = '…' ORDER BY id;
\`\`\`

## The catalogue

| type | severity | what happened | data | personal |
|---|---|---|---|---|
${catalogue()}
`;
}

if (import.meta.main) {
  const text = auditDocument();
  if (!process.argv.includes('--check')) writeFileSync(documentPath, text);
  else if (readFileSync(documentPath, 'utf8') !== text) {
    console.error('docs/audit.md is stale: run node server/audit/document.ts');
    process.exitCode = 1;
  }
}
