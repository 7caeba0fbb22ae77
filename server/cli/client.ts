// Relying apps from the command line. A secret is printed when it is made and can never be read again.
import type { Command } from 'commander';
import {
  addSecret,
  type ClientRow,
  checked,
  checkSector,
  create,
  DEVICE_CODE,
  find,
  list,
  type NewClient,
  RESPONSE_MODES,
  removeSecret,
  SIGNING_ALGS,
  secretsOf,
  setResource,
} from '../clients/clients.ts';
import { endApp } from '../consents/consents.ts';
import { createEgress } from '../egress/egress.ts';
import type { Op } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';
import { SCOPES } from '../lib/scopes.ts';
import { checkClient } from './check.ts';
import { withStore } from './open.ts';
import { type ProvingOptions, proving, provingOf } from './proving.ts';
import { addRegistration } from './registration.ts';
import { asFacts, command, facts, group, minute, prints, several, table, UsageError } from './terminal.ts';
import { whyClient } from './why.ts';

interface CreateOptions extends ProvingOptions {
  redirectUri?: string[];
  id?: string;
  native?: true;
  device?: true;
  clientCredentials?: true;
  resource?: string[];
  postLogoutRedirectUri?: string[];
  backchannelLogoutUri?: string;
  /** False with --no-backchannel-session. */
  backchannelSession: boolean;
  origin?: string[];
  scope?: string[];
  responseMode?: string[];
  alg?: string;
  firstParty?: true;
  /** False with --no-pkce. */
  pkce: boolean;
  nonce: boolean;
  accessTokenTtl?: string;
}

/** A device alone has no browser to come back to, and an app in its own name has no people. */
function grantTypesOf({ redirectUri, device, clientCredentials }: CreateOptions): { grantTypes?: string[] } {
  if (!device && !clientCredentials) return {};
  return {
    grantTypes: [
      ...(redirectUri ? ['authorization_code'] : []),
      ...(redirectUri || device ? ['refresh_token'] : []),
      ...(device ? [DEVICE_CODE] : []),
      ...(clientCredentials ? ['client_credentials'] : []),
    ],
  };
}

function newClient(name: string, options: CreateOptions): NewClient {
  const {
    id,
    postLogoutRedirectUri: postLogoutRedirectUris,
    origin: allowedOrigins,
    scope: scopes,
    responseMode: responseModes,
  } = options;
  return {
    name,
    redirectUris: options.redirectUri ?? [],
    requirePkce: options.pkce,
    requireNonce: options.nonce,
    backchannelLogoutSessionRequired: options.backchannelSession,
    public: options.public === true,
    firstParty: options.firstParty === true,
    ...(options.native ? { applicationType: 'native' } : {}),
    ...grantTypesOf(options),
    ...(options.resource ? { resources: options.resource } : {}),
    ...provingOf(options),
    // The room refuses what is none of its algorithms, and names them.
    ...(options.alg
      ? { idTokenSignedResponseAlg: options.alg as ClientRow['idTokenSignedResponseAlg'] }
      : {}),
    ...(options.backchannelLogoutUri ? { backchannelLogoutUri: options.backchannelLogoutUri } : {}),
    ...(options.accessTokenTtl ? { accessTokenTtl: Number(options.accessTokenTtl) } : {}),
    ...(id ? { id } : {}),
    ...(postLogoutRedirectUris ? { postLogoutRedirectUris } : {}),
    ...(allowedOrigins ? { allowedOrigins } : {}),
    ...(scopes ? { scopes } : {}),
    ...(responseModes ? { responseModes } : {}),
  };
}

