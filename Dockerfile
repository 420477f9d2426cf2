# syntax=docker/dockerfile:1
#
#   docker build -t purchase-model .                             TensorFlow Serving with a model trained in the build
#   docker build -t purchase-model --build-arg MODEL=pushed .    the same with all models in artifacts/serving
#   docker build -t purchase-model --target embedded .           the Python server instead of TensorFlow Serving
#   docker build -t campaign-desk --target desk .                the campaign desk
#   docker build -t model-sync --target sync .                   the sidecar that fetches models from an object store
#   docker build -t purchase-model-training --target training .  pipelines, the schedule, the worker of an engine
#
# The default is what Railway builds: the last stage, from nothing but what is in git.

ARG MODEL=trained

FROM python:3.10.16-slim-bookworm AS python
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DO_NOT_TRACK=1
WORKDIR /app
RUN pip install --no-cache-dir uv==0.13.8

# --- the models ------------------------------------------------------------------------------------------------------

# Everything that trains: pipelines, the schedule of trainings, the worker of an engine.
FROM python AS training
COPY requirements.txt ./
RUN uv pip install --system --no-cache --compile-bytecode --require-hashes --requirements requirements.txt
COPY data ./data
COPY analysis ./analysis
COPY pages ./pages
COPY modules ./modules
COPY serving ./serving
COPY monitoring ./monitoring
COPY runs ./runs
COPY report ./report
COPY campaigns ./campaigns
COPY deploy ./deploy
COPY pipeline ./pipeline
COPY schedule ./schedule
USER 10001:10001
CMD ["python", "-m", "pipeline.run", "--help"]

FROM training AS trained
USER root
RUN python -m pipeline.run && python -m pipeline.segment

FROM python AS pushed
COPY artifacts/serving ./artifacts/serving
COPY artifacts/runs ./artifacts/runs

FROM ${MODEL} AS model

# --- the Python server -----------------------------------------------------------------------------------------------

FROM python AS embedded
COPY requirements.txt ./
# The pins without the packages that only training needs.
RUN sed -n 's/^\([A-Za-z0-9._-]*==[^ ;\\]*\).*/\1/p' requirements.txt > pins.txt \
    && uv pip install --system --no-cache --compile-bytecode --constraint pins.txt \
        tensorflow tensorflow-serving-api orjson httptools uvloop \
    && rm pins.txt
COPY data ./data
COPY analysis ./analysis
COPY serving ./serving
COPY --chmod=0755 serving/container/healthcheck.sh serving/container/model_names.sh /usr/local/bin/
COPY --from=model --chmod=a+rX /app/artifacts/serving ./artifacts/serving
USER 10001:10001
# The server looks into artifacts/serving by itself; the health check has to be told.
ENV PORT=8501 \
    MODEL_BASE_PATH=/app/artifacts/serving
EXPOSE 8501
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["/usr/local/bin/healthcheck.sh"]
# The server handles SIGTERM itself and has no children, so it needs no init.
CMD ["bash", "-c", "exec python -m serving --rest_api_host=0.0.0.0 --rest_api_port=\"$PORT\""]

# --- the exporter ----------------------------------------------------------------------------------------------------

FROM python AS exporter
COPY requirements.txt ./
RUN sed -n 's/^\([A-Za-z0-9._-]*==[^ ;\\]*\).*/\1/p' requirements.txt > pins.txt \
    && uv pip install --system --no-cache --compile-bytecode --constraint pins.txt \
        numpy prometheus-client psutil pyarrow pydantic pyyaml \
    && rm pins.txt
COPY data ./data
COPY analysis ./analysis
COPY runs ./runs
COPY monitoring ./monitoring
# The contract, the golden request, the reference profile and the summary of the run belong to each served model.
COPY --from=model --chmod=a+rX /app/artifacts/serving ./artifacts/serving
COPY --from=model --chmod=a+rX /app/artifacts/runs ./artifacts/runs
# The same user as the server's, whose open files it counts.
USER 10001:10001
EXPOSE 9109
ENTRYPOINT ["python", "-m", "monitoring.exporter", "--host", "0.0.0.0"]
CMD ["--server", "http://serving:8501"]

