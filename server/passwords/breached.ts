// Looks passwords up in the bundled list of the most used ones, offline (breached.build.ts says where it is from).
// The file is sorted 5-byte prefixes of SHA-256 over the folded password: 61,000 of 2^40, so that a password not on
// the list is taken for a listed one in 1 of 18 million cases.
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export const PREFIX_BYTES = 5;
export const listFile = new URL('breached.bin', import.meta.url);

/** The form in which passwords are compared with the list: `PassWord` and `ｐａｓｓｗｏｒｄ` are `password`. */
export const fold = (password: string): string => password.normalize('NFKC').toLowerCase();

export const prefixOf = (folded: string): Buffer =>
  hash('sha256', folded, 'buffer').subarray(0, PREFIX_BYTES);

let loaded: Buffer | undefined;

/** Whether `folded` (see `fold`) is on the list. */
export function isListed(folded: string): boolean {
  loaded ??= readFileSync(listFile);
  const wanted = prefixOf(folded);
  let from = 0;
  let to = loaded.length / PREFIX_BYTES;
  while (from < to) {
    const middle = (from + to) >>> 1;
    const at = middle * PREFIX_BYTES;
    const order = wanted.compare(loaded, at, at + PREFIX_BYTES);
    if (order === 0) return true;
    if (order > 0) from = middle + 1;
    else to = middle;
  }
  return false;
}
