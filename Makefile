# `make` alone lists the targets. The environment is .venv, built from the lock files.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
# By default, run and web mean the lake main, and what reads means the one that was used last.
LAKE ?=
# Which dataset: a folder of data/ with a flow.py.
FLOW ?= breweries
WEB_PORT ?= 6789
# Compose 2 where there is one, else docker-compose 1.29.
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
ARGS ?=
# They change what Python imports, or how.
unexport PYTHONHOME PYTHONPATH PYTHONSAFEPATH PYTHONSTARTUP PYTHONPLATLIBDIR PYTHONOPTIMIZE PYTHONWARNINGS PYTHONINSPECT
# The project's own code: what lint and format look at.
CODE := $(patsubst %/,%,$(sort $(dir $(wildcard */*.py))))

.PHONY: help demo run web report open store sql versions changes export check dataset api env up monitor zabbix down logs trigger \
  setup test test-all test-fast test-faults \
  test-compose test-monitoring lint audit format bench images dashboards lock clean

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: environment-sandbox ## See it work: embedded store, local API, the real pipeline (FLOW=...)
	@exec $(BIN)/python -m sandbox demo --flow "$(FLOW)" $(ARGS)

run: environment-sandbox ## Run the pipeline on the real API and your store (embedded if none is set)
	@exec $(BIN)/python -m sandbox run --flow "$(FLOW)" --lake "$(LAKE)" --snapshot "$(SNAPSHOT)"

web: environment-sandbox ## Open Mage's page on http://127.0.0.1:6789 (WEB_PORT=...)
	@exec $(BIN)/python -m sandbox web --flow "$(FLOW)" --lake "$(LAKE)" --port "$(WEB_PORT)"

report: environment-sandbox ## Make the page of what a lake holds and proves (LAKE=demo, FLOW=...)
	@exec $(BIN)/python -m sandbox report --flow "$(FLOW)" --lake "$(LAKE)"

open: environment-sandbox ## Show that page in the browser (FLOW=...)
	@exec $(BIN)/python -m sandbox show --flow "$(FLOW)"

store: environment-sandbox ## Serve the embedded store alone, to read a lake (LAKE=demo or main)
	@exec $(BIN)/python -m sandbox store --flow "$(FLOW)" --lake "$(LAKE)"

# As they were typed: a $ in SQL is no variable of make.
sql: override export Q := $(value Q)
READ = exec $(BIN)/python -m sandbox $@ --lake "$(LAKE)" --flow "$(FLOW)" --format "$(FORMAT)"

sql: environment-sandbox ## Ask the lake in SQL (Q="SELECT ..." for one query; AT=2026-11-18; FORMAT=csv; LAKE=demo)
	@$(READ) --query "$$Q" --at "$(AT)"

versions: environment-sandbox ## List the versions that can be asked for, and what changed in each
	@$(READ)

changes: environment-sandbox ## What changed between two versions (FROM=2026-11-18 TO=...; FORMAT=json)
	@$(READ) --start "$(FROM)" --end "$(TO)"

export: environment-sandbox ## The lake as one file (TO=lake.duckdb, .xlsx, .csv, .geojson or .parquet; TABLE=silver/...; AT=...)
	@$(READ) --to "$(TO)" --table "$(TABLE)" --at "$(AT)" --overwrite "$(OVERWRITE)"

check: environment-sandbox ## Check every object and manifest of the lake
	@$(READ)

dataset: environment-sandbox ## Write the files of a new flow (NAME=stations PAGING=offset RECORDS=results TOTAL=count)
	@exec $(BIN)/python -m sandbox dataset --name "$(NAME)" --paging "$(PAGING)" --records "$(RECORDS)" --total "$(TOTAL)"

api: environment-sandbox ## Serve the local API alone (ARGS="--dataset FILE --error-rate 0.1")
	@exec $(BIN)/python -m sandbox api --flow "$(FLOW)" $(ARGS)

env: .env ## Write .env with random secrets, if there is none

up: .env ## Start MinIO and Mage with Docker Compose, and wait until they are ready
	@$(COMPOSE) up -d --build || { $(COMPOSE) logs --tail=20 prepare minio; exit 1; }
	@sh compose/wait.sh "$(COMPOSE)"

down: ## Stop them; the data stay
	@$(COMPOSE) --profile monitoring --profile zabbix --profile scale down

monitor: .env ## Start the stack with its monitoring: Prometheus, Alertmanager, Grafana
	@$(COMPOSE) --profile monitoring up -d --build || { $(COMPOSE) --profile monitoring logs prepare prepare-monitoring; exit 1; }
	@sh compose/wait.sh "$(COMPOSE)" monitoring

zabbix: .env ## Start the stack with Zabbix, which watches the same exporter
	@$(COMPOSE) --profile zabbix up -d --build || { $(COMPOSE) --profile zabbix logs --tail=20 prepare prepare-monitoring prepare-zabbix zabbix-db zabbix-server; exit 1; }
	@sh compose/wait.sh "$(COMPOSE)" zabbix

logs: ## Follow what they say
	@$(COMPOSE) --profile monitoring --profile zabbix --profile scale logs -f --tail=100

trigger: ## Start a run in the running stack by Mage's API, and wait for its end (FLOW=...)
	@$(COMPOSE) exec -T mage python -m compose.trigger "$(FLOW)"

# Half of it is waiting, so four at once suit two cores. Each has an embedded store of its own;
# a store that is given would be shared, and tests empty its buckets.
test: environment-tests ## Run the tests
	$(BIN)/python -m pytest $(if $(MINIO_ENDPOINT),,-n 4 --dist worksteal) $(ARGS)

test-all: environment-tests ## Run the slow tests too (30 minutes)
	$(MAKE) test ARGS="--all $(ARGS)"

test-fast: environment-tests ## Run the tests that need no server
	$(BIN)/python -m pytest tests/unit tests/flows -m "not server" $(ARGS)

test-faults: environment-tests ## Inject every fault, and write the table of docs/reliability.md
	$(BIN)/python -m pytest tests/faults --all-faults $(if $(MINIO_ENDPOINT),,-n 3 --dist worksteal) $(ARGS)

test-compose: environment-tests ## Run the tests of the stack, where there is Docker
	COMPOSE="$(COMPOSE)" $(BIN)/python -m pytest tests/compose $(ARGS)

test-monitoring: environment-tests ## Run the tests of the monitoring, with the servers of Debian's packages
	# Most of it is waiting. The tests of the exporter and the dashboards are part of make test.
	$(BIN)/python -m pytest tests/monitoring/test_[!de]*.py tests/monitoring/test_end_to_end.py -n 5 --dist worksteal $(ARGS)

lint: environment-tests ## Check style, format, types and the order of imports
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy $(patsubst %,-p %,$(CODE))
	$(BIN)/lint-imports --no-cache

# pip-audit refuses two versions of a package, which locks for several Pythons hold: the first of
# each package are in one file, the second in another.
audit: environment-tests ## Look for known vulnerabilities in what the lock files hold
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; failed=0; \
	sed -En 's/^([a-z0-9][^ ]*==[^ ;\]+).*/\1/p' requirements.lock {sandbox,tests}/requirements.lock | \
	  sort -u | awk -F== -v folder="$$folder" '{print > (folder "/" ++versions[$$1])}'; \
	accepted=$$(sed -En '/^id = /{s/^id =|[][,]//g; s/"([^"]+)"/--ignore-vuln \1/gp;}' tests/audit.toml); \
	for pins in "$$folder"/*; do \
	  $(BIN)/uv tool run pip-audit==2.10.1 --no-deps --disable-pip --strict \
	    --requirement "$$pins" $$accepted || failed=1; \
	done; \
	exit $$failed

format: environment-tests ## Mend style and format
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

bench: environment-benchmarks ## Measure all, and write docs/performance.md (50 minutes)
	-$(BIN)/python -m benchmarks.overhead
	$(BIN)/python -m benchmarks.extraction
	$(BIN)/python -m benchmarks.stages
	$(BIN)/python -m benchmarks.locations
	$(BIN)/python -m benchmarks.cluster
	$(BIN)/python -m benchmarks.scale
	@$(BIN)/python -m benchmarks.report

images: environment-tests ## Renew the pictures of image/ from the running system
	$(BIN)/python -m image.make
	$(BIN)/python -m image.zabbix
	$(BIN)/python -m image.imports

dashboards: environment-tests ## Write Grafana's dashboards from their code
	$(BIN)/python -m monitoring.grafana

setup: environment-tests ## Set up everything without running anything

lock: environment-sandbox ## Resolve the lock files again (ARGS=--upgrade for newer versions)
	@before=; for folder in . sandbox tests $(wildcard benchmarks); do \
	  $(BIN)/uv pip compile $$folder/requirements.txt -o $$folder/requirements.lock $(ARGS) \
	    $${before:+-c $${before#./}} \
	    --universal --python-version 3.10 --generate-hashes --no-emit-index-url --quiet \
	    --custom-compile-command "make lock" || exit; \
	  before=$$folder/requirements.lock; \
	done

clean: ## Remove the environment, the embedded store's data and all that runs made
	rm -rf .venv .venv.new .venv.lock .sandbox .pytest_cache .hypothesis .ruff_cache .mypy_cache
	rm -rf data/.mage_data data/.ssh_tunnel data/.file_versions data/.spool data/visualizations
	find $(CODE) -name __pycache__ -prune -exec rm -rf {} +

# .venv, with all that a folder's lock file holds.
environment-%:
	@sh setup/environment.sh $*

.env:
	@sh compose/env.sh
