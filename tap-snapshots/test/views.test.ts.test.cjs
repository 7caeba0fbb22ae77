/* IMPORTANT
 * This snapshot file is auto-generated, but designed for humans.
 * It should be checked into source control and tracked carefully.
 * Re-generate by setting TAP_SNAPSHOT=1 and running tests.
 * Make sure to inspect the output below.  Do not ignore changes!
 */
'use strict'
exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > account, fresh > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Your account · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="wide">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<div class="person">
<div>
<h1><bdi>ada@example.com</bdi></h1>
<p></p>
</div>
<a class="button secondary" href="/oauth2/logout">Sign out</a>
</div>
<section class="card">
<h2>Where you are signed in</h2>
<ul class="rows">
<li><div>
<p><strong><bdi>Firefox on Linux</bdi></strong> <span class="badge">This one</span></p>
<p class="small quiet"><bdi>address unknown</bdi> · Signed in <time datetime="2026-11-20T08:12:00.000Z">20 Nov 2026, 08:12 UTC</time> · last used <time datetime="2026-11-20T09:40:12.000Z">20 Nov 2026, 09:40 UTC</time></p>
</div></li>
</ul>
</section>
<section class="card">
<h2>Connected apps</h2>
<p class="quiet">No app uses your account.</p>
</section>


</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > account, hostile > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Your account · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="wide">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<div class="person">
<div>
<h1><bdi>&lt;img src=x onerror=alert(1)&gt;</bdi></h1>
<p><bdi>&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;</bdi> <span class="badge">Administrator</span></p>
</div>
<a class="button secondary" href="/oauth2/logout">Sign out</a>
</div>
<section class="card">
<h2>Where you are signed in</h2>
<ul class="rows">
<li><div>
<p><strong><bdi>&lt;/script&gt;{{7*7}}&quot; onmouseover=&quot;alert(1)</bdi></strong></p>
<p class="small quiet"><bdi>&lt;svg onload=alert(1)&gt;</bdi> · Signed in <bdi>&lt;script&gt;</bdi> · last used <bdi>2026-99-99&quot;&gt;&lt;b&gt;</bdi></p>
</div>
<form method="post" action="about:blank" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="small secondary" aria-label="Sign out &lt;/script&gt;{{7*7}}&quot; onmouseover=&quot;alert(1)">Sign out</button>
</form></li>
</ul>
</section>
<section class="card">
<h2>Connected apps</h2>
<ul class="rows">
<li><div>
<p><strong><bdi>&lt;img src=x onerror=alert(1)&gt;</bdi></strong></p>
<p class="small quiet">Since <bdi>x</bdi> · <code>&lt;/code&gt;&lt;script&gt;</code> </p>
<p class="small quiet">At <bdi class="name">&lt;script&gt;</bdi>: <code>&lt;/code&gt;&lt;b&gt;</code> </p>
</div>
<form method="post" action="about:blank" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="small secondary" aria-label="Withdraw the access of &lt;img src=x onerror=alert(1)&gt;">Withdraw</button>
</form></li>
</ul>
</section>
<section class="card">
<h2>Earlier permissions</h2>
<ul class="rows">
<li><div>
<p><strong><bdi>&lt;img src=x&gt;</bdi></strong></p>
<p class="small quiet"><bdi>&lt;</bdi> – <bdi>&gt;</bdi> · &lt;/p&gt;&lt;script&gt; · <code>&lt;b&gt;</code> </p>
</div></li>
</ul>
</section>
<section class="card">
<h2>More</h2>
<ul class="links">
<li><a href="about:blank">&lt;b&gt;</a></li>

</ul>
</section>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > account, longWords > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Your account · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="wide">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<div class="person">
<div>
<h1><bdi>NNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNN</bdi></h1>
<p><bdi>long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.@example.com</bdi> <span class="badge">Administrator</span></p>
</div>
<a class="button secondary" href="/oauth2/logout">Sign out</a>
</div>
<section class="card">
<h2>Where you are signed in</h2>
<ul class="rows">
<li><div>
<p><strong><bdi>UUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUU</bdi></strong> <span class="badge">This one</span></p>
<p class="small quiet"><bdi>203.0.113.7</bdi> · Signed in <time datetime="2026-11-20T08:12:00.000Z">20 Nov 2026, 08:12 UTC</time> · last used <time datetime="2026-11-20T09:40:12.000Z">20 Nov 2026, 09:40 UTC</time></p>
</div>
<form method="post" action="/x" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="small secondary" aria-label="Sign out UUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUU">Sign out</button>
</form></li>
</ul>
</section>
<section class="card">
<h2>Connected apps</h2>
<ul class="rows">
<li><div>
<p><strong><bdi>AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA</bdi></strong></p>
<p class="small quiet">Since <time datetime="2026-11-01T10:00:00.000Z">1 Nov 2026</time> · <code>ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss</code> </p>
<p class="small quiet">At <bdi class="name">PPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPP</bdi>: <code>tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt</code> </p>
</div>
<form method="post" action="/x" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="small secondary" aria-label="Withdraw the access of AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA">Withdraw</button>
</form></li>
</ul>
</section>
<section class="card">
<h2>Earlier permissions</h2>
<ul class="rows">
<li><div>
<p><strong><bdi>Field Notes</bdi></strong></p>
<p class="small quiet"><time datetime="2026-09-01T09:30:00.000Z">1 Sept 2026, 09:30 UTC</time> – <time datetime="2026-10-02T10:00:00.000Z">2 Oct 2026, 10:00 UTC</time> · replaced by a later answer of yours · <code>openid</code> <code>profile</code> </p>
<p class="small quiet">At <bdi class="name">Orders</bdi>: <code>orders:read</code> </p>
</div></li>
<li><div>
<p><strong><bdi>Calendar Sync</bdi></strong></p>
<p class="small quiet"><time datetime="2026-08-11T07:00:00.000Z">11 Aug 2026, 07:00 UTC</time> – <time datetime="2026-08-12T21:15:00.000Z">12 Aug 2026, 21:15 UTC</time> · withdrawn by you · <code>openid</code> <code>offline_access</code> </p>
</div></li>
</ul>
</section>
<section class="card">
<h2>More</h2>
<ul class="links">
<li><a href="/demo">Try the demo app</a></li>

</ul>
</section>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > account, plain > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Your account · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="wide">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<div class="person">
<div>
<h1><bdi>Ada Lovelace</bdi></h1>
<p><bdi>ada@example.com</bdi> <span class="badge">Administrator</span></p>
</div>
<a class="button secondary" href="/oauth2/logout">Sign out</a>
</div>
<section class="card">
<h2>Where you are signed in</h2>
<ul class="rows">
<li><div>
<p><strong><bdi>Firefox on Linux</bdi></strong> <span class="badge">This one</span></p>
<p class="small quiet"><bdi>203.0.113.7</bdi> · Signed in <time datetime="2026-11-20T08:12:00.000Z">20 Nov 2026, 08:12 UTC</time> · last used <time datetime="2026-11-20T09:40:12.000Z">20 Nov 2026, 09:40 UTC</time></p>
</div></li>
<li><div>
<p><strong><bdi>Safari on iPhone</bdi></strong></p>
<p class="small quiet"><bdi>2001:db8::17</bdi> · Signed in <time datetime="2026-11-18T17:03:00.000Z">18 Nov 2026, 17:03 UTC</time> · last used <time datetime="2026-11-20T06:55:00.000Z">20 Nov 2026, 06:55 UTC</time></p>
</div>
<form method="post" action="/account/sessions/2/end" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="small secondary" aria-label="Sign out Safari on iPhone">Sign out</button>
</form></li>
</ul>
</section>
<section class="card">
<h2>Connected apps</h2>
<ul class="rows">
<li><div>
<p><strong><bdi>Field Notes</bdi></strong></p>
<p class="small quiet">Since <time datetime="2026-10-02T10:00:00.000Z">2 Oct 2026</time> · <code>openid</code> <code>profile</code> <code>email</code> </p>
<p class="small quiet">At <bdi class="name">Orders</bdi>: <code>orders:read</code> <code>orders:write</code> </p>
</div>
<form method="post" action="/account/apps/1/withdraw" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="small secondary" aria-label="Withdraw the access of Field Notes">Withdraw</button>
</form></li>
<li><div>
<p><strong><bdi>Grafana</bdi></strong></p>
<p class="small quiet">Since <time datetime="2026-11-01T10:00:00.000Z">1 Nov 2026</time> · <code>openid</code> <code>email</code> <code>offline_access</code> </p>
</div></li>
<li><div>
<p><strong><bdi>Intranet</bdi></strong></p>
<p class="small quiet">Since <time datetime="2026-11-02T10:00:00.000Z">2 Nov 2026</time> · An app of this service. It keeps its access while you are away.</p>
</div>
<form method="post" action="/account/apps/3/withdraw" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="small secondary" aria-label="Withdraw the access of Intranet">Withdraw</button>
</form></li>
</ul>
</section>
<section class="card">
<h2>Earlier permissions</h2>
<ul class="rows">
<li><div>
<p><strong><bdi>Field Notes</bdi></strong></p>
<p class="small quiet"><time datetime="2026-09-01T09:30:00.000Z">1 Sept 2026, 09:30 UTC</time> – <time datetime="2026-10-02T10:00:00.000Z">2 Oct 2026, 10:00 UTC</time> · replaced by a later answer of yours · <code>openid</code> <code>profile</code> </p>
<p class="small quiet">At <bdi class="name">Orders</bdi>: <code>orders:read</code> </p>
</div></li>
<li><div>
<p><strong><bdi>Calendar Sync</bdi></strong></p>
<p class="small quiet"><time datetime="2026-08-11T07:00:00.000Z">11 Aug 2026, 07:00 UTC</time> – <time datetime="2026-08-12T21:15:00.000Z">12 Aug 2026, 21:15 UTC</time> · withdrawn by you · <code>openid</code> <code>offline_access</code> </p>
</div></li>
</ul>
</section>
<section class="card">
<h2>More</h2>
<ul class="links">
<li><a href="/demo">Try the demo app</a></li>

</ul>
</section>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > account, rightToLeft > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Your account · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="wide">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<div class="person">
<div>
<h1><bdi>عائشة 👩🏽‍🚀</bdi></h1>
<p><bdi>aisha@example.com</bdi> <span class="badge">Administrator</span></p>
</div>
<a class="button secondary" href="/oauth2/logout">Sign out</a>
</div>
<section class="card">
<h2>Where you are signed in</h2>
<ul class="rows">
<li><div>
<p><strong><bdi>Firefox on Linux</bdi></strong> <span class="badge">This one</span></p>
<p class="small quiet"><bdi>203.0.113.7</bdi> · Signed in <time datetime="2026-11-20T08:12:00.000Z">20 Nov 2026, 08:12 UTC</time> · last used <time datetime="2026-11-20T09:40:12.000Z">20 Nov 2026, 09:40 UTC</time></p>
</div></li>
<li><div>
<p><strong><bdi>Safari on iPhone</bdi></strong></p>
<p class="small quiet"><bdi>2001:db8::17</bdi> · Signed in <time datetime="2026-11-18T17:03:00.000Z">18 Nov 2026, 17:03 UTC</time> · last used <time datetime="2026-11-20T06:55:00.000Z">20 Nov 2026, 06:55 UTC</time></p>
</div>
<form method="post" action="/account/sessions/2/end" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="small secondary" aria-label="Sign out Safari on iPhone">Sign out</button>
</form></li>
</ul>
</section>
<section class="card">
<h2>Connected apps</h2>
<ul class="rows">
<li><div>
<p><strong><bdi>دفتر الملاحظات</bdi></strong></p>
<p class="small quiet">Since <time datetime="2026-11-01T10:00:00.000Z">1 Nov 2026</time> · <code>openid</code> </p>
</div>
<form method="post" action="/x" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="small secondary" aria-label="Withdraw the access of دفتر الملاحظات">Withdraw</button>
</form></li>
</ul>
</section>
<section class="card">
<h2>Earlier permissions</h2>
<ul class="rows">
<li><div>
<p><strong><bdi>Field Notes</bdi></strong></p>
<p class="small quiet"><time datetime="2026-09-01T09:30:00.000Z">1 Sept 2026, 09:30 UTC</time> – <time datetime="2026-10-02T10:00:00.000Z">2 Oct 2026, 10:00 UTC</time> · replaced by a later answer of yours · <code>openid</code> <code>profile</code> </p>
<p class="small quiet">At <bdi class="name">Orders</bdi>: <code>orders:read</code> </p>
</div></li>
<li><div>
<p><strong><bdi>Calendar Sync</bdi></strong></p>
<p class="small quiet"><time datetime="2026-08-11T07:00:00.000Z">11 Aug 2026, 07:00 UTC</time> – <time datetime="2026-08-12T21:15:00.000Z">12 Aug 2026, 21:15 UTC</time> · withdrawn by you · <code>openid</code> <code>offline_access</code> </p>
</div></li>
</ul>
</section>
<section class="card">
<h2>More</h2>
<ul class="links">
<li><a href="/demo">Try the demo app</a></li>

</ul>
</section>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > consent, apis > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Allow Field Notes? · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Allow <bdi class="name">Field Notes</bdi> to use your account?</h1>
<div class="who">
<div><small>You are signed in as</small>
<p><bdi><strong>Ada Lovelace</strong></bdi> <bdi>ada@example.com</bdi></p></div>

<form method="post" action="/consent/abc/switch" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="link">Use another account</button>
</form>
</div>
<p><bdi class="name">Field Notes</bdi> will be able to:</p>
<ul class="scopes">
<li><span>Know that it is you</span><small>It gets an identifier of your account.</small></li>
<li><span>Keep this access while you are away</span><small>Also when you are not using it.</small></li>
</ul>
<h2 class="api">At <bdi class="name">Orders</bdi></h2>
<ul class="scopes">
<li><span>Use <code>orders:read</code></span></li>
<li><span>Use <code>orders:write</code></span></li>
</ul>
<h2 class="api">At <bdi class="name">Parcel tracking</bdi></h2>
<ul class="scopes">
<li><span>Use it in your name</span></li>
</ul>

<p class="small">This lasts for 30 days at most. You can withdraw it before then on your account page. You will be sent back to <bdi><strong>notes.example.com</strong></bdi>. <a href="https://notes.example.com/about" rel="noopener noreferrer" target="_blank">About this app</a></p>

