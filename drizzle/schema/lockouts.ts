// Counted failures, by what is being guessed at (account) and by who is guessing (address, client).
import { pg } from '../orm.ts';
import { moment, privacy } from './columns.ts';

export const failures = pg.pgTable(
  'failures',
  {
    /** `sign_in.account`, `sign_in.address`, `client_auth.address`, … */
    scope: pg.text().notNull(),
    /** SHA-256 (base64url) of the identifier or address: unknown names count too and are not kept in clear. */
    key: pg.text().notNull(),
    count: pg.integer().notNull(),
    /** The count starts anew after this. */
    resetsAt: moment().notNull(),
  },
  (t) => [pg.primaryKey({ columns: [t.scope, t.key] }), pg.index().on(t.resetsAt)],
);

export const lockoutsPrivacy = [
  privacy(failures, { scope: 'none', key: 'pseudonym', count: 'none', resetsAt: 'none' }),
];