/** By the names of the protocol, as apps are configured with. */
const shown = (client: ClientRow) => ({
  client_id: client.id,
  client_name: client.name,
  application_type: client.applicationType,
  token_endpoint_auth_method: client.tokenEndpointAuthMethod,
  grant_types: client.grantTypes,
  redirect_uris: client.redirectUris,
  post_logout_redirect_uris: client.postLogoutRedirectUris,
  backchannel_logout_uri: client.backchannelLogoutUri,
  backchannel_logout_session_required: client.backchannelLogoutSessionRequired,
  allowed_origins: client.allowedOrigins,
  scopes: client.scopes,
  resources: client.resources,
  response_modes: client.responseModes,
  id_token_signed_response_alg: client.idTokenSignedResponseAlg,
  token_endpoint_auth_signing_alg: client.tokenEndpointAuthSigningAlg,
  jwks_uri: client.jwksUri,
  key_ids: client.jwks?.keys.map(({ kid }) => kid ?? '(no kid)') ?? null,
  dpop_bound_access_tokens: client.dpopBoundAccessTokens,
  require_pushed_authorization_requests: client.requirePushedAuthorizationRequests,
  request_object_signing_alg: client.requestObjectSigningAlg,
  require_signed_request_object: client.requireSignedRequestObject,
  subject_type: client.subjectType,
  sector_identifier_uri: client.sectorIdentifierUri,
  registered_by: client.registeredBy,
  require_pkce: client.requirePkce,
  require_nonce: client.requireNonce,
  first_party: client.firstParty,
  access_token_ttl: client.accessTokenTtl,
  refresh_token_idle: client.refreshTokenIdle,
  created_at: client.createdAt,
});

const ONCE = 'The secret is shown this once; only its hash is kept.';

const createClient = (name: string, options: CreateOptions) =>
  withStore(async (op, { config, log }) => {
    const { issuer } = config.server;
    const input = newClient(name, options);
    await checkSector(
      createEgress(config.egress, { log, loopback: issuer.startsWith('http:') }),
      checked(input),
    );
    const { client, secret } = await create(op, input, 'cli');
    const text = facts({
      issuer,
      client_id: client.id,
      ...(secret === null ? {} : { client_secret: secret }),
      redirect_uris: client.redirectUris.join(' '),
    });
    return {
      json: { ...shown(client), ...(secret === null ? {} : { client_secret: secret }), issuer },
      text: secret === null ? text : `${text}\n${ONCE}`,
    };
  });

const listClients = () =>
  withStore(async (op) => {
    const clients = await list(op);
    return {
      json: clients.map(shown),
      text: table(
        ['CLIENT ID', 'NAME', 'KIND', 'REDIRECT URIS', 'MADE'],
        clients.map((client) => [
          client.id,
          client.name,
          client.tokenEndpointAuthMethod === 'none' ? 'public' : 'confidential',
          client.redirectUris.join(' ') || '-',
          minute(client.createdAt),
        ]),
        'There are no apps.',
      ),
    };
  });

async function known(op: Op, id: string): Promise<ClientRow> {
  const client = await find(op, id);
  if (!client) throw new Problem('client.notFound');
  return client;
}

const showClient = (id: string) =>
  withStore(async (op) => {
    const client = await known(op, id);
    const secrets = await secretsOf(op, id);
    return {
      json: {
        ...shown(client),
        secrets: secrets.map((secret) => ({ hint: secret.hint, created_at: secret.createdAt })),
      },
      text: facts({
        ...asFacts(shown(client)),
        secrets:
          secrets.map((secret) => `…${secret.hint} (${minute(secret.createdAt)})`).join(', ') || 'none',
      }),
    };
  });

const addClientSecret = (id: string) =>
  withStore(async (op) => {
    const secret = await addSecret(op, id);
    return {
      json: { client_id: id, client_secret: secret },
      text: `${facts({ client_id: id, client_secret: secret })}\n${ONCE} Earlier ones go on working until they are removed.`,
    };
  });

const removeClientSecret = (id: string, options: { hint?: string }) =>
  withStore(async (op) => {
    await known(op, id);
    const live = await secretsOf(op, id);
    if (options.hint === undefined && live.length === 1) {
      throw new UsageError(
        `The app has this one secret alone and could do nothing without it. Add another first, or name it: --hint ${live[0]?.hint}`,
      );
    }
    const { hint } = await removeSecret(op, id, options.hint ?? null);
    return { json: { client_id: id, removed: hint }, text: `The secret that ends in ${hint} is removed.` };
  });

const removeClient = (id: string) =>
  withStore(async (op) => {
    await endApp(op, id, 'cli');
    return {
      json: { removed: id },
      text: 'The app is removed. Its tokens are dead, save JWTs that are out.',
    };
  });

