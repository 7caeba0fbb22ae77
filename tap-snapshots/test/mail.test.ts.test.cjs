/* IMPORTANT
 * This snapshot file is auto-generated, but designed for humans.
 * It should be checked into source control and tracked carefully.
 * Re-generate by setting TAP_SNAPSHOT=1 and running tests.
 * Make sure to inspect the output below.  Do not ignore changes!
 */
'use strict'
exports[`test/mail.test.ts > TAP > A14 ATK-A153 ATK-A198: every example mail, hostile values too > passwordChanged, emoji 1`] = `
Object {
  "html": String(
    <!doctype html>
    <html lang="en" dir="ltr">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Your password was changed</title>
    </head>
    <body style="margin: 0; padding: 24px; font: 16px/1.5 system-ui, sans-serif">
    <div style="max-width: 560px; margin: 0 auto">
    <p style="margin: 0 0 16px">Hello <bdi class="name">Zoë 👩🏽‍🔬 “Ω” O’Neil</bdi>,</p>
    <p style="margin: 0 0 16px">You changed the password of your account on <time datetime="2026-11-20T08:12:00.000Z">20 Nov 2026, 08:12 UTC</time>.</p>
    <p style="margin: 0 0 16px">Whoever was signed in with your account has been signed out, on all devices and in all apps.</p>
    <p style="margin: 0 0 16px">If you did not expect this, tell the people who run this service.</p>
    <p style="margin: 24px 0 0; font-size: 13px; opacity: 0.75">Sent automatically by <bdi>id.example.com</bdi>. Nobody reads answers to it.</p>
    </div>
    </body>
    </html>
    
  ),
  "subject": "Your password was changed",
  "text": String(
    Hello Zoë 👩🏽‍🔬 “Ω” O’Neil,
    
    You changed the password of your account on 20 Nov 2026, 08:12 UTC.
    
    Whoever was signed in with your account has been signed out, on all devices and in all apps.
    
    If you did not expect this, tell the people who run this service.
    
    -- 
    Sent automatically by id.example.com. Nobody reads answers to it.
    
  ),
}
`

exports[`test/mail.test.ts > TAP > A14 ATK-A153 ATK-A198: every example mail, hostile values too > passwordChanged, hostile 1`] = `
Object {
  "html": String(
    <!doctype html>
    <html lang="en" dir="ltr">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Your password was changed</title>
    </head>
    <body style="margin: 0; padding: 24px; font: 16px/1.5 system-ui, sans-serif">
    <div style="max-width: 560px; margin: 0 auto">
    <p style="margin: 0 0 16px">Hello <bdi class="name">&lt;b onclick=&quot;alert(1)&quot;&gt;&amp;amp;&quot;&#39; Bcc evil {{7*7}}</bdi>,</p>
    <p style="margin: 0 0 16px">You changed the password of your account on <time datetime="2026-11-20T08:12:00.000Z">20 Nov 2026, 08:12 UTC</time>.</p>
    <p style="margin: 0 0 16px">Whoever was signed in with your account has been signed out, on all devices and in all apps.</p>
    <p style="margin: 0 0 16px">If you did not expect this, tell the people who run this service.</p>
    <p style="margin: 24px 0 0; font-size: 13px; opacity: 0.75">Sent automatically by <bdi>&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;</bdi>. Nobody reads answers to it.</p>
    </div>
    </body>
    </html>
    
  ),
  "subject": "Your password was changed",
  "text": String(
    Hello <b onclick="alert(1)">&amp;"' Bcc evil {{7*7}},
    
    You changed the password of your account on 20 Nov 2026, 08:12 UTC.
    
    Whoever was signed in with your account has been signed out, on all devices and in all apps.
    
    If you did not expect this, tell the people who run this service.
    
    -- 
    Sent automatically by "><script>alert(1)</script>. Nobody reads answers to it.
    
  ),
}
`

