// Every sentence a person reads on a page, in one typed table per language. `Words` is the shape of the English one:
// another language that lacks a key, or takes other values, does not pass the type check.
// Names that come from outside are set in <bdi>, so that a right-to-left name cannot reorder the sentence around it.

import { type Html, html } from './html.ts';

const name = (text: string): Html => html`<bdi class="name">${text}</bdi>`;
const count = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`;

export const en = {
  language: 'en',
  /** For dates: a BCP 47 tag whose form nobody reads the wrong way round. */
  locale: 'en-GB',
  direction: 'ltr',
  service: 'Gatehouse',

  common: {
    email: 'E-mail address',
    password: 'Password',
    name: 'Name',
    show: 'Show',
    hide: 'Hide',
    showPassword: 'Show password',
    hidePassword: 'Hide password',
    optional: 'optional',
    requestId: 'Request ID',
    toStart: 'Go to the start page',
    signOut: 'Sign out',
    /** Seconds until something works again, in words. */
    duration: (seconds: number): string =>
      seconds < 90
        ? count(Math.max(1, Math.ceil(seconds)), 'second', 'seconds')
        : seconds < 90 * 60
          ? count(Math.ceil(seconds / 60), 'minute', 'minutes')
          : count(Math.ceil(seconds / 3600), 'hour', 'hours'),
  },

  signIn: {
    title: 'Sign in',
    to: (app: string): Html => html`to continue to ${name(app)}`,
    toAccount: 'to your account',
    submit: 'Sign in',
    failed:
      'The e-mail address or the password is wrong. After several wrong tries, signing in pauses for a while.',
    again: 'Please sign in again to go on.',
    retry: (wait: string): string => `You can try again in ${wait}.`,
    cancel: (app: string | null): Html =>
      app === null ? html`Cancel` : html`Back to ${name(app)} without signing in`,
  },

  consent: {
    title: (app: string): string => `Allow ${app}?`,
    heading: (app: string): Html => html`Allow ${name(app)} to use your account?`,
    signedInAs: 'You are signed in as',
    switch: 'Use another account',
    asks: (app: string): Html => html`${name(app)} will be able to:`,
    asksMore: (app: string): Html => html`${name(app)} asks for more. It will also be able to:`,
    has: 'You have already allowed it to:',
    scopes: {
      openid: ['Know that it is you', 'It gets an identifier of your account.'],
      profile: [
        'See your profile',
        'Your name and, where you have given them, details such as your language.',
      ],
      email: ['See your e-mail address', 'And whether it has been verified.'],
      address: ['See your postal address', ''],
      phone: ['See your telephone number', 'And whether it has been verified.'],
      offline_access: ['Keep this access while you are away', 'Also when you are not using it.'],
    } as Readonly<Record<string, readonly [what: string, more: string]>>,
    otherScope: (scope: string): Html => html`Use <code>${scope}</code>`,
    otherScopeMore: 'A permission the app defines itself.',
    api: (api: string): Html => html`At ${name(api)}`,
    apiWithoutScopes: 'Use it in your name',
    lasts: (days: number): string =>
      `This lasts for ${count(days, 'day', 'days')} at most. You can withdraw it before then on your account page.`,
    goes: (host: string): Html => html`You will be sent back to <bdi><strong>${host}</strong></bdi>.`,
    goesToDevice: 'It will be used on the device whose code you entered.',
    about: 'About this app',
    unverified: 'Nobody here has checked this app: it registered itself, under this name.',
    onlyIfKnown: (host: string): Html =>
      html`Only allow it if you know what <bdi><strong>${host}</strong></bdi> is.`,
    allow: 'Allow',
    deny: 'Deny',
  },

  device: {
    title: 'Connect a device',
    heading: 'Connect a device',
    intro: 'Enter the code that your device shows.',
    compareLink: 'Is this the code that your device shows? If not, close this page.',
    code: 'Code',
    codeHint: 'Eight letters. Dashes, spaces and small letters make no difference.',
    next: 'Continue',
    none: 'Enter the code that your device shows.',
    unknown: 'No device shows this code. Compare it letter by letter.',
    tooMany: (wait: string): string =>
      `Too many wrong codes were entered from your network. Try again in ${wait}. The device can show a new code then.`,
    formExpired:
      'This form is no longer valid: you may have opened it twice, or taken a long time. Nothing has happened.',
    again: 'Enter a code',
    confirmTitle: (app: string): string => `Sign in to ${app} on your device?`,
    confirmHeading: (app: string): Html => html`Sign in to ${name(app)} on your device?`,
    compare: 'Your device must show exactly this code:',
    app: 'App',
    address: 'Asked from',
    userAgent: 'Calls itself',
    account: 'Your account',
    notKnown: 'unknown',
    ownOnly: 'Only continue if you started this on a device of your own.',
    phishing: 'If somebody sent you this code or link, they want to get into your account: refuse.',
    allow: 'Continue',
    deny: 'Refuse',
    ends: {
      allowed: {
        heading: 'Your device is connected',
        text: (app: string | null): Html =>
          html`${app === null ? 'It' : name(app)} goes on by itself on your device in a moment. You can close this page.`,
      },
      denied: {
        heading: 'The device was refused',
        text: (_app: string | null): Html => html`It got nothing. You can close this page.`,
      },
      answered: {
        heading: 'You have answered already',
        text: (_app: string | null): Html =>
          html`Look at your device: it goes on by itself, or says what happened.`,
      },
      late: {
        heading: 'This page has expired',
        text: (_app: string | null): Html =>
          html`It was open for too long, and nothing has happened. Let your device show a new code, and enter that.`,
      },
      expired: {
        heading: 'This code has expired',
        text: (_app: string | null): Html =>
          html`A code works for a few minutes. Let your device show a new one, and enter that.`,
      },
      used: {
        heading: 'This code has been used already',
        text: (_app: string | null): Html =>
          html`If it was you, go on in the window where you entered it. Otherwise let your device show a new code, and enter that.`,
      },
    },
  },

  setup: {
    title: 'Set up',
    heading: 'Create the first administrator',
    intro: 'This account manages the server: its apps, its accounts and its settings.',
    passwordHint: (length: number): string =>
      `At least ${length} characters. A sentence you can remember is better than a short, complicated word.`,
    passwordRepeat: 'Password, once more',
    submit: 'Create administrator',
    step: (n: number, of: number): string => `Step ${n} of ${of}`,
    closed: {
      needed: {
        heading: 'You need a setup link',
        text: 'The first administrator is made with a link that only who runs the server can see. It was printed when the server started.',
      },
      refused: {
        heading: 'This setup link does not work',
        text: 'It has been used, has expired, or was not copied whole.',
      },
      done: {
        heading: 'Already set up',
        text: 'There is an administrator, so setup links work no more. Sign in with that account.',
      },
    },
    printLink: 'To print another one, run this where the server is installed:',
    printLinkMore: 'Then open the address it prints. A link works once.',
    needsAdministrator: 'Only an administrator can add apps. Sign in with such an account.',
    kindMissing: 'Choose one.',
    existsTitle: 'Added already',
    exists:
      'This app has been added already, and its secret was shown then. If the secret was lost, make another one with the command line.',
    addAnother: 'Add another app',
    appTitle: 'Add your first app',
    appTitleMore: 'Add an app',
    back: 'Back to your account',
    appIntro: 'An app is a website or program whose users sign in here.',
    appName: 'Name of the app',
    appNameHint: 'People see it when they sign in.',
    kind: 'Kind of app',
    kindWeb: 'Web app with a server',
    kindWebMore: 'It can keep a secret: Node, PHP, Python, Grafana, oauth2-proxy…',
    kindPublic: 'Single-page, mobile or desktop app',
    kindPublicMore: 'It runs on people’s devices and cannot keep a secret.',
    redirectUri: 'Redirect URI',
    redirectUriHint: 'Where people return after signing in, exactly as the app sends it.',
    postLogoutUri: 'Post-logout redirect URI',
    postLogoutUriHint: 'Where people return after signing out.',
    appSubmit: 'Add app',
    skip: 'Skip this for now',
    doneTitle: 'Your app is ready',
    doneIntro: 'Give these values to the app.',
    issuer: 'Issuer',
    clientId: 'Client ID',
    clientSecret: 'Client secret',
    secretOnce:
      'The secret is shown this once. Copy it now: only a fingerprint of it is stored, so nobody can show it again.',
    snippets: 'Ready to paste',
    permanentTitle: 'Make it permanent',
    permanentIntro: 'To let other people use this server, three things are needed:',
    permanent: [
      [
        'ISSUER',
        'The public https address of this server. Tokens and links carry it, so set it before you add more apps.',
      ],
      [
        'DATABASE_URL',
        'A PostgreSQL server of your own, or keep the embedded database and its DATA_DIR on a disk that lasts.',
      ],
      [
        'Backups',
        'Back up the database and the key files together. One without the other cannot be restored.',
      ],
    ] as readonly (readonly [string, string])[],
    next: 'What next',
  },

  logout: {
    title: 'Sign out',
    heading: 'Do you want to sign out?',
    asked: (app: string): Html => html`${name(app)} asks you to sign out here as well.`,
    account: (email: string): Html => html`You are signed in as ${name(email)}.`,
    everywhere: 'You will have to sign in again for every app that uses this account in this browser.',
    yes: 'Sign out',
    no: 'Stay signed in',
    doneTitle: 'Signed out',
    doneHeading: 'You are signed out',
    done: 'On a shared computer, close the browser too.',
    doneFrom: (app: string): Html => html`You can now close this page or go back to ${name(app)}.`,
    stayedTitle: 'Still signed in',
    stayedHeading: 'You are still signed in',
    stayed: 'Nothing has changed for your other apps.',
  },

  problem: {
    fallbackTitle: 'That did not work',
    titles: {
      'request.notFound': 'Page not found',
      'request.tooMany': 'Too many attempts',
      'request.crossSite': 'Request refused',
      'request.formExpired': 'This form is out of date',
      'server.fault': 'Something went wrong',
      'server.unavailable': 'Not available right now',
      'server.busy': 'Busy right now',
      'setup.linkInvalid': 'This setup link does not work',
      'setup.done': 'Already set up',
      invalid_client: 'Unknown app',
    } as Readonly<Record<string, string>>,
    unknownApp:
      'The app that sent you here is not registered with this server, or its address has a mistake in it.',
    loadAgain: 'Load the page again',
    code: 'Code',
    tell: 'If you ask for help, pass on the request ID.',
    wrongHostTitle: 'Wrong address',
    wrongHostHeading: 'This server answers to another address',
    wrongHost: (host: string, issuer: string): Html =>
      html`You came to <bdi><code>${host}</code></bdi>, but this server is set up as <bdi><code>${issuer}</code></bdi>.`,
    wrongHostGo: 'Go to the right address',
    wrongHostFix: 'Is this your server?',
    wrongHostSetting: (host: string): Html =>
      html`If people should reach it as <bdi><code>${host}</code></bdi>, change the setting <code>ISSUER</code> to that
      origin, with https:// in front, and restart. Behind a reverse proxy, let it pass on the Host header unchanged.`,
  },

  expired: {
    expired: {
      heading: 'This page has expired',
      text: 'It was open for too long. Nothing is lost: start again and sign in.',
    },
    finished: {
      heading: 'You have signed in already',
      text: 'You may have used the back button, or have signed in from another tab. You can carry on.',
    },
    otherBrowser: {
      heading: 'You began somewhere else',
      text: 'This sign-in was started in another browser, or this browser refused its cookie. Go back to where you began, or start again.',
    },
    again: 'To start again, go back to the app you came from.',
  },

  account: {
    title: 'Your account',
    administrator: 'Administrator',
    sessions: 'Where you are signed in',
    thisOne: 'This one',
    signedIn: 'Signed in',
    lastSeen: 'last used',
    unknownAddress: 'address unknown',
    end: 'Sign out',
    endLabel: (device: string): string => `Sign out ${device}`,
    apps: 'Connected apps',
    noApps: 'No app uses your account.',
    at: (api: string): Html => html`At ${name(api)}:`,
    ownApp: 'An app of this service. It keeps its access while you are away.',
    history: 'Earlier permissions',
    ended: {
      widened: 'replaced by a later answer of yours',
      client_changed: 'the app changed its name or addresses and asked again',
      revoked: 'withdrawn by you',
      account: 'ended with everything of your account',
      client_removed: 'the app was removed',
    },
    since: 'Since',
    withdraw: 'Withdraw',
    addApp: 'Add an app',
    signInAgain: 'Sign in again',
    abandoned: 'You went back without signing in.',
    notSignedInTitle: 'You are not signed in',
    notSignedIn: 'The sign-in did not succeed. Nothing was changed.',
    staleSignIn: 'This sign-in is too old, or was begun in another browser.',
    cookiesNeeded:
      'The sign-in succeeded, but this browser did not keep its cookie. Allow cookies for this site and sign in again.',
    unknownDevice: 'Unknown device',
    device: (program: string, system: string): string => `${program} on ${system}`,
    withdrawLabel: (app: string): string => `Withdraw the access of ${app}`,
    more: 'More',
  },

  demo: {
    title: 'Demo app',
    heading: 'See a sign-in from the inside',
    intro:
      'This small app is built in. It signs you in through this server exactly as your own app would, and then shows every request, every answer and every token.',
    points: [
      'It is sent to the sign-in page with a PKCE challenge.',
      'You sign in and allow the access.',
      'It exchanges the code for tokens and checks them.',
    ],
    start: (service: string): string => `Sign in with ${service}`,
    startDevice: 'Try the device flow',
    device: {
      heading: 'Sign in on another device',
      intro:
        'This is what a television or a command line would show. It has no keyboard and no browser of its own.',
      scan: 'Scan this with your telephone, or open',
      enter: 'and enter the code',
      qr: (address: string): string => `QR code of ${address}`,
      waiting: (wait: string): string =>
        `Waiting for you. This page asks again every ${wait}, as the device would.`,
      check: 'Ask again now',
      open: 'Open it in this browser',
      stop: 'Stop',
    },
    kept: 'It is made for trying things out: what it shows stays in the memory of the server for 15 minutes, and nowhere else.',
    tryAgain: 'Try again',
    gone: 'The demo app keeps what it knows for 15 minutes. Begin again.',
    expired: 'The code has expired before anybody entered it. Begin again.',
    denied: 'You did not allow the access, so the demo app got nothing: no code, no token, no name.',
    refused: 'The demo app did not accept the answer. This is the check that failed:',
    unreachable: (issuer: string): string =>
      `The demo app asks this server at ${issuer}, as any app would, but could not reach it there.`,
    untrusted: (issuer: string): string =>
      `The demo app asks this server at ${issuer}, as any app would, but does not trust its certificate. If you signed it yourself, start the server with NODE_EXTRA_CA_CERTS=<file of the certificate or its CA>, and give apps the same file.`,
    stepLink: (n: number): string => `Step ${n}`,
    refreshed: 'The refresh token was exchanged for new tokens. The old one is spent.',
    refreshRefused: 'The refresh was refused.',
    userinfoAnswered: 'Userinfo answered with what the app may know.',
    userinfoRefused: 'Userinfo refused the access token.',
    tokenNames: { id: 'ID token', access: 'Access token', refresh: 'Refresh token' },
    stepTitles: {
      discovery: 'Discovery',
      authorization: 'Authorization request',
      jwks: 'Signing keys',
      code: 'Token request',
      device: 'Device authorization request',
      poll: 'Token request of the device',
      refresh: 'Refresh',
      userinfo: 'Userinfo',
    },
    stepNotes: {
      discovery: 'The app knows only the issuer. Here it learns where everything else is.',
      authorization:
        'The browser is sent here, and comes back with a code. The code is useless without the verifier that only the app holds; state and nonce tie the answer to this very request, and iss says who answered.',
      jwks: 'The public keys, with which the app checks that the ID token was signed by this server.',
      device: 'The device asks for two codes: a short one to show, and a long one that only it knows.',
      poll: 'With the long code the device asks whether somebody has let it in, again and again; this is the last time. What it did before was answered with authorization_pending.',
      code: 'From server to server: the code and the verifier for the tokens. A code works once, within a minute.',
      refresh:
        'From server to server: the refresh token for new tokens. It changes at every use, and an old one that turns up again ends the whole sign-in.',
      userinfo: 'What the access token opens: the claims of the scopes you allowed, as they are now.',
    },
    notConfigured: 'The demo app has not been set up yet. It is made together with the first administrator.',
    resultHeading: 'You are signed in',
    resultIntro: 'This is what happened between the demo app and this server.',
    steps: 'The requests',
    request: 'Request',
    response: 'Response',
    claims: 'What the ID token says',
    claimMeanings: {
      iss: 'Who issued the token: this server',
      sub: 'Who you are: the identifier of your account',
      aud: 'Who it is for: the client ID of the app',
      exp: 'When it ends',
      iat: 'When it was issued',
      nbf: 'When it begins',
      auth_time: 'When you last proved who you are',
      nonce: 'Ties the token to the app’s request',
      acr: 'How strong the sign-in was',
      amr: 'How you proved who you are',
      azp: 'The app it was issued to',
      sid: 'The session it belongs to',
      at_hash: 'Ties the token to the access token',
      email: 'Your e-mail address',
      email_verified: 'Whether the address has been verified',
      name: 'Your name',
      updated_at: 'When the profile last changed',
    } as Readonly<Record<string, string>>,
    tokens: 'The tokens',
    tokensIntro: 'Open one to see it whole. In a real app they never leave its server.',
    decoded: 'Decoded',
    characters: (n: number): string => count(n, 'character', 'characters'),
    refresh: 'Refresh the tokens',
    userinfo: 'Call userinfo',
    signOut: 'Sign out of the demo app',
  },

  mails: {
    greeting: (who: string | null): Html => (who === null ? html`Hello,` : html`Hello ${name(who)},`),
    footer: (service: string): Html =>
      html`Sent automatically by <bdi>${service}</bdi>. Nobody reads answers to it.`,
    unexpected: 'If you did not expect this, tell the people who run this service.',
    passwordChanged: {
      subject: 'Your password was changed',
      text: {
        person: (at: Html): Html => html`You changed the password of your account on ${at}.`,
        operator: (at: Html): Html =>
          html`The password of your account was changed by an administrator on ${at}.`,
      },
      ended: 'Whoever was signed in with your account has been signed out, on all devices and in all apps.',
    },
    signedOutEverywhere: {
      subject: 'You were signed out everywhere',
      text: (at: Html): Html =>
        html`An administrator signed your account out on all devices and in all apps on ${at}.`,
      again: 'Your password is the same as before; you can sign in again with it.',
    },
    tokenReused: {
      subject: 'Access to your account was used twice',
      text: (app: string | null, at: Html): Html =>
        html`On ${at} ${app === null ? html`an app` : html`the app ${name(app)}`} presented a key to your account that had been used up before.`,
      means:
        'Either the app made a mistake, or somebody has copied the key. Which of the two cannot be told from here.',
      ended: {
        account:
          'To be safe, your account was signed out on all devices and in all apps. You can sign in again.',
        family: 'To be safe, that access of the app was ended. You can sign in to the app again.',
      },
    },
    test: {
      subject: (service: string): string => `A test mail from ${service}`,
      text: 'This mail was sent to see whether mails of this service arrive. They do.',
    },
  },

  welcome: {
    title: 'Welcome',
    heading: 'One sign-in for your apps',
    intro: 'This is an identity provider. Apps send people here to sign in.',
    signIn: 'Sign in to your account',
    demo: 'Try the demo app',
    docs: 'Documentation',
  },
};

export type Words = typeof en;
