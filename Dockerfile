# syntax=docker/dockerfile:1

# Everything from the lock file; what only the build needs stays in this stage.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY libs libs
COPY migrations migrations
COPY pipelines pipelines
COPY src src
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

# glibc, not musl: the embedded PostgreSQL needs it (it is not used when DATABASE_URL is set).
FROM node:24-bookworm-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Penstock" \
      org.opencontainers.image.description="Records from REST and Kafka through five credit-controlled stages to Kafka, Postgres or an HTTP callback" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="docker.io/library/node:24-bookworm-slim"
ENV NODE_ENV=production HOST=0.0.0.0
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
# Nothing is written into the image: run it with a read-only root, and a volume at DATA_DIR only for the embedded database.
USER node
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:'+(process.env.ADMIN_PORT||process.env.PORT||3000)+'/health/live').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
# No shell and no npm between a signal and Node. A young generation of full size from the start: at its initial 1 MiB half of
# what a request makes survives into the old one; no objects are put there from the start (docs/adr/0027).
CMD ["node", "--enable-source-maps", "--min-semi-space-size=16", "--no-allocation-site-pretenuring", "dist/src/main.js"]
