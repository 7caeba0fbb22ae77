// Every table, and the privacy class of every column, for migrations and the tests over all tables.
import { accountsPrivacy } from './accounts.ts';
import { auditPrivacy } from './audit.ts';
import { clientsPrivacy } from './clients.ts';
import { jobsPrivacy } from './jobs.ts';
import { keysPrivacy } from './keys.ts';
import { lockoutsPrivacy } from './lockouts.ts';
import { mailPrivacy } from './mail.ts';
import { oidcPrivacy } from './oidc.ts';

export const allPrivacy = [
  ...accountsPrivacy,
  ...auditPrivacy,
  ...clientsPrivacy,
  ...jobsPrivacy,
  ...keysPrivacy,
  ...lockoutsPrivacy,
  ...mailPrivacy,
  ...oidcPrivacy,
];
