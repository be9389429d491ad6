# A job's image with pakyas in it, as the guide has it; `COPY --from=pakyas` (client.Dockerfile)
# needs neither curl nor a network.
#
#   docker run -e PAKYAS_API_KEY=pk_live_xxx -e PAKYAS_PROJECT=production \
#     your-image:latest daily-backup -- /scripts/backup.sh
#
# hadolint global ignore=DL3008,DL3015,DL4006
FROM ubuntu:22.04

# Install pakyas
RUN apt-get update && apt-get install -y curl && \
    curl -sL https://github.com/pakyas/pakyas/releases/latest/download/pakyas-linux-x86_64.tar.gz | tar xz && \
    mv pakyas /usr/local/bin/ && \
    rm -rf /var/lib/apt/lists/*

# Your application
COPY scripts/ /scripts/

ENTRYPOINT ["pakyas", "monitor"]
