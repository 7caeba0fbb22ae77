// The integration doctor before anything is refused: judges an app as it is stored, or one redirect URI that is not.
// It changes nothing; what the app publishes is asked for as the server would, through the guarded client.
import { type Advice, adviceOn, allSecretsOf, type ClientRow, find, uriFault } from '../clients/clients.ts';
import { createEgress, type Egress, EgressError } from '../egress/egress.ts';
import { Problem } from '../lib/problems.ts';
import { nearest, withoutValues } from '../refusals/refusals.ts';
import { withStore } from './open.ts';
import { type Result, UsageError } from './terminal.ts';

interface CheckOptions {
  redirectUri?: string;
  native?: true;
}

interface Published {
  keys: ClientRow['jwks'];
  advice: Advice[];
}

const UNREACHABLE =
  'Without its keys the server can verify nothing that the app signs. Publish them there, or register them (jwks).';

/** The key set at jwks_uri, or why there is none. */
async function published(egress: Egress, uri: string | null): Promise<Published> {
  if (uri === null) return { keys: null, advice: [] };
  const unusable = (says: string): Published => ({
    keys: null,
    advice: [{ field: 'jwks_uri', state: 'fault', says, mend: UNREACHABLE }],
  });
  try {
    const { status, body } = await egress.request(uri, { headers: { accept: 'application/json' } });
    if (status !== 200) return unusable(`answers ${status} instead of 200`);
    const keys = JSON.parse(body.toString()) as ClientRow['jwks'];
    return typeof keys === 'object' && keys !== null ? { keys, advice: [] } : unusable('is no key set');
  } catch (error) {
    if (error instanceof SyntaxError) return unusable('is no JSON');
    if (error instanceof EgressError) return unusable(`cannot be fetched: ${error.message}`);
    throw error;
  }
}

/** Logout tokens would never leave for it. */
function logoutAddress(egress: Egress, uri: string | null): Advice[] {
  try {
    if (uri !== null) egress.check(uri);
    return [];
  } catch (error) {
    if (!(error instanceof EgressError)) throw error;
    return [
      {
        field: 'backchannel_logout_uri',
        state: 'fault',
        says: `is not told of endings: ${error.message}`,
        mend: 'Use a public https address, or allow its network: OUTBOUND_PRIVATE_NETWORKS.',
      },
    ];
  }
}

const asResult = (subject: object, advice: readonly Advice[], good: string): Result => ({
  json: { ...subject, findings: advice },
  text:
    advice
      .map(
        ({ field, state, says, mend }) =>
          `${state.padEnd(8)} ${field} ${says.replace(/\.$/, '')}.\n         ${mend}`,
      )
      .join('\n') || good,
  ...(advice.some(({ state }) => state === 'fault') ? { exitCode: 1 as const } : {}),
});

/** Of a URI that nobody has registered yet. */
function ofUri(uri: string, native: boolean, client: ClientRow | null): Advice[] {
  const fault = uriFault(uri, (client?.applicationType ?? (native ? 'native' : 'web')) as 'web' | 'native');
  if (fault)
    return [
      {
        field: 'redirect_uri',
        state: 'fault',
        says: fault,
        mend: 'Change the URI; it cannot be registered so.',
      },
    ];
  if (client === null || client.redirectUris.includes(uri)) return [];
  const like = nearest(withoutValues(uri), client.redirectUris);
  const says = like
    ? `is not registered; nearest is ${like.uri}, it differs in ${like.differences.join('; ') || 'the values of its query'}`
    : 'is not registered; the app has none';
  return [
    {
      field: 'redirect_uri',
      state: 'fault',
      says,
      mend: 'Let the app send a registered one, or register this one.',
    },
  ];
}

export async function checkClient(id: string | undefined, options: CheckOptions): Promise<Result> {
  const uri = options.redirectUri;
  if (id === undefined) {
    if (uri === undefined)
      throw new UsageError('Name an app, or a URI: --redirect-uri https://app.example.com/cb');
    return asResult(
      { redirect_uri: uri },
      ofUri(uri, options.native === true, null),
      'Nothing is wrong with this redirect URI.',
    );
  }
  return withStore(async (op, { config, log }) => {
    const client = await find(op, id);
    if (!client) throw new Problem('client.notFound');
    const subject = { client_id: client.id };
    if (uri !== undefined)
      return asResult(
        { ...subject, redirect_uri: uri },
        ofUri(uri, false, client),
        'The app is registered with this redirect URI.',
      );
    const { issuer } = config.server;
    const egress = createEgress(config.egress, { log, loopback: issuer.startsWith('http:') });
    const { keys, advice } = await published(egress, client.jwksUri);
    const secrets = await allSecretsOf(op, id);
    const all = [
      ...advice,
      ...logoutAddress(egress, client.backchannelLogoutUri),
      ...adviceOn(client, { issuer, now: op.now, secrets, fetchedKeys: keys }),
    ];
    return asResult(subject, all, 'Nothing is wrong with this app.');
  });
}
