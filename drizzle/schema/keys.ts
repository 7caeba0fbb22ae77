// Signing keys, sealed by the key ring, and the canary that proves a replica holds the same key ring.
import { pg } from '../orm.ts';
import { bytea, moment, privacy } from './columns.ts';

/** A key's state follows from its times and the clock alone, so that all replicas agree (server/keys/keys.ts). */
export const signingKeys = pg.pgTable('signing_keys', {
  kid: pg.text().primaryKey(),
  alg: pg.text().$type<'ES256' | 'RS256' | 'EdDSA'>().notNull(),
  publicJwk: pg.jsonb().$type<Record<string, unknown>>().notNull(),
  privateSealed: bytea().notNull(),
  /** In the JWKS from here on. */
  publishedAt: moment().notNull(),
  /** Signs from here on, until a later key of its algorithm does. */
  activatesAt: moment().notNull(),
  /** Out of the JWKS from here on; null: not replaced yet. */
  removedAt: moment(),
});

export const canaries = pg.pgTable('canaries', {
  name: pg.text().primaryKey(),
  sealed: bytea().notNull(),
});

/**
 * Secrets that are made once and never replaced, because what is derived from them is kept by others: `pairwise`, of
 * which every pairwise `sub` is made. Lost with the database, and then with every account's name at every app.
 */
export const lastingSecrets = pg.pgTable('lasting_secrets', {
  name: pg.text().primaryKey(),
  sealed: bytea().notNull(),
  createdAt: moment().notNull(),
});

export const keysPrivacy = [
  privacy(signingKeys, {
    kid: 'none',
    alg: 'none',
    publicJwk: 'none',
    privateSealed: 'secret',
    publishedAt: 'none',
    activatesAt: 'none',
    removedAt: 'none',
  }),
  privacy(canaries, { name: 'none', sealed: 'secret' }),
  privacy(lastingSecrets, { name: 'none', sealed: 'secret', createdAt: 'none' }),
];
