# Each target sets itself up: a machine with Python >= 3.11 is all it needs.

VENV := .venv
BIN := $(VENV)/bin
JOBS := $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 4 ? n : 4)))

# Debian's python3 without python3-venv has no ensurepip.
USABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c '$(USABLE)' 2>/dev/null && echo $$p && break; done)

.PHONY: demo test test-docs experiments-smoke parity minimal wheel lint types docs notebooks clean

demo: $(VENV)/demo.stamp
	@out=runs/demo-$$(date +%Y%m%d-%H%M%S); \
	$(BIN)/python -m mgdm_jax.run --config configs/mri_brats.py:demo --workdir $$out \
	&& echo "Look at $$out/panel.png"

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest -q -n $(JOBS)

# What docs/ and notebooks/ tell their readers to run.
test-docs: $(VENV)/test.stamp
	$(BIN)/python -m pytest -q -n $(JOBS) -m docs

# Tiny versions of the tables and figures: that they run, not what they show.
experiments-smoke: $(VENV)/test.stamp
	@out=$$(mktemp -d); trap 'rm -rf "$$out"' EXIT; set -e; tiny="--n_images=2 --steps=2"; \
	$(BIN)/python -m mgdm_jax.train --workdir $$out/net \
		--config configs/supervised/brain_t1_8x.py:smoke; \
	$(BIN)/python -m experiments.table1_fastmri $$tiny --levels=4 --out=$$out; \
	$(BIN)/python -m experiments.table2_lidc $$tiny --levels=10 --out=$$out; \
	$(BIN)/python -m experiments.table3_brats_ablation $$tiny --levels=4 --out=$$out; \
	$(BIN)/python -m experiments.table4_supervised $$tiny --cases=1 --out=$$out \
		--network=$$out/net/prior.safetensors; \
	$(BIN)/python -m experiments.fig3_nfe_acceleration $$tiny --accelerations=4 \
		--nfe=2 --out=$$out; \
	$(BIN)/python -m experiments.fig_panels $$tiny --figures=fig4 --out=$$out; \
	$(BIN)/python -m experiments.compare $$tiny --config configs/ct_lidc.py \
		--levels=10 --rows=ddnm_fbp_merge,ddnm_plus,dps_1000,tv,mgdm --out=$$out \
		--config.task.noise_std=0.01; \
	$(BIN)/python -m experiments.tune --config configs/mri_brats.py \
		--subject=itk_mprage --slices=1 --steps=2 --methods=ddnm,wavelets --out=$$out \
		--config.prior.path=experiments/weights/brain_t1_held_back.safetensors; \
	$(BIN)/python -m experiments.reference_free $$tiny --out=$$out \
		--config configs/mri_brats.py:smoke --factors=1; \
	$(BIN)/python -m experiments.fewer_evaluations --subject=itk_mprage --slices=1 \
		--config configs/mri_brats.py:smoke --nfe=3 --factors=1 --etas=1 --out=$$out \
		--config.prior.path=experiments/weights/brain_t1_held_back.safetensors \
		--rows='from T/2,second order'; \
	$(BIN)/python -m experiments.gradient_tuning --subject=itk_mprage --slices=1 \
		--config configs/mri_brats.py:smoke --steps=2 --seconds=0 --out=$$out \
		--config.prior.path=$$($(BIN)/python -c "import pathlib; \
		from experiments import tiny_prior as t; \
		print(t.write(pathlib.Path('$$out')))"); \
	$(BIN)/python -m experiments.calibration_curves $$tiny --out=$$out \
		--config configs/mri_brats.py:smoke --n_samples=2 --rows=mgdm,pigdm; \
	$(BIN)/python -m experiments.gaussian_posterior --n_truths=2 --n_samples=4 \
		--steps=2 --rows=mgdm,dps --out=$$out; \
	$(BIN)/python -m experiments.benchmarks.sweep_speed --tiny; \
	$(BIN)/python -m experiments.benchmarks.step_overhead --tiny --rounds=1 --steps=2; \
	$(BIN)/python -m experiments.benchmarks.memory --tiny --steps=2,4; \
	$(BIN)/python -m experiments.benchmarks.cold_start --tiny --rounds=1 --steps=2 \
		--configs=configs/mri_brats.py; \
	$(BIN)/python -m experiments.benchmarks.paper_cost --tiny; \
	$(BIN)/python -m experiments.benchmarks.paper_step --tiny --batches=1 --rounds=1; \
	$(BIN)/python -m experiments.benchmarks.projectors --size=32 --views=8 --rounds=1; \
	$(BIN)/python -m experiments.benchmarks.ct_proximal --size=32 --views=8 \
		--lams=1e-2 --rounds=1; \
	$(BIN)/python -m experiments.benchmarks.train_step --tiny --rounds=1; \
	$(BIN)/python -m experiments.benchmarks.long_evaluation --n_images=40; \
	$(BIN)/python -m experiments.everything --only='^quoted$$' --out=$$out/all; \
	$(BIN)/python -m experiments.kills --kills=1 --jobs=prepare

