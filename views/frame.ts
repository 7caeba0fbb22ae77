// The frame every page stands in. Nothing in it comes from another host and nothing is inline, so the pages run
// under `script-src 'self'; style-src 'self'`.

import { assetUrl } from './assets.ts';
import { type Html, html, type Value } from './html.ts';
import type { Words } from './words.ts';

export interface Frame {
  /** Plain text in front of the service's name in the window title. */
  title: string;
  content: Value;
  /** One card in one narrow column, or a wide column of sections. */
  width?: 'narrow' | 'wide';
  /** A password field is on the page: adds the script of its button. */
  password?: boolean;
}

export const frame = (
  words: Words,
  { title, content, width = 'narrow', password = false }: Frame,
): Html => html`<!doctype html>
<html lang="${words.language}" dir="${words.direction}">
<head>
<meta charset="utf-8">
<title>${title} · ${words.service}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="${assetUrl('gatehouse.svg')}">
<link rel="stylesheet" href="${assetUrl('gatehouse.css')}">
${password && html`<script src="${assetUrl('show-password.js')}" defer></script>`}
</head>
<body class="${width}">
<header class="brand"><img src="${assetUrl('gatehouse.svg')}" alt="" width="32" height="32"><span>${words.service}</span></header>
<main>
${content}
</main>
</body>
</html>
`;
