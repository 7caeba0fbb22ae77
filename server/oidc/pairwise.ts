// The `sub` by which an app knows an account: the account's id, or for a pairwise client one that no app of another
// sector can connect with it (OIDC Core 8.1). One function for ID tokens, userinfo, introspection, JWTs and logout tokens.
import { createHmac } from 'node:crypto';

/** What a stored client and the library's have in common. */
export interface Subscriber {
  subjectType?: string | null;
  sectorIdentifierUri?: string | null | undefined;
  redirectUris?: readonly string[] | undefined;
}

const sectorOf = ({ sectorIdentifierUri, redirectUris }: Subscriber): string | undefined =>
  URL.parse(sectorIdentifierUri ?? redirectUris?.[0] ?? '')?.host;

/**
 * Whether an app that changes itself would know people by other subs than before, with the tokens it has: those of a sector
 * that is not its own, for nothing but its redirect URIs says which is.
 */
export const knowsByOthers = (before: Subscriber, after: Subscriber): boolean =>
  after.subjectType === 'pairwise' &&
  (before.subjectType !== 'pairwise' || sectorOf(before) !== sectorOf(after));

export interface Subjects {
  /** Before the first request: the secret of which pairwise subjects are made. */
  use(secret: Buffer): void;
  of(client: Subscriber, accountId: string): string;
}

export function createSubjects(): Subjects {
  let secret: Buffer | null = null;
  return {
    use(lasting) {
      secret = lasting;
    },
    of(client, accountId) {
      if (client.subjectType !== 'pairwise') return accountId;
      if (!secret) throw new Error('the secret of pairwise subjects is not known yet');
      const sector = sectorOf(client);
      if (!sector) throw new Error('a pairwise client without a sector');
      // The length keeps the parts apart, whatever they contain (R54).
      return createHmac('sha256', secret)
        .update(`${Buffer.byteLength(sector)}:${sector}${accountId}`)
        .digest('base64url');
    },
  };
}
