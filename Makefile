# v2vlint: `make sample` builds a guest and checks it, `make test` runs everything CI runs. The rest is for developers.

PYTHON ?= python3
VENV ?= .venv
SAMPLE ?= rhel9-vsphere
SAMPLE_DIR ?= build/samples
# What the tests reach, in per cent. Raise it when it rises; never lower it.
COVERAGE = 90

BIN = $(VENV)/bin
SOURCES = src checks pytest_plugin tests sample-guests bench

.PHONY: help
help:
	@echo "make sample    build the sample guest $(SAMPLE) into a real image and check it"
	@echo "make test      what CI runs: linters, types, import contracts, tests with coverage, the wheel"
	@echo "make lint      only the linters, types and import contracts"
	@echo "make quick     only the tests that take no images and no boots"
	@echo "make truth     boot the whole truth table and record it in docs/truth-table.md (hours)"
	@echo "make mutants   put small faults into the code and list those that no test notices (an hour)"
	@echo "make fuzz      judge COUNT=10000 damaged images (hours); a bounded run is part of make test"
	@echo "make bench     measure against virt-inspector and virt-customize; writes bench/*.md"
	@echo "make deb       build the Debian package into build/deb, as this Debian has it, and look at it with lintian"
	@echo "make pins      write ci/constraints.txt anew: the versions that the action and the packages install"
	@echo "make site      build the documentation site into build/site, with its links checked"
	@echo "make docs      write what is generated: docs/rules, the man page, the README example"

# Editable installation with everything a developer needs. The stamp follows pyproject.toml.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -qq --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[pytest]' --group dev
	@touch $@

# Only what checking an image needs: enough for the first verdict.
$(VENV)/.checking: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -qq --disable-pip-version-check --editable .
	@touch $@

.PHONY: venv
venv: $(VENV)/.installed

.PHONY: packages
packages:
	@.ci/packages

.PHONY: sample-packages
sample-packages:
	@.ci/packages sample

# The default sample needs little; others want boot loaders, filesystems and the rest.
.PHONY: sample
sample: $(if $(filter rhel9-vsphere,$(SAMPLE)),sample-packages,packages) $(if $(wildcard $(VENV)/.installed),venv,$(VENV)/.checking)
	@mkdir -p $(SAMPLE_DIR)
	$(BIN)/python sample-guests/build.py $(SAMPLE) -o $(SAMPLE_DIR)
	-$(BIN)/v2vlint check $(SAMPLE_DIR)/$(SAMPLE).qcow2

.PHONY: lint
lint: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports

.PHONY: test
test: packages venv
	$(MAKE) --no-print-directory -j 2 --output-sync=target lint wheel
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -n 2 --dist loadgroup -m 'not truth'
	$(BIN)/coverage combine -q
	$(BIN)/coverage report --skip-covered --fail-under=$(COVERAGE)

.PHONY: quick
quick: venv
	$(BIN)/python -m pytest -q -m 'not slow and not truth'

# The wheel, installed alone into a clean environment: both commands must start from it.
.PHONY: wheel
wheel: venv
	rm -rf build/wheel build/clean
	$(BIN)/python -m build -q --wheel --outdir build/wheel
	$(PYTHON) -m venv build/clean
	build/clean/bin/python -m pip install -qq --disable-pip-version-check "$$(ls build/wheel/*.whl)[pytest]"
	cd build && clean/bin/v2vlint --version && clean/bin/pytest --version

.PHONY: truth
truth: packages venv
	$(BIN)/python -m pytest -m truth -s

# Damaged images until COUNT of them are judged; what goes wrong is kept in build/fuzz with the number that makes it again.
COUNT ?= 10000
.PHONY: fuzz
fuzz: packages venv
	PYTHONPATH=sample-guests $(BIN)/python -m tests.fuzz --count $(COUNT)

# A seeded sample of small faults in verdicts, conversion, readers and rules: which of them does no test notice? Goes on where it stopped.
SEED ?= 1
.PHONY: mutants
mutants: packages venv
	$(BIN)/pip install --quiet --group mutants
	PYTHONPATH=sample-guests $(BIN)/python -m tests.mutants --seed $(SEED)

.PHONY: bench
bench: packages venv
	$(BIN)/python bench/run.py --output bench/results.md
	$(BIN)/python bench/run.py --verb inspect --output bench/inspect.md
	$(BIN)/python bench/fix.py --output bench/fix.md
	$(BIN)/python bench/confine.py

# Read the test data of other projects that lies in FOLDER (CONTRIBUTING.md says where it comes from).
.PHONY: corpora
corpora: venv
	V2VLINT_CORPORA=$(abspath $(FOLDER)) PYTHONPATH=sample-guests $(BIN)/python -m pytest -q -s tests/corpora

# What the action, the container and the Debian package install, to the version.
.PHONY: pins
pins:
	rm -rf build/pins && $(PYTHON) -m venv build/pins
	build/pins/bin/python -m pip install -qq --disable-pip-version-check .
	(sed -n 1p ci/constraints.txt; build/pins/bin/python -m pip freeze --exclude v2vlint) > build/constraints.txt
	mv build/constraints.txt ci/constraints.txt

# Needs debhelper, lintian and a package index.
.PHONY: deb
deb:
	rm -rf build/deb && mkdir -p build/deb/v2vlint
	git ls-files -z | tar --null -T - -c | tar -x -C build/deb/v2vlint
	cd build/deb/v2vlint && dpkg-buildpackage -b -us -uc
	cd build/deb && lintian --fail-on error *.changes

.PHONY: docs
docs: venv
	$(BIN)/v2vlint rules --write docs/rules
	$(BIN)/v2vlint completion man > docs/v2vlint.1
	PYTHONPATH=sample-guests $(BIN)/python -m tests.schemas
	PYTHONPATH=sample-guests $(BIN)/python -m tests.readme
	$(BIN)/python -m tests.said

# The documentation site, in build/site, with every link checked.
.PHONY: site
site: venv
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

.PHONY: clean
clean:
	rm -rf build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
