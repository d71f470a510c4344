# One image for workers, Flower and the command: a volume of mods at /mods, a broker by URL.
#
#   docker build -t ck3parse .
#   docker run --rm --read-only --tmpfs /tmp -v ~/mods:/mods:ro ck3parse ck3parse check /mods

ARG RUST_IMAGE=docker.io/library/rust:1-slim-bookworm
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm

FROM ${RUST_IMAGE} AS native
WORKDIR /build
COPY rust rust
# CPython's stable ABI needs no Python at build time.
RUN PYO3_NO_PYTHON=1 cargo build --quiet --release --locked --package ck3parse-python \
    --manifest-path rust/Cargo.toml

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
RUN python -m venv /opt/ck3parse
COPY LICENSE README.md pyproject.toml setup.py ./
COPY src src
RUN CK3PARSE_NATIVE=0 /opt/ck3parse/bin/python -m pip install --no-cache-dir \
    --disable-pip-version-check --quiet '.[flower]'
COPY --from=native /build/rust/target/release/lib_native.so _native.abi3.so
RUN cp _native.abi3.so /opt/ck3parse/lib/python3*/site-packages/ck3parse/parser/ \
    && /opt/ck3parse/bin/python -m pip uninstall --quiet --yes pip setuptools \
    && CK3PARSE_PARSER=native /opt/ck3parse/bin/ck3parse --version

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 ck3parse \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin ck3parse
COPY --from=build /opt/ck3parse /opt/ck3parse
# Containers are stopped by SIGTERM. Treat it like SIGQUIT: the worker gets a few seconds to finish
# running tasks, and returns tasks that it has not started to the queue.
ENV PATH=/opt/ck3parse/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    REMAP_SIGTERM=SIGQUIT \
    CK3PARSE_ROOTS=/mods \
    CK3PARSE_ALIVE_FILE=/tmp/ck3parse.alive
USER 10001:10001
WORKDIR /tmp
# The worker writes this heartbeat file every few seconds while it is connected to its broker.
# `celery inspect ping` would cost half a second of processor time each time.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD find "$CK3PARSE_ALIVE_FILE" -mmin -0.5 | grep -q .
CMD ["celery", "-A", "ck3parse", "worker", "--loglevel=INFO", "--without-gossip", "--without-mingle"]
