// Who may administer what. A role is granted to an account once; every grant is an event.
import { inTransaction } from '../../drizzle/database.ts';
import { SUPER_ADMIN } from '../accounts/accounts.ts';
import { entry, write } from '../audit/audit.ts';
import type { Op } from '../lib/op.ts';

export const roles = [SUPER_ADMIN, 'admin', 'support', 'auditor'] as const;
export type Role = (typeof roles)[number];

/** Nothing happens when the account has the role. */
export function grant(op: Op, accountId: string, role: Role): Promise<void> {
  return inTransaction(op, async (op) => {
    const added = await op.db.$client`
      INSERT INTO account_roles (account_id, role, granted_at, granted_by)
      VALUES (${accountId}, ${role}, ${op.now.toISOString()}::timestamptz, ${`${op.by.kind}:${op.by.id ?? ''}`})
      ON CONFLICT DO NOTHING`;
    if (added.count > 0) await write(op, [entry('role.granted', { subject: accountId }, { role })]);
  });
}

export async function rolesOf(op: Op, accountId: string): Promise<Role[]> {
  const rows = await op.db.$client<{ role: Role }[]>`
    SELECT role FROM account_roles WHERE account_id = ${accountId}`;
  const held = new Set(rows.map((row) => row.role));
  return roles.filter((role) => held.has(role));
}

/** Whether there is a super administrator who can sign in: until then `/` leads to setup. */
export async function administratorExists(op: Op): Promise<boolean> {
  const [row] = await op.db.$client<{ exists: boolean }[]>`
    SELECT EXISTS (SELECT FROM account_roles r JOIN accounts a ON a.id = r.account_id
                   WHERE r.role = ${SUPER_ADMIN} AND a.disabled_at IS NULL) AS exists`;
  return row?.exists === true;
}
