# SPDX-License-Identifier: Apache-2.0
# The two commands: `make demo` and `make test`. Both install what is missing first. `make test-spark` runs SQL and
# tables on Apache Spark too (456 MB and Java); it is apart because of that.
SHELL := /bin/bash
# Swift Testing exists only for the dynamic standard library, so debug builds use it; what is shipped is static.
RELEASE_FLAGS := -c release --static-swift-stdlib
RELEASE := .build/release

.PHONY: demo test test-spark delta-golden bench build release clean lint unit clients

demo:
	scripts/bootstrap build
	scripts/fetch-movielens
	$(MAKE) release
	$(RELEASE)/apus demo movies --ratings .cache/movielens-100k

test:
	scripts/bootstrap test
	scripts/fetch-movielens
	scripts/fetch-kubectl
	$(MAKE) lint
	$(MAKE) unit
	$(MAKE) clients

# Style and layers: zero findings.
lint:
	swift format lint --strict -r -p Package.swift Sources Tests Examples Benchmarks
	scripts/check-layers

# Everything that needs no other program; one test at a time, so that two cores are enough for each.
unit:
	swift build --build-tests
	@set -o pipefail; swift test --skip-build --no-parallel 2>&1 | tee .build/unit.log \
	    || { echo "unit: what failed, once more:"; grep -aE '^✘' .build/unit.log; exit 1; }

# The real clients (kubectl, the Python client) against the built binary.
clients: build
	.venv/bin/python -m pytest -q -m "not spark" Tests/RealClients

# Against Apache Spark: the same statements and tables there and here.
test-spark:
	scripts/bootstrap spark
	scripts/fetch-movielens
	$(MAKE) build
	.venv/bin/python -m pytest -q -m spark --durations=5 Tests/RealClients

build:
	swift build

release:
	swift build $(RELEASE_FLAGS) --product apus
	swift build $(RELEASE_FLAGS) --product movie-recommender

bench:
	scripts/bootstrap bench
	scripts/fetch-movielens
	scripts/fetch-kubectl
	$(MAKE) release
	swift build $(RELEASE_FLAGS) --product apus-bench
	.venv/bin/python Benchmarks/run.py

# The public acceptance tables of Delta Lake (delta-io/delta-kernel-rs, from GitHub or from DELTA_GOLDEN), read and compared.
delta-golden: build
	.venv/bin/python scripts/delta-golden

clean:
	rm -rf .build .venv .cache
