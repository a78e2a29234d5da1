# The gateway's image: one binary, no root, no shell needed. `docker build -t sluice .`
#
# What is shipped is built by what it was seen to do (`make guided`): two builds, and an eighth less of a processor for a poll.
# `docker build --build-arg RELEASE=usual` builds once.
FROM rust:1.95.0-slim-bookworm AS build
ARG RELEASE=guided
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# What runs the gateway while its steps are counted, and what merges the counts.
# hadolint ignore=DL3008
RUN if [ "$RELEASE" = guided ]; then \
      apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*; \
    fi
WORKDIR /src
COPY . .
RUN mkdir /audit && case "$RELEASE" in \
      guided) cp "$(python3 benches/guided/build.py | tail -n 1)" /sluice ;; \
      usual) cargo build --locked --release --bin sluice && cp target/release/sluice /sluice ;; \
      *) echo "RELEASE is guided or usual, not '$RELEASE'" >&2; exit 2 ;; \
    esac

FROM debian:12.8-slim
LABEL org.opencontainers.image.title="sluice" org.opencontainers.image.licenses="Apache-2.0"
# Who a coordinator or a collector with TLS is believed to be.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /sluice /usr/local/bin/sluice
# A volume on it belongs to whoever owns it here: the audit log is written there.
COPY --from=build --chown=10001:10001 /audit /var/lib/sluice
# A number, not a name: Kubernetes' runAsNonRoot cannot read names.
USER 10001:10001
# data, admin, metrics, health
EXPOSE 8080 8081 9090 9091
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
  CMD ["/usr/local/bin/sluice", "healthcheck", "--url", "http://127.0.0.1:9091/healthz"]
ENTRYPOINT ["/usr/local/bin/sluice"]
CMD ["serve", "--config", "/etc/sluice/sluice.yaml"]
