// Prints which ids have a test: attacks (`ATK-A101`), rows of the product (`P3`), rules (`R12`) and requirements of
// OWASP ASVS 5.0 (`V6.3.1`: by name, or by an attack that tries a part of it). A test says what it proves before the first colon
// of its title; one that is skipped proves nothing. Ids and a few words of each are in attack-ids.json.
//
//   node test/coverage.ts                    every id with its tests, and what has none
//   node test/coverage.ts A069-A092 P3 V6.3.1   only these; exit 1 when one of them has no test
//   node test/coverage.ts section:3          the attacks of one section
import { readdirSync, readFileSync } from 'node:fs';

interface Attack {
  section: number;
  says: string;
  asvs: string[];
}
interface Ids {
  attacks: Record<string, Attack>;
  rows: Record<string, string>;
  asvs: string[];
}

const folder = new URL('.', import.meta.url);
const ids = JSON.parse(readFileSync(new URL('attack-ids.json', folder), 'utf8')) as Ids;

const TITLE =
  /\btest\(\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|`((?:\\.|[^`\\])*)`)\s*,(\s*\{[^}]*\bskip\b)?/g;
const ID = /ATK-(A\d{3})|\bASVS[- ]V?(\d+\.\d+\.\d+)|\b([PADGO]\d{1,2}|R\d{1,2})\b/g;

/** Id to the files whose tests name it, once for each test. */
function provedIds(): Map<string, string[]> {
  const proved = new Map<string, string[]>();
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  for (const file of files.filter((name) => name.endsWith('.test.ts')).sort()) {
    const source = readFileSync(new URL(file, folder), 'utf8');
    for (const [, single, double, template, skipped] of source.matchAll(TITLE)) {
      const title = single ?? double ?? template ?? '';
      if (skipped || !title.includes(':')) continue;
      for (const [, attack, asvs, row] of title.slice(0, title.indexOf(':')).matchAll(ID)) {
        const id = attack ?? (asvs ? `V${asvs}` : (row as string));
        proved.set(id, [...(proved.get(id) ?? []), file.replace(/\.test\.ts$/, '')]);
      }
    }
  }
  for (const [id, { asvs }] of Object.entries(ids.attacks)) {
    if (!proved.has(id)) continue;
    for (const one of asvs) proved.set(`V${one}`, [...(proved.get(`V${one}`) ?? []), id]);
  }
  return proved;
}

const attackIds = Object.keys(ids.attacks);
const cited = Object.values(ids.attacks).flatMap(({ asvs }) => asvs.map((one) => `V${one}`));
const known = [...attackIds, ...Object.keys(ids.rows), ...new Set([...ids.asvs, ...cited])];
const says = (id: string) => ids.attacks[id]?.says ?? ids.rows[id] ?? '';

/** `A069-A092`, `section:3`, `A3`, `ATK-A101`. */
function asked(argument: string): string[] {
  const [, section] = /^section:(\d+)$/.exec(argument) ?? [];
  if (section) return attackIds.filter((id) => ids.attacks[id]?.section === Number(section));
  const [, from, to] = /^(?:ATK-)?(A\d{3})-(?:ATK-)?(A\d{3})$/.exec(argument) ?? [];
  if (from && to) return attackIds.filter((id) => id >= from && id <= to);
  return [argument.replace(/^ATK-/, '')];
}

const proved = provedIds();
const wanted = process.argv.slice(2).flatMap(asked);
const rules = [...proved.keys()]
  .filter((id) => /^R\d/.test(id))
  .sort((a, b) => Number(a.slice(1)) - Number(b.slice(1)));
const list = wanted.length > 0 ? wanted : [...known, ...rules];

const counted = (names: readonly string[]) => {
  const times = new Map<string, number>();
  for (const name of names) times.set(name, (times.get(name) ?? 0) + 1);
  return [...times].map(([name, n]) => (n > 1 ? `${name} ×${n}` : name)).join(', ');
};
const out: string[] = [];
for (const id of list) {
  const tests = proved.get(id);
  if (tests) out.push(`${id.padEnd(8)} ${says(id).slice(0, 46).padEnd(47)} ${counted(tests)}`);
}
const missing = list.filter((id) => !proved.has(id));
out.push('', `${list.length - missing.length} of ${list.length} have a test.`);
const groups = new Map<string, string[]>();
for (const id of missing) {
  const attack = ids.attacks[id];
  const group = attack
    ? `attacks, section ${attack.section}`
    : id in ids.rows
      ? 'product'
      : id.startsWith('V')
        ? 'ASVS'
        : 'unknown';
  groups.set(group, [...(groups.get(group) ?? []), id]);
}
for (const [group, without] of groups) out.push(`without, ${group}: ${without.join(' ')}`);
process.stdout.write(`${out.join('\n')}\n`);
if (wanted.length > 0 && missing.length > 0) process.exitCode = 1;