exports[`test/mail.test.ts > TAP > A14 ATK-A153 ATK-A198: every example mail, hostile values too > passwordChanged, link 1`] = `
Object {
  "html": String(
    <!doctype html>
    <html lang="en" dir="ltr">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Your password was changed</title>
    </head>
    <body style="margin: 0; padding: 24px; font: 16px/1.5 system-ui, sans-serif">
    <div style="max-width: 560px; margin: 0 auto">
    <p style="margin: 0 0 16px">Hello,</p>
    <p style="margin: 0 0 16px">You changed the password of your account on <time datetime="2026-11-20T08:12:00.000Z">20 Nov 2026, 08:12 UTC</time>.</p>
    <p style="margin: 0 0 16px">Whoever was signed in with your account has been signed out, on all devices and in all apps.</p>
    <p style="margin: 0 0 16px">If you did not expect this, tell the people who run this service.</p>
    <p style="margin: 24px 0 0; font-size: 13px; opacity: 0.75">Sent automatically by <bdi>id.example.com</bdi>. Nobody reads answers to it.</p>
    </div>
    </body>
    </html>
    
  ),
  "subject": "Your password was changed",
  "text": String(
    Hello,
    
    You changed the password of your account on 20 Nov 2026, 08:12 UTC.
    
    Whoever was signed in with your account has been signed out, on all devices and in all apps.
    
    If you did not expect this, tell the people who run this service.
    
    -- 
    Sent automatically by id.example.com. Nobody reads answers to it.
    
  ),
}
`

exports[`test/mail.test.ts > TAP > A14 ATK-A153 ATK-A198: every example mail, hostile values too > passwordChanged, long 1`] = `
Object {
  "html": String(
    <!doctype html>
    <html lang="en" dir="ltr">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Your password was changed</title>
    </head>
    <body style="margin: 0; padding: 24px; font: 16px/1.5 system-ui, sans-serif">
    <div style="max-width: 560px; margin: 0 auto">
    <p style="margin: 0 0 16px">Hello <bdi class="name">Hubert Blaine Hubert Blaine Hubert Blaine Hubert Blaine Hub…</bdi>,</p>
    <p style="margin: 0 0 16px">You changed the password of your account on <time datetime="2026-11-20T08:12:00.000Z">20 Nov 2026, 08:12 UTC</time>.</p>
    <p style="margin: 0 0 16px">Whoever was signed in with your account has been signed out, on all devices and in all apps.</p>
    <p style="margin: 0 0 16px">If you did not expect this, tell the people who run this service.</p>
    <p style="margin: 24px 0 0; font-size: 13px; opacity: 0.75">Sent automatically by <bdi>id.example.com</bdi>. Nobody reads answers to it.</p>
    </div>
    </body>
    </html>
    
  ),
  "subject": "Your password was changed",
  "text": String(
    Hello Hubert Blaine Hubert Blaine Hubert Blaine Hubert Blaine Hub…,
    
    You changed the password of your account on 20 Nov 2026, 08:12 UTC.
    
    Whoever was signed in with your account has been signed out, on all devices and in all apps.
    
    If you did not expect this, tell the people who run this service.
    
    -- 
    Sent automatically by id.example.com. Nobody reads answers to it.
    
  ),
}
`

exports[`test/mail.test.ts > TAP > A14 ATK-A153 ATK-A198: every example mail, hostile values too > passwordChanged, operator 1`] = `
Object {
  "html": String(
    <!doctype html>
    <html lang="en" dir="ltr">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Your password was changed</title>
    </head>
    <body style="margin: 0; padding: 24px; font: 16px/1.5 system-ui, sans-serif">
    <div style="max-width: 560px; margin: 0 auto">
    <p style="margin: 0 0 16px">Hello,</p>
    <p style="margin: 0 0 16px">The password of your account was changed by an administrator on <time datetime="2026-11-20T08:12:00.000Z">20 Nov 2026, 08:12 UTC</time>.</p>
    <p style="margin: 0 0 16px">Whoever was signed in with your account has been signed out, on all devices and in all apps.</p>
    <p style="margin: 0 0 16px">If you did not expect this, tell the people who run this service.</p>
    <p style="margin: 24px 0 0; font-size: 13px; opacity: 0.75">Sent automatically by <bdi>id.example.com</bdi>. Nobody reads answers to it.</p>
    </div>
    </body>
    </html>
    
  ),
  "subject": "Your password was changed",
  "text": String(
    Hello,
    
    The password of your account was changed by an administrator on 20 Nov 2026, 08:12 UTC.
    
    Whoever was signed in with your account has been signed out, on all devices and in all apps.
    
    If you did not expect this, tell the people who run this service.
    
    -- 
    Sent automatically by id.example.com. Nobody reads answers to it.
    
  ),
}
`

