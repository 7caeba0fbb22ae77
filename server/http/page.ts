// Answering with a page.
import type { FastifyReply } from 'fastify';
import type { Html } from '../../views/html.ts';

export const sendPage = (reply: FastifyReply, page: Html, status = 200): FastifyReply =>
  reply.code(status).type('text/html; charset=utf-8').send(page.toString());
