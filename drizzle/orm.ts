// The one door to drizzle-orm, loaded as CommonJS: its ES module graph costs half a second and over 100 MB on Node 24
// (nodejs/node#58126). Knows no driver: the tables, and the tool that writes migrations from them, need none.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export const orm = require('drizzle-orm') as typeof import('drizzle-orm');
export const pg = require('drizzle-orm/pg-core') as typeof import('drizzle-orm/pg-core');

export const { sql, eq, ne, and, or, gt, lt, inArray, isNotNull, isNull, desc, asc } = orm;
