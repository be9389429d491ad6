# The client and nothing else.
#
#   dist/docker/context.sh target/dist/x86_64 /tmp/context
#   docker build -f dist/docker/client.Dockerfile -t pakyas /tmp/context
#
# Into an image of your own, whatever it is made from:
#
#   COPY --from=pakyas /pakyas /usr/local/bin/pakyas
#   ENTRYPOINT ["pakyas", "monitor"]
#
# or, where your job is one static program: FROM pakyas, and COPY it in. Then
#
#   docker run -e PAKYAS_API_KEY=pk_live_xxx -e PAKYAS_PROJECT=production IMAGE daily-backup -- /job
#
# Reports that can't be delivered are kept in /spool, which is gone with the container: give it a
# volume where that matters.
FROM scratch
COPY pakyas /pakyas
COPY --chown=65532:65532 data/ /spool/
ENV PAKYAS_SPOOL_DIR=/spool
USER 65532:65532
ENTRYPOINT ["/pakyas", "monitor"]