<form method="post" action="/consent/abc" class="choice">
<input type="hidden" name="_csrf" value="csrf-token">
<input type="hidden" name="asked" value="mark">
<button type="submit" name="decision" value="deny" class="secondary">Deny</button>
<button type="submit" name="decision" value="allow" class="primary">Allow</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > consent, device > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Allow Living Room TV? · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Allow <bdi class="name">Living Room TV</bdi> to use your account?</h1>
<div class="who">
<div><small>You are signed in as</small>
<p><bdi><strong>Ada Lovelace</strong></bdi> <bdi>ada@example.com</bdi></p></div>

<form method="post" action="/consent/abc/switch" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="link">Use another account</button>
</form>
</div>
<p><bdi class="name">Living Room TV</bdi> will be able to:</p>
<ul class="scopes">
<li><span>Know that it is you</span><small>It gets an identifier of your account.</small></li>
<li><span>See your profile</span><small>Your name and, where you have given them, details such as your language.</small></li>
<li><span>See your e-mail address</span><small>And whether it has been verified.</small></li>
</ul>

<p class="small">This lasts for 30 days at most. You can withdraw it before then on your account page. It will be used on the device whose code you entered.</p>

<form method="post" action="/consent/abc" class="choice">
<input type="hidden" name="_csrf" value="csrf-token">
<input type="hidden" name="asked" value="mark">
<button type="submit" name="decision" value="deny" class="secondary">Deny</button>
<button type="submit" name="decision" value="allow" class="primary">Allow</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > consent, everything > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Allow Field Notes? · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Allow <bdi class="name">Field Notes</bdi> to use your account?</h1>
<div class="who">
<div><small>You are signed in as</small>
<p><bdi>ada@example.com</bdi></p></div>

</div>
<p><bdi class="name">Field Notes</bdi> will be able to:</p>
<ul class="scopes">
<li><span>Know that it is you</span><small>It gets an identifier of your account.</small></li>
<li><span>See your profile</span><small>Your name and, where you have given them, details such as your language.</small></li>
<li><span>See your e-mail address</span><small>And whether it has been verified.</small></li>
<li><span>See your postal address</span></li>
<li><span>See your telephone number</span><small>And whether it has been verified.</small></li>
<li><span>Keep this access while you are away</span><small>Also when you are not using it.</small></li>
<li><span>Use <code>notes:write</code></span><small>A permission the app defines itself.</small></li>
</ul>

<p class="small">This lasts for 1 day at most. You can withdraw it before then on your account page. You will be sent back to <bdi><strong>notes.example.com</strong></bdi>.</p>

<form method="post" action="/consent/abc" class="choice">
<input type="hidden" name="_csrf" value="csrf-token">
<input type="hidden" name="asked" value="mark">
<button type="submit" name="decision" value="deny" class="secondary">Deny</button>
<button type="submit" name="decision" value="allow" class="primary">Allow</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > consent, hostile > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Allow &lt;img src=x onerror=alert(1)&gt;? · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Allow <bdi class="name">&lt;img src=x onerror=alert(1)&gt;</bdi> to use your account?</h1>
<div class="who">
<div><small>You are signed in as</small>
<p><bdi><strong>&lt;/script&gt;{{7*7}}</strong></bdi> <bdi>&#39;onmouseover=&#39;alert(1)</bdi></p></div>

<form method="post" action="about:blank" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="link">Use another account</button>
</form>
</div>
<div class="notice warning"><p>Nobody here has checked this app: it registered itself, under this name. Only allow it if you know what <bdi><strong>&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;</strong></bdi> is.</p></div>
<p><bdi class="name">&lt;img src=x onerror=alert(1)&gt;</bdi> asks for more. It will also be able to:</p>
<ul class="scopes">
<li><span>Use <code>&lt;svg onload=alert(1)&gt;</code></span><small>A permission the app defines itself.</small></li>
</ul>
<h2 class="api">At <bdi class="name">&lt;script&gt;alert(1)&lt;/script&gt;</bdi></h2>
<ul class="scopes">
<li><span>Use <code>&quot;&gt;&lt;img src=x&gt;</code></span></li>
</ul>
<p class="quiet">You have already allowed it to:</p>
<ul class="scopes held">
<li><span>Know that it is you</span><small>It gets an identifier of your account.</small></li>
<li><span>Use <code>constructor</code></span><small>A permission the app defines itself.</small></li>
</ul>
<p class="small">This lasts for 30 days at most. You can withdraw it before then on your account page. You will be sent back to <bdi><strong>&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;</strong></bdi>.</p>

<form method="post" action="/consent/abc" class="choice">
<input type="hidden" name="_csrf" value="csrf-token">
<input type="hidden" name="asked" value="mark">
<button type="submit" name="decision" value="deny" class="secondary">Deny</button>
<button type="submit" name="decision" value="allow" class="primary">Allow</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > consent, longWords > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Allow Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft? · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Allow <bdi class="name">Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft</bdi> to use your account?</h1>
<div class="who">
<div><small>You are signed in as</small>
<p><bdi><strong>AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA</strong></bdi> <bdi>long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.name@example.com</bdi></p></div>

<form method="post" action="/consent/abc/switch" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="link">Use another account</button>
</form>
</div>
<p><bdi class="name">Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft</bdi> will be able to:</p>
<ul class="scopes">
<li><span>Know that it is you</span><small>It gets an identifier of your account.</small></li>
<li><span>Use <code>urn:example:scopescopescopescopescopescopescopescopescopescopescopescopescopescopescopescopescopescopescopescope</code></span><small>A permission the app defines itself.</small></li>
</ul>

<p class="small">This lasts for 30 days at most. You can withdraw it before then on your account page. You will be sent back to <bdi><strong>very-long-name.very-long-name.very-long-name.very-long-name.very-long-name.very-long-name.very-long-name.very-long-name.example.com</strong></bdi>. <a href="https://notes.example.com/about" rel="noopener noreferrer" target="_blank">About this app</a></p>

<form method="post" action="/consent/abc" class="choice">
<input type="hidden" name="_csrf" value="csrf-token">
<input type="hidden" name="asked" value="mark">
<button type="submit" name="decision" value="deny" class="secondary">Deny</button>
<button type="submit" name="decision" value="allow" class="primary">Allow</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > consent, plain > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Allow Field Notes? · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Allow <bdi class="name">Field Notes</bdi> to use your account?</h1>
<div class="who">
<div><small>You are signed in as</small>
<p><bdi><strong>Ada Lovelace</strong></bdi> <bdi>ada@example.com</bdi></p></div>

<form method="post" action="/consent/abc/switch" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="link">Use another account</button>
</form>
</div>
<p><bdi class="name">Field Notes</bdi> will be able to:</p>
<ul class="scopes">
<li><span>Know that it is you</span><small>It gets an identifier of your account.</small></li>
<li><span>See your profile</span><small>Your name and, where you have given them, details such as your language.</small></li>
<li><span>See your e-mail address</span><small>And whether it has been verified.</small></li>
</ul>

<p class="small">This lasts for 30 days at most. You can withdraw it before then on your account page. You will be sent back to <bdi><strong>notes.example.com</strong></bdi>. <a href="https://notes.example.com/about" rel="noopener noreferrer" target="_blank">About this app</a></p>

<form method="post" action="/consent/abc" class="choice">
<input type="hidden" name="_csrf" value="csrf-token">
<input type="hidden" name="asked" value="mark">
<button type="submit" name="decision" value="deny" class="secondary">Deny</button>
<button type="submit" name="decision" value="allow" class="primary">Allow</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > consent, rightToLeft > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Allow دفتر الملاحظات? · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Allow <bdi class="name">دفتر الملاحظات</bdi> to use your account?</h1>
<div class="who">
<div><small>You are signed in as</small>
<p><bdi><strong>عائشة 👩🏽‍🚀</strong></bdi> <bdi>aisha@example.com</bdi></p></div>

<form method="post" action="/consent/abc/switch" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="link">Use another account</button>
</form>
</div>
<p><bdi class="name">دفتر الملاحظات</bdi> will be able to:</p>
<ul class="scopes">
<li><span>Know that it is you</span><small>It gets an identifier of your account.</small></li>
<li><span>See your profile</span><small>Your name and, where you have given them, details such as your language.</small></li>
<li><span>See your e-mail address</span><small>And whether it has been verified.</small></li>
</ul>

<p class="small">This lasts for 30 days at most. You can withdraw it before then on your account page. You will be sent back to <bdi><strong>notes.example.com</strong></bdi>. <a href="https://notes.example.com/about" rel="noopener noreferrer" target="_blank">About this app</a></p>

<form method="post" action="/consent/abc" class="choice">
<input type="hidden" name="_csrf" value="csrf-token">
<input type="hidden" name="asked" value="mark">
<button type="submit" name="decision" value="deny" class="secondary">Deny</button>
<button type="submit" name="decision" value="allow" class="primary">Allow</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > consent, unverified > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Allow Field Notes? · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Allow <bdi class="name">Field Notes</bdi> to use your account?</h1>
<div class="who">
<div><small>You are signed in as</small>
<p><bdi><strong>Ada Lovelace</strong></bdi> <bdi>ada@example.com</bdi></p></div>

<form method="post" action="/consent/abc/switch" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="link">Use another account</button>
</form>
</div>
<div class="notice warning"><p>Nobody here has checked this app: it registered itself, under this name. Only allow it if you know what <bdi><strong>notes.example.com</strong></bdi> is.</p></div>
<p><bdi class="name">Field Notes</bdi> will be able to:</p>
<ul class="scopes">
<li><span>Know that it is you</span><small>It gets an identifier of your account.</small></li>
<li><span>See your profile</span><small>Your name and, where you have given them, details such as your language.</small></li>
<li><span>See your e-mail address</span><small>And whether it has been verified.</small></li>
</ul>

<p class="small">This lasts for 30 days at most. You can withdraw it before then on your account page. You will be sent back to <bdi><strong>notes.example.com</strong></bdi>. <a href="https://notes.example.com/about" rel="noopener noreferrer" target="_blank">About this app</a></p>

<form method="post" action="/consent/abc" class="choice">
<input type="hidden" name="_csrf" value="csrf-token">
<input type="hidden" name="asked" value="mark">
<button type="submit" name="decision" value="deny" class="secondary">Deny</button>
<button type="submit" name="decision" value="allow" class="primary">Allow</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > consent, wider > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Allow Field Notes? · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Allow <bdi class="name">Field Notes</bdi> to use your account?</h1>
<div class="who">
<div><small>You are signed in as</small>
<p><bdi><strong>Ada Lovelace</strong></bdi> <bdi>ada@example.com</bdi></p></div>

<form method="post" action="/consent/abc/switch" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="link">Use another account</button>
</form>
</div>
<p><bdi class="name">Field Notes</bdi> asks for more. It will also be able to:</p>
<ul class="scopes">
<li><span>Keep this access while you are away</span><small>Also when you are not using it.</small></li>
</ul>
<p class="quiet">You have already allowed it to:</p>
<ul class="scopes held">
<li><span>Know that it is you</span><small>It gets an identifier of your account.</small></li>
<li><span>See your profile</span><small>Your name and, where you have given them, details such as your language.</small></li>
<li><span>See your e-mail address</span><small>And whether it has been verified.</small></li>
</ul>
<p class="small">This lasts for 30 days at most. You can withdraw it before then on your account page. You will be sent back to <bdi><strong>notes.example.com</strong></bdi>. <a href="https://notes.example.com/about" rel="noopener noreferrer" target="_blank">About this app</a></p>

<form method="post" action="/consent/abc" class="choice">
<input type="hidden" name="_csrf" value="csrf-token">
<input type="hidden" name="asked" value="mark">
<button type="submit" name="decision" value="deny" class="secondary">Deny</button>
<button type="submit" name="decision" value="allow" class="primary">Allow</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > consent, widerApi > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Allow Field Notes? · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Allow <bdi class="name">Field Notes</bdi> to use your account?</h1>
<div class="who">
<div><small>You are signed in as</small>
<p><bdi><strong>Ada Lovelace</strong></bdi> <bdi>ada@example.com</bdi></p></div>

<form method="post" action="/consent/abc/switch" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="link">Use another account</button>
</form>
</div>
<p><bdi class="name">Field Notes</bdi> asks for more. It will also be able to:</p>

<h2 class="api">At <bdi class="name">Orders</bdi></h2>
<ul class="scopes">
<li><span>Use <code>orders:write</code></span></li>
</ul>
<p class="quiet">You have already allowed it to:</p>
<ul class="scopes held">
<li><span>Know that it is you</span><small>It gets an identifier of your account.</small></li>
<li><span>See your profile</span><small>Your name and, where you have given them, details such as your language.</small></li>
<li><span>See your e-mail address</span><small>And whether it has been verified.</small></li>
</ul>
<h2 class="api">At <bdi class="name">Orders</bdi></h2>
<ul class="scopes held">
<li><span>Use <code>orders:read</code></span></li>
</ul>
<h2 class="api">At <bdi class="name">Parcel tracking</bdi></h2>
<ul class="scopes held">
<li><span>Use it in your name</span></li>
</ul>
<p class="small">This lasts for 30 days at most. You can withdraw it before then on your account page. You will be sent back to <bdi><strong>notes.example.com</strong></bdi>. <a href="https://notes.example.com/about" rel="noopener noreferrer" target="_blank">About this app</a></p>

