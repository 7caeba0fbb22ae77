// APIs from the command line: what apps ask tokens for, by resource indicators (RFC 8707).
import type { Command } from 'commander';
import type { Op } from '../lib/op.ts';
import { Problem } from '../lib/problems.ts';
import {
  change,
  create,
  find,
  LONGEST_JWT,
  list,
  RESOURCE_ALGS,
  type ResourceRow,
  type ResourceSettings,
} from '../resources/resources.ts';
import { withStore } from './open.ts';
import { asFacts, command, facts, group, minute, prints, several, table } from './terminal.ts';

interface Options {
  name?: string;
  scope?: string[];
  opaque?: true;
  jwt?: true;
  alg?: string;
  accessTokenTtl?: string;
  introspectionClient?: string;
}

const settingsOf = (options: Options): Partial<ResourceSettings> => ({
  ...(options.name === undefined ? {} : { name: options.name }),
  ...(options.scope ? { scopes: options.scope } : {}),
  ...(options.opaque ? { accessTokenFormat: 'opaque' } : {}),
  ...(options.jwt ? { accessTokenFormat: 'jwt' } : {}),
  // The room refuses what is none of its algorithms, and names them.
  ...(options.alg ? { signingAlg: options.alg as ResourceRow['signingAlg'] } : {}),
  ...(options.accessTokenTtl ? { accessTokenTtl: Number(options.accessTokenTtl) } : {}),
  ...(options.introspectionClient ? { introspectionClientId: options.introspectionClient } : {}),
});

const shown = (api: ResourceRow) => ({
  resource: api.id,
  name: api.name,
  scopes: api.scopes,
  access_token_format: api.accessTokenFormat,
  signing_alg: api.accessTokenFormat === 'jwt' ? api.signingAlg : null,
  access_token_ttl: api.accessTokenTtl,
  introspection_client: api.introspectionClientId,
  disabled_at: api.disabledAt,
  created_at: api.createdAt,
});

const result = (api: ResourceRow) => {
  const { signing_alg, introspection_client, disabled_at, ...rest } = shown(api);
  const set = Object.entries({ signing_alg, introspection_client, disabled_at }).filter(
    ([, value]) => value !== null,
  );
  return { json: shown(api), text: facts(asFacts({ ...rest, ...Object.fromEntries(set) })) };
};

const createResource = (uri: string, options: Options) =>
  withStore(async (op) =>
    result(await create(op, { ...settingsOf(options), id: uri, name: options.name ?? '' })),
  );

const listResources = () =>
  withStore(async (op) => {
    const apis = await list(op);
    return {
      json: apis.map(shown),
      text: table(
        ['RESOURCE', 'NAME', 'SCOPES', 'TOKENS', 'MADE', 'DISABLED'],
        apis.map((api) => [
          api.id,
          api.name,
          api.scopes.join(' ') || '-',
          api.accessTokenFormat === 'jwt' ? api.signingAlg : 'opaque',
          minute(api.createdAt),
          minute(api.disabledAt),
        ]),
        'There are no APIs.',
      ),
    };
  });

async function known(op: Op, uri: string): Promise<ResourceRow> {
  const api = await find(op, uri);
  if (!api) throw new Problem('resource.notFound');
  return api;
}

const showResource = (uri: string) => withStore(async (op) => result(await known(op, uri)));

const changeResource = (uri: string, options: Options) =>
  withStore(async (op) => result(await change(op, uri, settingsOf(options))));

const switchResource = (disabled: boolean) => (uri: string) =>
  withStore(async (op) => {
    const api = await change(op, uri, { disabled });
    const text = disabled
      ? 'No more tokens are issued for it, and its opaque ones are dead. JWTs that are out live to their end.'
      : 'Tokens are issued for it again.';
    return { json: shown(api), text };
  });

const settings = (of: Command): Command =>
  of
    .addOption(several('--scope <scope>', 'what can be asked for there; may be given several times'))
    .option('--opaque', 'its tokens are no JWTs: the API asks about each by introspection')
    .option('--alg <alg>', `signs its JWTs: ${RESOURCE_ALGS.join(', ')}; ES256 otherwise`)
    .option(
      '--access-token-ttl <seconds>',
      `how long its tokens live, if shorter than usual; JWTs at most ${LONGEST_JWT}`,
    )
    .option('--introspection-client <client_id>', 'the confidential app that may ask about its tokens');

export function add(program: Command): void {
  const resource = group(program, 'resource', 'Registers and changes the APIs that apps ask tokens for.');
  settings(
    command(
      resource,
      'create <uri>',
      'Registers an API by its resource indicator, the audience of its tokens.',
    ).requiredOption('--name <name>', 'people see it when an app asks for access'),
  ).action(prints(createResource));
  command(resource, 'list', 'Lists the APIs.').action(prints(listResources));
  command(resource, 'show <uri>', 'Shows the settings of an API.').action(prints(showResource));
  settings(
    command(resource, 'change <uri>', 'Changes what is given, all of its scopes at once.')
      .option('--name <name>', 'people see it when an app asks for access')
      .option('--jwt', 'its tokens are JWTs, checked by the API itself'),
  ).action(prints(changeResource));
  command(resource, 'disable <uri>', 'Issues no more tokens for an API.').action(
    prints(switchResource(true)),
  );
  command(resource, 'enable <uri>', 'Issues tokens for a disabled API again.').action(
    prints(switchResource(false)),
  );
}
