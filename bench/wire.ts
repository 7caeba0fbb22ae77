// One keep-alive connection that speaks just enough HTTP/1.1 for the bench: one request at a time, bodies by length or
// in chunks. node:http would cost the driver more per request than the server needs to answer the cheap ones.
import { connect, type Socket } from 'node:net';

export interface Answer {
  status: number;
  /** Status line and headers, each line ended by CRLF. */
  head: string;
  body: string;
}

export interface Wire {
  /** Sends a whole request as text, answers the whole response. */
  ask(request: string): Promise<Answer>;
  close(): void;
}

const PATIENCE = 30_000;

/** The body of a chunked answer, or null while its end is missing. */
function chunked(text: string): string | null {
  let body = '';
  for (let at = 0; ; ) {
    const line = text.indexOf('\r\n', at);
    if (line === -1) return null;
    const size = Number.parseInt(text.slice(at, line), 16);
    const end = line + 2 + size;
    if (Number.isNaN(size)) throw new Error('a chunk without a size');
    if (text.length < end + 2) return null;
    if (size === 0) return body;
    body += text.slice(line + 2, end);
    at = end + 2;
  }
}

function parse(text: string): Answer | null {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const head = text.slice(0, end + 2);
  const status = Number(head.slice(9, 12));
  const rest = end + 4;
  if (status === 204 || status === 304) return { status, head, body: '' };
  const length = /\r\ncontent-length: *(\d+)/i.exec(head);
  if (length) {
    if (text.length < rest + Number(length[1])) return null;
    return { status, head, body: text.slice(rest) };
  }
  if (!/\r\ntransfer-encoding: *chunked/i.test(head))
    throw new Error(`an answer of unknown length:\n${head}`);
  const body = chunked(text.slice(rest));
  return body === null ? null : { status, head, body };
}

export function openWire(port: number): Wire {
  let socket: Socket | null = null;
  let received = '';
  let waiting: { resolve(answer: Answer): void; reject(error: Error): void } | null = null;

  function settle(work: (one: NonNullable<typeof waiting>) => void): void {
    const one = waiting;
    waiting = null;
    received = '';
    if (one) work(one);
  }
  function fail(error: Error): void {
    socket?.destroy();
    socket = null;
    settle((one) => one.reject(error));
  }
  function opened(): Socket {
    const fresh = connect({ port, host: '127.0.0.1', noDelay: true }).setEncoding('latin1');
    fresh.setTimeout(PATIENCE, () => waiting && fail(new Error('no answer in time')));
    fresh.on('error', fail);
    fresh.on('close', () => {
      if (socket === fresh) fail(new Error('the server closed the connection'));
    });
    fresh.on('data', (text: string) => {
      received += text;
      try {
        const answer = parse(received);
        if (answer) settle((one) => one.resolve(answer));
      } catch (error) {
        fail(error as Error);
      }
    });
    return fresh;
  }

  return {
    ask: (request) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        socket ??= opened();
        socket.write(request, 'latin1');
      }),
    close() {
      socket?.destroy();
      socket = null;
    },
  };
}
