// Upkeep of the audit trail's monthly partitions.
import type { Op } from '../lib/op.ts';

/** Months for which partitions exist beyond this one, so that a server that was off for a while starts into them. */
const MONTHS_AHEAD = 3;

/** Makes this month's and the following months' partitions. Idempotent; the function belongs to the owner's role. */
export async function partitionsAhead(op: Op): Promise<void> {
  await op.db.$client`SELECT gatehouse_make_audit_partitions(${MONTHS_AHEAD})`;
}
