# Emotional AI. `make help` lists what there is.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SESSION ?= default
PORT ?= 50051
CUT ?= 31
SOAK ?= 10
BESIDE ?= 3

# Tests of the page in a Chromium, and with other programs, which not every machine has.
PAGE := $(wildcard tests/integration/test_web_browser_*.py tests/integration/test_web_*_page.py) tests/integration/test_web_unread.py
PROGRAMS := $(PAGE) tests/integration/test_mcp_clients.py tests/integration/test_decoding_vllm.py

.DEFAULT_GOAL := help
.PHONY: help run train eval kiro test test-all faults soak check quick-check protos bench peers mcp-clients fuzz browser vllm appraiser judge clean

help:  ## lists the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/installed-local $(VENV)/installed-web  ## sets everything up, starts the service, its page, and a conversation; RUN=--no-web, RUN="--web-port N"
	@$(BIN)/emotional-ai models pull
	@$(BIN)/emotional-ai run --session "$(SESSION)" --port $(PORT) $(RUN)

train: $(VENV)/installed-training  ## trains the emotional adapters: on TINKER_API_KEY's server, or an embedded one without a key
	@$(BIN)/emotional-ai models pull
	@$(BIN)/emotional-ai train adapters $(TRAIN)

eval: $(VENV)/installed-training  ## measures whether the state steers the words, into reports/; EVAL=--quick for a look, in minutes
	@$(BIN)/emotional-ai models pull
	@$(BIN)/emotional-ai eval $(EVAL)

kiro: $(VENV)/installed-local $(VENV)/installed-mcp  ## writes the MCP bridge into Kiro's settings and tries it; KIRO="--workspace DIR", KIRO=--user
	@$(BIN)/emotional-ai models pull
	@$(BIN)/emotional-ai install-kiro $(KIRO)

test: $(VENV)/installed-dev  ## runs the tests, BESIDE (3) files at once; those of Redis need a redis-server, which it sees to where it can
	@$(BIN)/emotional-ai models pull
	@sh tests/redis/install.sh
	@$(BIN)/pytest -n $(BESIDE) --dist loadfile --no-loadscope-reorder $(PROGRAMS:%=--ignore=%)

test-all: PROGRAMS :=
test-all: test  ## runs those too that take programs which browser, mcp-clients and vllm install, where they are

faults: $(VENV)/installed-dev  ## breaks what the service stands on, networks for CUT seconds (31); what needs root says so where it is not
	@sh tests/redis/install.sh
	@$(BIN)/pytest -v --no-header --timeout 600 --cut-seconds $(CUT) $(wildcard tests/integration/test_faults_*.py) \
		tests/integration/test_replicas_faults.py tests/integration/test_store_redis_faults.py tests/integration/test_crash_kill.py

soak: $(VENV)/installed-dev  ## lives through a simulated week in SOAK minutes (10): memory and descriptors flat, states as replayed
	@$(BIN)/emotional-ai models pull
	@$(BIN)/pytest -v --no-header --timeout 0 --soak-minutes $(SOAK) tests/integration/test_soak.py

check: quick-check test  ## everything that must be green: lint, types, layers, contract, stubs, tests

quick-check: $(VENV)/installed-dev  ## the part of `check` that takes seconds
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/buf lint
	@$(BIN)/buf format --diff --exit-code
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh protos/breaking.sh
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python protos/generate.py --check

protos: $(VENV)/installed-dev  ## regenerates the stubs from the contract
	@$(BIN)/buf format --write
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python protos/generate.py

bench: $(VENV)/installed-dev  ## runs every benchmark in full; GOEMOTIONS=DIR adds the appraiser's test set
	@$(BIN)/emotional-ai models pull
	@sh tests/browser/install.sh
	@for script in $(filter-out benchmarks/appraisal.py,$(wildcard benchmarks/*.py)); do \
		echo "== $$script"; $(BIN)/python $$script || exit 1; done
	@echo "== benchmarks/appraisal.py"
	@$(BIN)/python benchmarks/appraisal.py $(if $(GOEMOTIONS),--goemotions "$(GOEMOTIONS)",--quick)

appraiser: $(VENV)/installed-dev  ## trains the appraiser's heads; GOEMOTIONS=DIR names the data set
	@test -n "$(GOEMOTIONS)" || { echo "name the folder with the GoEmotions files: make appraiser GOEMOTIONS=DIR"; exit 2; }
	@$(BIN)/emotional-ai train appraiser --goemotions "$(GOEMOTIONS)"

judge: $(VENV)/installed-dev  ## trains the judge of emotional states; GOEMOTIONS=DIR names the data set
	@test -n "$(GOEMOTIONS)" || { echo "name the folder with the GoEmotions files: make judge GOEMOTIONS=DIR"; exit 2; }
	@$(BIN)/emotional-ai train judge --goemotions "$(GOEMOTIONS)"

peers: $(VENV)/installed-dev  ## installs what benchmarks/blending.py compares with, each in an environment of its own
	@sh benchmarks/apparatus/install_peers.sh

mcp-clients: $(VENV)/installed-dev  ## tries the MCP bridge with clients of others, which it installs once, and tells what passed
	@sh tests/clients/install.sh
	@$(BIN)/pytest -v --no-header tests/integration/test_mcp_clients.py

fuzz: $(VENV)/installed-dev  ## sends hostile inputs to every door and prints what became of them; FUZZ="--inputs 1000000 --seed 2"
	@PYTHONPATH=tests/support $(BIN)/python -m hostile $(FUZZ)

browser: $(VENV)/installed-dev  ## tries the web page in a real Chromium, which it sees to first, and tells what passed
	@sh tests/browser/install.sh
	@$(BIN)/pytest -v --no-header $(PAGE)

vllm: $(VENV)/installed-local  ## installs vLLM for processors in an environment of its own and starts it on the default model
	@$(BIN)/emotional-ai models pull
	@sh benchmarks/apparatus/install_vllm.sh
	@sh benchmarks/apparatus/run_vllm.sh

clean:  ## removes the environment and caches of the tools; models in ~/.cache/emotional-ai stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name it with PYTHON=..."; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'

# One stamp per set of extras: made anew whenever the dependencies change.
$(VENV)/installed-%: pyproject.toml | $(VENV)/bin/python
	@echo "installing into $(VENV) (extra: $*)"
	@$(BIN)/python -m pip install --quiet --progress-bar on -e '.[$*]'
	@touch $@