# --- the sidecar of an object store ----------------------------------------------------------------------------------

FROM python AS sync
COPY requirements.txt ./
RUN sed -n 's/^\([A-Za-z0-9._-]*==[^ ;\\]*\).*/\1/p' requirements.txt > pins.txt \
    && uv pip install --system --no-cache --compile-bytecode --constraint pins.txt \
        prometheus-client pyarrow \
    && rm pins.txt
COPY data ./data
COPY runs ./runs
COPY serving ./serving
# The server's container mounts the same volume, which takes over the owner.
RUN mkdir -p artifacts/serving && chown 10001:10001 artifacts/serving
USER 10001:10001
EXPOSE 9110
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9110/readyz', timeout=4)"]
# To be followed by the address of the models and the folder: s3://bucket/models artifacts/serving
ENTRYPOINT ["python", "-m", "serving.sync", "--host", "0.0.0.0"]
CMD ["--help"]

# --- the campaign desk -----------------------------------------------------------------------------------------------

FROM python AS desk
COPY requirements.txt ./
RUN sed -n 's/^\([A-Za-z0-9._-]*==[^ ;\\]*\).*/\1/p' requirements.txt > pins.txt \
    && uv pip install --system --no-cache --compile-bytecode --constraint pins.txt \
        alembic babel fastapi httptools httpx jinja2 limits numpy orjson prometheus-client psycopg psycopg-binary pyarrow \
        pydantic python-multipart pyyaml rich scikit-learn scipy sqlalchemy uvicorn uvloop xlsxwriter \
    && rm pins.txt
COPY data ./data
COPY analysis ./analysis
COPY pages ./pages
COPY runs ./runs
COPY serving ./serving
COPY campaigns ./campaigns
# What each served version says of itself: its contract, its profile and the summary of its run.
COPY --from=model --chmod=a+rX /app/artifacts/serving ./artifacts/serving
COPY --from=model --chmod=a+rX /app/artifacts/runs ./artifacts/runs
# A volume that is mounted there takes over the owner.
RUN mkdir artifacts/campaigns && chown 10001:10001 artifacts/campaigns
USER 10001:10001
EXPOSE 8600
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8600/livez', timeout=4)"]
# Beyond its container the desk asks for keys: python -m campaigns.keys add NAME --role admin
CMD ["python", "-m", "campaigns", "--host", "0.0.0.0"]

# --- TensorFlow Serving ----------------------------------------------------------------------------------------------

FROM python AS init
RUN apt-get update \
    && apt-get install --yes --no-install-recommends "tini=0.19.*" \
    && rm -rf /var/lib/apt/lists/*

FROM tensorflow/serving:2.19.1 AS serving
COPY --from=init --chmod=0755 /usr/bin/tini-static /usr/local/bin/tini
COPY --chmod=0755 serving/container/entrypoint.sh serving/container/healthcheck.sh serving/container/model_names.sh \
    /usr/local/bin/
COPY --chmod=0644 serving/container/monitoring.config /etc/tensorflow-serving/monitoring.config
COPY --from=model --chmod=a+rX /app/artifacts/serving /models
# The image of TensorFlow Serving sets MODEL_NAME=model. Empty, it lets every model below MODEL_BASE_PATH be served.
ENV MODEL_NAME= \
    MODEL_BASE_PATH=/models
USER 10001:10001
EXPOSE 8501
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["/usr/local/bin/healthcheck.sh"]
# As process 1 TensorFlow Serving would ignore SIGTERM; below tini the signal ends it.
ENTRYPOINT ["/usr/local/bin/tini", "--", "/usr/local/bin/entrypoint.sh"]
