// Jobs by schedule and which replica holds each of them (server/jobs/leases.ts). Queued jobs are in the schema
// `pgboss`, whose tables that library defines; their data are ids, never personal values or secrets.
import { pg } from '../orm.ts';
import { moment, privacy } from './columns.ts';

export const schedules = pg.pgTable('schedules', {
  name: pg.text().primaryKey(),
  /** Not before. The database's clock, so that replicas need not agree on theirs. */
  dueAt: moment().notNull(),
  /** The replica that runs it; its lease ends by itself at heldUntil. */
  holder: pg.uuid(),
  heldUntil: moment(),
  startedAt: moment(),
  finishedAt: moment(),
  /** Failures in a row; 0 after a success. */
  failures: pg.integer().notNull().default(0),
});

export const jobsPrivacy = [
  privacy(schedules, {
    name: 'none',
    dueAt: 'none',
    holder: 'none',
    heldUntil: 'none',
    startedAt: 'none',
    finishedAt: 'none',
    failures: 'none',
  }),
];
