// Every failure a caller can see: one line each. The code is stable; the sentence is safe to show to anyone.
// OAuth endpoints keep the errors of their RFCs; these are ours: pages, the API, the command line.

const problem = (status: number, message: string) => ({ status, message });

export const problems = {
  'request.invalid': problem(400, 'The request is not valid.'),
  'request.malformed': problem(400, 'The request could not be read.'),
  'request.forbiddenCharacter': problem(
    400,
    'The request contains a character that is not allowed (U+0000 or half of a surrogate pair).',
  ),
  'request.tooLarge': problem(413, 'The request is too large.'),
  'request.unsupportedMediaType': problem(415, 'The content type of the request is not supported here.'),
  'request.timeout': problem(408, 'The request took too long to arrive.'),
  'request.headersTooLarge': problem(431, 'The request headers are too large.'),
  'request.wrongHost': problem(421, 'This server does not answer to that host name.'),
  'request.insecure': problem(403, 'This server is reached over https only.'),
  'request.notFound': problem(404, 'There is nothing at this address.'),
  'request.methodNotAllowed': problem(405, 'This address does not take that method.'),
  'request.crossSite': problem(403, 'The request came from another site and was refused.'),
  'request.formExpired': problem(
    403,
    'This form is no longer valid. Load the page again and repeat what you did.',
  ),
  'request.tooMany': problem(429, 'Too many attempts. Wait a while and try again.'),
  'server.unavailable': problem(503, 'The service is not available right now. Try again in a moment.'),
  'server.busy': problem(503, 'The server is busy. Try again in a moment.'),
  'server.fault': problem(500, 'Something went wrong on our side.'),
  'signIn.failed': problem(401, 'The e-mail address or the password is wrong.'),
  'signIn.required': problem(401, 'Sign in first.'),
  'role.missing': problem(403, 'This is for administrators only.'),
  'interaction.expired': problem(400, 'This sign-in has expired.'),
  'interaction.finished': problem(409, 'This sign-in has already been completed.'),
  'interaction.otherBrowser': problem(403, 'This sign-in was started in another browser.'),
  'setup.linkInvalid': problem(
    403,
    'This setup link is not valid: it has been used, has expired or is incomplete.',
  ),
  'setup.done': problem(409, 'An administrator exists already.'),
  'account.emailTaken': problem(409, 'There is an account with this e-mail address already.'),
  'account.emailInvalid': problem(400, 'This is not an e-mail address.'),
  'account.notFound': problem(404, 'There is no such account.'),
  'account.lastAdministrator': problem(409, 'This is the last administrator; make another one first.'),
  'password.tooShort': problem(400, 'The password is too short.'),
  'password.tooLong': problem(400, 'The password is too long: 256 characters at most.'),
  'password.breached': problem(
    400,
    'This password is known from data breaches and would be guessed first. Choose another one.',
  ),
  'password.guessable': problem(
    400,
    'This password is easy to guess: it repeats itself, or is put together from well-known passwords, keyboard rows or sequences. Four words that have nothing to do with one another are hard to guess.',
  ),
  'password.contextual': problem(
    400,
    'The password contains your name, your e-mail address or the name of this service.',
  ),
  'password.forbiddenCharacter': problem(
    400,
    'The password contains a control character, which many keyboards cannot repeat.',
  ),
  'password.mismatch': problem(400, 'The two passwords are not the same.'),
  'password.hashUnknown': problem(
    400,
    'The password hash is of no format that is known here: bcrypt, argon2, scrypt or PBKDF2 as passlib, Django, Keycloak, ASP.NET Core Identity or Firebase write them.',
  ),
  'password.hashMalformed': problem(400, 'The password hash is cut off or damaged.'),
  'password.hashTooCostly': problem(400, 'The password hash would cost too much at a sign-in.'),
  'import.headerInvalid': problem(400, 'The first line of the CSV file does not name the fields.'),
  'import.encodingUnknown': problem(400, 'The file is not UTF-8 text.'),
  'import.rowMalformed': problem(400, 'The row cannot be read.'),
  'import.fieldUnknown': problem(400, 'The row has a field that is not known.'),
  'import.fieldInvalid': problem(400, 'A field of the row is not valid.'),
  'account.idTaken': problem(409, 'There is an account with this id already.'),
  'client.notFound': problem(404, 'There is no such app.'),
  'client.invalid': problem(400, 'The app’s settings are not valid.'),
  'client.exists': problem(409, 'There is an app with this client_id already.'),
  'client.twoSecrets': problem(409, 'The app has two live secrets already; remove one first.'),
  'client.managed': problem(403, 'This app is changed by an administrator.'),
  'registration.full': problem(
    503,
    'Too many apps have registered themselves that nobody uses yet. Try again another day.',
  ),
  'registrationToken.notFound': problem(404, 'There is no such registration token.'),
  'registrationToken.invalid': problem(
    401,
    'The registration token is missing or not valid: unknown, used up, expired, revoked or replaced.',
  ),
  'logout.notFound': problem(404, 'There is no such logout.'),
  'logout.delivered': problem(409, 'The app has taken this logout already.'),
  'mail.notFound': problem(404, 'There is no such mail.'),
  'mail.sent': problem(409, 'This mail has been sent already; its content is erased.'),
  'mail.notSetUp': problem(
    409,
    'There is no mail server: set SMTP_URL and MAIL_FROM. Until then mails wait.',
  ),
  'resource.notFound': problem(404, 'There is no such API.'),
  'resource.invalid': problem(400, 'The API’s settings are not valid.'),
  'resource.exists': problem(409, 'There is an API with this resource indicator already.'),
  'key.unknown': problem(500, 'A stored secret was sealed with a key this server does not have.'),
  'key.notEverywhere': problem(409, 'A running server does not have the newest encryption key.'),
  'key.notInFile': problem(409, 'The encryption keys are not kept in a file of Gatehouse’s.'),
  'key.serverRuns': problem(409, 'A server runs on this database; stop it first.'),
} as const satisfies Record<string, { status: number; message: string }>;

export type ProblemCode = keyof typeof problems;

/** A failure its caller may see. `details` are safe to show too; `cause` goes to the log only. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly status: number;
  /** Field name to what is wrong with it, in words. */
  readonly details: Readonly<Record<string, string>> | undefined;
  /** Seconds, for the Retry-After header. */
  readonly retryAfter: number | undefined;

  constructor(
    code: ProblemCode,
    more: { details?: Record<string, string>; retryAfter?: number; cause?: unknown; message?: string } = {},
  ) {
    super(
      more.message ?? problems[code].message,
      more.cause === undefined ? undefined : { cause: more.cause },
    );
    this.code = code;
    this.status = problems[code].status;
    this.details = more.details;
    this.retryAfter = more.retryAfter;
  }
}