# What peers are needed for: converted networks and samplers against PyTorch's, the
# projector beside astra's and scico's. Gigabytes of packages.
parity: $(VENV)/parity.stamp $(VENV)/scico.stamp
	$(BIN)/python -m pytest -q -m "slow or not slow" tests/test_convert_torch.py
	$(BIN)/python -m experiments.benchmarks.against_torch --size=32 --steps=2 \
		--rounds=1 --batches=1
	$(BIN)/python -m experiments.benchmarks.projectors --size=32 --views=8 --rounds=1 \
		--scico=$(VENV)/scico/bin/python

# The oldest versions that pyproject.toml allows, in an environment of their own; what
# they say of the newer ones that these bring with them is not ours.
minimal:
	@env=$$(mktemp -d); trap 'rm -rf "$$env"' EXIT; set -e; \
	$(PYTHON) -m venv $$env; $$env/bin/pip install -q uv; \
	$$env/bin/uv pip install -q --python $$env/bin/python \
		--resolution lowest-direct -e .[test]; \
	$$env/bin/uv pip list --python $$env/bin/python; \
	$$env/bin/python -m pytest -q -n $(JOBS) -W default

# The wheel alone, in an environment and a folder where there is nothing else.
wheel:
	@out=$$(mktemp -d); trap 'rm -rf "$$out"' EXIT; set -e; \
	"$(PYTHON)" -m venv $$out/venv; pip="$$out/venv/bin/python -m pip -q"; \
	$$pip wheel --no-deps --wheel-dir $$out .; $$pip install $$out/*.whl; \
	mkdir $$out/empty; cd $$out/empty; export MGDM_JAX_CACHE=$$out/cache; \
	$$out/venv/bin/mgdm-jax info; $$out/venv/bin/mgdm-jax run --config mri_brats:smoke

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp
	$(BIN)/pyright --pythonpath $(BIN)/python

# The site, in site/; a warning is an error.
docs: $(VENV)/docs.stamp
	$(BIN)/mkdocs build --strict

# The .ipynb of the scripts beside them.
notebooks: $(VENV)/test.stamp
	$(BIN)/python notebooks/build.py

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache site

# A stamp, not bin/python: an environment that broke off half-way is finished.
$(VENV)/venv.stamp:
	@"$(PYTHON)" -c '$(USABLE)' 2>/dev/null || { echo "Python 3.11 or newer, with \
	venv, is needed; name yours with make PYTHON=..." >&2; exit 2; }
	"$(PYTHON)" -m venv $(VENV)
	@touch $@

# uv takes a third of pip's time, but knows nothing of pip.conf: where an index is only
# named there, pip is asked after it. Both compile what they install: where Python may
# write no bytecode, as in many containers, each process would compile it for itself.
$(VENV)/test.stamp: EXTRA := [test]
$(VENV)/dev.stamp: EXTRA := [dev]
$(VENV)/docs.stamp: EXTRA := [docs]
$(VENV)/parity.stamp: EXTRA := [test,parity]
$(VENV)/demo.stamp $(VENV)/test.stamp $(VENV)/dev.stamp $(VENV)/docs.stamp $(VENV)/parity.stamp: pyproject.toml | $(VENV)/venv.stamp
	@echo "Installing into $(VENV); this can take a few minutes."
	@pip="$(BIN)/python -m pip install -q --disable-pip-version-check"; \
	{ $$pip uv && $(BIN)/uv pip install -q --compile-bytecode \
		--python $(BIN)/python -e ".$(EXTRA)"; } || \
	$$pip --use-pep517 -e ".$(EXTRA)"
	@touch $@

# scico wants an older jax than ours.
$(VENV)/scico.stamp: | $(VENV)/parity.stamp
	"$(PYTHON)" -m venv $(VENV)/scico
	$(BIN)/uv pip install -q --python $(VENV)/scico/bin/python scico || \
	$(VENV)/scico/bin/python -m pip install -q --disable-pip-version-check scico
	@touch $@
