# Everything that people and CI run. Needs Python 3.11 or newer and make; each target completes .venv with what it uses.

VENV := .venv
PY := $(VENV)/bin/python
ENV = @VENV=$(VENV) tools/venv.sh
MADE_FROM := pyproject.toml tools/venv.sh
ARGS :=
BENCHMARKS = $(notdir $(basename $(filter-out %/__init__.py,$(wildcard benchmarks/*.py))))

# The tests start hundreds of processes, each of which would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo loop test drill pictures check bench observe stack docs clean

help:
	@echo 'make demo    fine-tune a model on 8,530 film reviews (a few minutes), then serve it with a web page'
	@echo 'make loop    a model drifts, is retrained and rolled out; a bad one is rolled back (ten minutes)'
	@echo 'make test    all tests; ARGS="tests/unit/data -x" is passed on to pytest'
	@echo 'make drill   the tests that take longest, and 100,000 drawn examples where others draw hundreds'
	@echo 'make pictures take the pictures of the page for the guide again (some minutes)'
	@echo 'make check   style (ruff), types (mypy) and floors (import-linter)'
	@echo 'make observe a server under load and a Prometheus that watches it, until Ctrl+C'
	@echo 'make stack   two servers behind nginx with HTTPS, keys, shared limits and a Prometheus, until Ctrl+C'
	@echo 'make bench   measure again every figure in README.md and docs/ (long); ONLY=quality for one of them'
	@echo 'make docs    build the guide into site/'
	@echo 'make clean   remove what was built; $(VENV) stays'

demo: $(VENV)/.demo
	@$(PY) -m examples.demo $(ARGS)

loop: $(VENV)/.loop
	@$(PY) -m examples.loop $(ARGS)

test: $(VENV)/.test
	@tools/packages.sh
	@$(PY) -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m 'not drill' $(ARGS)

drill: $(VENV)/.test
	@tools/packages.sh --drill
	@VENV=$(VENV) tools/kubernetes.sh
	@VENV=$(VENV) tools/seaweedfs.sh
	@VENV=$(VENV) tools/ray.sh
	@VENV=$(VENV) tools/spark.sh
	@VENV=$(VENV) tools/pipelines.sh
	@$(PY) -m pytest -n 2 --dist loadfile -m drill $(ARGS)
	@BERTLINE_FUZZ_EXAMPLES=100000 $(PY) -m pytest tests/service/test_http1_fuzz.py $(ARGS)
	@FAULT_REPEATS=10 $(PY) -m pytest tests/service/test_faults.py -k stop_under_load $(ARGS)
	@BERTLINE_FUZZ_EXAMPLES=200 $(PY) -m pytest tests/unit/cli/test_predict_values.py tests/service/test_schemathesis.py $(ARGS)

pictures: $(VENV)/.test
	@tools/packages.sh chromium-headless-shell
	@PICTURES=docs/images PICTURES_DEMO=build/pictures $(PY) -m pytest -m drill tests/docs/test_studio.py -k pictures $(ARGS)

check: $(VENV)/.check
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-logo

observe: $(VENV)/.test
	@tools/packages.sh prometheus
	@$(PY) -m tools.observe $(ARGS)

stack: $(VENV)/.test
	@tools/packages.sh nginx initdb redis-server prometheus
	@$(PY) -m tools.stack $(ARGS)

bench: $(VENV)/.bench
	@for name in $(or $(ONLY),$(BENCHMARKS)); do echo "$$name"; $(PY) -m "benchmarks.$$name" $(ARGS) || exit 1; done

docs: $(VENV)/.docs
	@$(PY) -m tools.command_pages docs/commands.md
	@NO_COLOR=1 $(VENV)/bin/zensical build --strict --config-file mkdocs.yml

clean:
	rm -rf build dist site docs/commands.md .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# One stamp per environment, made again when the requirements change. The later ones build on the earlier ones.
$(VENV)/.demo: $(MADE_FROM)
	$(ENV) demo
	@touch $@

$(VENV)/.loop: $(MADE_FROM)
	$(ENV) loop
	@touch $@

$(VENV)/.test: $(MADE_FROM)
	$(ENV) test
	@touch $@

$(VENV)/.check: $(VENV)/.test
	$(ENV) check
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	$(ENV) bench
	@touch $@

$(VENV)/.docs: $(VENV)/.demo
	$(ENV) docs
	@touch $@
