# The Python runtime on Debian's Python. To build it, from the top of the repository:
#   docker build -f deploy/images/python.Dockerfile --label brisk.kind=python:3.11 -t brisk/python:3.11 runtimes
ARG BASE=debian:bookworm-slim
FROM ${BASE}
RUN apt-get update -qq \
 && apt-get install -qq -y --no-install-recommends python3 ca-certificates tzdata \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /usr/share/doc/* /usr/share/man/* \
 && useradd --uid 65532 --user-group --home-dir /tmp --no-create-home --shell /bin/sh action
COPY python /opt/brisk/runtimes/python
# Compiled once here: a start that has to compile the standard library takes 0.3 s longer.
RUN python3 -m compileall -q /usr/lib/python3.11 /opt/brisk/runtimes || true
LABEL brisk.faces="frames http"
ENV PATH=/usr/local/bin:/usr/bin:/bin HOME=/tmp TMPDIR=/tmp LANG=C.UTF-8
USER action
WORKDIR /tmp
CMD ["python3", "/opt/brisk/runtimes/python/proxy.py"]
