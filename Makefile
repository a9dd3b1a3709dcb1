# Every target first runs the setup steps it needs, once; see .setup/.
TASK ?= What is 417 * 38?
ARGS ?=
# Passed in the environment, so that the shell expands nothing in the text of the task.
export TASK

python := .venv/bin/python
# How all tests run; selected ones run in one process. The groups are in tests/conftest.py.
parallel := --numprocesses 2 --dist loadgroup --no-loadscope-reorder
steps := debian docker docs engine image model python suites
# The engine's interpreter: OSSIA_ENGINE_PYTHON if you set it, else the one that setup installs.
engine = OSSIA_ENGINE_PYTHON="$$(.setup/engine --path)"

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench train evaluate clean setup $(steps)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup ## run TASK="…" with a tiny gpt-oss model and Python in a sandbox
	@$(engine) .venv/bin/ossia run "$$TASK" --serve "$$($(python) -m examples.tiny_gpt_oss)" --tool python $(ARGS)

test: setup docs suites ## run the tests; ARGS="tests/harmony -k …" selects some
	@$(engine) $(python) -m pytest $(or $(ARGS),$(parallel))

lint: python ## run ruff, mypy, pyright and shellcheck
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/pyright
	.venv/bin/shellcheck --external-sources $$(grep -lm1 'shellcheck shell\|^#!.*bash' .ci/* .setup/*)

bench: setup docs ## run the scripts of tests/bench
	@for script in tests/bench/*.py; do $(engine) $(python) "$$script" $(ARGS) || exit; done

train: setup ## train the tiny model again (25 minutes)
	@PYTHONPATH=.typing OMP_WAIT_POLICY=PASSIVE "$$(.setup/engine --path)" -m examples.tiny_gpt_oss.train $(ARGS)

evaluate: setup ## evaluate the tiny model with agent runs on held-out tasks
	@$(engine) $(python) -m examples.tiny_gpt_oss.evaluate $(ARGS)

clean: ## remove generated files; the engine and the image stay
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# Run the steps, the slow ones in parallel. Check the Python version before any of them.
setup:
	@.setup/find-python >/dev/null
	@$(MAKE) --no-print-directory -j4 engine image model

# Python comes first: it may need apt, and the slowest steps depend on it.
debian engine model suites: python
docs: debian
docker: debian
image: docker
$(steps):
	@.setup/$@
