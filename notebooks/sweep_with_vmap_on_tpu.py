# %% [markdown]
# # A sweep with `vmap`
#
# ζ and λ of MGDM are arguments of the sampler, not settings of a program: a grid of
# them is one `vmap`, compiled once, split over all devices.

# %%
import time

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from mgdm_jax import devices, factory, metrics, sweeps
from mgdm_jax.data import samples
from mgdm_jax.operators import fourier, masks
from mgdm_jax.samplers import mgdm
from mgdm_jax.types import Problem

ON_CPU = jax.default_backend() == "cpu"
N_STEPS = 5 if ON_CPU else 100
ZETA = (0.5, 2.0) if ON_CPU else (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
LAM = (1e-3, 1e-1) if ON_CPU else (1e-4, 1e-3, 1e-2, 5e-2, 0.2)

# %% [markdown]
# ## Whom to choose on
#
# A subject of the training split, and a prior that has not met it: chosen on a test
# subject, or on images that the prior has met, numbers flatter. The shipped prior has
# met every training subject; the weights from before, of which `itk_mprage` was held
# back, are `experiments/weights/brain_t1_held_back.safetensors` of the repository. Put
# that path here to choose numbers in earnest. What follows shows how.

# %%
prior = factory.load_prior("brain_t1")
image = samples.load_volume("brain", "train", "itk_mprage")[40]
mask = masks.make_mask("equispaced", image.shape, acceleration=4, seed=0)
operator = fourier.masked_fourier(fourier.centred_to_corner_mask(mask), image.shape)
problem = Problem(operator, operator.forward(image))

# %% [markdown]
# ## One program
#
# `sweeps.grid` returns a `Guidance` of arrays, a row a combination. `per_device` gives
# each device its part of the rows; they are filled up with repeats of the last until
# they divide.

# %%
sampler = factory.make_sampler(prior, mgdm.make_step(), prior.grid(n_steps=N_STEPS))
numbers = sweeps.grid(zeta=ZETA, lam=LAM, rho=(0.0,), eta=(1.0,))
n = len(numbers.zeta)
mesh = devices.mesh()
index = np.minimum(np.arange(devices.padded(n, mesh)), n - 1)
rows = jax.tree.map(lambda column: column[index], numbers)

in_axes = (None, None, None, 0)
batched = devices.per_device(mesh, jax.vmap(sampler, in_axes=in_axes), in_axes)
run = jax.jit(batched)

start = time.perf_counter()
images, info = jax.block_until_ready(
    run(jax.random.key(0), prior.params, problem, rows)
)
print(f"{n} sets of numbers on {mesh.size} devices, first call: ", end="")
print(f"{time.perf_counter() - start:.1f} s, compilation included")

# %% [markdown]
# Other numbers, another mask or another key run the same program:

# %%
start = time.perf_counter()
jax.block_until_ready(run(jax.random.key(1), prior.params, problem, rows))
print(f"second call: {time.perf_counter() - start:.1f} s")

# %% [markdown]
# ## The map
#
# PSNR by slice maximum of one slice, one seed. A diverged image has none.

# %%
psnr = jax.vmap(metrics.psnr, in_axes=(None, 0))(jnp.asarray(image), images)[:n]
psnr = np.array(psnr).reshape(len(ZETA), len(LAM))
fig, ax = plt.subplots(figsize=(5, 4))
drawn = ax.imshow(psnr, origin="lower", cmap="viridis")
fig.colorbar(drawn, label="dB")
ax.set_xticks(range(len(LAM)), [f"{value:g}" for value in LAM])
ax.set_yticks(range(len(ZETA)), [f"{value:g}" for value in ZETA])
ax.set_xlabel("λ")
_ = ax.set_ylabel("ζ")

# %% [markdown]
# Where all rows do not fit into memory, `sweeps.over_guidance(evaluate, numbers,
# batch_size)` takes some at a time in the same program. The command does all of this
# for several images, keeps a table and can be interrupted:
#
#     mgdm-jax sweep --config mri_brats --workdir runs/sweep \
#         --config.sweep.zeta='(0.5,1.0,2.0)' --config.sweep.lam='(1e-3,1e-2)'
