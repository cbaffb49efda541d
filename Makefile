# Two commands for everybody: `make xnet` and `make test`. Each makes the virtual
# environment and installs what is missing first.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN ?= runs/xnet
DATA ?=
FUZZ_FILES ?= 10000
FUZZ_SEED ?= 0
WORKERS ?= 2

# Plain lines where no terminal listens; TensorFlow's start-up chatter is left out.
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: help xnet test test-jax test-torch test-slow fuzz lint format clean

help:
	@echo "make xnet      train, evaluate and look into X-Net (DATA=folder: on it; else the phantom)"
	@echo "make test      run the tests, two files at a time (WORKERS=2)"
	@echo "make test-jax  run the tests of the core on JAX"
	@echo "make test-torch  run the tests of training on PyTorch"
	@echo "make test-slow run the slow tests too"
	@echo "make fuzz      read damaged pictures (FUZZ_FILES=10000 FUZZ_SEED=0)"
	@echo "make lint      formatting, lint, types, layers"
	@echo "make format    mend the formatting"

$(VENV)/.installed: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

$(VENV)/.installed-jax: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev,jax]"
	touch $@

$(VENV)/.installed-torch: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev,torch]"
	touch $@

xnet: $(VENV)/.installed
	$(BIN)/python scripts/train_xnet.py --run $(RUN) --overwrite $(if $(DATA),--data $(DATA))
	$(BIN)/python scripts/evaluate_sample.py $(RUN)
	$(BIN)/python scripts/visualize_activations.py $(RUN)

# Each worker takes whole files, and up to 3 GB.
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile
QUICK := -m "not slow and not gpu and not weights"

test: $(VENV)/.installed
	$(PYTEST) $(QUICK)

# What touches the framework; tables and pictures know of none.
CORE_TESTS := tests/test_batches.py tests/test_image_branch.py tests/test_dual.py \
	tests/test_fit.py tests/test_halves.py tests/test_activations.py \
	tests/test_averaging.py tests/test_schedule.py tests/test_devices.py \
	tests/test_jobs.py tests/test_heat_maps.py

test-jax: $(VENV)/.installed-jax
	KERAS_BACKEND=jax $(PYTEST) $(QUICK) $(CORE_TESTS)

# What PyTorch is known to do: models, batches and fitting.
TORCH_TESTS := tests/test_batches.py tests/test_dual.py tests/test_recipe.py \
	tests/test_schedule.py tests/test_averaging.py tests/test_fit.py tests/test_halves.py \
	tests/test_heat_maps.py

test-torch: $(VENV)/.installed-torch
	KERAS_BACKEND=torch $(PYTEST) $(QUICK) $(TORCH_TESTS)

test-slow: $(VENV)/.installed
	$(BIN)/python -m pytest -m "not gpu and not weights"

fuzz: $(VENV)/.installed
	$(BIN)/python tests/fuzz.py --files $(FUZZ_FILES) --seed $(FUZZ_SEED)

lint: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/pyright

format: $(VENV)/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist *.egg-info
