# The gateway's image: one binary, no root, no shell needed. `docker build -t sluice .`
FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --release --bin sluice && mkdir /audit

FROM debian:12.8-slim
LABEL org.opencontainers.image.title="sluice" org.opencontainers.image.licenses="Apache-2.0"
# Who a coordinator or a collector with TLS is believed to be.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/release/sluice /usr/local/bin/sluice
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
