// Makes breached.bin, the bundled list of passwords that are guessed first.
//
// Source: `src/passwords.json` of the npm package @zxcvbn-ts/language-common 4.1.3 (MIT), 49,233 passwords in the order
// of their frequency in published breaches. All are kept, short ones too: 17,950 have 8 characters or more (ASVS
// 6.2.4 asks for 3,000) and the others are looked for as parts (`iloveyou` + `1234567`).
//
//   npm pack @zxcvbn-ts/language-common@4.1.3 && tar xzf zxcvbn-ts-language-common-4.1.3.tgz
//   node server/passwords/breached.build.ts package/src/passwords.json
import { readFileSync, writeFileSync } from 'node:fs';
import { fold, listFile, prefixOf } from './breached.ts';

const source = process.argv[2];
if (source === undefined) {
  console.error('Name the file: a JSON array of passwords.');
  process.exit(1);
}
const passwords = JSON.parse(readFileSync(source, 'utf8')) as string[];
const prefixes = new Map<string, Buffer>();
for (const password of passwords) {
  const prefix = prefixOf(fold(password));
  prefixes.set(prefix.toString('hex'), prefix);
}
const sorted = [...prefixes.values()].sort(Buffer.compare);
writeFileSync(listFile, Buffer.concat(sorted));
console.log(`${sorted.length} of ${passwords.length} passwords written.`);
