# The server, and nothing that opens a section: no client package enters this image.
# tests/architecture/test_dockerfile.py reads this file and, in `make soak`, runs its build stage.

FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements/build.txt requirements/server.txt requirements/
RUN python -m venv /build/tools && /build/tools/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt
RUN python -m venv /opt/sluss && /opt/sluss/bin/pip install --no-cache-dir --require-hashes -r requirements/server.txt
COPY schemas schemas
COPY server server
RUN /build/tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /build/wheels ./schemas ./server
RUN /opt/sluss/bin/pip install --no-cache-dir --no-deps --no-index /build/wheels/*.whl
# What runs has no use for an installer.
RUN /opt/sluss/bin/pip uninstall --yes setuptools pip

FROM python:3.11-slim
RUN groupadd --system --gid 10001 sluss \
    && useradd --system --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin sluss \
    && install --directory --owner=sluss --group=sluss --mode=0700 /data
COPY --from=build /opt/sluss /opt/sluss
ENV PATH=/opt/sluss/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SLUSS_DATABASE_URL=sqlite+aiosqlite:////data/sluss.sqlite \
    SLUSS_HOST=0.0.0.0 \
    SLUSS_PORT=8000
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health/ready', timeout=4)"]
ENTRYPOINT ["sluss"]
CMD ["serve"]
