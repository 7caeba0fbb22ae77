// A QR code as inline SVG: nothing is loaded, no style is set, and it is dark on light in either colour scheme, because
// not every camera reads the other way round.
import { create } from 'qrcode';
import { type Html, html } from './html.ts';

/** Modules of light around it, as ISO/IEC 18004 wants them. */
const QUIET = 4;

/** `label` says to who cannot see it where it leads. */
export function qrCode(text: string, label: string): Html {
  const { modules } = create(text, { errorCorrectionLevel: 'M' });
  const { size } = modules;
  let path = '';
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      let run = 0;
      while (x + run < size && modules.get(y, x + run)) run++;
      if (run > 0) path += `M${x + QUIET} ${y + QUIET}h${run}v1h-${run}z`;
      x += run;
    }
  }
  const side = size + 2 * QUIET;
  return html`<svg class="qr" viewBox="0 0 ${side} ${side}" role="img" aria-label="${label}"><rect width="${side}" height="${side}" fill="#fff"></rect><path d="${path}" fill="#000"></path></svg>`;
}
