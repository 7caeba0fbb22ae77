// One protocol request as a unit of work. The library calls the adapter many times per request; from the first
// write on, all of it runs in one transaction that server/oidc/oidc.ts ends before the answer leaves. So a
// client never holds an answer whose rows are not on disk, and an audit row stands or falls with its act.
//
// A refusal (4xx) commits too: what it spent or revoked must stay so. A fault (5xx) rolls back: nothing happened.
//
// Rows a single statement has already joined (account, grant, session of a token) are kept here for the rest of
// the request: the library asks for them next. Nothing is kept between requests.
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Database, type OpenTransaction, openTransaction } from '../../drizzle/database.ts';
import { type Entry, insertOf, write } from '../audit/audit.ts';
import type { By, Op, RequestFacts } from '../lib/op.ts';
import { type AccountRow, brokenBy, type Parameter, run } from './rows.ts';

export type StoredPayload = Record<string, unknown>;

export interface TokenSource {
  kind: 'code' | 'device' | 'refresh';
  accountId: string;
  clientId: string;
  grantId: string;
}

export interface Unit {
  facts: RequestFacts;
  now: Date;
  /** SHA-256 of the browser cookie; null where the request brought none (machines). */
  browserHash: Buffer | null;
  /** The pool, or the transaction once one is open. */
  db(): Database;
  /** The transaction, opened at the first call. */
  writing(): Promise<Database>;
  /** Sends a statement of the transaction that answers nothing: its fault is the fault of `finish`. */
  send(text: string, parameters: Parameter[]): Promise<void>;
  /** Waits for everything sent; rejects with the first fault. */
  settled(): Promise<void>;
  op(): Op;
  entries: Entry[];
  /** Accounts read alive in this request, and the epoch that what is written now must carry. */
  accounts: Map<string, AccountRow>;
  epochs: Map<string, number>;
  grants: Map<string, StoredPayload>;
  sessions: Map<string, StoredPayload>;
  /** Sessions this request ended; one that is then saved again only changed its identifier. */
  endedSessions: Map<string, { accountId: string | null }>;
  /** Uid of the cookie's session, found or saved by this request. */
  storedSession: string | null;
  /** The session has another identifier by now, or none: this answer must not set the browser's cookie. */
  outdatedSession: boolean;
  /** Its session was ended by another request: what was granted in it here, nobody has told its app. */
  overtaken: string | null;
  /** The account the session cookie belongs to. */
  signedInAs: string | null;
  /** Another request has resumed the same interaction at the same moment, and goes on with it. */
  lostResume: boolean;
  /** On the pages where people enter device codes: their form token, and the code of a link. */
  device: { csrf: string; typed: string } | null;
  /** A client assertion has been verified and is to be spent next (server/oidc/proofs.ts). */
  assertion: boolean;
  /** A request object has been read that says an identifier; spent once its signature is known to be good. */
  requestObject: { jti: string; exp: number } | null;
  /** The code or refresh token presented. */
  source: TokenSource | null;
  /** Set when a refresh token was used again inside its window: the value to answer with (P3). */
  replayedSuccessor: string | null;
  /** The refresh token being spent: its value seals the successor. */
  rotating: { hash: Buffer; value: string } | null;
  /** Grants whose tokens this request has deleted. */
  revoked: Set<string>;
  /** Reuse found in this request. */
  reuse: TokenSource | null;
  /** Seconds for Retry-After, where the request was refused for a while. */
  retryAfter: number | null;
  /** Why the library answered server_error. */
  fault: unknown;
  /**
   * A commit rejects with the first fault of what was sent, and then nothing of the transaction is left. A rollback answers
   * what is behind `why`.
   */
  finish(outcome: 'commit' | 'rollback', why?: unknown): Promise<unknown>;
}

const current = new AsyncLocalStorage<Unit>();

export const runUnit = <T>(unit: Unit, work: () => T): T => current.run(unit, work);
export const currentUnit = (): Unit | undefined => current.getStore();

/** Every call of the library belongs to a request: its unit says where to read, and that writing needs an end. */
export function unitOf(): Unit {
  const unit = current.getStore();
  if (!unit) throw new Error('the protocol library was used outside a request');
  return unit;
}

export function createUnit(pool: Database, facts: RequestFacts, browserHash: Buffer | null): Unit {
  let opening: Promise<OpenTransaction> | null = null;
  let open: OpenTransaction | null = null;
  let finished = false;
  const sent: Promise<unknown>[] = [];

  const unit: Unit = {
    facts,
    now: new Date(),
    browserHash,
    // After its end the connection serves somebody else: what is read then is read on the pool.
    db: () => (finished ? pool : (open?.db ?? pool)),
    async writing() {
      if (finished) throw new Error('the request’s transaction has ended');
      opening ??= openTransaction(pool);
      open = await opening;
      return open.db;
    },
    async send(text, parameters) {
      const answer = run(await unit.writing(), text, parameters);
      answer.catch(() => {});
      sent.push(answer);
    },
    async settled() {
      await Promise.all(sent);
    },
    op: () => ({ db: unit.db(), now: unit.now, by: { kind: 'anonymous', id: null, request: facts } }),
    entries: [],
    accounts: new Map(),
    epochs: new Map(),
    grants: new Map(),
    sessions: new Map(),
    endedSessions: new Map(),
    storedSession: null,
    outdatedSession: false,
    overtaken: null,
    signedInAs: null,
    lostResume: false,
    device: null,
    assertion: false,
    requestObject: null,
    source: null,
    replayedSuccessor: null,
    rotating: null,
    revoked: new Set(),
    reuse: null,
    retryAfter: null,
    fault: null,
    async finish(outcome, why) {
      if (finished) return why;
      finished = true;
      if (opening) open = await opening.catch(() => null);
      // What was sent has reached the connection once these callbacks have run: nothing may do so after the end, when the
      // connection serves somebody else.
      await new Promise<void>((resume) => process.nextTick(resume));
      if (outcome === 'rollback') {
        await Promise.allSettled(sent);
        return open ? open.rollback(why) : why;
      }
      // The commit goes out behind them without waiting for their answers: of a transaction that one of them broke,
      // PostgreSQL makes a rollback. So the answers are looked at before the commit's own.
      const [ended, ...answers] = await Promise.allSettled([open?.commit(), ...sent]);
      const fault = [...answers, ended].find((one) => one?.status === 'rejected');
      if (fault) throw fault.reason;
      const swallowed = open && brokenBy(open.db);
      if (swallowed) throw swallowed;
      return undefined;
    },
  };
  return unit;
}

/** Writes the request's audit entries on whatever the unit writes to, as `by`; in its transaction they are sent only. */
export async function writeEntries(unit: Unit, by: Pick<By, 'kind' | 'id'>): Promise<void> {
  const entries = unit.entries.splice(0);
  if (entries.length === 0) return;
  const op = { ...unit.op(), by: { ...by, request: unit.facts } };
  if (!op.db.inTransaction) return write(op, entries);
  const { text, parameters } = insertOf(op, entries);
  await unit.send(text, parameters);
}
