// The event catalogue: type, severity, what it says, and the shape of its data. `data` holds nothing that names
// a person; names, addresses and devices go to `personal`, which is stored beside and can be erased.

export type Severity = 'info' | 'notice' | 'warning' | 'critical';

export interface EventKind<Data extends object, Personal extends object> {
  severity: Severity;
  says: string;
  /** Types only, never set. */
  data?: Data;
  personal?: Personal;
}

// biome-ignore lint/complexity/noBannedTypes: an event without data takes exactly {}
type None = {};

const event = <Data extends object = None, Personal extends object = None>(
  severity: Severity,
  says: string,
): EventKind<Data, Personal> => ({ severity, says });

export const events = {
  'account.created': event<{ by: 'setup' | 'bootstrap' | 'cli' | 'import' }, { email: string }>(
    'notice',
    'An account was made.',
  ),
  'accounts.imported': event<{ created: number; exists: number; refused: number }>(
    'warning',
    'Accounts were imported from a file.',
  ),
  'account.disabled': event('warning', 'An account was disabled; its sessions and tokens ended.'),
  'account.enabled': event('notice', 'A disabled account was enabled again.'),
  'account.passwordChanged': event<{ by: 'person' | 'cli' }>(
    'notice',
    'A password was changed; sessions and tokens ended.',
  ),
  'account.passwordRehashed': event('info', 'A password hash was upgraded at sign-in.'),
  'account.signedOutEverywhere': event<{ reason: string }>(
    'warning',
    'All sessions and tokens of an account ended.',
  ),
  'role.granted': event<{ role: string }>('warning', 'A role was granted.'),
  'setup.linkMade': event('notice', 'A one-time setup link was made.'),
  'setup.linkRefused': event('warning', 'A setup link was refused: used, expired or wrong.'),
  'setup.completed': event('critical', 'The first administrator was made.'),
  'signIn.succeeded': event<{ amr: string[] }>('info', 'A person signed in.'),
  'signIn.failed': event<
    { reason: 'password' | 'unknown' | 'disabled' | 'noPassword' },
    { identifier: string }
  >('notice', 'A sign-in was refused.'),
  'signIn.throttled': event<{ by: 'account' | 'address' }, { identifier: string }>(
    'warning',
    'A sign-in was refused unchecked: too many failures.',
  ),
  'signIn.abandoned': event('info', 'A person went back to the app without signing in.'),
  'lockout.started': event<{ by: 'account' | 'address' | 'client'; seconds: number }>(
    'warning',
    'Failures reached the limit.',
  ),
  'session.started': event('info', 'A browser session began.'),
  'session.ended': event<{ reason: string }>('info', 'A browser session ended.'),
  'logout.delivered': event<{ attempts: number }>('info', 'An app was told that a session ended.'),
  'logout.refused': event<{ failure: string }>('warning', 'An app refused to be told that a session ended.'),
  'logout.givenUp': event<{ failure: string; attempts: number }>(
    'warning',
    'An app could not be told that a session ended.',
  ),
  'logout.retried': event('notice', 'An app shall be told once more that a session ended.'),
  'consent.given': event<{
    scopes: string[];
    /** Scopes at APIs, by resource indicator. */
    resources: Record<string, string[]>;
    source: 'person' | 'firstParty' | 'remembered';
  }>('info', 'An app was given access.'),
  'consent.refused': event('info', 'A person refused an app.'),
  'consent.revoked': event('notice', 'A person withdrew an app’s access.'),
  'authorization.granted': event<{ scope: string }>('info', 'An authorization code was issued.'),
  'authorization.refused': event<{ error: string; why: string }>(
    'notice',
    'An authorization request was refused.',
  ),
  'device.codeIssued': event('info', 'A device asked for access and shows a code.'),
  'device.codeRefused': event<{ reason: 'unknown' | 'throttled' }>(
    'notice',
    'A device code that a person entered was refused.',
  ),
  'device.approved': event<{ scope: string }>('notice', 'A person let a device in.'),
  'device.denied': event<{ error: string }>('notice', 'A device was refused.'),
  'token.issued': event<{ grantType: string; scope: string; resource?: string; refreshToken: boolean }>(
    'info',
    'Tokens were issued.',
  ),
  'token.refreshed': event<{ scope: string; resource?: string; replayed: boolean }>(
    'info',
    'Tokens were refreshed.',
  ),
  'token.refused': event<{ error: string; why: string; grantType: string }>(
    'notice',
    'A token request was refused.',
  ),
  'token.revoked': event<{ kind: string }>('notice', 'A token was revoked by its app.'),
  'token.reused': event<{ kind: 'code' | 'device' | 'refresh'; ended: 'family' | 'account' }>(
    'critical',
    'A spent code or refresh token was used again; what came of it was revoked.',
  ),
  'client.authenticationFailed': event<{ endpoint: string }>('warning', 'An app failed to authenticate.'),
  'client.created': event<{ by: 'setup' | 'cli' | 'system' | 'registration' }>(
    'notice',
    'An app was registered.',
  ),
  'client.registered': event<{
    right: 'token' | 'open';
    /** Name of the initial token. */
    token: string | null;
  }>('warning', 'An app registered itself.'),
  'client.removed': event<{ by: 'app' | 'cli' | 'unused' }>(
    'warning',
    'An app was removed, with all it was allowed.',
  ),
  'registrationToken.created': event<{ token: string; uses: number | null }>(
    'warning',
    'A token was made with which apps can register themselves.',
  ),
  'registrationToken.revoked': event<{ token: string }>(
    'notice',
    'A token with which apps could register themselves was revoked.',
  ),
  'client.changed': event<{ fields: string[] }>('notice', 'An app’s settings were changed.'),
  'client.secretAdded': event('warning', 'An app got another secret.'),
  'client.secretRemoved': event('notice', 'A secret of an app was removed.'),
  'resource.created': event<{ resource: string }>('notice', 'An API was registered.'),
  'resource.changed': event<{ resource: string; fields: string[] }>(
    'notice',
    'An API’s settings were changed, or it was disabled.',
  ),
  'mail.sent': event<{ kind: string; attempts: number }, { to: string }>(
    'info',
    'The mail server took a mail to a person.',
  ),
  'mail.refused': event<{ kind: string; failure: string }, { to: string }>(
    'warning',
    'The mail server refused a mail or its recipient.',
  ),
  'mail.givenUp': event<{ kind: string; failure: string; attempts: number }, { to: string }>(
    'warning',
    'A mail could not be sent for a day.',
  ),
  'mail.retried': event<{ kind: string }, { to: string }>('notice', 'A mail shall be sent once more.'),
  'mail.limitReached': event<{ kind: string; limit: number }, { to: string }>(
    'warning',
    'As many mails of one kind were made for one address as may be in an hour; further ones are not made.',
  ),
  'key.published': event<{ kid: string; alg: string; activatesAt: string }>(
    'notice',
    'A signing key was published.',
  ),
  'key.removed': event<{ kid: string; alg: string; reason: 'replaced' | 'compromised' }>(
    'notice',
    'A signing key left the JWKS.',
  ),
  'secrets.rotated': event<{ table: string; column: string; key: string; values: number }>(
    'notice',
    'Stored secrets were sealed anew by the newest encryption key: one event per batch.',
  ),
  'secrets.keyRetired': event<{ key: string }>(
    'notice',
    'No stored secret is sealed by an encryption key any more; servers may start without it.',
  ),
} as const satisfies Record<string, EventKind<object, object>>;

export type EventType = keyof typeof events;
export type DataOf<T extends EventType> = (typeof events)[T] extends EventKind<infer D, object> ? D : never;
export type PersonalOf<T extends EventType> =
  (typeof events)[T] extends EventKind<object, infer P> ? P : never;
