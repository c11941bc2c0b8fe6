# One command builds the report, one tests it; each sets up .venv first. `make help` lists the rest.
PROFILE ?= reference
PYTHON  ?= python3
BUILD   ?= $(CURDIR)/build
PORT    ?= 8000
VENV    := .venv
BIN     := $(VENV)/bin
# Absolute, since the notebooks run in another folder ($(abspath) would split a path at its spaces)
override BUILD := $(if $(filter /%,$(BUILD)),$(BUILD),$(CURDIR)/$(BUILD))
OUT     := $(BUILD)/$(PROFILE)
export HWAWARE_BUILD := $(BUILD)
export HWAWARE_DEMO  := $(DEMO)
# The lock file was made on Python 3.11; elsewhere the pins of requirements.txt decide.
CONSTRAINTS = $(shell $(PYTHON) -c 'import sys; print("-c requirements.lock" if sys.version_info[:2] == (3, 11) else "")')

.NOTPARALLEL:
.PHONY: help setup notebooks html pdf book test check lab serve study hard audit clean graph simulators firmware
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 10
	@echo 'Profiles: make book PROFILE=smoke (digits, minutes) or reference (CIFAR-10, the default).'

setup: $(VENV)/.ready  ## .venv with everything in requirements.txt (about 4 GB)

$(VENV)/.ready: requirements.txt requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed; $(PYTHON) is another one. Set PYTHON=/path/to/python3.11."; exit 2; }
	@echo "Setting up $(VENV): 4 GB, one to five minutes without a word (longer on a busy machine) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "The venv module is missing: on Debian, apt-get install python3-venv."; exit 2; }
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt $(CONSTRAINTS)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

book: notebooks html  ## run the notebooks of PROFILE and build the HTML book; DEMO=1 adds the live demo

notebooks: setup  ## run the notebooks of PROFILE that are not up to date
	@echo "Running the notebooks of params/$(PROFILE).yaml ..."
	@$(BIN)/python -m hwaware_utils run params/$(PROFILE).yaml

html: setup
	@$(BIN)/python -m hwaware_utils.report.build "$(OUT)"

pdf: notebooks  ## the book as a PDF, by XeLaTeX: build/PROFILE/report.pdf (the HTML book offers it from its next build on)
	@$(BIN)/python -m hwaware_utils.report.build "$(OUT)" pdf

test: setup  ## every test: units, the smoke profile end to end, nbval, the built book in a browser (half an hour)
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/python -m pytest

check: setup  ## the fast tests only (about ten minutes)
	$(BIN)/python -m pytest -m "not endtoend and not book"

lab: setup  ## JupyterLab on the notebooks
	$(BIN)/jupyter lab --notebook-dir=notebooks

serve: book  ## the book on http://127.0.0.1:8000
	@echo "http://127.0.0.1:$(PORT)/ - stop with Ctrl-C"
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory "$(OUT)/html" $(PORT)

graph: setup  ## the graph of a model in the browser: make graph [MODEL=file.tflite] [PORT=8081]
	@$(BIN)/python -m hwaware_utils.report.graph_page "$(MODEL)" $(if $(filter file,$(origin PORT)),,$(PORT))

simulators: setup  ## install what the optional simulators need, and say which are ready
	@$(BIN)/python -m hwaware_utils simulators

firmware: setup  ## C firmware for a Cortex-M7: make firmware MODEL=file.tflite [FOLDER=build/firmware]
	@$(BIN)/python -m hwaware_utils firmware "$(MODEL)" "$(or $(FOLDER),$(BUILD)/firmware)"

hard: setup  ## damaged files by the thousand and killed runs, counted into results/reliability.csv (half an hour)
	@$(BIN)/python tests/hard_use.py

audit:  ## look requirements.lock up among the known vulnerabilities (asks PyPI; a package that it cannot look up is an error)
	@$(PYTHON) -m venv "$(BUILD)/audit"
	@"$(BUILD)/audit/bin/pip" install --quiet --disable-pip-version-check pip-audit
	@"$(BUILD)/audit/bin/pip-audit" -r requirements.lock --no-deps --disable-pip --strict

study: setup  ## train the reference anew and store it (hours; resumes)
	@$(BIN)/python -m hwaware_utils run params/reference.yaml --retrain
	@$(BIN)/python -m hwaware_utils store params/reference.yaml

clean:  ## remove what PROFILE has built, but for its trainings; .venv and results/reference stay
	rm -rf $(foreach part,notebooks results stamps book html pdf report.pdf _build,"$(OUT)/$(part)")
