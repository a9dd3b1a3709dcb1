# Everything that is asked for here sets up first what it needs, once; see .setup/.
TASK ?= What is 417 * 38?
ARGS ?=
# By the environment, so that the shell finds nothing to expand in a task's words.
export TASK

python := .venv/bin/python
steps := debian docker docs engine image model python
# The engine's interpreter, for what runs here: yours if you name one, else the one set up here.
engine = OSSIA_ENGINE_PYTHON="$$(.setup/engine --path)"

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench train evaluate clean setup $(steps)

help: ## list what make can do
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup ## a gpt-oss model works on TASK="…" with Python in a sandbox
	@$(engine) .venv/bin/ossia run "$$TASK" --serve "$$($(python) -m examples.tiny_gpt_oss)" --tool python $(ARGS)

test: setup docs ## every test, on real parts; ARGS="tests/harmony -k …" for fewer
	@$(engine) $(python) -m pytest $(ARGS)

lint: python ## ruff, mypy, pyright and shellcheck, all strict
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/pyright
	.venv/bin/shellcheck --external-sources $$(grep -lm1 'shellcheck shell\|^#!.*bash' .ci/* .setup/*)

bench: setup docs ## each script of tests/bench, and its table
	@for script in tests/bench/*.py; do $(engine) $(python) "$$script" $(ARGS) || exit; done

train: setup ## train the tiny model anew, 25 minutes
	@PYTHONPATH=.typing OMP_WAIT_POLICY=PASSIVE "$$(.setup/engine --path)" -m examples.tiny_gpt_oss.train $(ARGS)

evaluate: setup ## whole agent runs of the tiny model on held-out tasks
	@$(engine) $(python) -m examples.tiny_gpt_oss.evaluate $(ARGS)

clean: ## remove what was made in this checkout; the engine and the image stay
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# The steps, the slow ones side by side. A Python that is too old is told before any of them begins.
setup:
	@.setup/find-python >/dev/null
	@$(MAKE) --no-print-directory -j4 engine image model

# Python first: it may need apt, and the longest way leads over it.
debian engine model: python
docs: debian
docker: debian
image: docker
$(steps):
	@.setup/$@
