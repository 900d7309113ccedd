# The server as an image. `docker build -t yanshu:local .`, then, with SQLite in a volume:
#
#     docker run --init -p 127.0.0.1:8080:8080 -v yanshu:/var/lib/yanshu yanshu:local serve --allow-open
#
# docker-compose.yml runs it on PostgreSQL and NATS instead.

ARG RUST=1.95
ARG DEBIAN=bookworm

FROM rust:${RUST}-slim-${DEBIAN} AS chef
# OpenSSL's headers, for TLS to PostgreSQL. No versions: Debian keeps only the newest of a release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libssl-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
# Builds the dependencies alone, so that they stay in a layer of their own until Cargo.toml or
# Cargo.lock change.
RUN cargo install cargo-chef --locked --version 0.1.78
WORKDIR /build

FROM chef AS plan
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM chef AS build
COPY --from=plan /build/recipe.json .
RUN cargo chef cook --release --locked --features postgres-tls --recipe-path recipe.json
COPY . .
RUN cargo build --release --locked --features postgres-tls --bin yanshu

FROM debian:${DEBIAN}-slim
# The certificates are for TLS to NATS.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 yanshu \
    && useradd --uid 10001 --gid yanshu --home-dir /var/lib/yanshu --no-create-home \
        --shell /usr/sbin/nologin yanshu \
    && install -d -o yanshu -g yanshu -m 0750 /var/lib/yanshu /var/lib/yanshu-files
COPY --from=build /build/target/release/yanshu /usr/local/bin/yanshu

ENV YANSHU_LISTEN=0.0.0.0:8080 \
    DATABASE_URL=sqlite:///var/lib/yanshu/yanshu.db
# By number, so that whoever forbids root can see that it is not.
USER 10001:10001
WORKDIR /var/lib/yanshu
VOLUME /var/lib/yanshu
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["yanshu", "health"]
ENTRYPOINT ["yanshu"]
CMD ["serve"]
