# The server and nothing else, as a user without a name or rights.
#
#   dist/docker/context.sh target/dist/linux-x86_64 /tmp/context
#   docker build -f dist/docker/server.Dockerfile -t pakyas-server /tmp/context
#   docker run -d --name pakyas --read-only --cap-drop ALL -p 8080:8080 -v pakyas:/var/lib/pakyas \
#     -e PAKYAS_SERVER_PUBLIC_URL=https://pakyas.example.com pakyas-server
#   docker logs pakyas      shows, at the first start, how to log a client in
#
# A folder of the host instead of a volume must belong to 65532:65532.
FROM scratch
COPY pakyas-server /pakyas-server
COPY --chown=65532:65532 data/ /var/lib/pakyas/
# There is no /tmp: what SQLite puts aside while it sorts goes to the data.
ENV PAKYAS_SERVER_LISTEN=0.0.0.0:8080 \
    PAKYAS_SERVER_DATA_DIR=/var/lib/pakyas \
    SQLITE_TMPDIR=/var/lib/pakyas
USER 65532:65532
VOLUME /var/lib/pakyas
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=6s --start-period=10s CMD ["/pakyas-server", "healthcheck"]
ENTRYPOINT ["/pakyas-server"]
