# make run: the chat page with the embedded model.   make test: everything.   make check: lint, types, corpus.
.PHONY: run test check format clean
.DEFAULT_GOAL := run

# The first Python that is new enough; PYTHON=... chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
# uv reads no pip.conf: a mirror that is set for pip serves uv too.
INSTALL = UV_DEFAULT_INDEX=$${UV_DEFAULT_INDEX:-$$($(BIN)/pip config get global.index-url 2>/dev/null || \
	echo https://pypi.org/simple)} $(BIN)/uv pip install -q --python $(BIN)/python

run: $(VENV)/.run
	$(BIN)/empathy-r1 serve

test: check $(VENV)/.train
	tests/run

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(addprefix -p empathy_r1.,graph storage plugin integrations training)
	$(BIN)/python -m empathy_r1.training.corpus.validate

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv* build dist *.egg-info .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/.uv:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or name it with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check uv
	@touch $@

$(VENV)/.run: $(VENV)/.uv pyproject.toml
	$(INSTALL) -e '.[embedded]'
	@touch $@

$(VENV)/.dev: $(VENV)/.uv pyproject.toml
	$(INSTALL) -e '.[embedded,postgres,dev]'
	@touch $@ $(VENV)/.run

# torch comes by plain pip, which sees the CPU wheels that a machine is set up with.
$(VENV)/.train: $(VENV)/.dev
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[train,ray]'
	@touch $@
