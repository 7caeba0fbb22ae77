// The ceiling: the bare library on maps in memory. Nothing that has to survive a restart can be faster.
import type { AdapterPayload } from 'oidc-provider';
import { loadArgon2 } from '../server/passwords/argon2.ts';
import { type Person, serveBare } from './bare.ts';
import { emailOf } from './visitor.ts';

/** Per model, oldest first out: so many are never alive at once here. */
const MOST = 100_000;

const sessions = new Map<string, string>();

function mapAdapter(model: string) {
  const kept = new Map<string, AdapterPayload>();
  return {
    async find(id: string) {
      return kept.get(id);
    },
    async findByUid(uid: string) {
      return kept.get(sessions.get(uid) ?? '');
    },
    async findByUserCode() {
      return undefined;
    },
    async upsert(id: string, payload: AdapterPayload) {
      const oldest = kept.size >= MOST ? kept.keys().next().value : undefined;
      if (oldest !== undefined) kept.delete(oldest);
      kept.set(id, payload);
      if (model === 'Session') sessions.set(payload.uid as string, id);
    },
    async consume(id: string) {
      const payload = kept.get(id);
      if (payload) payload.consumed = Math.floor(Date.now() / 1000);
    },
    async destroy(id: string) {
      kept.delete(id);
    },
    // A look at everything: no row of the bench revokes.
    async revokeByGrantId(grantId: string) {
      for (const [id, payload] of kept) if (payload.grantId === grantId) kept.delete(id);
    },
  };
}

const { BENCH_PEOPLE = '0', BENCH_HASH = '' } = process.env;
const people = new Map<string, Person>();
const ids = new Map<string, string>();
for (let at = 0; at < Number(BENCH_PEOPLE); at++) {
  const person = { id: `person-${at}`, email: emailOf(at), name: 'Pat Person' };
  people.set(person.id, person);
  ids.set(person.email, person.id);
}
const argon2 = loadArgon2();

serveBare({
  adapter: mapAdapter,
  find: async (id) => people.get(id),
  signIn: async (email, password) =>
    (await argon2.verify(BENCH_HASH, password)) ? ids.get(email) : undefined,
});
