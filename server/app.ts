// The composition root: reads top to bottom. Rooms are made in the order in which they may know one another,
// then the routes are declared in scopes with their guards.
import type { FastifyInstance } from 'fastify';
import { schemaCurrent } from '../drizzle/migrate.ts';
import { accountRoutes, ensureAccountClient } from './account/routes.ts';
import { partitionsAhead } from './audit/jobs.ts';
import { createKnownClients } from './clients/clients.ts';
import { consentRoutes } from './consent/routes.ts';
import { demoRoutes, ensureDemoClient } from './demo/demo.ts';
import { createEgress } from './egress/egress.ts';
import { createBrowser } from './http/browser.ts';
import { createHttp } from './http/http.ts';
import { limitPages } from './http/limits.ts';
import { createJobs } from './jobs/jobs.ts';
import { createKeys } from './keys/keys.ts';
import { systemOp } from './lib/op.ts';
import { createLockouts } from './lockouts/lockouts.ts';
import { loginRoutes } from './login/routes.ts';
import { logoutJobs } from './logouts/jobs.ts';
import { createLogouts } from './logouts/logouts.ts';
import { mailJobs } from './mail/jobs.ts';
import { createMail } from './mail/mail.ts';
import { oidcJobs } from './oidc/jobs.ts';
import { createOidc } from './oidc/oidc.ts';
import { createPasswords, serviceWords } from './passwords/passwords.ts';
import { createRefusals } from './refusals/refusals.ts';
import { createKnownResources } from './resources/resources.ts';
import { sessionJobs } from './sessions/jobs.ts';
import { setupRoutes } from './setup/routes.ts';
import { bootstrapAdmin } from './setup/setup.ts';
import { startRoutes } from './start/routes.ts';
import type { Store } from './store.ts';

/** How often due key changes are looked for, in seconds; rotation periods are set in days. */
const KEY_UPKEEP = 60;
const PARTITION_UPKEEP = 6 * 3600;

export interface App {
  http: FastifyInstance;
  /** Keys, clients and jobs at work: the server may listen. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createApp({ config, db, ring, log }: Store): App {
  const { issuer } = config.server;

  const jobs = createJobs({ db, log });
  // An issuer on plain http is this machine's own: apps in development are beside it.
  const egress = createEgress(config.egress, { log, loopback: issuer.startsWith('http:') });
  const keys = createKeys(config.keys, { ring, log });
  const mail = createMail({ settings: config.mail, issuer, ring, log });
  const passwords = createPasswords(config.passwords, { words: serviceWords(issuer) });
  const lockouts = createLockouts(config.lockouts);
  const resources = createKnownResources(db);
  const clients = createKnownClients(db);
  const refusals = createRefusals({ db, log });
  const browser = createBrowser(issuer, config.secrets.cookieKeys);
  const oidc = createOidc({
    config,
    db,
    clients,
    resources,
    lockouts,
    refusals,
    browser,
    log,
    egress,
    mail,
  });
  const { timeout } = config.egress;
  const logouts = createLogouts({ issuer, timeout, egress, subjectOf: oidc.subjectOf, log });

  jobs.every('keys', Math.min(KEY_UPKEEP, config.keys.rotateEvery), (op) => keys.ensure(op));
  jobs.every('audit-partitions', PARTITION_UPKEEP, async (op) => {
    await partitionsAhead(op);
  });
  oidcJobs(jobs, config.jobs.purgeEvery);
  sessionJobs(jobs, config.sessions);
  logoutJobs(jobs, logouts);
  mailJobs(jobs, mail, config.jobs.purgeEvery);

  const http = createHttp(config, { log, ready: async () => oidc.ready() && (await schemaCurrent(db)) });
  oidc.mount(http);
  // One ceiling for all pages together.
  http.register(async (pages) => {
    await limitPages(pages, config.server.pageRateLimit);
    pages.register(async (scope) =>
      loginRoutes(scope, { config, db, browser, clients, oidc, lockouts, passwords }),
    );
    pages.register(async (scope) => consentRoutes(scope, { config, db, browser, clients, resources, oidc }));
    pages.register(async (scope) => setupRoutes(scope, { config, db, browser, oidc, passwords, log }));
    pages.register(async (scope) => accountRoutes(scope, { config, browser, oidc }));
    if (config.server.demo) pages.register(async (scope) => demoRoutes(scope, { config, db, browser }));
    pages.register(async (scope) => startRoutes(scope, { config, db, oidc }));
  });

  let watch: { stop(): Promise<void> } | null = null;
  let refused: { stop(): Promise<void> } | null = null;
  return {
    http,
    async start() {
      const op = systemOp(db, 'start');
      await keys.ensure(op);
      watch = await keys.watch(db, async (set) => {
        logouts.use(set);
        await oidc.use(set);
      });
      refused = await lockouts.watch(db, log);
      await resources.start();
      oidc.usePairwiseSecret(await keys.lasting(op, 'pairwise'));
      await clients.start();
      await ensureAccountClient(op, issuer);
      if (config.server.demo) await ensureDemoClient(op, issuer);
      const { adminEmail, adminPassword } = config.bootstrap;
      if (adminEmail !== null && adminPassword !== null) {
        await bootstrapAdmin(op, passwords, { email: adminEmail, password: adminPassword });
      }
      await jobs.start();
    },
    async stop() {
      await http.close();
      await refusals.stop();
      await jobs.stop();
      await mail.stop();
      await watch?.stop();
      await refused?.stop();
      await clients.stop();
      await resources.stop();
    },
  };
}
