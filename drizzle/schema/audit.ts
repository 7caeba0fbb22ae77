// The audit trail. Rows are only ever added; the application's database role may not change or delete them.
// Personal fields stand beside in `audit_personal`; the audit row holds a salted commitment to them, so that
// erasing a person removes the side rows and the trail stays provable. Both are partitioned by month.
import { pg } from '../orm.ts';
import { bytea, inet, moment, privacy } from './columns.ts';

export const auditEvents = pg.pgTable(
  'audit_events',
  {
    /** UUIDv7: unique, in the order of writing to the millisecond, and within one write exactly. */
    id: pg.uuid().notNull(),
    at: moment().notNull(),
    /** One of server/audit/events.ts. */
    type: pg.text().notNull(),
    severity: pg.text().$type<'info' | 'notice' | 'warning' | 'critical'>().notNull(),
    actorKind: pg.text().notNull(),
    actorId: pg.text(),
    /** The account it happened to. */
    subjectId: pg.uuid(),
    clientId: pg.text(),
    sessionUid: pg.text(),
    grantId: pg.text(),
    requestId: pg.text(),
    /** Non-personal facts, typed per event. */
    data: pg.jsonb().$type<Record<string, unknown>>().notNull(),
    /** HMAC-SHA-256 under the side row's salt; null: the event has no personal part. */
    personalCommitment: bytea(),
  },
  (t) => [
    pg.primaryKey({ columns: [t.at, t.id] }),
    pg.index().on(t.type, t.at),
    pg.index().on(t.actorId, t.at),
    pg.index().on(t.subjectId, t.at),
    pg.index().on(t.clientId, t.at),
    pg.index().on(t.sessionUid),
    pg.index().on(t.grantId),
    pg.index().on(t.requestId),
  ],
);

export const auditPersonal = pg.pgTable(
  'audit_personal',
  {
    eventId: pg.uuid().notNull(),
    at: moment().notNull(),
    /** Whose data this is: what erasure goes by. */
    subjectId: pg.uuid(),
    salt: bytea().notNull(),
    address: inet(),
    /** User-Agent, truncated. */
    device: pg.text(),
    data: pg.jsonb().$type<Record<string, unknown>>().notNull(),
  },
  (t) => [
    pg.primaryKey({ columns: [t.at, t.eventId] }),
    pg.index().on(t.subjectId),
    pg.index().on(t.address, t.at),
    pg.index().on(t.device, t.at),
  ],
);

export const auditPrivacy = [
  privacy(auditEvents, {
    id: 'none',
    at: 'none',
    type: 'none',
    severity: 'none',
    actorKind: 'none',
    actorId: 'pseudonym',
    subjectId: 'pseudonym',
    clientId: 'none',
    sessionUid: 'pseudonym',
    grantId: 'pseudonym',
    requestId: 'none',
    data: 'none',
    personalCommitment: 'none',
  }),
  privacy(auditPersonal, {
    eventId: 'none',
    at: 'none',
    subjectId: 'pseudonym',
    salt: 'secret',
    address: 'personal',
    device: 'personal',
    data: 'personal',
  }),
];