<form method="post" action="/consent/abc" class="choice">
<input type="hidden" name="_csrf" value="csrf-token">
<input type="hidden" name="asked" value="mark">
<button type="submit" name="decision" value="deny" class="secondary">Deny</button>
<button type="submit" name="decision" value="allow" class="primary">Allow</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > demo device, hostile > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Sign in on another device · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<p class="step">Demo app</p>
<h1>Sign in on another device</h1>
<p class="lead">This is what a television or a command line would show. It has no keyboard and no browser of its own.</p>
<svg class="qr" viewBox="0 0 37 37" role="img" aria-label="QR code of javascript:&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"><rect width="37" height="37" fill="#fff"></rect><path d="M4 4h7v1h-7zM13 4h1v1h-1zM16 4h1v1h-1zM18 4h1v1h-1zM20 4h5v1h-5zM26 4h7v1h-7zM4 5h1v1h-1zM10 5h1v1h-1zM13 5h3v1h-3zM18 5h2v1h-2zM24 5h1v1h-1zM26 5h1v1h-1zM32 5h1v1h-1zM4 6h1v1h-1zM6 6h3v1h-3zM10 6h1v1h-1zM12 6h2v1h-2zM15 6h2v1h-2zM19 6h1v1h-1zM22 6h1v1h-1zM26 6h1v1h-1zM28 6h3v1h-3zM32 6h1v1h-1zM4 7h1v1h-1zM6 7h3v1h-3zM10 7h1v1h-1zM12 7h2v1h-2zM15 7h3v1h-3zM19 7h3v1h-3zM26 7h1v1h-1zM28 7h3v1h-3zM32 7h1v1h-1zM4 8h1v1h-1zM6 8h3v1h-3zM10 8h1v1h-1zM12 8h2v1h-2zM16 8h3v1h-3zM20 8h1v1h-1zM22 8h3v1h-3zM26 8h1v1h-1zM28 8h3v1h-3zM32 8h1v1h-1zM4 9h1v1h-1zM10 9h1v1h-1zM12 9h1v1h-1zM14 9h1v1h-1zM16 9h5v1h-5zM26 9h1v1h-1zM32 9h1v1h-1zM4 10h7v1h-7zM12 10h1v1h-1zM14 10h1v1h-1zM16 10h1v1h-1zM18 10h1v1h-1zM20 10h1v1h-1zM22 10h1v1h-1zM24 10h1v1h-1zM26 10h7v1h-7zM12 11h1v1h-1zM14 11h1v1h-1zM19 11h1v1h-1zM23 11h2v1h-2zM4 12h1v1h-1zM6 12h5v1h-5zM13 12h1v1h-1zM21 12h1v1h-1zM23 12h2v1h-2zM26 12h5v1h-5zM4 13h1v1h-1zM7 13h1v1h-1zM9 13h1v1h-1zM11 13h3v1h-3zM15 13h3v1h-3zM20 13h1v1h-1zM23 13h1v1h-1zM26 13h1v1h-1zM28 13h1v1h-1zM31 13h2v1h-2zM5 14h1v1h-1zM7 14h1v1h-1zM10 14h1v1h-1zM17 14h3v1h-3zM21 14h2v1h-2zM26 14h1v1h-1zM29 14h1v1h-1zM5 15h2v1h-2zM8 15h2v1h-2zM12 15h1v1h-1zM16 15h2v1h-2zM22 15h1v1h-1zM24 15h3v1h-3zM28 15h2v1h-2zM31 15h2v1h-2zM4 16h2v1h-2zM8 16h3v1h-3zM13 16h1v1h-1zM16 16h1v1h-1zM18 16h4v1h-4zM24 16h2v1h-2zM29 16h2v1h-2zM5 17h2v1h-2zM8 17h1v1h-1zM16 17h1v1h-1zM20 17h1v1h-1zM23 17h2v1h-2zM26 17h1v1h-1zM28 17h1v1h-1zM32 17h1v1h-1zM4 18h1v1h-1zM6 18h2v1h-2zM9 18h5v1h-5zM15 18h1v1h-1zM19 18h2v1h-2zM26 18h1v1h-1zM29 18h2v1h-2zM4 19h1v1h-1zM6 19h1v1h-1zM8 19h2v1h-2zM11 19h2v1h-2zM14 19h3v1h-3zM18 19h1v1h-1zM22 19h1v1h-1zM25 19h1v1h-1zM29 19h1v1h-1zM4 20h1v1h-1zM10 20h2v1h-2zM13 20h2v1h-2zM16 20h1v1h-1zM19 20h1v1h-1zM21 20h2v1h-2zM24 20h1v1h-1zM27 20h1v1h-1zM30 20h2v1h-2zM4 21h1v1h-1zM8 21h2v1h-2zM12 21h1v1h-1zM16 21h3v1h-3zM20 21h5v1h-5zM26 21h1v1h-1zM28 21h1v1h-1zM31 21h2v1h-2zM4 22h1v1h-1zM6 22h1v1h-1zM8 22h1v1h-1zM10 22h3v1h-3zM14 22h1v1h-1zM17 22h4v1h-4zM22 22h1v1h-1zM24 22h2v1h-2zM28 22h3v1h-3zM4 23h1v1h-1zM11 23h3v1h-3zM17 23h1v1h-1zM22 23h1v1h-1zM26 23h4v1h-4zM31 23h2v1h-2zM4 24h1v1h-1zM7 24h2v1h-2zM10 24h1v1h-1zM18 24h15v1h-15zM12 25h1v1h-1zM15 25h1v1h-1zM20 25h1v1h-1zM24 25h1v1h-1zM28 25h1v1h-1zM31 25h2v1h-2zM4 26h7v1h-7zM13 26h2v1h-2zM19 26h2v1h-2zM22 26h3v1h-3zM26 26h1v1h-1zM28 26h1v1h-1zM30 26h1v1h-1zM4 27h1v1h-1zM10 27h1v1h-1zM12 27h2v1h-2zM18 27h1v1h-1zM20 27h1v1h-1zM23 27h2v1h-2zM28 27h2v1h-2zM31 27h2v1h-2zM4 28h1v1h-1zM6 28h3v1h-3zM10 28h1v1h-1zM12 28h2v1h-2zM15 28h2v1h-2zM21 28h2v1h-2zM24 28h5v1h-5zM30 28h1v1h-1zM4 29h1v1h-1zM6 29h3v1h-3zM10 29h1v1h-1zM12 29h1v1h-1zM15 29h4v1h-4zM21 29h2v1h-2zM24 29h1v1h-1zM27 29h1v1h-1zM30 29h3v1h-3zM4 30h1v1h-1zM6 30h3v1h-3zM10 30h1v1h-1zM12 30h4v1h-4zM18 30h2v1h-2zM22 30h1v1h-1zM25 30h5v1h-5zM31 30h1v1h-1zM4 31h1v1h-1zM10 31h1v1h-1zM14 31h1v1h-1zM16 31h1v1h-1zM18 31h3v1h-3zM23 31h3v1h-3zM28 31h2v1h-2zM31 31h1v1h-1zM4 32h7v1h-7zM12 32h2v1h-2zM15 32h1v1h-1zM17 32h2v1h-2zM20 32h4v1h-4zM26 32h1v1h-1zM28 32h3v1h-3z" fill="#000"></path></svg>
<p class="centre">Scan this with your telephone, or open <a href="about:blank" target="_blank" rel="noopener">javascript:alert(1)</a> and enter the code</p>
<p class="user-code"><code>&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}</code></p>
<p class="small quiet" role="status">Waiting for you. This page asks again every 5 seconds, as the device would.</p>
<p class="ways"><a class="button primary" href="about:blank" target="_blank" rel="noopener">Open it in this browser</a>
<a class="button secondary" href="/demo/device">Ask again now</a>
<a class="button secondary" href="/demo">Stop</a></p>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > demo device, plain > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Sign in on another device · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<p class="step">Demo app</p>
<h1>Sign in on another device</h1>
<p class="lead">This is what a television or a command line would show. It has no keyboard and no browser of its own.</p>
<svg class="qr" viewBox="0 0 41 41" role="img" aria-label="QR code of http://localhost:3000/device?user_code=WDJB-MJHT"><rect width="41" height="41" fill="#fff"></rect><path d="M4 4h7v1h-7zM14 4h1v1h-1zM16 4h1v1h-1zM18 4h1v1h-1zM20 4h1v1h-1zM22 4h2v1h-2zM27 4h1v1h-1zM30 4h7v1h-7zM4 5h1v1h-1zM10 5h1v1h-1zM14 5h1v1h-1zM19 5h2v1h-2zM22 5h1v1h-1zM25 5h2v1h-2zM28 5h1v1h-1zM30 5h1v1h-1zM36 5h1v1h-1zM4 6h1v1h-1zM6 6h3v1h-3zM10 6h1v1h-1zM12 6h1v1h-1zM14 6h1v1h-1zM16 6h1v1h-1zM18 6h1v1h-1zM20 6h1v1h-1zM26 6h1v1h-1zM28 6h1v1h-1zM30 6h1v1h-1zM32 6h3v1h-3zM36 6h1v1h-1zM4 7h1v1h-1zM6 7h3v1h-3zM10 7h1v1h-1zM12 7h3v1h-3zM16 7h1v1h-1zM22 7h1v1h-1zM27 7h2v1h-2zM30 7h1v1h-1zM32 7h3v1h-3zM36 7h1v1h-1zM4 8h1v1h-1zM6 8h3v1h-3zM10 8h1v1h-1zM12 8h3v1h-3zM18 8h4v1h-4zM24 8h1v1h-1zM26 8h3v1h-3zM30 8h1v1h-1zM32 8h3v1h-3zM36 8h1v1h-1zM4 9h1v1h-1zM10 9h1v1h-1zM12 9h1v1h-1zM14 9h2v1h-2zM18 9h1v1h-1zM21 9h1v1h-1zM23 9h1v1h-1zM26 9h1v1h-1zM30 9h1v1h-1zM36 9h1v1h-1zM4 10h7v1h-7zM12 10h1v1h-1zM14 10h1v1h-1zM16 10h1v1h-1zM18 10h1v1h-1zM20 10h1v1h-1zM22 10h1v1h-1zM24 10h1v1h-1zM26 10h1v1h-1zM28 10h1v1h-1zM30 10h7v1h-7zM12 11h1v1h-1zM15 11h1v1h-1zM18 11h1v1h-1zM20 11h1v1h-1zM23 11h4v1h-4zM4 12h1v1h-1zM6 12h5v1h-5zM13 12h2v1h-2zM17 12h2v1h-2zM20 12h2v1h-2zM23 12h2v1h-2zM26 12h3v1h-3zM30 12h5v1h-5zM5 13h1v1h-1zM8 13h1v1h-1zM11 13h1v1h-1zM17 13h2v1h-2zM21 13h3v1h-3zM25 13h3v1h-3zM30 13h1v1h-1zM33 13h3v1h-3zM6 14h1v1h-1zM8 14h8v1h-8zM17 14h5v1h-5zM25 14h2v1h-2zM28 14h3v1h-3zM32 14h1v1h-1zM34 14h2v1h-2zM7 15h2v1h-2zM12 15h2v1h-2zM15 15h1v1h-1zM17 15h1v1h-1zM19 15h4v1h-4zM25 15h1v1h-1zM29 15h1v1h-1zM32 15h3v1h-3zM36 15h1v1h-1zM6 16h3v1h-3zM10 16h2v1h-2zM13 16h1v1h-1zM16 16h1v1h-1zM18 16h3v1h-3zM24 16h1v1h-1zM27 16h1v1h-1zM32 16h2v1h-2zM4 17h1v1h-1zM6 17h1v1h-1zM8 17h2v1h-2zM11 17h1v1h-1zM13 17h1v1h-1zM15 17h3v1h-3zM19 17h1v1h-1zM22 17h1v1h-1zM25 17h2v1h-2zM30 17h2v1h-2zM33 17h1v1h-1zM35 17h2v1h-2zM10 18h1v1h-1zM12 18h3v1h-3zM17 18h4v1h-4zM24 18h1v1h-1zM28 18h3v1h-3zM33 18h1v1h-1zM35 18h1v1h-1zM7 19h1v1h-1zM9 19h1v1h-1zM11 19h2v1h-2zM14 19h1v1h-1zM16 19h1v1h-1zM19 19h1v1h-1zM22 19h1v1h-1zM25 19h2v1h-2zM33 19h2v1h-2zM5 20h2v1h-2zM8 20h1v1h-1zM10 20h3v1h-3zM14 20h3v1h-3zM19 20h1v1h-1zM21 20h1v1h-1zM24 20h1v1h-1zM26 20h4v1h-4zM31 20h2v1h-2zM36 20h1v1h-1zM4 21h4v1h-4zM9 21h1v1h-1zM11 21h2v1h-2zM14 21h1v1h-1zM16 21h1v1h-1zM18 21h1v1h-1zM20 21h1v1h-1zM22 21h2v1h-2zM26 21h2v1h-2zM30 21h2v1h-2zM33 21h4v1h-4zM4 22h1v1h-1zM7 22h5v1h-5zM13 22h1v1h-1zM15 22h1v1h-1zM18 22h3v1h-3zM22 22h1v1h-1zM32 22h1v1h-1zM34 22h2v1h-2zM4 23h1v1h-1zM8 23h2v1h-2zM11 23h4v1h-4zM18 23h1v1h-1zM25 23h1v1h-1zM28 23h1v1h-1zM32 23h4v1h-4zM5 24h1v1h-1zM7 24h1v1h-1zM9 24h3v1h-3zM13 24h1v1h-1zM19 24h1v1h-1zM22 24h1v1h-1zM25 24h1v1h-1zM28 24h2v1h-2zM31 24h3v1h-3zM35 24h1v1h-1zM4 25h3v1h-3zM11 25h3v1h-3zM19 25h2v1h-2zM24 25h2v1h-2zM27 25h1v1h-1zM34 25h1v1h-1zM36 25h1v1h-1zM4 26h1v1h-1zM6 26h1v1h-1zM8 26h3v1h-3zM13 26h1v1h-1zM15 26h1v1h-1zM17 26h1v1h-1zM23 26h1v1h-1zM25 26h2v1h-2zM29 26h3v1h-3zM33 26h1v1h-1zM35 26h1v1h-1zM4 27h1v1h-1zM6 27h2v1h-2zM11 27h2v1h-2zM17 27h1v1h-1zM20 27h1v1h-1zM23 27h3v1h-3zM29 27h2v1h-2zM33 27h4v1h-4zM4 28h1v1h-1zM7 28h2v1h-2zM10 28h4v1h-4zM16 28h2v1h-2zM21 28h1v1h-1zM23 28h2v1h-2zM27 28h6v1h-6zM35 28h1v1h-1zM12 29h1v1h-1zM16 29h1v1h-1zM20 29h2v1h-2zM23 29h1v1h-1zM26 29h1v1h-1zM28 29h1v1h-1zM32 29h1v1h-1zM34 29h1v1h-1zM36 29h1v1h-1zM4 30h7v1h-7zM14 30h8v1h-8zM24 30h1v1h-1zM26 30h3v1h-3zM30 30h1v1h-1zM32 30h1v1h-1zM34 30h2v1h-2zM4 31h1v1h-1zM10 31h1v1h-1zM12 31h1v1h-1zM15 31h2v1h-2zM19 31h1v1h-1zM21 31h3v1h-3zM27 31h2v1h-2zM32 31h1v1h-1zM34 31h3v1h-3zM4 32h1v1h-1zM6 32h3v1h-3zM10 32h1v1h-1zM12 32h1v1h-1zM14 32h1v1h-1zM17 32h1v1h-1zM20 32h1v1h-1zM24 32h3v1h-3zM28 32h6v1h-6zM4 33h1v1h-1zM6 33h3v1h-3zM10 33h1v1h-1zM12 33h4v1h-4zM18 33h2v1h-2zM22 33h1v1h-1zM27 33h1v1h-1zM29 33h1v1h-1zM31 33h3v1h-3zM36 33h1v1h-1zM4 34h1v1h-1zM6 34h3v1h-3zM10 34h1v1h-1zM12 34h3v1h-3zM16 34h1v1h-1zM19 34h3v1h-3zM24 34h1v1h-1zM28 34h1v1h-1zM30 34h2v1h-2zM33 34h1v1h-1zM4 35h1v1h-1zM10 35h1v1h-1zM13 35h1v1h-1zM17 35h3v1h-3zM22 35h1v1h-1zM25 35h1v1h-1zM29 35h6v1h-6zM4 36h7v1h-7zM12 36h1v1h-1zM15 36h1v1h-1zM17 36h3v1h-3zM21 36h1v1h-1zM24 36h1v1h-1zM29 36h1v1h-1zM31 36h2v1h-2zM35 36h1v1h-1z" fill="#000"></path></svg>
<p class="centre">Scan this with your telephone, or open <a href="http://localhost:3000/device" target="_blank" rel="noopener">http://localhost:3000/device</a> and enter the code</p>
<p class="user-code"><code>WDJB-MJHT</code></p>
<p class="small quiet" role="status">Waiting for you. This page asks again every 5 seconds, as the device would.</p>
<p class="ways"><a class="button primary" href="http://localhost:3000/device?user_code=WDJB-MJHT" target="_blank" rel="noopener">Open it in this browser</a>
<a class="button secondary" href="/demo/device">Ask again now</a>
<a class="button secondary" href="/demo">Stop</a></p>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > demo home, hostile > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Demo app · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<p class="step">Demo app</p>
<h1>See a sign-in from the inside</h1>
<p class="lead">This small app is built in. It signs you in through this server exactly as your own app would, and then shows every request, every answer and every token.</p>
<ol class="plain">
<li>It is sent to the sign-in page with a PKCE challenge.</li>
<li>You sign in and allow the access.</li>
<li>It exchanges the code for tokens and checks them.</li>

