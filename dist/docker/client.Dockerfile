# The client and nothing else.
#
#   dist/docker/context.sh target/dist/linux-x86_64 /tmp/context
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
# Nothing can be written in it: reports that can't be delivered are lost with the container. Where
# that matters: -v pakyas:/spool -e PAKYAS_SPOOL_DIR=/spool, a volume that 65532 may write to.
FROM scratch
COPY pakyas /pakyas
USER 65532:65532
ENTRYPOINT ["/pakyas", "monitor"]
