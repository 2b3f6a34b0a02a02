# Controller and invoker of a cluster, on Debian's Python; `deploy/images/build` fills the context:
#   docker build -f deploy/images/platform.Dockerfile --target controller -t brisk/controller CONTEXT
#   docker build -f deploy/images/platform.Dockerfile --target invoker -t brisk/invoker CONTEXT
# CONTEXT/lib has the wheels of requirements.lock, CONTEXT/app has that of Brisk. No pip is needed
# here: a wheel without scripts is an archive of what is to be imported.
ARG BASE=debian:bookworm-slim
FROM ${BASE} AS python
RUN apt-get update -qq \
 && apt-get install -qq -y --no-install-recommends python3 ca-certificates tzdata \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /usr/share/doc/* /usr/share/man/* \
 && useradd --uid 65532 --user-group --home-dir /tmp --no-create-home --shell /bin/sh action

FROM python AS unpacked
COPY lib /wheels/lib
RUN for each in /wheels/lib/*.whl; do python3 -m zipfile -e "$each" /opt/brisk/lib; done \
 && python3 -m compileall -q /opt/brisk/lib
COPY app /wheels/app
RUN for each in /wheels/app/*.whl; do python3 -m zipfile -e "$each" /opt/brisk/app; done \
 && python3 -m compileall -q /opt/brisk/app

FROM python AS platform
COPY --from=unpacked /opt/brisk/lib /opt/brisk/lib
COPY --from=unpacked /opt/brisk/app /opt/brisk/app
# Whether it is alive, not whether it is ready: who waits for a database should not be restarted.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["python3", "-c", \
 "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"BRISK_HTTP__PORT\"]}/ping', timeout=4)"]
ENV PYTHONPATH=/opt/brisk/app:/opt/brisk/lib PYTHONDONTWRITEBYTECODE=1 LANG=C.UTF-8 \
    BRISK_DATA=/var/lib/brisk BRISK_HTTP__HOST=0.0.0.0 BRISK_HTTP__PORT=3233
EXPOSE 3233
STOPSIGNAL SIGTERM

# A controller needs no right but to listen and to write to its folder.
FROM platform AS controller
RUN useradd --uid 65533 --user-group --home-dir /var/lib/brisk --no-create-home --shell /usr/sbin/nologin brisk \
 && install -d -o brisk -g brisk -m 700 /var/lib/brisk
VOLUME /var/lib/brisk
USER brisk
WORKDIR /
CMD ["python3", "-m", "controller"]

# An invoker makes sandboxes, so it is root. Of processes (the default): namespaces, mounts and a root
# of their own need --cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt
# systempaths=unconfined (and apparmor=unconfined where there is AppArmor); each function runs as a
# user of its own, without capabilities, behind a filter of Brisk's. Of containers
# (BRISK_INVOKER__DRIVER=docker): the engine's socket, which is as good as root, and a data folder that
# has the same path on the host, because the containers it makes are given a part of it.
FROM platform AS invoker
RUN install -d -m 700 /var/lib/brisk
VOLUME /var/lib/brisk
WORKDIR /
CMD ["python3", "-m", "invoker"]