</ol>
<p class="ways"><a class="button primary" href="about:blank">Sign in with Gatehouse</a>
<a class="button secondary" href="about:blank">Try the device flow</a></p>
<p class="small quiet">It is made for trying things out: what it shows stays in the memory of the server for 15 minutes, and nowhere else.</p>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > demo home, notConfigured > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Demo app · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<p class="step">Demo app</p>
<h1>See a sign-in from the inside</h1>
<p class="lead">This small app is built in. It signs you in through this server exactly as your own app would, and then shows every request, every answer and every token.</p>
<ol class="plain">
<li>It is sent to the sign-in page with a PKCE challenge.</li>
<li>You sign in and allow the access.</li>
<li>It exchanges the code for tokens and checks them.</li>

</ol>
<div class="notice"><p>The demo app has not been set up yet. It is made together with the first administrator.</p></div>
<p class="ways"><a class="button secondary" href="/">Go to the start page</a></p>
<p class="small quiet">It is made for trying things out: what it shows stays in the memory of the server for 15 minutes, and nowhere else.</p>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > demo home, plain > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Demo app · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<p class="step">Demo app</p>
<h1>See a sign-in from the inside</h1>
<p class="lead">This small app is built in. It signs you in through this server exactly as your own app would, and then shows every request, every answer and every token.</p>
<ol class="plain">
<li>It is sent to the sign-in page with a PKCE challenge.</li>
<li>You sign in and allow the access.</li>
<li>It exchanges the code for tokens and checks them.</li>

</ol>
<p class="ways"><a class="button primary" href="/demo/start">Sign in with Gatehouse</a>
<a class="button secondary" href="/demo/device/start">Try the device flow</a></p>
<p class="small quiet">It is made for trying things out: what it shows stays in the memory of the server for 15 minutes, and nowhere else.</p>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > demo result, again > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Demo app · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="wide">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<p class="step">Demo app</p>
<h1>You are signed in</h1>
<p class="lead">This is what happened between the demo app and this server.</p>
<div class="actions">

<form method="post" action="/demo/refresh" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="secondary">Refresh the tokens</button>
</form>

<form method="post" action="/demo/userinfo" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="secondary">Call userinfo</button>
</form>

<form method="post" action="/demo/logout" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="secondary">Sign out of the demo app</button>
</form>
</div>
<div class="notice" role="status"><p>There are new tokens. <a href="#step-2">Step 2</a></p></div>
<section class="card">
<h2>What the ID token says</h2>
<dl class="claims">
<div><dt><code>sub</code><small>Who you are: the identifier of your account</small></dt><dd><code>0192d3a4-7c1e-7b1a-9f53-0a4e6f5b2c11</code></dd></div>
<div><dt><code>email</code><small>Your e-mail address</small></dt><dd><code>ada@example.com</code></dd></div>
<div><dt><code>email_verified</code><small>Whether the address has been verified</small></dt><dd><code>true</code></dd></div>
<div><dt><code>name</code><small>Your name</small></dt><dd><code>Ada Lovelace</code></dd></div>
<div><dt><code>amr</code><small>How you proved who you are</small></dt><dd><code>[&quot;pwd&quot;]</code></dd></div>
<div><dt><code>auth_time</code><small>When you last proved who you are</small></dt><dd><code>1795161600</code> <small>2026-11-20 08:00:00 UTC</small></dd></div>
<div><dt><code>nonce</code><small>Ties the token to the app’s request</small></dt><dd><code>n-0S6_WzA2Mj</code></dd></div>
<div><dt><code>aud</code><small>Who it is for: the client ID of the app</small></dt><dd><code>demo</code></dd></div>
<div><dt><code>exp</code><small>When it ends</small></dt><dd><code>1795162500</code> <small>2026-11-20 08:15:00 UTC</small></dd></div>
<div><dt><code>iat</code><small>When it was issued</small></dt><dd><code>1795161600</code> <small>2026-11-20 08:00:00 UTC</small></dd></div>
<div><dt><code>iss</code><small>Who issued the token: this server</small></dt><dd><code>http://localhost:3000</code></dd></div>
</dl>
</section>
<section class="card">
<h2>The tokens</h2>
<p class="quiet">Open one to see it whole. In a real app they never leave its server.</p>

<details>
<summary>ID token <span class="quiet"><code>an-example-of-an…</code> 316 characters</span></summary>
<pre><code>an-example-of-an-id-token.an-example-of-an-id-token.an-example-of-an-id-token.an-example-of-an-id-token.an-example-of-an-id-token.an-example-of-an-id-token.an-example-of-an-id-token.an-example-of-an-id-token.an-example-of-an-id-token.an-example-of-an-id-token.an-example-of-an-id-token.an-example-of-an-id-token.c2ln</code></pre>
<h3>Decoded</h3>
<pre><code>{
  &quot;alg&quot;: &quot;RS256&quot;
}
.
{
  &quot;sub&quot;: &quot;0192d3a4&quot;
}</code></pre>
</details>
<details>
<summary>Access token <span class="quiet"><code>an-example-of-an…</code> 43 characters</span></summary>
<pre><code>an-example-of-an-opaque-access-token-xxxxxx</code></pre>

</details>
<details>
<summary>Refresh token <span class="quiet"><code>an-example-of-a-…</code> 43 characters</span></summary>
<pre><code>an-example-of-a-refresh-token-xxxxxxxxxxxxx</code></pre>

</details>
</section>
<section class="card">
<h2>The requests</h2>
<ol class="flow">
<li id="step-1">
<h3>Authorization request</h3>
<p>The browser is sent here. The code comes back in the address, useless without the verifier that only the app holds.</p>
<details >
<summary>Request</summary>
<pre><code>GET /oauth2/authorize
  ?client_id=demo
  &amp;response_type=code
  &amp;scope=openid profile email offline_access
  &amp;redirect_uri=http://localhost:3000/demo/callback
  &amp;code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM
  &amp;code_challenge_method=S256
  &amp;state=af0ifjsldkj
  &amp;nonce=n-0S6_WzA2Mj</code></pre>
</details>
<details >
<summary>Response</summary>
<pre><code>303 See Other
location: http://localhost:3000/demo/callback?code=SplxlOBeZQQYbYS6WxSbIA&amp;state=af0ifjsldkj&amp;iss=http%3A%2F%2Flocalhost%3A3000</code></pre>
</details>
</li>
<li id="step-2">
<h3>Token request</h3>
<p>From server to server. The code works once, within a minute.</p>
<details open>
<summary>Request</summary>
<pre><code>POST /oauth2/token
authorization: Basic …

grant_type=authorization_code
&amp;code=SplxlOBeZQQYbYS6WxSbIA
&amp;code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk</code></pre>
</details>
<details open>
<summary>Response</summary>
<pre><code>200 OK
content-type: application/json

{ &quot;token_type&quot;: &quot;Bearer&quot;, &quot;expires_in&quot;: 900, &quot;access_token&quot;: &quot;…&quot;, &quot;id_token&quot;: &quot;…&quot; }</code></pre>
</details>
</li>
</ol>
</section>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > demo result, hostile > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Demo app · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="wide">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<p class="step">Demo app</p>
<h1>You are signed in</h1>
<p class="lead">This is what happened between the demo app and this server.</p>
<div class="actions">

<form method="post" action="/demo/refresh" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="secondary">Refresh the tokens</button>
</form>

<form method="post" action="/demo/userinfo" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="secondary">Call userinfo</button>
</form>

<form method="post" action="about:blank" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="secondary">Sign out of the demo app</button>
</form>
</div>
<div class="notice" role="status"><p>&lt;script&gt;alert(1)&lt;/script&gt; <a href="#step-1">Step 1</a></p></div>
<section class="card">
<h2>What the ID token says</h2>
<dl class="claims">
<div><dt><code>&lt;script&gt;</code></dt><dd><code>&lt;/code&gt;&lt;script&gt;</code></dd></div>
<div><dt><code>constructor</code></dt><dd><code>null</code></dd></div>
<div><dt><code>name</code><small>Your name</small></dt><dd><code>&lt;img src=x onerror=alert(1)&gt;</code></dd></div>
<div><dt><code>exp</code><small>When it ends</small></dt><dd><code>1e+300</code></dd></div>
<div><dt><code>nothing</code></dt><dd><code>undefined</code></dd></div>
</dl>
</section>
<section class="card">
<h2>The tokens</h2>
<p class="quiet">Open one to see it whole. In a real app they never leave its server.</p>

<details>
<summary>&quot;&gt;&lt;script&gt; <span class="quiet"><code>&lt;/summary&gt;&lt;scrip…</code> 18 characters</span></summary>
<pre><code>&lt;/summary&gt;&lt;script&gt;</code></pre>
<h3>Decoded</h3>
<pre><code>&lt;/pre&gt;&lt;img src=x onerror=alert(1)&gt;</code></pre>
</details>
</section>
<section class="card">
<h2>The requests</h2>
<ol class="flow">
<li id="step-1">
<h3>&lt;img src=x onerror=alert(1)&gt;</h3>
<p>&lt;b&gt;</p>
<details open>
<summary>Request</summary>
<pre><code>&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;</code></pre>
</details>
<details open>
<summary>Response</summary>
<pre><code>{{7*7}}</code></pre>
</details>
</li>
</ol>
</section>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > demo result, longWords > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Demo app · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="wide">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<p class="step">Demo app</p>
<h1>You are signed in</h1>
<p class="lead">This is what happened between the demo app and this server.</p>
<div class="actions">

<form method="post" action="/demo/refresh" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="secondary">Refresh the tokens</button>
</form>

<form method="post" action="/demo/userinfo" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="secondary">Call userinfo</button>
</form>

<form method="post" action="/demo/logout" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="secondary">Sign out of the demo app</button>
</form>
</div>

<section class="card">
<h2>What the ID token says</h2>
<dl class="claims">
<div><dt><code>cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc</code></dt><dd><code>vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv</code></dd></div>
<div><dt><code>name</code><small>Your name</small></dt><dd><code>عائشة 👩🏽‍🚀</code></dd></div>
</dl>
</section>
<section class="card">
<h2>The tokens</h2>
<p class="quiet">Open one to see it whole. In a real app they never leave its server.</p>

<details>
<summary>NNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNN <span class="quiet"><code>🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑…</code> 600 characters</span></summary>
<pre><code>🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑</code></pre>
<h3>Decoded</h3>
<pre><code>dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd</code></pre>
</details>
</section>
<section class="card">
<h2>The requests</h2>
<ol class="flow">
<li id="step-1">
<h3>Authorization request</h3>
<p>The browser is sent here. The code comes back in the address, useless without the verifier that only the app holds.</p>
<details open>
<summary>Request</summary>
<pre><code>GET /oauth2/authorize
  ?client_id=demo
  &amp;response_type=code
  &amp;scope=openid profile email offline_access
  &amp;redirect_uri=http://localhost:3000/demo/callback
  &amp;code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM
  &amp;code_challenge_method=S256
  &amp;state=af0ifjsldkj
  &amp;nonce=n-0S6_WzA2Mj</code></pre>
</details>
<details open>
<summary>Response</summary>
<pre><code>303 See Other
location: http://localhost:3000/demo/callback?code=SplxlOBeZQQYbYS6WxSbIA&amp;state=af0ifjsldkj&amp;iss=http%3A%2F%2Flocalhost%3A3000</code></pre>
</details>
</li>
<li id="step-2">
<h3>Token request</h3>
<p>From server to server. The code works once, within a minute.</p>
<details >
<summary>Request</summary>
<pre><code>POST /oauth2/token
authorization: Basic …

grant_type=authorization_code
&amp;code=SplxlOBeZQQYbYS6WxSbIA
&amp;code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk</code></pre>
</details>
<details >
<summary>Response</summary>
<pre><code>200 OK
content-type: application/json

