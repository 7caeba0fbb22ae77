// Which passwords are guessed early although no list has them: repetitions, runs, rows of the keyboard, two of those
// or of the listed passwords put together, and the words that belong to the account or to this service (ASVS 6.2.11,
// ATK-A113). One idea throughout: a part that a guesser tries first adds nothing to the length.
import { fold, isListed } from './breached.ts';

const ROWS = [
  '`1234567890-=',
  '~!@#$%^&*()_+',
  'qwertyuiop[]',
  'asdfghjkl;',
  'zxcvbnm,./',
  'qwertzuiop',
  'yxcvbnm',
  'azertyuiop',
  'qsdfghjklm',
  'wxcvbn',
  'йцукенгшщзхъ',
  'фывапролджэ',
  'ячсмитьбю',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/',
  '1q2w3e4r5t6y7u8i9o0p',
  'qazwsxedcrfvtgbyhnujmikolp',
];
const WALKS = [...ROWS, ...ROWS.map((row) => [...row].reverse().join(''))];

/** Up to four signs that are no letters, the usual decoration: `!`, `2026`, `123!`. */
const isDecoration = (part: string) => /^\P{L}{1,4}$/u.test(part);

/** `aaaa`, `abcd`, `9876`, also over the end: `8901`. */
function isRun(part: string): boolean {
  const points = [...part].map((character) => character.codePointAt(0) as number);
  const first = points[0];
  const second = points[1];
  if (first === undefined || second === undefined) return true;
  const digits = /^\d+$/.test(part);
  const step = digits ? (second - first + 10) % 10 : second - first;
  if (![0, 1, digits ? 9 : -1].includes(step)) return false;
  return points.every((point, at) => {
    if (at === 0) return true;
    const distance = point - (points[at - 1] as number);
    return (digits ? (distance + 10) % 10 : distance) === step;
  });
}

const isPart = (part: string): boolean =>
  part === '' ||
  isDecoration(part) ||
  isRun(part) ||
  (part.length >= 4 && (WALKS.some((walk) => walk.includes(part)) || isListed(part)));

/** What a repetition repeats: `abc` of `abcabcabc`, also of `abcabcab`; the text itself when it repeats nothing. */
function unitOf(text: string): string {
  for (let length = 1; length <= text.length / 2; length++) {
    if (text.startsWith(text.slice(length))) return text.slice(0, length);
  }
  return text;
}

/** Longer ones are not cut in two: it would cost, and they hold more than two listed passwords. */
const LONGEST_PAIR = 64;
/** So many signs and spaces between or around the parts change nothing; more of them are something to guess. */
const MOST_SIGNS = 4;

/** `folded` as breached.ts folds it; `min` is the least length in characters. */
export function isGuessable(folded: string, min: number): boolean {
  const unit = unitOf(folded);
  if (unit !== folded && [...unit].length < min) return true;
  if (new Set(folded).size < 4) return true;
  if (folded.length > LONGEST_PAIR) return isPart(folded);
  const plain = folded.replace(/[^\p{L}\p{N}]+/gu, '');
  return isPair(folded) || (folded.length - plain.length <= MOST_SIGNS && isPair(plain));
}

function isPair(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    if (isPart(text.slice(at)) && isPart(text.slice(0, at))) return true;
  }
  return false;
}

/** Shorter words occur in everything. */
const SHORTEST_WORD = 4;

/** Folded words that belong to the service, the account and its owner, longest first. */
export function contextWords(
  service: readonly string[],
  about: { email?: string | undefined; name?: string | null | undefined },
): string[] {
  const [local = '', domain = ''] = (about.email ?? '').split('@');
  // The last label (org, com) says nothing about anybody.
  const whole = [...service, about.email ?? '', local, ...domain.split('.').slice(0, -1), about.name ?? ''];
  const words = whole
    .map(fold)
    .flatMap((word) => [word, word.replace(/[^\p{L}\p{N}]+/gu, ''), ...word.split(/[^\p{L}\p{N}]+/u)]);
  return [...new Set(words)]
    .filter((word) => [...word].length >= SHORTEST_WORD)
    .sort((a, b) => b.length - a.length);
}

/** `folded` without the words, and the first of them that was in it. */
export function without(folded: string, words: readonly string[]): { word: string | null; rest: string } {
  let rest = folded;
  let found: string | null = null;
  for (const word of words) {
    if (!rest.includes(word)) continue;
    found ??= word;
    rest = rest.replaceAll(word, '');
  }
  return { word: found, rest };
}
