// How an app proves itself beyond a secret, from the command line: keys of its own, bound tokens, signed and pushed
// requests, and by which `sub` it knows people.
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { AUTH_METHODS, CLIENT_SIGNING_ALGS, type NewClient } from '../clients/clients.ts';
import { UsageError } from './terminal.ts';

export interface ProvingOptions {
  public?: true;
  secretInBody?: true;
  authMethod?: string;
  authAlg?: string;
  /** A file with public keys; `-`: standard input. */
  jwks?: string;
  jwksUri?: string;
  dpop?: true;
  par?: true;
  requestObjectAlg?: string;
  signedRequests?: true;
  pairwise?: true;
  sectorIdentifierUri?: string;
}

/** What is wrong with the keys themselves is the room's to say. */
function readKeys(file: string): NonNullable<NewClient['jwks']> {
  const name = file === '-' ? 'What came on standard input' : `The file ${file}`;
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new UsageError(`${name} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
  try {
    return JSON.parse(text) as NonNullable<NewClient['jwks']>;
  } catch {
    throw new UsageError(`${name} is no JSON: it takes a JWKS, {"keys": […]}.`);
  }
}

/** Keys alone mean private_key_jwt; beside a secret they sign requests. */
function methodOf(options: ProvingOptions): string | undefined {
  const { authMethod, secretInBody, jwks, jwksUri } = options;
  if (authMethod !== undefined) return authMethod;
  if (secretInBody) return 'client_secret_post';
  return jwks !== undefined || jwksUri !== undefined ? 'private_key_jwt' : undefined;
}

export function provingOf(options: ProvingOptions): Partial<NewClient> {
  const { authMethod, jwks, jwksUri } = options;
  if (options.public && authMethod !== undefined && authMethod !== 'none')
    throw new UsageError(
      '--public is an app that proves itself by nothing: leave one of it and --auth-method.',
    );
  if ((options.public || options.secretInBody) && authMethod === undefined && (jwks ?? jwksUri) !== undefined)
    throw new UsageError(
      '--jwks is a way of its own to prove itself: leave --public and --secret-in-body, or say which by --auth-method.',
    );
  const method = methodOf(options);
  return {
    // The room refuses what is none of its words, and names them.
    ...(method === undefined
      ? {}
      : { tokenEndpointAuthMethod: method as NonNullable<NewClient['tokenEndpointAuthMethod']> }),
    ...(jwks === undefined ? {} : { jwks: readKeys(jwks) }),
    ...(jwksUri === undefined ? {} : { jwksUri }),
    ...(options.authAlg === undefined ? {} : { tokenEndpointAuthSigningAlg: options.authAlg }),
    dpopBoundAccessTokens: options.dpop === true,
    requirePushedAuthorizationRequests: options.par === true,
    ...(options.requestObjectAlg === undefined ? {} : { requestObjectSigningAlg: options.requestObjectAlg }),
    requireSignedRequestObject: options.signedRequests === true,
    ...(options.pairwise ? { subjectType: 'pairwise' as const } : {}),
    ...(options.sectorIdentifierUri === undefined
      ? {}
      : { sectorIdentifierUri: options.sectorIdentifierUri }),
  };
}

export const proving = (of: Command): Command =>
  of
    .option('--secret-in-body', 'it sends its secret in the form (client_secret_post), not in a header')
    .option(
      '--jwks <file>',
      'it has no secret, and proves itself by signing (private_key_jwt): its public keys, a JWKS; - reads them from standard input',
    )
    .option('--jwks-uri <uri>', 'the same, with keys that are fetched where it publishes them')
    .option(
      '--auth-method <method>',
      `how it proves itself, where that is not clear: ${AUTH_METHODS.join(', ')}`,
    )
    .option('--auth-alg <alg>', `its assertions are signed so alone: ${CLIENT_SIGNING_ALGS.join(', ')}`)
    .option('--dpop', 'it gets only tokens that are bound to a key of its own (RFC 9449)')
    .option('--par', 'it begins every sign-in by a pushed request (RFC 9126)')
    .option(
      '--request-object-alg <alg>',
      `it may sign its requests (RFC 9101): ${CLIENT_SIGNING_ALGS.join(', ')}`,
    )
    .option('--signed-requests', 'and requests it has not signed are refused')
    .option('--pairwise', 'it knows people by a sub that no app elsewhere can connect with them')
    .option(
      '--sector-identifier-uri <uri>',
      'where its apps of one sector, which share that sub, are listed (OIDC Core 8.1)',
    );