{ &quot;token_type&quot;: &quot;Bearer&quot;, &quot;expires_in&quot;: 900, &quot;access_token&quot;: &quot;…&quot;, &quot;id_token&quot;: &quot;…&quot; }</code></pre>
</details>
</li>
</ol>
</section>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > demo result, plain > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Demo app · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="wide">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<p class="step">Demo app</p>
<h1>You are signed in</h1>
<p class="lead">This is what happened between the demo app and this server.</p>
<div class="actions">

<form method="post" action="/demo/refresh" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="secondary">Refresh the tokens</button>
</form>

<form method="post" action="/demo/userinfo" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="secondary">Call userinfo</button>
</form>

<form method="post" action="/demo/logout" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="secondary">Sign out of the demo app</button>
</form>
</div>

<section class="card">
<h2>What the ID token says</h2>
<dl class="claims">
<div><dt><code>sub</code><small>Who you are: the identifier of your account</small></dt><dd><code>0192d3a4-7c1e-7b1a-9f53-0a4e6f5b2c11</code></dd></div>
<div><dt><code>email</code><small>Your e-mail address</small></dt><dd><code>ada@example.com</code></dd></div>
<div><dt><code>email_verified</code><small>Whether the address has been verified</small></dt><dd><code>true</code></dd></div>
<div><dt><code>name</code><small>Your name</small></dt><dd><code>Ada Lovelace</code></dd></div>
<div><dt><code>amr</code><small>How you proved who you are</small></dt><dd><code>[&quot;pwd&quot;]</code></dd></div>
<div><dt><code>auth_time</code><small>When you last proved who you are</small></dt><dd><code>1795161600</code> <small>2026-11-20 08:00:00 UTC</small></dd></div>
<div><dt><code>nonce</code><small>Ties the token to the app’s request</small></dt><dd><code>n-0S6_WzA2Mj</code></dd></div>
<div><dt><code>aud</code><small>Who it is for: the client ID of the app</small></dt><dd><code>demo</code></dd></div>
<div><dt><code>exp</code><small>When it ends</small></dt><dd><code>1795162500</code> <small>2026-11-20 08:15:00 UTC</small></dd></div>
<div><dt><code>iat</code><small>When it was issued</small></dt><dd><code>1795161600</code> <small>2026-11-20 08:00:00 UTC</small></dd></div>
<div><dt><code>iss</code><small>Who issued the token: this server</small></dt><dd><code>http://localhost:3000</code></dd></div>
</dl>
</section>
<section class="card">
<h2>The tokens</h2>
<p class="quiet">Open one to see it whole. In a real app they never leave its server.</p>

<details>
<summary>ID token <span class="quiet"><code>an-example-of-an…</code> 316 characters</span></summary>
<pre><code>an-example-of-an-id-token.an-example-of-an-id-token.an-example-of-an-id-token.an-example-of-an-id-token.an-example-of-an-id-token.an-example-of-an-id-token.an-example-of-an-id-token.an-example-of-an-id-token.an-example-of-an-id-token.an-example-of-an-id-token.an-example-of-an-id-token.an-example-of-an-id-token.c2ln</code></pre>
<h3>Decoded</h3>
<pre><code>{
  &quot;alg&quot;: &quot;RS256&quot;
}
.
{
  &quot;sub&quot;: &quot;0192d3a4&quot;
}</code></pre>
</details>
<details>
<summary>Access token <span class="quiet"><code>an-example-of-an…</code> 43 characters</span></summary>
<pre><code>an-example-of-an-opaque-access-token-xxxxxx</code></pre>

</details>
<details>
<summary>Refresh token <span class="quiet"><code>an-example-of-a-…</code> 43 characters</span></summary>
<pre><code>an-example-of-a-refresh-token-xxxxxxxxxxxxx</code></pre>

</details>
</section>
<section class="card">
<h2>The requests</h2>
<ol class="flow">
<li id="step-1">
<h3>Authorization request</h3>
<p>The browser is sent here. The code comes back in the address, useless without the verifier that only the app holds.</p>
<details open>
<summary>Request</summary>
<pre><code>GET /oauth2/authorize
  ?client_id=demo
  &amp;response_type=code
  &amp;scope=openid profile email offline_access
  &amp;redirect_uri=http://localhost:3000/demo/callback
  &amp;code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM
  &amp;code_challenge_method=S256
  &amp;state=af0ifjsldkj
  &amp;nonce=n-0S6_WzA2Mj</code></pre>
</details>
<details open>
<summary>Response</summary>
<pre><code>303 See Other
location: http://localhost:3000/demo/callback?code=SplxlOBeZQQYbYS6WxSbIA&amp;state=af0ifjsldkj&amp;iss=http%3A%2F%2Flocalhost%3A3000</code></pre>
</details>
</li>
<li id="step-2">
<h3>Token request</h3>
<p>From server to server. The code works once, within a minute.</p>
<details >
<summary>Request</summary>
<pre><code>POST /oauth2/token
authorization: Basic …

grant_type=authorization_code
&amp;code=SplxlOBeZQQYbYS6WxSbIA
&amp;code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk</code></pre>
</details>
<details >
<summary>Response</summary>
<pre><code>200 OK
content-type: application/json

{ &quot;token_type&quot;: &quot;Bearer&quot;, &quot;expires_in&quot;: 900, &quot;access_token&quot;: &quot;…&quot;, &quot;id_token&quot;: &quot;…&quot; }</code></pre>
</details>
</li>
</ol>
</section>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > demo result, short > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Demo app · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="wide">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<p class="step">Demo app</p>
<h1>You are signed in</h1>
<p class="lead">This is what happened between the demo app and this server.</p>
<div class="actions">



<form method="post" action="/demo/logout" >
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="secondary">Sign out of the demo app</button>
</form>
</div>

<section class="card">
<h2>What the ID token says</h2>
<dl class="claims">
<div><dt><code>sub</code><small>Who you are: the identifier of your account</small></dt><dd><code>0192d3a4-7c1e-7b1a-9f53-0a4e6f5b2c11</code></dd></div>
<div><dt><code>email</code><small>Your e-mail address</small></dt><dd><code>ada@example.com</code></dd></div>
<div><dt><code>email_verified</code><small>Whether the address has been verified</small></dt><dd><code>true</code></dd></div>
<div><dt><code>name</code><small>Your name</small></dt><dd><code>Ada Lovelace</code></dd></div>
<div><dt><code>amr</code><small>How you proved who you are</small></dt><dd><code>[&quot;pwd&quot;]</code></dd></div>
<div><dt><code>auth_time</code><small>When you last proved who you are</small></dt><dd><code>1795161600</code> <small>2026-11-20 08:00:00 UTC</small></dd></div>
<div><dt><code>nonce</code><small>Ties the token to the app’s request</small></dt><dd><code>n-0S6_WzA2Mj</code></dd></div>
<div><dt><code>aud</code><small>Who it is for: the client ID of the app</small></dt><dd><code>demo</code></dd></div>
<div><dt><code>exp</code><small>When it ends</small></dt><dd><code>1795162500</code> <small>2026-11-20 08:15:00 UTC</small></dd></div>
<div><dt><code>iat</code><small>When it was issued</small></dt><dd><code>1795161600</code> <small>2026-11-20 08:00:00 UTC</small></dd></div>
<div><dt><code>iss</code><small>Who issued the token: this server</small></dt><dd><code>http://localhost:3000</code></dd></div>
</dl>
</section>


</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > device code, hostile > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Connect a device · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Connect a device</h1>
<p class="lead">Enter the code that your device shows.</p>

<form method="post" action="/device" >
<input type="hidden" name="_csrf" value="csrf-token">

<input type="hidden" name="xsrf" value="xsrf-token">

<div class="field">
<label for="user_code">Code</label>
<input id="user_code" name="user_code" type="text" class="code" value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;" autocomplete="off" autocapitalize="characters" spellcheck="false" required autofocus aria-describedby="user_code-error user_code-hint" aria-invalid="true">
<p class="hint" id="user_code-hint">Eight letters. Dashes, spaces and small letters make no difference.</p>
<p class="error" id="user_code-error" role="alert">&lt;img src=x onerror=alert(1)&gt;{{7*7}}</p>
</div>
<button type="submit" class="primary">Continue</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > device code, linked > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Connect a device · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Connect a device</h1>
<p class="lead">Is this the code that your device shows? If not, close this page.</p>

<form method="post" action="/device" >
<input type="hidden" name="_csrf" value="csrf-token">

<input type="hidden" name="xsrf" value="xsrf-token">

<div class="field">
<label for="user_code">Code</label>
<input id="user_code" name="user_code" type="text" class="code" value="WDJB-MJHT" autocomplete="off" autocapitalize="characters" spellcheck="false" required aria-describedby="user_code-hint">
<p class="hint" id="user_code-hint">Eight letters. Dashes, spaces and small letters make no difference.</p>

</div>
<button type="submit" class="primary">Continue</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > device code, plain > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Connect a device · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Connect a device</h1>
<p class="lead">Enter the code that your device shows.</p>

<form method="post" action="/device" >
<input type="hidden" name="_csrf" value="csrf-token">

<input type="hidden" name="xsrf" value="xsrf-token">

<div class="field">
<label for="user_code">Code</label>
<input id="user_code" name="user_code" type="text" class="code" value="" autocomplete="off" autocapitalize="characters" spellcheck="false" required autofocus aria-describedby="user_code-hint">
<p class="hint" id="user_code-hint">Eight letters. Dashes, spaces and small letters make no difference.</p>

</div>
<button type="submit" class="primary">Continue</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > device code, wrong > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Connect a device · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Connect a device</h1>
<p class="lead">Enter the code that your device shows.</p>

<form method="post" action="/device" >
<input type="hidden" name="_csrf" value="csrf-token">

<input type="hidden" name="xsrf" value="xsrf-token">

<div class="field">
<label for="user_code">Code</label>
<input id="user_code" name="user_code" type="text" class="code" value="WDJB-MJHX" autocomplete="off" autocapitalize="characters" spellcheck="false" required autofocus aria-describedby="user_code-error user_code-hint" aria-invalid="true">
<p class="hint" id="user_code-hint">Eight letters. Dashes, spaces and small letters make no difference.</p>
<p class="error" id="user_code-error" role="alert">No device shows this code. Compare it letter by letter.</p>
</div>
<button type="submit" class="primary">Continue</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > device confirm, hostile > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Sign in to &lt;img src=x onerror=alert(1)&gt;{{7*7}} on your device? · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Sign in to <bdi class="name">&lt;img src=x onerror=alert(1)&gt;{{7*7}}</bdi> on your device?</h1>
<p>Your device must show exactly this code:</p>
<p class="user-code"><code>&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;</code></p>
<dl class="values">
<div><dt>App</dt><dd><bdi>&lt;img src=x onerror=alert(1)&gt;{{7*7}}</bdi></dd></div>
<div><dt>Asked from</dt><dd><bdi>&lt;/dd&gt;&lt;script&gt;</bdi></dd></div>
<div><dt>Calls itself</dt><dd><bdi>&lt;svg onload=alert(1)&gt;</bdi></dd></div>
<div><dt>Your account</dt><dd><bdi>&#39;onmouseover=&#39;alert(1)</bdi></dd></div>
</dl>
<div class="notice warning"><p><strong>Only continue if you started this on a device of your own.</strong> If somebody sent you this code or link, they want to get into your account: refuse.</p></div>

<form method="post" action="/device" class="choice">
<input type="hidden" name="_csrf" value="csrf-token">

<input type="hidden" name="xsrf" value="xsrf-token">
<input type="hidden" name="user_code" value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;">
<button type="submit" name="abort" value="yes" class="secondary">Refuse</button>
<button type="submit" name="confirm" value="yes" class="primary">Continue</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > device confirm, longWords > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Sign in to Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft on your device? · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Sign in to <bdi class="name">Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft</bdi> on your device?</h1>
<p>Your device must show exactly this code:</p>
<p class="user-code"><code>WDJB-MJHT</code></p>
<dl class="values">
<div><dt>App</dt><dd><bdi>Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft</bdi></dd></div>
<div><dt>Asked from</dt><dd><bdi>2001:0db8:85a3:0000:0000:8a2e:0370:7334</bdi></dd></div>
<div><dt>Calls itself</dt><dd><bdi>MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM</bdi></dd></div>
<div><dt>Your account</dt><dd><bdi>long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.name@example.com</bdi></dd></div>
</dl>
<div class="notice warning"><p><strong>Only continue if you started this on a device of your own.</strong> If somebody sent you this code or link, they want to get into your account: refuse.</p></div>

<form method="post" action="/device" class="choice">
<input type="hidden" name="_csrf" value="csrf-token">

<input type="hidden" name="xsrf" value="xsrf-token">
<input type="hidden" name="user_code" value="WDJB-MJHT">
<button type="submit" name="abort" value="yes" class="secondary">Refuse</button>
<button type="submit" name="confirm" value="yes" class="primary">Continue</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > device confirm, plain > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Sign in to Living Room TV on your device? · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Sign in to <bdi class="name">Living Room TV</bdi> on your device?</h1>
<p>Your device must show exactly this code:</p>
<p class="user-code"><code>WDJB-MJHT</code></p>
<dl class="values">
<div><dt>App</dt><dd><bdi>Living Room TV</bdi></dd></div>
<div><dt>Asked from</dt><dd><bdi>203.0.113.7</bdi></dd></div>
<div><dt>Calls itself</dt><dd><bdi>TVPlayer/4.2 (Linux; tv)</bdi></dd></div>
<div><dt>Your account</dt><dd><bdi>ada@example.com</bdi></dd></div>
</dl>
<div class="notice warning"><p><strong>Only continue if you started this on a device of your own.</strong> If somebody sent you this code or link, they want to get into your account: refuse.</p></div>

<form method="post" action="/device" class="choice">
<input type="hidden" name="_csrf" value="csrf-token">

