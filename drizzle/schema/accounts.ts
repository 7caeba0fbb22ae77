// People. `epoch` is the account's generation: whatever was issued under another epoch is dead (R33).
import { pg } from '../orm.ts';
import { moment, privacy } from './columns.ts';

export const accounts = pg.pgTable('accounts', {
  id: pg.uuid().primaryKey(),
  /** As typed at registration; shown and mailed to. */
  email: pg.text().notNull(),
  /** The identifier compared at sign-in: NFKC, lower case. */
  emailKey: pg.text().notNull().unique(),
  emailVerifiedAt: moment(),
  name: pg.text(),
  /** Further OIDC standard claims (Core 5.1) by their claim names: given_name, locale, address, … */
  claims: pg.jsonb().$type<Record<string, unknown>>().notNull().default({}),
  /** PHC string; null: no password, so password sign-in is impossible. */
  passwordHash: pg.text(),
  passwordChangedAt: moment(),
  /** Raised by disable, password change, factor change and "sign out everywhere". */
  epoch: pg.integer().notNull().default(0),
  disabledAt: moment(),
  lastSignInAt: moment(),
  createdAt: moment().notNull(),
  updatedAt: moment().notNull(),
  /** Optimistic lock of admin edits. */
  version: pg.integer().notNull().default(0),
});

/** Hashes of passwords an account had before, so that they are not taken again (A5). */
export const passwordHistory = pg.pgTable(
  'password_history',
  {
    id: pg.uuid().primaryKey(),
    accountId: pg
      .uuid()
      .notNull()
      .references(() => accounts.id, { onDelete: 'cascade' }),
    passwordHash: pg.text().notNull(),
    replacedAt: moment().notNull(),
  },
  (t) => [pg.index().on(t.accountId, t.replacedAt)],
);

export const accountRoles = pg.pgTable(
  'account_roles',
  {
    accountId: pg
      .uuid()
      .notNull()
      .references(() => accounts.id, { onDelete: 'cascade' }),
    role: pg.text().notNull(),
    grantedAt: moment().notNull(),
    /** Who granted it, as `kind:id`. */
    grantedBy: pg.text().notNull(),
  },
  (t) => [pg.primaryKey({ columns: [t.accountId, t.role] }), pg.index().on(t.role)],
);

/** One-time links that make the first administrator. */
export const setupTokens = pg.pgTable('setup_tokens', {
  tokenHash: pg.text().primaryKey(),
  createdAt: moment().notNull(),
  expiresAt: moment().notNull(),
  usedAt: moment(),
});

export const accountsPrivacy = [
  privacy(passwordHistory, {
    id: 'none',
    accountId: 'pseudonym',
    passwordHash: 'secret',
    replacedAt: 'personal',
  }),
  privacy(accounts, {
    id: 'pseudonym',
    email: 'personal',
    emailKey: 'personal',
    emailVerifiedAt: 'personal',
    name: 'personal',
    claims: 'personal',
    passwordHash: 'secret',
    passwordChangedAt: 'personal',
    epoch: 'none',
    disabledAt: 'personal',
    lastSignInAt: 'personal',
    createdAt: 'personal',
    updatedAt: 'none',
    version: 'none',
  }),
  privacy(accountRoles, {
    accountId: 'pseudonym',
    role: 'personal',
    grantedAt: 'none',
    grantedBy: 'pseudonym',
  }),
  privacy(setupTokens, { tokenHash: 'secret', createdAt: 'none', expiresAt: 'none', usedAt: 'none' }),
];
