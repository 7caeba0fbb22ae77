// The frame every mail stands in. A mail is written once, as paragraphs of markup; its plain text is made of the same
// paragraphs, so that both say the same. Nothing in it is loaded from anywhere, and nothing tells that it was read.
//
// Names are chosen by people, and a mail of ours must not carry a stranger's message to somebody else: a name that a mail
// program would make a link of, or that is no name by its length, is left out or cut (ATK-A153).
import { type Html, html } from '../html.ts';
import { en, type Words } from '../words.ts';

export interface Mail {
  subject: string;
  text: string;
  html: string;
}

/** What every mail is made of. */
export interface MailProps {
  /** The host of the issuer: by this name people know who wrote to them. */
  service: string;
}

const LONGEST_NAME = 60;
/** What orders text anew or takes no room; joiners stay, for emoji and scripts need them. */
const UNSEEN =
  /[\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
const LINKED = /[/@:\\]|\S[.\u3002\uff0e\uff61]\S/u;

/** A name as a mail may show it; null where it may not. */
export function nameInMail(given: string | null): string | null {
  const name = (given ?? '')
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .replace(UNSEEN, '')
    .toWellFormed()
    .trim();
  if (name === '' || LINKED.test(name.normalize('NFKC'))) return null;
  const letters = [...name];
  return letters.length > LONGEST_NAME ? `${letters.slice(0, LONGEST_NAME - 1).join('')}…` : name;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
};

/** What is read of our own markup: there is no < or > in it but those of tags. */
const textOf = (markup: Html): string =>
  String(markup)
    .replace(/<[^>]*>/g, '')
    .replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => ENTITIES[entity] ?? entity)
    .replace(/\s+/g, ' ')
    .trim();

export function mail(
  { service }: MailProps,
  { subject, paragraphs }: { subject: string; paragraphs: readonly Html[] },
  words: Words = en,
): Mail {
  const footer = words.mails.footer(service);
  const page = html`<!doctype html>
<html lang="${words.language}" dir="${words.direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${subject}</title>
</head>
<body style="margin: 0; padding: 24px; font: 16px/1.5 system-ui, sans-serif">
<div style="max-width: 560px; margin: 0 auto">
${paragraphs.map((one) => html`<p style="margin: 0 0 16px">${one}</p>\n`)}<p style="margin: 24px 0 0; font-size: 13px; opacity: 0.75">${footer}</p>
</div>
</body>
</html>
`;
  return {
    subject,
    text: `${[...paragraphs.map(textOf), `-- \n${textOf(footer)}`].join('\n\n')}\n`,
    html: String(page),
  };
}
