import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  casing: 'snake_case',
  schema: ['accounts', 'audit', 'clients', 'jobs', 'keys', 'lockouts', 'mail', 'oidc'].map(
    (room) => `./drizzle/schema/${room}.ts`,
  ),
  out: './drizzle/migrations',
});