<input type="hidden" name="xsrf" value="xsrf-token">
<input type="hidden" name="user_code" value="WDJB-MJHT">
<button type="submit" name="abort" value="yes" class="secondary">Refuse</button>
<button type="submit" name="confirm" value="yes" class="primary">Continue</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > device confirm, rightToLeft > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Sign in to تلفاز غرفة الجلوس 📺 on your device? · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Sign in to <bdi class="name">تلفاز غرفة الجلوس 📺</bdi> on your device?</h1>
<p>Your device must show exactly this code:</p>
<p class="user-code"><code>WDJB-MJHT</code></p>
<dl class="values">
<div><dt>App</dt><dd><bdi>تلفاز غرفة الجلوس 📺</bdi></dd></div>
<div><dt>Asked from</dt><dd><bdi>203.0.113.7</bdi></dd></div>
<div><dt>Calls itself</dt><dd><bdi>TVPlayer/4.2 (Linux; tv)</bdi></dd></div>
<div><dt>Your account</dt><dd><bdi>ada@example.com</bdi></dd></div>
</dl>
<div class="notice warning"><p><strong>Only continue if you started this on a device of your own.</strong> If somebody sent you this code or link, they want to get into your account: refuse.</p></div>

<form method="post" action="/device" class="choice">
<input type="hidden" name="_csrf" value="csrf-token">

<input type="hidden" name="xsrf" value="xsrf-token">
<input type="hidden" name="user_code" value="WDJB-MJHT">
<button type="submit" name="abort" value="yes" class="secondary">Refuse</button>
<button type="submit" name="confirm" value="yes" class="primary">Continue</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > device confirm, signedOut > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Sign in to Living Room TV on your device? · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Sign in to <bdi class="name">Living Room TV</bdi> on your device?</h1>
<p>Your device must show exactly this code:</p>
<p class="user-code"><code>WDJB-MJHT</code></p>
<dl class="values">
<div><dt>App</dt><dd><bdi>Living Room TV</bdi></dd></div>
<div><dt>Asked from</dt><dd>unknown</dd></div>
<div><dt>Calls itself</dt><dd>unknown</dd></div>

</dl>
<div class="notice warning"><p><strong>Only continue if you started this on a device of your own.</strong> If somebody sent you this code or link, they want to get into your account: refuse.</p></div>

<form method="post" action="/device" class="choice">
<input type="hidden" name="_csrf" value="csrf-token">

<input type="hidden" name="xsrf" value="xsrf-token">
<input type="hidden" name="user_code" value="WDJB-MJHT">
<button type="submit" name="abort" value="yes" class="secondary">Refuse</button>
<button type="submit" name="confirm" value="yes" class="primary">Continue</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > device end, allowed > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Your device is connected · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Your device is connected</h1>
<p class="lead"><bdi class="name">Living Room TV</bdi> goes on by itself on your device in a moment. You can close this page.</p>
<p class="ways"><a class="button secondary" href="/">Go to the start page</a></p>

</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > device end, answered > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>You have answered already · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>You have answered already</h1>
<p class="lead">Look at your device: it goes on by itself, or says what happened.</p>
<p class="ways"><a class="button primary" href="/device">Enter a code</a>
<a class="button secondary" href="/">Go to the start page</a></p>

<dl class="reference">

<div><dt>Request ID</dt><dd><code>req-1</code></dd></div>
</dl>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > device end, denied > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>The device was refused · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>The device was refused</h1>
<p class="lead">It got nothing. You can close this page.</p>
<p class="ways"><a class="button primary" href="/device">Enter a code</a>
<a class="button secondary" href="/">Go to the start page</a></p>

<dl class="reference">

<div><dt>Request ID</dt><dd><code>req-1</code></dd></div>
</dl>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > device end, expired > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>This code has expired · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>This code has expired</h1>
<p class="lead">A code works for a few minutes. Let your device show a new one, and enter that.</p>
<p class="ways"><a class="button primary" href="/device">Enter a code</a>
<a class="button secondary" href="/">Go to the start page</a></p>

<dl class="reference">

<div><dt>Request ID</dt><dd><code>req-1</code></dd></div>
</dl>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > device end, hostile > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Your device is connected · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Your device is connected</h1>
<p class="lead"><bdi class="name">&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}</bdi> goes on by itself on your device in a moment. You can close this page.</p>
<p class="ways"><a class="button primary" href="about:blank">Enter a code</a>
<a class="button secondary" href="/">Go to the start page</a></p>

<dl class="reference">

<div><dt>Request ID</dt><dd><code>&lt;/code&gt;&lt;script&gt;</code></dd></div>
</dl>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > device end, late > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>This page has expired · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>This page has expired</h1>
<p class="lead">It was open for too long, and nothing has happened. Let your device show a new code, and enter that.</p>
<p class="ways"><a class="button primary" href="/device">Enter a code</a>
<a class="button secondary" href="/">Go to the start page</a></p>

<dl class="reference">

<div><dt>Request ID</dt><dd><code>req-1</code></dd></div>
</dl>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > device end, used > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>This code has been used already · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>This code has been used already</h1>
<p class="lead">If it was you, go on in the window where you entered it. Otherwise let your device show a new code, and enter that.</p>
<p class="ways"><a class="button primary" href="/device">Enter a code</a>
<a class="button secondary" href="/">Go to the start page</a></p>

<dl class="reference">

<div><dt>Request ID</dt><dd><code>req-1</code></dd></div>
</dl>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > expired, expired > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>This page has expired · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>This page has expired</h1>
<p class="lead">It was open for too long. Nothing is lost: start again and sign in.</p>

<p class="ways"><a class="button primary" href="https://notes.example.com">Back to Field Notes</a>
<a class="button secondary" href="/">Go to the start page</a>
</p>

<dl class="reference">

<div><dt>Request ID</dt><dd><code>0192d3a4-7c1e-7b1a-9f53-0a4e6f5b2c11</code></dd></div>
</dl>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > expired, finished > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>You have signed in already · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>You have signed in already</h1>
<p class="lead">You may have used the back button, or have signed in from another tab. You can carry on.</p>

<p class="ways"><a class="button primary" href="/account">Go to the start page</a>
</p>

<dl class="reference">

<div><dt>Request ID</dt><dd><code>0192d3a4-7c1e-7b1a-9f53-0a4e6f5b2c11</code></dd></div>
</dl>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > expired, hostile > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>This page has expired · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>This page has expired</h1>
<p class="lead">It was open for too long. Nothing is lost: start again and sign in.</p>

<p class="ways"><a class="button primary" href="about:blank">&lt;script&gt;</a>
<a class="button secondary" href="about:blank">Go to the start page</a>
</p>

<dl class="reference">

<div><dt>Request ID</dt><dd><code>&lt;/code&gt;&lt;script&gt;</code></dd></div>
</dl>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > expired, otherBrowser > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>You began somewhere else · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>You began somewhere else</h1>
<p class="lead">This sign-in was started in another browser, or this browser refused its cookie. Go back to where you began, or start again.</p>
<p>To start again, go back to the app you came from.</p>
<p class="ways"><a class="button primary" href="/">Go to the start page</a>
</p>

<dl class="reference">

<div><dt>Request ID</dt><dd><code>0192d3a4-7c1e-7b1a-9f53-0a4e6f5b2c11</code></dd></div>
</dl>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > logout, alone > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Sign out · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Do you want to sign out?</h1>

<p>You will have to sign in again for every app that uses this account in this browser.</p>
<form method="post" action="/oauth2/logout/confirm" class="choice">
<input type="hidden" name="xsrf" value="x">
<button type="submit" class="secondary">Stay signed in</button>
<button type="submit" name="logout" value="yes" class="primary">Sign out</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > logout, hostile > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Sign out · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Do you want to sign out?</h1>
<p class="lead"><bdi class="name">&lt;img src=x onerror=alert(1)&gt;</bdi> asks you to sign out here as well. You are signed in as <bdi class="name">&lt;/script&gt;{{7*7}}</bdi>.</p>
<p>You will have to sign in again for every app that uses this account in this browser.</p>
<form method="post" action="about:blank" class="choice">
<input type="hidden" name="xsrf" value="&quot;&gt;&lt;script&gt;">
<button type="submit" class="secondary">Stay signed in</button>
<button type="submit" name="logout" value="yes" class="primary">Sign out</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > logout, longWords > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Sign out · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Do you want to sign out?</h1>
<p class="lead"><bdi class="name">WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW</bdi> asks you to sign out here as well. You are signed in as <bdi class="name">long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.@example.com</bdi>.</p>
<p>You will have to sign in again for every app that uses this account in this browser.</p>
<form method="post" action="/x" class="choice">
<input type="hidden" name="xsrf" value="x">
<button type="submit" class="secondary">Stay signed in</button>
<button type="submit" name="logout" value="yes" class="primary">Sign out</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > logout, plain > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Sign out · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Do you want to sign out?</h1>
<p class="lead"><bdi class="name">Field Notes</bdi> asks you to sign out here as well. You are signed in as <bdi class="name">ada@example.com</bdi>.</p>
<p>You will have to sign in again for every app that uses this account in this browser.</p>
<form method="post" action="/oauth2/logout/confirm" class="choice">
<input type="hidden" name="xsrf" value="x">
<button type="submit" class="secondary">Stay signed in</button>
<button type="submit" name="logout" value="yes" class="primary">Sign out</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > problem, fault > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Something went wrong · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Something went wrong</h1>
<p class="lead" role="alert">Something went wrong on our side.</p>
<p class="ways"><a class="button primary" href="/login/abc">Try again</a>
<a class="button secondary" href="/">Go to the start page</a>
</p>
<p class="small quiet">If you ask for help, pass on the request ID.</p>

<dl class="reference">
<div><dt>Code</dt><dd><code>server.fault</code></dd></div>
<div><dt>Request ID</dt><dd><code>0192d3a4-7c1e-7b1a-9f53-0a4e6f5b2c11</code></dd></div>
</dl>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > problem, hostile > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>That did not work · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>That did not work</h1>
<p class="lead" role="alert">&lt;img src=x onerror=alert(1)&gt;&lt;/script&gt;{{7*7}}</p>
<p class="ways"><a class="button primary" href="about:blank">&lt;svg onload=alert(1)&gt;</a>
</p>
<p class="small quiet">If you ask for help, pass on the request ID.</p>

<dl class="reference">
<div><dt>Code</dt><dd><code>constructor&lt;script&gt;</code></dd></div>
<div><dt>Request ID</dt><dd><code>&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;</code></dd></div>
</dl>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > problem, longWords > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>That did not work · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>That did not work</h1>
<p class="lead" role="alert">mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm</p>
<p class="ways"><a class="button primary" href="/">Go to the start page</a>
</p>
<p class="small quiet">If you ask for help, pass on the request ID.</p>

<dl class="reference">
<div><dt>Code</dt><dd><code>xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx</code></dd></div>
<div><dt>Request ID</dt><dd><code>rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr</code></dd></div>
</dl>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > problem, notFound > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Page not found · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Page not found</h1>
<p class="lead" role="alert">There is nothing at this address.</p>
<p class="ways"><a class="button primary" href="/">Go to the start page</a>
</p>
<p class="small quiet">If you ask for help, pass on the request ID.</p>

<dl class="reference">
<div><dt>Code</dt><dd><code>request.notFound</code></dd></div>
<div><dt>Request ID</dt><dd><code>0192d3a4-7c1e-7b1a-9f53-0a4e6f5b2c11</code></dd></div>
</dl>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > problem, titled > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>The app sent a wrong request · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>The app sent a wrong request</h1>
<p class="lead" role="alert">redirect_uri did not match.</p>
<p class="ways"><a class="button primary" href="/">Go to the start page</a>
</p>
<p class="small quiet">If you ask for help, pass on the request ID.</p>

<dl class="reference">
<div><dt>Code</dt><dd><code>invalid_request</code></dd></div>
<div><dt>Request ID</dt><dd><code>0192d3a4-7c1e-7b1a-9f53-0a4e6f5b2c11</code></dd></div>
</dl>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > setup app done, hostile > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Your app is ready · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="wide">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Your app is ready</h1>
<p class="lead">Give these values to the app.</p>
<section class="card">
<dl class="values">
<div><dt>Issuer</dt><dd><code>http://localhost:3000</code></dd></div>

<div><dt>Client ID</dt><dd><code>&lt;img src=x onerror=alert(1)&gt;</code></dd></div>

<div><dt>Client secret</dt><dd><code>an-example-of-a-secret-of-43-characters-xxx</code></dd></div>

<div><dt>Redirect URI</dt><dd><code>https://example.com/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/very-long/</code></dd></div>

</dl>
<div class="notice warning"><p>The secret is shown this once. Copy it now: only a fingerprint of it is stored, so nobody can show it again.</p></div>
</section>
<section class="card">
<h2>Ready to paste</h2>

<details open>
<summary>&lt;script&gt; <span class="quiet">{{7*7}}</span></summary>
<pre><code>&lt;/code&gt;&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;</code></pre>
</details>
</section>
<section class="card">
<h2>Make it permanent</h2>
<p>To let other people use this server, three things are needed:</p>
<ol class="plain">
<li><strong>ISSUER</strong> The public https address of this server. Tokens and links carry it, so set it before you add more apps.</li>
<li><strong>DATABASE_URL</strong> A PostgreSQL server of your own, or keep the embedded database and its DATA_DIR on a disk that lasts.</li>
<li><strong>Backups</strong> Back up the database and the key files together. One without the other cannot be restored.</li>

</ol>
</section>
<section class="card">
<h2>What next</h2>
<ul class="links">
<li><a href="about:blank">xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx</a></li>

</ul>
</section>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > setup app done, plain > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Your app is ready · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="wide">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Your app is ready</h1>
<p class="lead">Give these values to the app.</p>
<section class="card">
<dl class="values">
<div><dt>Issuer</dt><dd><code>http://localhost:3000</code></dd></div>

<div><dt>Client ID</dt><dd><code>field-notes-7f3k</code></dd></div>

<div><dt>Client secret</dt><dd><code>an-example-of-a-secret-of-43-characters-xxx</code></dd></div>

<div><dt>Redirect URI</dt><dd><code>http://localhost:8080/callback</code></dd></div>

</dl>
<div class="notice warning"><p>The secret is shown this once. Copy it now: only a fingerprint of it is stored, so nobody can show it again.</p></div>
</section>
<section class="card">
<h2>Ready to paste</h2>

<details open>
<summary>openid-client <span class="quiet">Node</span></summary>
<pre><code>import * as client from &#39;openid-client&#39;;