exports[`test/mail.test.ts > TAP > A14 ATK-A153 ATK-A198: every example mail, hostile values too > passwordChanged, plain 1`] = `
Object {
  "html": String(
    <!doctype html>
    <html lang="en" dir="ltr">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Your password was changed</title>
    </head>
    <body style="margin: 0; padding: 24px; font: 16px/1.5 system-ui, sans-serif">
    <div style="max-width: 560px; margin: 0 auto">
    <p style="margin: 0 0 16px">Hello <bdi class="name">Ada Lovelace</bdi>,</p>
    <p style="margin: 0 0 16px">You changed the password of your account on <time datetime="2026-11-20T08:12:00.000Z">20 Nov 2026, 08:12 UTC</time>.</p>
    <p style="margin: 0 0 16px">Whoever was signed in with your account has been signed out, on all devices and in all apps.</p>
    <p style="margin: 0 0 16px">If you did not expect this, tell the people who run this service.</p>
    <p style="margin: 24px 0 0; font-size: 13px; opacity: 0.75">Sent automatically by <bdi>id.example.com</bdi>. Nobody reads answers to it.</p>
    </div>
    </body>
    </html>
    
  ),
  "subject": "Your password was changed",
  "text": String(
    Hello Ada Lovelace,
    
    You changed the password of your account on 20 Nov 2026, 08:12 UTC.
    
    Whoever was signed in with your account has been signed out, on all devices and in all apps.
    
    If you did not expect this, tell the people who run this service.
    
    -- 
    Sent automatically by id.example.com. Nobody reads answers to it.
    
  ),
}
`

exports[`test/mail.test.ts > TAP > A14 ATK-A153 ATK-A198: every example mail, hostile values too > passwordChanged, rightToLeft 1`] = `
Object {
  "html": String(
    <!doctype html>
    <html lang="en" dir="ltr">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Your password was changed</title>
    </head>
    <body style="margin: 0; padding: 24px; font: 16px/1.5 system-ui, sans-serif">
    <div style="max-width: 560px; margin: 0 auto">
    <p style="margin: 0 0 16px">Hello <bdi class="name">עדה לאבלייס</bdi>,</p>
    <p style="margin: 0 0 16px">You changed the password of your account on <time datetime="2026-11-20T08:12:00.000Z">20 Nov 2026, 08:12 UTC</time>.</p>
    <p style="margin: 0 0 16px">Whoever was signed in with your account has been signed out, on all devices and in all apps.</p>
    <p style="margin: 0 0 16px">If you did not expect this, tell the people who run this service.</p>
    <p style="margin: 24px 0 0; font-size: 13px; opacity: 0.75">Sent automatically by <bdi>id.example.com</bdi>. Nobody reads answers to it.</p>
    </div>
    </body>
    </html>
    
  ),
  "subject": "Your password was changed",
  "text": String(
    Hello עדה לאבלייס,
    
    You changed the password of your account on 20 Nov 2026, 08:12 UTC.
    
    Whoever was signed in with your account has been signed out, on all devices and in all apps.
    
    If you did not expect this, tell the people who run this service.
    
    -- 
    Sent automatically by id.example.com. Nobody reads answers to it.
    
  ),
}
`

exports[`test/mail.test.ts > TAP > A14 ATK-A153 ATK-A198: every example mail, hostile values too > signedOutEverywhere, hostile 1`] = `
Object {
  "html": String(
    <!doctype html>
    <html lang="en" dir="ltr">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>You were signed out everywhere</title>
    </head>
    <body style="margin: 0; padding: 24px; font: 16px/1.5 system-ui, sans-serif">
    <div style="max-width: 560px; margin: 0 auto">
    <p style="margin: 0 0 16px">Hello <bdi class="name">&lt;b onclick=&quot;alert(1)&quot;&gt;&amp;amp;&quot;&#39; Bcc evil {{7*7}}</bdi>,</p>
    <p style="margin: 0 0 16px">An administrator signed your account out on all devices and in all apps on <time datetime="2026-11-20T08:12:00.000Z">20 Nov 2026, 08:12 UTC</time>.</p>
    <p style="margin: 0 0 16px">Your password is the same as before; you can sign in again with it.</p>
    <p style="margin: 0 0 16px">If you did not expect this, tell the people who run this service.</p>
    <p style="margin: 24px 0 0; font-size: 13px; opacity: 0.75">Sent automatically by <bdi>&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;</bdi>. Nobody reads answers to it.</p>
    </div>
    </body>
    </html>
    
  ),
  "subject": "You were signed out everywhere",
  "text": String(
    Hello <b onclick="alert(1)">&amp;"' Bcc evil {{7*7}},
    
    An administrator signed your account out on all devices and in all apps on 20 Nov 2026, 08:12 UTC.
    
    Your password is the same as before; you can sign in again with it.
    
    If you did not expect this, tell the people who run this service.
    
    -- 
    Sent automatically by "><script>alert(1)</script>. Nobody reads answers to it.
    
  ),
}
`

