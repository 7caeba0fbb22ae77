// Column types and privacy classes shared by every table.
import { pg } from '../orm.ts';

/**
 * What a column may be used for. Export (a person's own data), erasure and redaction derive from it.
 * - `none`: says nothing about a person
 * - `pseudonym`: names a person only to who holds the accounts table
 * - `personal`: names or describes a person
 * - `secret`: a credential, or what it is derived from; never leaves the database
 */
export type PrivacyClass = 'none' | 'pseudonym' | 'personal' | 'secret';

/** Gives every column of a table its privacy class; a column without one fails the type check. */
export function privacy<T extends { $inferSelect: object }>(
  table: T,
  classes: Record<keyof T['$inferSelect'], PrivacyClass>,
): { table: T; classes: Record<string, PrivacyClass> } {
  return { table, classes };
}

export const bytea = pg.customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => 'bytea' });
export const inet = pg.customType<{ data: string }>({ dataType: () => 'inet' });

/** A moment. Written and read as Date; milliseconds are kept. */
export const moment = () => pg.timestamp({ withTimezone: true, mode: 'date' });
