# Everything a checkout needs. `make run` and `make test` work on a fresh Debian 12 with a Swift 6.3 toolchain.

SHELL := /bin/bash
VENV := .build/venv
MARTLET := .build/release/martlet
SEEDS ?= 2000
TIME ?= 60
TARGET ?=
ROUNDS ?= 10
REQUESTS ?= 10000000
# Real time, where that is allowed, keeps other processes of the machine out of what is timed.
REAL_TIME := $(shell chrt --rr 1 true 2>/dev/null && echo chrt --rr 1)

.PHONY: help run build test faults bench bench-quick floods floods-h2 soak conformance lint format docs sim mutants fuzz fuzz-minimise fuzz-planted fuzz-coverage clean packages bench-packages venv

help:
	@echo "make run          build, then the gateway in front of the embedded demo upstream"
	@echo "make build        the release binary: $(MARTLET)"
	@echo "make test         Swift tests and end-to-end tests; the last line counts both"
	@echo "make faults       the end-to-end tests that take long or need namespaces (as root, about 3 minutes)"
	@echo "make bench        CPU per request against nginx and HAProxy (ROUNDS=$(ROUNDS), about 25 minutes)"
	@echo "make bench-quick  instructions and allocations per request only"
	@echo "make conformance  the table of raw cases against Martlet, nginx and HAProxy, side by side in docs/security.md"
	@echo "make floods       floods beside a well-behaved client; the table goes to docs/security.md (3 minutes)"
	@echo "make floods-h2    floods of HTTP/2 against Martlet, nginx and HAProxy; the table goes to docs/security.md (8 minutes)"
	@echo "make soak         REQUESTS=$(REQUESTS) mixed requests; whether memory and descriptors stay (10 minutes)"
	@echo "make sim          the simulation with SEEDS=$(SEEDS)"
	@echo "make mutants      bugs planted in a copy of the code, which the simulation has to find"
	@echo "make fuzz         the fuzzers, TIME=$(TIME) seconds of CPU each, or only TARGET=; also fuzz-planted, fuzz-coverage, fuzz-minimise"
	@echo "make lint         format check; make format rewrites"
	@echo "make docs         docs/configuration.md and config/martlet.schema.json from the key tables"
	@echo "make clean        removes what was built"

packages:
	@.ci/packages build

bench-packages: packages
	@.ci/packages bench

# The Swift standard library is linked in: the binary runs on a Debian 12 without a toolchain.
build: packages
	swift build -c release --static-swift-stdlib --product martlet

run: build
	@.ci/demo $(MARTLET)

venv: packages
	@.ci/venv $(VENV)

test: build venv
	@.ci/test $(MARTLET) $(VENV)

faults: build venv
	@.ci/packages conformance
	MARTLET=$(MARTLET) $(VENV)/bin/python -m pytest Tests/EndToEnd -m faults -q -s -p no:cacheprovider

bench: build bench-packages
	@python3 Tests/Benchmarks/bench.py full --martlet $(MARTLET) --rounds $(ROUNDS)

bench-quick: build bench-packages
	@python3 Tests/Benchmarks/bench.py quick --martlet $(MARTLET)

conformance: build
	@.ci/packages conformance
	@$(REAL_TIME) python3 Tests/Conformance/conformance.py compare --martlet $(MARTLET) --cuts 40 --everything --write docs/security.md

floods: build bench-packages
	@python3 Tests/Floods/floods.py --martlet $(MARTLET) --write docs/security.md

floods-h2: build bench-packages
	@python3 Tests/Floods/floods_h2.py --martlet $(MARTLET) --write docs/security.md

soak: build bench-packages
	@python3 Tests/Floods/soak.py --martlet $(MARTLET) --requests $(REQUESTS)

lint:
	swift format lint --strict --recursive Package.swift Sources Tests

format:
	swift format --in-place --recursive Package.swift Sources Tests

docs: build
	@.ci/docs $(MARTLET)

sim: packages
	swift build -c release --product simulator
	SIM_SEEDS=$(SEEDS) .build/release/simulator

mutants: packages
	@.ci/mutants .build/mutants

fuzz: packages
	@.ci/fuzz run $(TIME) $(TARGET)

fuzz-minimise: packages
	@.ci/fuzz minimise

fuzz-planted: packages
	@.ci/fuzz planted $(TARGET)

fuzz-coverage: packages
	@.ci/fuzz coverage

clean:
	rm -rf .build