exports[`test/mail.test.ts > TAP > A14 ATK-A153 ATK-A198: every example mail, hostile values too > signedOutEverywhere, nameless 1`] = `
Object {
  "html": String(
    <!doctype html>
    <html lang="en" dir="ltr">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>You were signed out everywhere</title>
    </head>
    <body style="margin: 0; padding: 24px; font: 16px/1.5 system-ui, sans-serif">
    <div style="max-width: 560px; margin: 0 auto">
    <p style="margin: 0 0 16px">Hello,</p>
    <p style="margin: 0 0 16px">An administrator signed your account out on all devices and in all apps on <time datetime="2026-11-20T08:12:00.000Z">20 Nov 2026, 08:12 UTC</time>.</p>
    <p style="margin: 0 0 16px">Your password is the same as before; you can sign in again with it.</p>
    <p style="margin: 0 0 16px">If you did not expect this, tell the people who run this service.</p>
    <p style="margin: 24px 0 0; font-size: 13px; opacity: 0.75">Sent automatically by <bdi>id.example.com</bdi>. Nobody reads answers to it.</p>
    </div>
    </body>
    </html>
    
  ),
  "subject": "You were signed out everywhere",
  "text": String(
    Hello,
    
    An administrator signed your account out on all devices and in all apps on 20 Nov 2026, 08:12 UTC.
    
    Your password is the same as before; you can sign in again with it.
    
    If you did not expect this, tell the people who run this service.
    
    -- 
    Sent automatically by id.example.com. Nobody reads answers to it.
    
  ),
}
`

exports[`test/mail.test.ts > TAP > A14 ATK-A153 ATK-A198: every example mail, hostile values too > signedOutEverywhere, plain 1`] = `
Object {
  "html": String(
    <!doctype html>
    <html lang="en" dir="ltr">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>You were signed out everywhere</title>
    </head>
    <body style="margin: 0; padding: 24px; font: 16px/1.5 system-ui, sans-serif">
    <div style="max-width: 560px; margin: 0 auto">
    <p style="margin: 0 0 16px">Hello <bdi class="name">Ada Lovelace</bdi>,</p>
    <p style="margin: 0 0 16px">An administrator signed your account out on all devices and in all apps on <time datetime="2026-11-20T08:12:00.000Z">20 Nov 2026, 08:12 UTC</time>.</p>
    <p style="margin: 0 0 16px">Your password is the same as before; you can sign in again with it.</p>
    <p style="margin: 0 0 16px">If you did not expect this, tell the people who run this service.</p>
    <p style="margin: 24px 0 0; font-size: 13px; opacity: 0.75">Sent automatically by <bdi>id.example.com</bdi>. Nobody reads answers to it.</p>
    </div>
    </body>
    </html>
    
  ),
  "subject": "You were signed out everywhere",
  "text": String(
    Hello Ada Lovelace,
    
    An administrator signed your account out on all devices and in all apps on 20 Nov 2026, 08:12 UTC.
    
    Your password is the same as before; you can sign in again with it.
    
    If you did not expect this, tell the people who run this service.
    
    -- 
    Sent automatically by id.example.com. Nobody reads answers to it.
    
  ),
}
`

exports[`test/mail.test.ts > TAP > A14 ATK-A153 ATK-A198: every example mail, hostile values too > test, hostile 1`] = `
Object {
  "html": String(
    <!doctype html>
    <html lang="en" dir="ltr">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>A test mail from &lt;b&gt;&quot;&#39;&amp;</title>
    </head>
    <body style="margin: 0; padding: 24px; font: 16px/1.5 system-ui, sans-serif">
    <div style="max-width: 560px; margin: 0 auto">
    <p style="margin: 0 0 16px">This mail was sent to see whether mails of this service arrive. They do.</p>
    <p style="margin: 24px 0 0; font-size: 13px; opacity: 0.75">Sent automatically by <bdi>&lt;b&gt;&quot;&#39;&amp;</bdi>. Nobody reads answers to it.</p>
    </div>
    </body>
    </html>
    
  ),
  "subject": "A test mail from <b>\\"'&",
  "text": String(
    This mail was sent to see whether mails of this service arrive. They do.
    
    -- 
    Sent automatically by <b>"'&. Nobody reads answers to it.
    
  ),
}
`