const config = await client.discovery(
  new URL(&#39;http://localhost:3000&#39;),
  &#39;field-notes-7f3k&#39;,
  process.env.CLIENT_SECRET,
);</code></pre>
</details>
<details >
<summary>curl <span class="quiet">shell</span></summary>
<pre><code>curl -s http://localhost:3000/.well-known/openid-configuration | head -c 400</code></pre>
</details>
</section>
<section class="card">
<h2>Make it permanent</h2>
<p>To let other people use this server, three things are needed:</p>
<ol class="plain">
<li><strong>ISSUER</strong> The public https address of this server. Tokens and links carry it, so set it before you add more apps.</li>
<li><strong>DATABASE_URL</strong> A PostgreSQL server of your own, or keep the embedded database and its DATA_DIR on a disk that lasts.</li>
<li><strong>Backups</strong> Back up the database and the key files together. One without the other cannot be restored.</li>

</ol>
</section>
<section class="card">
<h2>What next</h2>
<ul class="links">
<li><a href="/account">Your account</a></li>
<li><a href="/demo">Try the demo app</a></li>

</ul>
</section>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > setup app done, public > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Your app is ready · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="wide">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Your app is ready</h1>
<p class="lead">Give these values to the app.</p>
<section class="card">
<dl class="values">
<div><dt>Issuer</dt><dd><code>http://localhost:3000</code></dd></div>

<div><dt>Client ID</dt><dd><code>field-notes-7f3k</code></dd></div>


<div><dt>Redirect URI</dt><dd><code>http://localhost:8080/callback</code></dd></div>

</dl>

</section>

<section class="card">
<h2>Make it permanent</h2>
<p>To let other people use this server, three things are needed:</p>
<ol class="plain">
<li><strong>ISSUER</strong> The public https address of this server. Tokens and links carry it, so set it before you add more apps.</li>
<li><strong>DATABASE_URL</strong> A PostgreSQL server of your own, or keep the embedded database and its DATA_DIR on a disk that lasts.</li>
<li><strong>Backups</strong> Back up the database and the key files together. One without the other cannot be restored.</li>

</ol>
</section>

</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > setup app, errors > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Add an app · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>


<h1>Add an app</h1>
<p class="lead">An app is a website or program whose users sign in here.</p>


<form method="post" action="/setup/app" >
<input type="hidden" name="_csrf" value="csrf-token">

<input type="hidden" name="appId" value="field-notes-7f3k">

<div class="field">
<label for="name">Name of the app</label>
<input id="name" name="name" type="text" value="Field Notes" autocomplete="off" required aria-describedby="name-hint">
<p class="hint" id="name-hint">People see it when they sign in.</p>

</div>
<fieldset aria-describedby="kind-error">
<legend>Kind of app</legend>

<label class="option"><input id="kind-web" type="radio" name="kind" value="web" required><span>Web app with a server<small>It can keep a secret: Node, PHP, Python, Grafana, oauth2-proxy…</small></span></label>

<label class="option"><input id="kind-public" type="radio" name="kind" value="public" checked required><span>Single-page, mobile or desktop app<small>It runs on people’s devices and cannot keep a secret.</small></span></label>
<p class="error" id="kind-error" role="alert">Choose one.</p>
</fieldset>

<div class="field">
<label for="redirectUri">Redirect URI</label>
<input id="redirectUri" name="redirectUri" type="url" value="notes" autocomplete="off" autocapitalize="none" spellcheck="false" required aria-describedby="redirectUri-error redirectUri-hint" aria-invalid="true">
<p class="hint" id="redirectUri-hint">Where people return after signing in, exactly as the app sends it.</p>
<p class="error" id="redirectUri-error" role="alert">A redirect URI begins with https://, or with http://localhost.</p>
</div>

<div class="field">
<label for="postLogoutUri">Post-logout redirect URI <span class="quiet">(optional)</span></label>
<input id="postLogoutUri" name="postLogoutUri" type="url" value="" autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="postLogoutUri-hint">
<p class="hint" id="postLogoutUri-hint">Where people return after signing out.</p>

</div>
<button type="submit" class="primary">Add app</button>
</form>

</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > setup app, hostile > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Add your first app · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<p class="step">Step 2 of 2</p>
<h1>Add your first app</h1>
<p class="lead">An app is a website or program whose users sign in here.</p>


<form method="post" action="/setup/app" >
<input type="hidden" name="_csrf" value="csrf-token">

<input type="hidden" name="appId" value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;">

<div class="field">
<label for="name">Name of the app</label>
<input id="name" name="name" type="text" value="&lt;/title&gt;&lt;script&gt;" autocomplete="off" required aria-describedby="name-error name-hint" aria-invalid="true">
<p class="hint" id="name-hint">People see it when they sign in.</p>
<p class="error" id="name-error" role="alert">&lt;img src=x onerror=alert(1)&gt;</p>
</div>
<fieldset >
<legend>Kind of app</legend>

<label class="option"><input id="kind-web" type="radio" name="kind" value="web" checked required><span>Web app with a server<small>It can keep a secret: Node, PHP, Python, Grafana, oauth2-proxy…</small></span></label>

<label class="option"><input id="kind-public" type="radio" name="kind" value="public" required><span>Single-page, mobile or desktop app<small>It runs on people’s devices and cannot keep a secret.</small></span></label>

</fieldset>

<div class="field">
<label for="redirectUri">Redirect URI</label>
<input id="redirectUri" name="redirectUri" type="url" value="javascript:alert(1)&quot;" autocomplete="off" autocapitalize="none" spellcheck="false" required aria-describedby="redirectUri-hint">
<p class="hint" id="redirectUri-hint">Where people return after signing in, exactly as the app sends it.</p>

</div>

<div class="field">
<label for="postLogoutUri">Post-logout redirect URI <span class="quiet">(optional)</span></label>
<input id="postLogoutUri" name="postLogoutUri" type="url" value="&quot; onfocus=&quot;x" autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="postLogoutUri-error postLogoutUri-hint" aria-invalid="true">
<p class="hint" id="postLogoutUri-hint">Where people return after signing out.</p>
<p class="error" id="postLogoutUri-error" role="alert">&lt;svg/onload=alert(1)&gt;</p>
</div>
<button type="submit" class="primary">Add app</button>
</form>
<p class="aside"><a href="about:blank">Skip this for now</a></p>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > setup app, plain > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Add your first app · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<p class="step">Step 2 of 2</p>
<h1>Add your first app</h1>
<p class="lead">An app is a website or program whose users sign in here.</p>


<form method="post" action="/setup/app" >
<input type="hidden" name="_csrf" value="csrf-token">

<input type="hidden" name="appId" value="field-notes-7f3k">

<div class="field">
<label for="name">Name of the app</label>
<input id="name" name="name" type="text" value="" autocomplete="off" required autofocus aria-describedby="name-hint">
<p class="hint" id="name-hint">People see it when they sign in.</p>

</div>
<fieldset >
<legend>Kind of app</legend>

<label class="option"><input id="kind-web" type="radio" name="kind" value="web" checked required><span>Web app with a server<small>It can keep a secret: Node, PHP, Python, Grafana, oauth2-proxy…</small></span></label>

<label class="option"><input id="kind-public" type="radio" name="kind" value="public" required><span>Single-page, mobile or desktop app<small>It runs on people’s devices and cannot keep a secret.</small></span></label>

</fieldset>

<div class="field">
<label for="redirectUri">Redirect URI</label>
<input id="redirectUri" name="redirectUri" type="url" value="" autocomplete="off" autocapitalize="none" spellcheck="false" required aria-describedby="redirectUri-hint">
<p class="hint" id="redirectUri-hint">Where people return after signing in, exactly as the app sends it.</p>

</div>

<div class="field">
<label for="postLogoutUri">Post-logout redirect URI <span class="quiet">(optional)</span></label>
<input id="postLogoutUri" name="postLogoutUri" type="url" value="" autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="postLogoutUri-hint">
<p class="hint" id="postLogoutUri-hint">Where people return after signing out.</p>

</div>
<button type="submit" class="primary">Add app</button>
</form>
<p class="aside"><a href="/account">Skip this for now</a></p>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > setup closed, done > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Set up · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Already set up</h1>
<p class="lead" role="alert">There is an administrator, so setup links work no more. Sign in with that account.</p>
<p class="ways"><a class="button primary" href="/account">Sign in to your account</a></p>
<dl class="reference"><div><dt>Request ID</dt><dd><code>req-1</code></dd></div></dl>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > setup closed, needed > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Set up · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>You need a setup link</h1>
<p class="lead" role="alert">The first administrator is made with a link that only who runs the server can see. It was printed when the server started.</p>
<p>To print another one, run this where the server is installed:</p>
<pre><code>npm run setup-link</code></pre>
<p class="small quiet">Then open the address it prints. A link works once.</p>
<dl class="reference"><div><dt>Request ID</dt><dd><code>req-1</code></dd></div></dl>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > setup closed, refused > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Set up · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>This setup link does not work</h1>
<p class="lead" role="alert">It has been used, has expired, or was not copied whole.</p>
<p>To print another one, run this where the server is installed:</p>
<pre><code>npm run setup-link</code></pre>
<p class="small quiet">Then open the address it prints. A link works once.</p>
<dl class="reference"><div><dt>Request ID</dt><dd><code>&lt;/code&gt;&lt;script&gt;alert(1)&lt;/script&gt;</code></dd></div></dl>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > setup, errors > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Set up · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">
<script src="/assets/show-password-HASH.js" defer></script>
</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<p class="step">Step 1 of 2</p>
<h1>Create the first administrator</h1>
<p class="lead">This account manages the server: its apps, its accounts and its settings.</p>
<div class="alert" id="form-error" role="alert"><p>Some things need another look.</p></div>

<form method="post" action="/setup" >
<input type="hidden" name="_csrf" value="csrf-token">


<div class="field">
<label for="name">Name</label>
<input id="name" name="name" type="text" value="Ada Lovelace" autocomplete="name" required>


</div>

<div class="field">
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" value="ada" autocomplete="username" autocapitalize="none" spellcheck="false" required aria-describedby="email-error" aria-invalid="true">

<p class="error" id="email-error" role="alert">This is not an e-mail address.</p>
</div>

<div class="field">
<label for="password">Password</label>
<div class="reveal"><input id="password" name="password" type="password" autocomplete="new-password" autocapitalize="none" spellcheck="false" required aria-describedby="password-error password-hint" aria-invalid="true"><button type="button" hidden data-reveals="password" aria-label="Show password" data-show="Show" data-hide="Hide" data-show-label="Show password" data-hide-label="Hide password">Show</button></div>
<p class="hint" id="password-hint">At least 15 characters. A sentence you can remember is better than a short, complicated word.</p>
<p class="error" id="password-error" role="alert">The password is too short.</p>
</div>

<div class="field">
<label for="passwordRepeat">Password, once more</label>
<div class="reveal"><input id="passwordRepeat" name="passwordRepeat" type="password" autocomplete="new-password" autocapitalize="none" spellcheck="false" required aria-describedby="passwordRepeat-error" aria-invalid="true"><button type="button" hidden data-reveals="passwordRepeat" aria-label="Show password" data-show="Show" data-hide="Hide" data-show-label="Show password" data-hide-label="Hide password">Show</button></div>

<p class="error" id="passwordRepeat-error" role="alert">The two passwords are not the same.</p>
</div>
<button type="submit" class="primary">Create administrator</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > setup, hostile > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Set up · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">
<script src="/assets/show-password-HASH.js" defer></script>
</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<p class="step">Step 1 of 2</p>
<h1>Create the first administrator</h1>
<p class="lead">This account manages the server: its apps, its accounts and its settings.</p>
<div class="alert" id="form-error" role="alert"><p>&lt;/script&gt;{{7*7}}</p></div>

<form method="post" action="/setup" >
<input type="hidden" name="_csrf" value="csrf-token">


<div class="field">
<label for="name">Name</label>
<input id="name" name="name" type="text" value="&lt;img src=x onerror=alert(1)&gt;" autocomplete="name" required aria-describedby="name-error" aria-invalid="true">

<p class="error" id="name-error" role="alert">&lt;b&gt;</p>
</div>

<div class="field">
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;" autocomplete="username" autocapitalize="none" spellcheck="false" required aria-describedby="email-error" aria-invalid="true">

<p class="error" id="email-error" role="alert">&#39;&gt;</p>
</div>

<div class="field">
<label for="password">Password</label>
<div class="reveal"><input id="password" name="password" type="password" autocomplete="new-password" autocapitalize="none" spellcheck="false" required aria-describedby="password-error password-hint" aria-invalid="true"><button type="button" hidden data-reveals="password" aria-label="Show password" data-show="Show" data-hide="Hide" data-show-label="Show password" data-hide-label="Hide password">Show</button></div>
<p class="hint" id="password-hint">At least 15 characters. A sentence you can remember is better than a short, complicated word.</p>
<p class="error" id="password-error" role="alert">&amp;amp;</p>
</div>

<div class="field">
<label for="passwordRepeat">Password, once more</label>
<div class="reveal"><input id="passwordRepeat" name="passwordRepeat" type="password" autocomplete="new-password" autocapitalize="none" spellcheck="false" required aria-describedby="passwordRepeat-error" aria-invalid="true"><button type="button" hidden data-reveals="passwordRepeat" aria-label="Show password" data-show="Show" data-hide="Hide" data-show-label="Show password" data-hide-label="Hide password">Show</button></div>

<p class="error" id="passwordRepeat-error" role="alert">--&gt;</p>
</div>
<button type="submit" class="primary">Create administrator</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > setup, plain > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Set up · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">
<script src="/assets/show-password-HASH.js" defer></script>
</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<p class="step">Step 1 of 2</p>
<h1>Create the first administrator</h1>
<p class="lead">This account manages the server: its apps, its accounts and its settings.</p>


<form method="post" action="/setup" >
<input type="hidden" name="_csrf" value="csrf-token">


<div class="field">
<label for="name">Name</label>
<input id="name" name="name" type="text" value="" autocomplete="name" required autofocus>


</div>

<div class="field">
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" value="" autocomplete="username" autocapitalize="none" spellcheck="false" required>


</div>

<div class="field">
<label for="password">Password</label>
<div class="reveal"><input id="password" name="password" type="password" autocomplete="new-password" autocapitalize="none" spellcheck="false" required aria-describedby="password-hint"><button type="button" hidden data-reveals="password" aria-label="Show password" data-show="Show" data-hide="Hide" data-show-label="Show password" data-hide-label="Hide password">Show</button></div>
<p class="hint" id="password-hint">At least 15 characters. A sentence you can remember is better than a short, complicated word.</p>

</div>

<div class="field">
<label for="passwordRepeat">Password, once more</label>
<div class="reveal"><input id="passwordRepeat" name="passwordRepeat" type="password" autocomplete="new-password" autocapitalize="none" spellcheck="false" required><button type="button" hidden data-reveals="passwordRepeat" aria-label="Show password" data-show="Show" data-hide="Hide" data-show-label="Show password" data-hide-label="Hide password">Show</button></div>


</div>
<button type="submit" class="primary">Create administrator</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > sign-in, account > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Sign in · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">
<script src="/assets/show-password-HASH.js" defer></script>
</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Sign in</h1>
<p class="lead">to your account</p>



<form method="post" action="/login/abc/password" >
<input type="hidden" name="_csrf" value="csrf-token">


<div class="field">
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" value="ada@example.com" autocomplete="username" autocapitalize="none" spellcheck="false" required>


</div>

<div class="field">
<label for="password">Password</label>
<div class="reveal"><input id="password" name="password" type="password" autocomplete="current-password" autocapitalize="none" spellcheck="false" required autofocus><button type="button" hidden data-reveals="password" aria-label="Show password" data-show="Show" data-hide="Hide" data-show-label="Show password" data-hide-label="Hide password">Show</button></div>


</div>
<button type="submit" class="primary">Sign in</button>
</form>

</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > sign-in, again > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Sign in · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">
<script src="/assets/show-password-HASH.js" defer></script>
</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Sign in</h1>
<p class="lead">to continue to <bdi class="name">Field Notes</bdi></p>
<div class="notice" role="status"><p>The app asks you to confirm that it is still you.</p></div>


<form method="post" action="/login/abc/password" >
<input type="hidden" name="_csrf" value="csrf-token">


<div class="field">
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" value="ada@example.com" autocomplete="username" autocapitalize="none" spellcheck="false" required>


</div>

<div class="field">
<label for="password">Password</label>
<div class="reveal"><input id="password" name="password" type="password" autocomplete="current-password" autocapitalize="none" spellcheck="false" required autofocus><button type="button" hidden data-reveals="password" aria-label="Show password" data-show="Show" data-hide="Hide" data-show-label="Show password" data-hide-label="Hide password">Show</button></div>


</div>
<button type="submit" class="primary">Sign in</button>
</form>

<form method="post" action="/login/abc/cancel" class="aside">
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="link">Back to <bdi class="name">Field Notes</bdi> without signing in</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > sign-in, hostile > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Sign in · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">
<script src="/assets/show-password-HASH.js" defer></script>
</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Sign in</h1>
<p class="lead">to continue to <bdi class="name">&lt;img src=x onerror=alert(1)&gt;&lt;/script&gt;{{7*7}}&lt;%= 7*7 %&gt;</bdi></p>
<div class="notice" role="status"><p>&lt;/main&gt;&lt;script&gt;alert(2)&lt;/script&gt;</p></div>
<div class="alert" id="form-error" role="alert"><p>&lt;b onclick=&#39;x&#39;&gt;no&lt;/b&gt;</p></div>

<form method="post" action="/login/abc/password" >
<input type="hidden" name="_csrf" value="csrf-token">


<div class="field">
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;" autocomplete="username" autocapitalize="none" spellcheck="false" required aria-describedby="form-error" aria-invalid="true">


</div>

<div class="field">
<label for="password">Password</label>
<div class="reveal"><input id="password" name="password" type="password" autocomplete="current-password" autocapitalize="none" spellcheck="false" required autofocus aria-describedby="form-error" aria-invalid="true"><button type="button" hidden data-reveals="password" aria-label="Show password" data-show="Show" data-hide="Hide" data-show-label="Show password" data-hide-label="Hide password">Show</button></div>


</div>
<button type="submit" class="primary">Sign in</button>
</form>

<form method="post" action="/login/abc/cancel" class="aside">
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="link">Back to <bdi class="name">&lt;img src=x onerror=alert(1)&gt;&lt;/script&gt;{{7*7}}&lt;%= 7*7 %&gt;</bdi> without signing in</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > sign-in, longWords > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Sign in · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">
<script src="/assets/show-password-HASH.js" defer></script>
</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Sign in</h1>
<p class="lead">to continue to <bdi class="name">Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft</bdi></p>



<form method="post" action="/login/abc/password" >
<input type="hidden" name="_csrf" value="csrf-token">


<div class="field">
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" value="long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.long.name@example.com" autocomplete="username" autocapitalize="none" spellcheck="false" required>


</div>

<div class="field">
<label for="password">Password</label>
<div class="reveal"><input id="password" name="password" type="password" autocomplete="current-password" autocapitalize="none" spellcheck="false" required autofocus><button type="button" hidden data-reveals="password" aria-label="Show password" data-show="Show" data-hide="Hide" data-show-label="Show password" data-hide-label="Hide password">Show</button></div>


</div>
<button type="submit" class="primary">Sign in</button>
</form>

<form method="post" action="/login/abc/cancel" class="aside">
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="link">Back to <bdi class="name">Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft</bdi> without signing in</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > sign-in, plain > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Sign in · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">
<script src="/assets/show-password-HASH.js" defer></script>
</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Sign in</h1>
<p class="lead">to continue to <bdi class="name">Field Notes</bdi></p>



<form method="post" action="/login/abc/password" >
<input type="hidden" name="_csrf" value="csrf-token">


<div class="field">
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" value="" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus>


</div>

<div class="field">
<label for="password">Password</label>
<div class="reveal"><input id="password" name="password" type="password" autocomplete="current-password" autocapitalize="none" spellcheck="false" required><button type="button" hidden data-reveals="password" aria-label="Show password" data-show="Show" data-hide="Hide" data-show-label="Show password" data-hide-label="Hide password">Show</button></div>


</div>
<button type="submit" class="primary">Sign in</button>
</form>

<form method="post" action="/login/abc/cancel" class="aside">
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="link">Back to <bdi class="name">Field Notes</bdi> without signing in</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > sign-in, rightToLeft > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Sign in · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">
<script src="/assets/show-password-HASH.js" defer></script>
</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Sign in</h1>
<p class="lead">to continue to <bdi class="name">دفتر الملاحظات 🗒️</bdi></p>



<form method="post" action="/login/abc/password" >
<input type="hidden" name="_csrf" value="csrf-token">


<div class="field">
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" value="عائشة@example.com" autocomplete="username" autocapitalize="none" spellcheck="false" required>


</div>

<div class="field">
<label for="password">Password</label>
<div class="reveal"><input id="password" name="password" type="password" autocomplete="current-password" autocapitalize="none" spellcheck="false" required autofocus><button type="button" hidden data-reveals="password" aria-label="Show password" data-show="Show" data-hide="Hide" data-show-label="Show password" data-hide-label="Hide password">Show</button></div>


</div>
<button type="submit" class="primary">Sign in</button>
</form>

<form method="post" action="/login/abc/cancel" class="aside">
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="link">Back to <bdi class="name">دفتر الملاحظات 🗒️</bdi> without signing in</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > sign-in, wait > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Sign in · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">
<script src="/assets/show-password-HASH.js" defer></script>
</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Sign in</h1>
<p class="lead">to continue to <bdi class="name">Field Notes</bdi></p>

<div class="alert" id="form-error" role="alert"><p>Too many attempts. Wait a while and try again. You can try again in 29 minutes.</p></div>

<form method="post" action="/login/abc/password" >
<input type="hidden" name="_csrf" value="csrf-token">


<div class="field">
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" value="ada@example.com" autocomplete="username" autocapitalize="none" spellcheck="false" required>


</div>

<div class="field">
<label for="password">Password</label>
<div class="reveal"><input id="password" name="password" type="password" autocomplete="current-password" autocapitalize="none" spellcheck="false" required autofocus><button type="button" hidden data-reveals="password" aria-label="Show password" data-show="Show" data-hide="Hide" data-show-label="Show password" data-hide-label="Hide password">Show</button></div>


</div>
<button type="submit" class="primary">Sign in</button>
</form>

<form method="post" action="/login/abc/cancel" class="aside">
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="link">Back to <bdi class="name">Field Notes</bdi> without signing in</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > sign-in, wrong > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Sign in · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">
<script src="/assets/show-password-HASH.js" defer></script>
</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>Sign in</h1>
<p class="lead">to continue to <bdi class="name">Field Notes</bdi></p>

<div class="alert" id="form-error" role="alert"><p>The e-mail address or the password is wrong.</p></div>

<form method="post" action="/login/abc/password" >
<input type="hidden" name="_csrf" value="csrf-token">


<div class="field">
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" value="ada@example.com" autocomplete="username" autocapitalize="none" spellcheck="false" required aria-describedby="form-error" aria-invalid="true">


</div>

<div class="field">
<label for="password">Password</label>
<div class="reveal"><input id="password" name="password" type="password" autocomplete="current-password" autocapitalize="none" spellcheck="false" required autofocus aria-describedby="form-error" aria-invalid="true"><button type="button" hidden data-reveals="password" aria-label="Show password" data-show="Show" data-hide="Hide" data-show-label="Show password" data-hide-label="Hide password">Show</button></div>


</div>
<button type="submit" class="primary">Sign in</button>
</form>

<form method="post" action="/login/abc/cancel" class="aside">
<input type="hidden" name="_csrf" value="csrf-token">
<button type="submit" class="link">Back to <bdi class="name">Field Notes</bdi> without signing in</button>
</form>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > signed out, fromApp > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Signed out · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>You are signed out</h1>
<p class="lead">You can now close this page or go back to <bdi class="name">Field Notes</bdi>. On a shared computer, close the browser too.</p>
<p class="ways"><a class="button secondary" href="/">Go to the start page</a></p>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > signed out, hostile > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Signed out · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>You are signed out</h1>
<p class="lead">You can now close this page or go back to <bdi class="name">&lt;img src=x onerror=alert(1)&gt;</bdi>. On a shared computer, close the browser too.</p>
<p class="ways"><a class="button secondary" href="about:blank">Go to the start page</a></p>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > signed out, plain > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Signed out · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>You are signed out</h1>
<p class="lead">On a shared computer, close the browser too.</p>
<p class="ways"><a class="button secondary" href="/">Go to the start page</a></p>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > signed out, rightToLeft > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Signed out · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>You are signed out</h1>
<p class="lead">You can now close this page or go back to <bdi class="name">دفتر الملاحظات 🗒️</bdi>. On a shared computer, close the browser too.</p>
<p class="ways"><a class="button secondary" href="/">Go to the start page</a></p>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > signed out, stayed > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Still signed in · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>You are still signed in</h1>
<p class="lead">You can now close this page or go back to <bdi class="name">Field Notes</bdi>. Nothing has changed for your other apps.</p>
<p class="ways"><a class="button secondary" href="/">Go to the start page</a></p>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > welcome, bare > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Welcome · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>One sign-in for your apps</h1>
<p class="lead">This is an identity provider. Apps send people here to sign in.</p>
<p class="ways"><a class="button primary" href="/account">Sign in to your account</a>
</p>

</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > welcome, hostile > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Welcome · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>One sign-in for your apps</h1>
<p class="lead">This is an identity provider. Apps send people here to sign in.</p>
<p class="ways"><a class="button primary" href="about:blank">Sign in to your account</a>
<a class="button secondary" href="about:blank">Try the demo app</a></p>
<p class="aside"><a href="about:blank">Documentation</a></p>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > welcome, plain > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Welcome · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>One sign-in for your apps</h1>
<p class="lead">This is an identity provider. Apps send people here to sign in.</p>
<p class="ways"><a class="button primary" href="/account">Sign in to your account</a>
<a class="button secondary" href="/demo">Try the demo app</a></p>
<p class="aside"><a href="https://docs.example.com/">Documentation</a></p>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > wrong host, hostile > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Wrong address · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>This server answers to another address</h1>
<p>You came to <bdi><code>&lt;img src=x onerror=alert(1)&gt;</code></bdi>, but this server is set up as <bdi><code>https://id.example.com</code></bdi>.</p>
<p class="ways"><a class="button primary" href="https://id.example.com">Go to the right address</a>
</p>
<section class="rule">
<h2>Is this your server?</h2>
<p>If people should reach it as <bdi><code>&lt;img src=x onerror=alert(1)&gt;</code></bdi>, change the setting <code>ISSUER</code> to that
      origin, with https:// in front, and restart. Behind a reverse proxy, let it pass on the Host header unchanged.</p>
</section>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > wrong host, longWords > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Wrong address · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>This server answers to another address</h1>
<p>You came to <bdi><code>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.</code></bdi>, but this server is set up as <bdi><code>https://id.example.com</code></bdi>.</p>
<p class="ways"><a class="button primary" href="https://id.example.com">Go to the right address</a>
</p>
<section class="rule">
<h2>Is this your server?</h2>
<p>If people should reach it as <bdi><code>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.</code></bdi>, change the setting <code>ISSUER</code> to that
      origin, with https:// in front, and restart. Behind a reverse proxy, let it pass on the Host header unchanged.</p>
</section>
</main>
</body>
</html>

`

exports[`test/views.test.ts > TAP > ATK-A198 ATK-A020: every page with every example, hostile values too > wrong host, plain > page 1`] = `
<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<title>Wrong address · Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="/assets/gatehouse-HASH.svg">
<link rel="stylesheet" href="/assets/gatehouse-HASH.css">

</head>
<body class="narrow">
<header class="brand"><img src="/assets/gatehouse-HASH.svg" alt="" width="32" height="32"><span>Gatehouse</span></header>
<main>

<h1>This server answers to another address</h1>
<p>You came to <bdi><code>192.168.1.20:3000</code></bdi>, but this server is set up as <bdi><code>http://localhost:3000</code></bdi>.</p>
<p class="ways"><a class="button primary" href="http://localhost:3000">Go to the right address</a>
</p>
<section class="rule">
<h2>Is this your server?</h2>
<p>If people should reach it as <bdi><code>192.168.1.20:3000</code></bdi>, change the setting <code>ISSUER</code> to that
      origin, with https:// in front, and restart. Behind a reverse proxy, let it pass on the Host header unchanged.</p>
</section>
</main>
</body>
</html>

`
