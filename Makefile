# Everything here needs Python 3.11 or newer and make; no system package.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
APP_READY := $(VENV)/app-ready
# With hashes: pip then refuses a package that is not the one that was locked.
COMPILE := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--quiet --custom-compile-command "make lock" $(NEWER)
export TF_CPP_MIN_LOG_LEVEL ?= 3
# In the order of what reads whose results.
TRAIN := voice_encoder face geometry fusion
# What can be chosen instead of what ships.
CHOSEN := voice
# One file a question; a folder of them trains by its `train`.
EXPERIMENTS := $(sort $(patsubst emorec/experiments/%.py,%,$(filter-out %/__init__.py,$(wildcard emorec/experiments/*.py))))

.DEFAULT_GOAL := help
.PHONY: help demo app app-ready test fuzz lint notebooks bench bench-check soak results slides train experiments examples demo-video lock wheel clean

help: ## List the targets
	@grep -hE '^[a-z%-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z%-]+):.*## /\1\t/' | expand -t 18

# What is imported is compiled then; to compile all of TensorFlow before takes a minute.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
# uv takes a third of the time; pip may know of a package index that uv is not told of.
INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python $(1) || $(PIP_INSTALL) $(1)

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which with: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	sed -n '/^uv==/,/# via/p' requirements.txt >$(VENV)/uv.txt
	$(PIP_INSTALL) -r $(VENV)/uv.txt
	$(call INSTALL,-r requirements.txt)
	$(call INSTALL,--no-deps --no-build-isolation --editable .)
	@touch $@

# What drives a browser in the page's tests, in the versions of requirements.txt.
$(APP_READY): requirements-app.txt $(READY)
	$(call INSTALL,-r requirements-app.txt)
	@touch $@

app-ready: $(APP_READY)

app: $(READY) ## Open the web page (emorec app)
	$(BIN)/emorec app

demo: $(READY) ## Read the clips in DEMO/Examples; results go to DEMO/Results
	$(BIN)/python -m emorec.publish.demo_notebook

# Two tests or notebooks run at once, as many as the smallest machine has cores: more threads would
# wait for each other.
test notebooks: export OMP_NUM_THREADS ?= 1
test notebooks: export OPENBLAS_NUM_THREADS ?= 1
test notebooks: export TF_NUM_INTRAOP_THREADS ?= 1
test notebooks: export TF_NUM_INTEROP_THREADS ?= 1

# Plug-ins that other packages bring take seconds to import, in each process.
test notebooks: export PYTEST_DISABLE_PLUGIN_AUTOLOAD := 1

test: lint $(READY) ## Lint, unit tests, and every notebook in quick mode
	$(BIN)/python -m pytest -p xdist -n 2 --dist loadfile --no-loadscope-reorder --durations=10
	$(MAKE) notebooks

fuzz: $(READY) ## Read thousands of damaged clips: make fuzz COUNT=5000 SEED=7; twelve minutes for 2,000
	PYTHONPATH=tests:tests/fuzz $(BIN)/python -m fuzzing $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED))

lint: $(READY) ## Check style, formatting, imports between wings, and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy --num-workers 2

notebooks: $(READY) ## Run every notebook in quick mode
	EMOREC_QUICK=1 $(BIN)/python -m pytest -p xdist -n 2 --dist worksteal --nbmake --nbmake-timeout=300 --durations=0 --ignore=DEMO/Results notebooks DEMO

bench: $(READY) ## Measure speed and memory into a new file in Other/; the committed one: make bench REPLACE=1
	$(BIN)/python -m emorec.benchmarks.clip $(CLIP) $(if $(REPLACE),--replace)

bench-check: $(READY) ## Measure, and fail where a ratio is a quarter worse than the committed one
	$(BIN)/python -m emorec.benchmarks.clip $(CLIP) --check

soak: $(READY) ## Let ten clients use and misuse the page, 30 minutes or: make soak MINUTES=8
	$(BIN)/python -m emorec.benchmarks.soak --minutes $(or $(MINUTES),30)

results: $(READY) ## Tables and plots again, from the committed predictions alone
	$(BIN)/python -m emorec.publish.rebuild

slides: results ## The slides again: Other/Project_Slides.pdf
	$(BIN)/python -m emorec.publish.slides

train: $(TRAIN:%=train-%) ## Train again what ships (hours on two cores); a cut run resumes

train-%: $(READY) ## Train one: voice_encoder, face, geometry, fusion; voice is the 2D CNN
	$(BIN)/python -m emorec.training.$*

experiments: ## List what was trained for comparison; make experiment-NAME trains one
	@printf 'make experiment-%s\n' $(EXPERIMENTS) $(addprefix classical.,train merged_corpora ship_forest)

experiment-%: $(READY)
	$(BIN)/python -m emorec.experiments.$*

examples: $(READY) ## Draw the clips in DEMO/Examples again
	$(BIN)/python -m emorec.avatar examples DEMO/Examples

demo-video: $(READY) ## Draw DEMO/ER_DEMO.mp4 and the demo's pictures again, from made-up clips
	$(BIN)/python -m emorec.publish.demo_video

lock: $(READY) ## Make the locks anew from pyproject.toml; newer versions with: make lock NEWER=--upgrade
	$(COMPILE) --extra dev --output-file requirements.txt
	$(COMPILE) --extra browser --constraint requirements.txt --output-file requirements-app.txt

wheel: $(READY) ## Build dist/emorec-*.whl: code, shipped models, cascade, landmark file
	$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist .

clean: ## Remove the environment and everything that is made again
	rm -rf $(VENV) DEMO/Results build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
