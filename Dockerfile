# One image for every role: docker run parley --role chat
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /parley
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund || npm install --no-save --no-audit --no-fund
COPY tsconfig.json vite.config.ts ./
COPY src ./src
RUN node node_modules/vite/bin/vite.js build --logLevel warn

FROM node:24.21.0-bookworm-slim AS dependencies
WORKDIR /parley
COPY package.json package-lock.json .npmrc ./
# Neither the embedded Postgres nor a second Node: the image has its own, and databases have theirs.
RUN npm install --no-save --omit=dev --omit=optional --no-audit --no-fund && npm cache clean --force

FROM node:24.21.0-bookworm-slim
ENV NODE_ENV=production \
    PARLEY_ENVIRONMENT=production \
    HOST=0.0.0.0
WORKDIR /parley
COPY --from=dependencies /parley/node_modules ./node_modules
COPY --from=build /parley/dist ./dist
COPY package.json LICENSE ./
COPY src ./src
COPY migrations ./migrations
COPY data/moderation/artefacts ./data/moderation/artefacts
COPY data/moderation/README.md ./data/moderation/README.md
USER node
EXPOSE 8080 8081
# Whichever of the two ports the role has answers.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "const port=(n,d)=>Number(process.env[n])||d;const at=(p)=>fetch(`http://127.0.0.1:${p}/health/live`).then((r)=>r.ok||Promise.reject());Promise.any([at(port('PORT',8080)),at(port('PARLEY_PROCESSING_PORT',8081))]).then(()=>process.exit(0),()=>process.exit(1))"]
ENTRYPOINT ["node", "src/main.ts"]
CMD ["--role", "chat"]
