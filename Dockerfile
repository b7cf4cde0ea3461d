# The daemon in an image, and every other command for engines that start containers: 'fleetslo schedule
# export --to kubernetes' writes what runs it. A project of your own is mounted at /srv/fleetslo, what
# runs produce at /var/lib/fleetslo. Start it with --init, for the daemon looks after no orphans.
FROM python:3.11-slim AS build
WORKDIR /src
COPY build.lock runtime.lock ./
RUN pip install --no-cache-dir --no-deps --require-hashes -r build.lock
RUN pip install --no-cache-dir --no-deps --require-hashes --prefix=/installed -r runtime.lock
COPY pyproject.toml README.md LICENSE ./
COPY lib lib
COPY queries queries
COPY notebooks notebooks
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip install --no-cache-dir --no-deps --prefix=/installed /wheels/*.whl

FROM python:3.11-slim
RUN pip uninstall --yes pip setuptools wheel \
    && useradd --uid 10001 --create-home fleetslo \
    && install -d -o fleetslo /srv/fleetslo /var/lib/fleetslo
COPY --from=build /installed /usr/local
USER 10001
WORKDIR /srv/fleetslo
ENV FLEETSLO_HOME=/var/lib/fleetslo
EXPOSE 9108
HEALTHCHECK --interval=60s --timeout=5s --start-period=60s CMD ["python", "-c", "import urllib.request as asks; asks.urlopen('http://127.0.0.1:9108/healthz', timeout=4)"]
ENTRYPOINT ["fleetslo"]
CMD ["schedule", "--metrics", "0.0.0.0:9108"]
