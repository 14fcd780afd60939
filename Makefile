# Every target installs what it needs first: nothing but Python 3.11 and make is taken for granted.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test check format smoke bench weights-report chromium nginx
# An environment whose interpreter is gone (moved, upgraded) goes before make looks at its stamps.
$(shell $(BIN)/python -c '' 2>/dev/null || rm -rf $(VENV))

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.demo  ## install and serve the demo on http://127.0.0.1:7860
	$(BIN)/python app.py

test: $(VENV)/.all chromium nginx  ## install and run every test, a file per core at a time
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

check: $(VENV)/.all  ## lint, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.all  ## format and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

smoke: $(VENV)/.all  ## fine-tune a tiny model on drawn pictures, in seconds
	$(BIN)/python -m pytest tests/training/test_finetune.py

bench: $(VENV)/.bench  ## install the peers, measure ours against them: an hour; BENCH=--quick: a try
	$(BIN)/python -m benchmarks $(BENCH)

weights-report: $(VENV)/.all  ## measure the embedded models anew, rewrite the tables: DATA=FOLDER, an hour
	$(BIN)/python -m benchmarks.weights_report --data "$(DATA)" $(REPORT)

# A stamp per set of extras: stale when the versions change.
$(VENV)/.demo: EXTRAS := demo
$(VENV)/.all: EXTRAS := all
$(VENV)/.bench: EXTRAS := bench
$(VENV)/.demo $(VENV)/.all $(VENV)/.bench: pyproject.toml constraints.txt
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $@

chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
	  command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
	  echo "browser tests are skipped: no Chromium, and apt-get (as root) is not there to install it"

nginx:
	@PATH="$$PATH:/usr/sbin" command -v nginx >/dev/null || { \
	  command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx-light >/dev/null; } || \
	  echo "tests behind a proxy are skipped: no nginx, and apt-get (as root) is not there to install it"
