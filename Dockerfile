# The command in an image, for engines that start containers; 'fleetslo schedule export --to kubernetes'
# writes what runs it. Notebooks and queries of your own go to /srv/fleetslo.
FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements.lock ./
RUN pip install --no-cache-dir --no-deps --require-hashes --prefix=/installed -r requirements.lock
ENV PATH=/installed/bin:$PATH PYTHONPATH=/installed/lib/python3.11/site-packages
COPY . .
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip install --no-cache-dir --no-deps --prefix=/installed /wheels/*.whl

FROM python:3.11-slim
COPY --from=build /installed /usr/local
RUN useradd --uid 10001 --create-home fleetslo \
    && install -d -o fleetslo /srv/fleetslo /var/lib/fleetslo
USER 10001
WORKDIR /srv/fleetslo
ENV FLEETSLO_HOME=/var/lib/fleetslo
ENTRYPOINT ["fleetslo"]
CMD ["--help"]