exports[`test/mail.test.ts > TAP > A14 ATK-A153 ATK-A198: every example mail, hostile values too > test, plain 1`] = `
Object {
  "html": String(
    <!doctype html>
    <html lang="en" dir="ltr">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>A test mail from id.example.com</title>
    </head>
    <body style="margin: 0; padding: 24px; font: 16px/1.5 system-ui, sans-serif">
    <div style="max-width: 560px; margin: 0 auto">
    <p style="margin: 0 0 16px">This mail was sent to see whether mails of this service arrive. They do.</p>
    <p style="margin: 24px 0 0; font-size: 13px; opacity: 0.75">Sent automatically by <bdi>id.example.com</bdi>. Nobody reads answers to it.</p>
    </div>
    </body>
    </html>
    
  ),
  "subject": "A test mail from id.example.com",
  "text": String(
    This mail was sent to see whether mails of this service arrive. They do.
    
    -- 
    Sent automatically by id.example.com. Nobody reads answers to it.
    
  ),
}
`

exports[`test/mail.test.ts > TAP > A14 ATK-A153 ATK-A198: every example mail, hostile values too > tokenReused, family 1`] = `
Object {
  "html": String(
    <!doctype html>
    <html lang="en" dir="ltr">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Access to your account was used twice</title>
    </head>
    <body style="margin: 0; padding: 24px; font: 16px/1.5 system-ui, sans-serif">
    <div style="max-width: 560px; margin: 0 auto">
    <p style="margin: 0 0 16px">Hello <bdi class="name">Ada Lovelace</bdi>,</p>
    <p style="margin: 0 0 16px">On <time datetime="2026-11-20T08:12:00.000Z">20 Nov 2026, 08:12 UTC</time> an app presented a key to your account that had been used up before.</p>
    <p style="margin: 0 0 16px">Either the app made a mistake, or somebody has copied the key. Which of the two cannot be told from here.</p>
    <p style="margin: 0 0 16px">To be safe, that access of the app was ended. You can sign in to the app again.</p>
    <p style="margin: 0 0 16px">If you did not expect this, tell the people who run this service.</p>
    <p style="margin: 24px 0 0; font-size: 13px; opacity: 0.75">Sent automatically by <bdi>id.example.com</bdi>. Nobody reads answers to it.</p>
    </div>
    </body>
    </html>
    
  ),
  "subject": "Access to your account was used twice",
  "text": String(
    Hello Ada Lovelace,
    
    On 20 Nov 2026, 08:12 UTC an app presented a key to your account that had been used up before.
    
    Either the app made a mistake, or somebody has copied the key. Which of the two cannot be told from here.
    
    To be safe, that access of the app was ended. You can sign in to the app again.
    
    If you did not expect this, tell the people who run this service.
    
    -- 
    Sent automatically by id.example.com. Nobody reads answers to it.
    
  ),
}
`

exports[`test/mail.test.ts > TAP > A14 ATK-A153 ATK-A198: every example mail, hostile values too > tokenReused, hostile 1`] = `
Object {
  "html": String(
    <!doctype html>
    <html lang="en" dir="ltr">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Access to your account was used twice</title>
    </head>
    <body style="margin: 0; padding: 24px; font: 16px/1.5 system-ui, sans-serif">
    <div style="max-width: 560px; margin: 0 auto">
    <p style="margin: 0 0 16px">Hello <bdi class="name">&lt;b onclick=&quot;alert(1)&quot;&gt;&amp;amp;&quot;&#39; Bcc evil {{7*7}}</bdi>,</p>
    <p style="margin: 0 0 16px">On <time datetime="2026-11-20T08:12:00.000Z">20 Nov 2026, 08:12 UTC</time> the app <bdi class="name">&lt;img onerror=alert(1)&gt; -- {{7*7}}</bdi> presented a key to your account that had been used up before.</p>
    <p style="margin: 0 0 16px">Either the app made a mistake, or somebody has copied the key. Which of the two cannot be told from here.</p>
    <p style="margin: 0 0 16px">To be safe, your account was signed out on all devices and in all apps. You can sign in again.</p>
    <p style="margin: 0 0 16px">If you did not expect this, tell the people who run this service.</p>
    <p style="margin: 24px 0 0; font-size: 13px; opacity: 0.75">Sent automatically by <bdi>&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;</bdi>. Nobody reads answers to it.</p>
    </div>
    </body>
    </html>
    
  ),
  "subject": "Access to your account was used twice",
  "text": String(
    Hello <b onclick="alert(1)">&amp;"' Bcc evil {{7*7}},
    
    On 20 Nov 2026, 08:12 UTC the app <img onerror=alert(1)> -- {{7*7}} presented a key to your account that had been used up before.
    
    Either the app made a mistake, or somebody has copied the key. Which of the two cannot be told from here.
    
    To be safe, your account was signed out on all devices and in all apps. You can sign in again.
    
    If you did not expect this, tell the people who run this service.
    
    -- 
    Sent automatically by "><script>alert(1)</script>. Nobody reads answers to it.
    
  ),
}
`

