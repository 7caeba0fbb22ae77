// Tokens for APIs: apps in their own name, resource indicators, formats, introspection by whom a token is meant for.
import t from 'tap';
import { startApp, tokenRequest } from './harness/app.ts';

t.test('in an app’s own name', async (t) => {
  const app = await startApp(t);
  const post = async (path: string, client: { id: string; secret: string | null }, token: string) => {
    const response = await fetch(app.issuer + path, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${client.id}:${client.secret}`)}` },
      body: new URLSearchParams({ token }),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    };
  };
  const machine = () => app.client({ grantTypes: ['client_credentials'], redirectUris: [], scopes: [] });

  await t.test('P5: client_credentials: an opaque token, introspected, revoked', async (t) => {
    const client = await machine();
    const answer = await tokenRequest(app.issuer, client, { grant_type: 'client_credentials' });
    t.equal(answer.status, 200);
    const { access_token, ...rest } = answer.body as { access_token: string };
    t.strictSame(rest, { expires_in: 900, token_type: 'Bearer' });
    const seen = await post('/oauth2/introspect', client, access_token);
    t.match(seen.body, { active: true, client_id: client.id, iss: app.issuer, token_type: 'Bearer' });
    t.equal((await post('/oauth2/revoke', client, access_token)).status, 200);
    t.strictSame((await post('/oauth2/introspect', client, access_token)).body, { active: false });
  });
});