const addResource = (id: string, uri: string, { scope = [] }: { scope?: string[] }) =>
  withStore(async (op) => {
    const client = await setResource(op, id, uri, scope);
    return { json: shown(client), text: `The app may ask for ${[uri, ...scope].join(' ')}.` };
  });

const removeResource = (id: string, uri: string) =>
  withStore(async (op) => {
    const client = await setResource(op, id, uri, null);
    return { json: shown(client), text: `The app gets no more tokens for ${uri}.` };
  });

export function add(program: Command): void {
  const client = group(program, 'client', 'Registers and shows apps, and changes their secrets.');
  proving(
    command(client, 'create <name>', 'Registers an app and prints its client_id and secret.').addOption(
      several('--redirect-uri <uri>', 'where it takes people back, exactly; may be given several times'),
    ),
  )
    .option('--id <client_id>', 'its client_id; generated otherwise')
    .option('--public', 'it cannot keep a secret: a single-page, mobile or desktop app')
    .option(
      '--native',
      'a mobile or desktop app: its own scheme and loopback addresses are redirect URIs too',
    )
    .option(
      '--device',
      'it also runs on devices without a browser or keyboard, which show a code (RFC 8628); then --redirect-uri may be left out',
    )
    .option(
      '--client-credentials',
      'it also gets tokens in its own name; without --redirect-uri and --device, only so',
    )
    .addOption(several('--post-logout-redirect-uri <uri>', 'where it takes people after a sign-out'))
    .option('--backchannel-logout-uri <uri>', 'where it is told that a session of a person has ended')
    .option('--no-backchannel-session', 'it is told who, not which session: it ends all it has of the person')
    .addOption(several('--origin <origin>', 'browser origins that may call the token and userinfo endpoints'))
    .addOption(
      several(
        '--scope <scope>',
        `what it may ask for: ${SCOPES.join(', ')}, all of them otherwise; and scopes of its APIs`,
      ),
    )
    .addOption(several('--resource <uri>', 'an API it may ask tokens for (gatehouse resource create)'))
    .addOption(
      several('--response-mode <mode>', `${RESPONSE_MODES.join(', ')}; query and form_post otherwise`),
    )
    .option('--alg <alg>', `signs its ID tokens: ${SIGNING_ALGS.join(', ')}; ES256 otherwise`)
    .option('--access-token-ttl <seconds>', 'how long its access tokens live, if shorter than usual')
    .option('--first-party', 'people are not asked for consent')
    .option('--no-pkce', 'do without PKCE; for old confidential apps only')
    .option('--no-nonce', 'do without a nonce; for old confidential apps only')
    .action(prints(createClient));
  command(client, 'list', 'Lists the apps.').action(prints(listClients));
  command(client, 'show <client_id>', 'Shows the settings of an app.').action(prints(showClient));
  command(client, 'why <client_id>', 'Tells why requests of an app were refused of late, and how to mend it.')
    .option('--last <n>', 'how many kinds of refusals, newest first; 10 otherwise')
    .action(prints(whyClient));
  command(client, 'check [client_id]', 'Judges an app as it is stored, or a redirect URI before it is.')
    .option('--redirect-uri <uri>', 'judges this one: may it be registered, and does the app have it')
    .option('--native', 'without a client_id: it is of a mobile or desktop app')
    .action(prints(checkClient));
  command(
    client,
    'remove <client_id>',
    'Removes an app, and with it everything that people allowed it.',
  ).action(prints(removeClient));
  const secret = group(client, 'secret', 'Changes the secrets of an app: two may live at once.');
  command(secret, 'add <client_id>', 'Makes a second secret and prints it.').action(prints(addClientSecret));
  command(secret, 'remove <client_id>', 'Removes a secret: the older of two, or the one named.')
    .option('--hint <characters>', 'its last four characters')
    .action(prints(removeClientSecret));
  const resource = group(client, 'resource', 'Changes the APIs an app may ask tokens for.');
  command(resource, 'add <client_id> <uri>', 'Lets an app ask tokens for an API, with these of its scopes.')
    .addOption(several('--scope <scope>', 'a scope of the API; may be given several times'))
    .action(prints(addResource));
  command(resource, 'remove <client_id> <uri>', 'Takes an API from an app.').action(prints(removeResource));
  addRegistration(client);
}
