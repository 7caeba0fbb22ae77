// Text that PostgreSQL cannot store (U+0000, half of a surrogate pair) is refused at the door, before it becomes a
// database fault and a 500 (R10). So are keys that reach an object's prototype, and JSON nested or wide beyond any use.
import { Problem } from './problems.ts';

/** No U+0000 and no lone surrogate. */
export const isStorable = (text: string): boolean => !text.includes('\0') && text.isWellFormed();

/** Can stand for somebody on a page: something of it is seen, and it neither ends the line nor turns text round. */
export const isName = (text: string): boolean =>
  /[\p{L}\p{N}\p{P}\p{S}]/u.test(text) && !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u.test(text);

const DEEPEST = 32;
const MOST_KEYS = 2000;
const PROTOTYPE_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Walks a parsed value, keys included. Throws Problem: `request.forbiddenCharacter` for text that cannot be stored,
 * `request.invalid` for prototype keys, nesting deeper than 32 or more than 2000 keys and items.
 */
export function rejectText(value: unknown): void {
  let left = MOST_KEYS;
  const walk = (at: unknown, depth: number): void => {
    if (typeof at === 'string') {
      if (!isStorable(at)) throw new Problem('request.forbiddenCharacter');
      return;
    }
    if (typeof at !== 'object' || at === null || Buffer.isBuffer(at)) return;
    if (depth > DEEPEST) throw new Problem('request.invalid');
    for (const key of Object.keys(at)) {
      if (--left < 0 || PROTOTYPE_KEYS.has(key)) throw new Problem('request.invalid');
      if (!isStorable(key)) throw new Problem('request.forbiddenCharacter');
      walk((at as Record<string, unknown>)[key], depth + 1);
    }
  };
  walk(value, 0);
}

/** The same as an answer, for those who refuse in the words of another specification. */
export function isAcceptable(value: unknown): boolean {
  try {
    rejectText(value);
    return true;
  } catch {
    return false;
  }
}