exports[`test/mail.test.ts > TAP > A14 ATK-A153 ATK-A198: every example mail, hostile values too > tokenReused, link 1`] = `
Object {
  "html": String(
    <!doctype html>
    <html lang="en" dir="ltr">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Access to your account was used twice</title>
    </head>
    <body style="margin: 0; padding: 24px; font: 16px/1.5 system-ui, sans-serif">
    <div style="max-width: 560px; margin: 0 auto">
    <p style="margin: 0 0 16px">Hello <bdi class="name">Ada Lovelace</bdi>,</p>
    <p style="margin: 0 0 16px">On <time datetime="2026-11-20T08:12:00.000Z">20 Nov 2026, 08:12 UTC</time> an app presented a key to your account that had been used up before.</p>
    <p style="margin: 0 0 16px">Either the app made a mistake, or somebody has copied the key. Which of the two cannot be told from here.</p>
    <p style="margin: 0 0 16px">To be safe, your account was signed out on all devices and in all apps. You can sign in again.</p>
    <p style="margin: 0 0 16px">If you did not expect this, tell the people who run this service.</p>
    <p style="margin: 24px 0 0; font-size: 13px; opacity: 0.75">Sent automatically by <bdi>id.example.com</bdi>. Nobody reads answers to it.</p>
    </div>
    </body>
    </html>
    
  ),
  "subject": "Access to your account was used twice",
  "text": String(
    Hello Ada Lovelace,
    
    On 20 Nov 2026, 08:12 UTC an app presented a key to your account that had been used up before.
    
    Either the app made a mistake, or somebody has copied the key. Which of the two cannot be told from here.
    
    To be safe, your account was signed out on all devices and in all apps. You can sign in again.
    
    If you did not expect this, tell the people who run this service.
    
    -- 
    Sent automatically by id.example.com. Nobody reads answers to it.
    
  ),
}
`

exports[`test/mail.test.ts > TAP > A14 ATK-A153 ATK-A198: every example mail, hostile values too > tokenReused, plain 1`] = `
Object {
  "html": String(
    <!doctype html>
    <html lang="en" dir="ltr">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Access to your account was used twice</title>
    </head>
    <body style="margin: 0; padding: 24px; font: 16px/1.5 system-ui, sans-serif">
    <div style="max-width: 560px; margin: 0 auto">
    <p style="margin: 0 0 16px">Hello <bdi class="name">Ada Lovelace</bdi>,</p>
    <p style="margin: 0 0 16px">On <time datetime="2026-11-20T08:12:00.000Z">20 Nov 2026, 08:12 UTC</time> the app <bdi class="name">Field Notes</bdi> presented a key to your account that had been used up before.</p>
    <p style="margin: 0 0 16px">Either the app made a mistake, or somebody has copied the key. Which of the two cannot be told from here.</p>
    <p style="margin: 0 0 16px">To be safe, your account was signed out on all devices and in all apps. You can sign in again.</p>
    <p style="margin: 0 0 16px">If you did not expect this, tell the people who run this service.</p>
    <p style="margin: 24px 0 0; font-size: 13px; opacity: 0.75">Sent automatically by <bdi>id.example.com</bdi>. Nobody reads answers to it.</p>
    </div>
    </body>
    </html>
    
  ),
  "subject": "Access to your account was used twice",
  "text": String(
    Hello Ada Lovelace,
    
    On 20 Nov 2026, 08:12 UTC the app Field Notes presented a key to your account that had been used up before.
    
    Either the app made a mistake, or somebody has copied the key. Which of the two cannot be told from here.
    
    To be safe, your account was signed out on all devices and in all apps. You can sign in again.
    
    If you did not expect this, tell the people who run this service.
    
    -- 
    Sent automatically by id.example.com. Nobody reads answers to it.
    
  ),
}
`
