# The Node runtime on Debian's Node. To build it, from the top of the repository:
#   docker build -f deploy/images/nodejs.Dockerfile --label brisk.kind=nodejs:18 -t brisk/nodejs:18 runtimes
ARG BASE=debian:bookworm-slim
FROM ${BASE}
RUN apt-get update -qq \
 && apt-get install -qq -y --no-install-recommends nodejs ca-certificates tzdata \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /usr/share/doc/* /usr/share/man/* \
 && useradd --uid 65532 --user-group --home-dir /tmp --no-create-home --shell /bin/sh action
COPY nodejs /opt/brisk/runtimes/nodejs
LABEL brisk.faces="frames http"
ENV PATH=/usr/local/bin:/usr/bin:/bin HOME=/tmp TMPDIR=/tmp LANG=C.UTF-8
USER action
WORKDIR /tmp
CMD ["node", "/opt/brisk/runtimes/nodejs/proxy.js"]
