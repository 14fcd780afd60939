# The demo with its embedded models; needs no network once built.
#   docker build -t hub-models-demo .
#   docker run --rm --read-only --tmpfs /tmp -p 127.0.0.1:7860:7860 hub-models-demo
FROM python:3.11-slim

RUN useradd --uid 10001 --no-create-home demo
WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY hub_models ./hub_models
# PyTorch for CPUs: the default build for Linux brings gigabytes of CUDA.
RUN pip install --no-cache-dir --constraint constraints.txt \
    --extra-index-url https://download.pytorch.org/whl/cpu '.[demo]'
COPY app.py ./
COPY demo ./demo
COPY model_cards ./model_cards

# All that is written goes to /tmp: uploads, which are deleted within the hour, models of the hub, exports.
ENV HUB_MODELS_DEMO_HOST=0.0.0.0 \
    HF_HOME=/tmp/hub \
    HUB_MODELS_CACHE=/tmp/exports \
    TORCH_HOME=/tmp/torch \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONDONTWRITEBYTECODE=1
USER demo
EXPOSE 7860
HEALTHCHECK --start-period=60s CMD \
    ["python", "-c", "import os, urllib.request as u; from demo.settings import read_settings; \
u.urlopen(f'http://127.0.0.1:{read_settings(os.environ).port}/healthz')"]
STOPSIGNAL SIGTERM
CMD ["python", "app.py"]
