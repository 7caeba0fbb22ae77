// Mails to people: one row each, made in the transaction of the act that it tells of.
import { pg } from '../orm.ts';
import { bytea, moment, privacy } from './columns.ts';

export const mails = pg.pgTable(
  'mails',
  {
    id: pg.uuid().primaryKey(),
    /** Which of views/mails it is. */
    kind: pg.text().notNull(),
    /** Null: to an address that is nobody's. */
    accountId: pg.uuid(),
    recipient: pg.text().notNull(),
    /** What the page is made of, sealed by the key ring: links in it open things. Erased when it is sent. */
    propsSealed: bytea(),
    state: pg.text().$type<'pending' | 'sent' | 'refused' | 'given_up'>().notNull().default('pending'),
    attempts: pg.integer().notNull().default(0),
    createdAt: moment().notNull(),
    lastAttemptAt: moment(),
    settledAt: moment(),
    /** SMTP code or reason of the last failure; no text of the other side. */
    lastFailure: pg.text(),
  },
  (t) => [
    pg.index().on(t.state, t.createdAt),
    pg.index().on(t.accountId),
    pg.index().on(t.recipient, t.createdAt),
  ],
);

export const mailPrivacy = [
  privacy(mails, {
    id: 'none',
    kind: 'personal',
    accountId: 'pseudonym',
    recipient: 'personal',
    propsSealed: 'secret',
    state: 'none',
    attempts: 'none',
    createdAt: 'personal',
    lastAttemptAt: 'none',
    settledAt: 'none',
    lastFailure: 'none',
  }),
];
