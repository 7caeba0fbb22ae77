// The front door: leads to setup until an administrator exists, then to the account pages.
import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config/options.ts';
import type { Database } from '../../drizzle/database.ts';
import { welcomePage } from '../../views/welcome.ts';
import { sendPage } from '../http/page.ts';
import { systemOp } from '../lib/op.ts';
import type { Oidc } from '../oidc/oidc.ts';
import { administratorExists } from '../roles/roles.ts';

export function startRoutes(
  scope: FastifyInstance,
  { config, db, oidc }: { config: Config; db: Database; oidc: Oidc },
): void {
  /** Once there is one there always is: the last administrator cannot be removed. */
  let hasAdministrator = false;

  scope.get('/', async (request, reply) => {
    hasAdministrator ||= await administratorExists(systemOp(db, 'start'));
    if (!hasAdministrator) return reply.redirect('/setup', 303);
    if (await oidc.signedIn(request, reply)) return reply.redirect('/account', 303);
    const page = welcomePage({
      accountHref: '/account',
      demoHref: config.server.demo ? '/demo' : null,
      docsHref: null,
    });
    return sendPage(reply, page);
  });
}
