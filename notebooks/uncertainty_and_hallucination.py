# %% [markdown]
# # Uncertainty and hallucination
#
# Several samples of one image agree where measurements or prior are sure of themselves,
# and differ elsewhere. That is *not* the same as being right. This notebook draws
# samples, splits what was measured from what was filled in, and compares both with the
# reference.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from mgdm_jax import factory
from mgdm_jax.data import samples
from mgdm_jax.guidance import proximal
from mgdm_jax.operators import fourier, masks
from mgdm_jax.samplers import mgdm
from mgdm_jax.types import Guidance, Problem

ON_CPU = jax.default_backend() == "cpu"
N_STEPS, N_SAMPLES = (10, 3) if ON_CPU else (100, 16)

# %% [markdown]
# ## Samples
#
# Eight-fold undersampling of a slice that the prior has not met: little enough is
# measured that the prior has much to say. One `vmap` over keys.

# %%
prior = factory.load_prior("brain_t1")
image = jnp.asarray(samples.load_volume("brain", "test", "colin27")[46])
mask = masks.make_mask("equispaced", image.shape, acceleration=8, seed=0)
operator = fourier.masked_fourier(fourier.centred_to_corner_mask(mask), image.shape)
problem = Problem(operator, operator.forward(image))
guidance = Guidance.of(zeta=2.0, lam=0.03, rho=0.0, eta=1.0)  # tuned.MRI_REAL

sampler = factory.make_sampler(prior, mgdm.make_step(), prior.grid(n_steps=N_STEPS))
run = jax.jit(jax.vmap(sampler, in_axes=(0, None, None, None)))
keys = jax.random.split(jax.random.key(0), N_SAMPLES)
draws, info = run(keys, prior.params, problem, guidance)
assert info.finite.all(), "a sample diverged"
mean, std = draws.mean(0), draws.std(0)
error = jnp.abs(mean - image)


# %%
def show(pictures, cmap="gray", **limits):
    _, axes = plt.subplots(1, len(pictures), figsize=(3 * len(pictures), 3.2))
    for ax, (title, picture) in zip(axes, pictures.items(), strict=True):
        ax.imshow(picture, cmap=cmap, **limits)
        ax.set_title(title, fontsize="small")
        ax.set_axis_off()


show(
    {"reference": image, "mean": mean, "one sample": draws[0], "another": draws[1]},
    vmin=0,
    vmax=1,
)

# %% [markdown]
# ## Does the deviation tell the error?
#
# If the samples were draws of the true posterior, errors of the mean beyond two
# deviations would be rare. Count them where there is something to see.

# %%
inside = image > 0.1
outside = float((error > 2 * std)[inside].mean())
together = float(np.corrcoef(error[inside], std[inside])[0, 1])
print(f"{100 * outside:.0f} % of the head's pixels err by more than two deviations")
print(f"correlation of error and deviation: {together:.2f}")
show({"error of the mean": error, "standard deviation": std}, "inferno")

# %% [markdown]
# Guidance methods approximate the posterior, the prior approximates the distribution of
# heads, and few samples estimate a deviation badly. Where a map of deviations is dark,
# the samples agree: they may agree on an error.
#
# ## What was measured, and what was filled in
#
# Every image splits into A†A x, which the measurements determine, and (I − A†A) x, to
# which they are blind. `proximal.exact` with y = 0 and λ = 0 is that second projection.


# %%
def unseen(x):
    nothing = problem._replace(measurement=jnp.zeros_like(problem.measurement))
    return proximal.exact(nothing, x, jnp.float32(0))


filled_in, truth = unseen(mean), unseen(image)
seen = mean - filled_in
apart = jnp.abs(seen - (image - truth)).max()
print(f"A†A x of the mean differs from the reference's by {apart:.1e} at most")
show({"range: measured": seen, "null space: filled in": filled_in, "reference": truth})

# %% [markdown]
# ## What the prior invents
#
# In the null space nothing but the prior speaks, so there and only there can it invent.
# How much of the reference's null space did it find, and how much did it put there that
# is not? With 0 for a zero-filled image, and 1 for a perfect one:


# %%
def energy(x):
    return float(jnp.sum(x**2))


gained = 1 - energy(filled_in - truth) / energy(truth)
print(f"share of the reference's null-space energy explained: {gained:.2f}")
show(
    {
        "filled in, not there": jnp.maximum(jnp.abs(filled_in) - jnp.abs(truth), 0),
        "there, not filled in": jnp.maximum(jnp.abs(truth) - jnp.abs(filled_in), 0),
    },
    "inferno",
)

# %% [markdown]
# ## A detail that the prior has never seen
#
# Put something into the head that no training image has, measure it, and see whether it
# comes back. Here a small bright disc; a stand-in for a lesion, not a model of one.

# %%
row, column = np.ogrid[: image.shape[0], : image.shape[1]]
disc = (row - 66) ** 2 + (column - 72) ** 2 < 3**2
changed = jnp.where(disc, 1.0, image)
with_disc = Problem(operator, operator.forward(changed))
again, _ = run(keys, prior.params, with_disc, guidance)
contrast = float((changed - image)[disc].mean())
found = float((again.mean(0) - mean)[disc].mean())
print(f"contrast of the disc {contrast:.2f}, of its reconstruction {found:.2f}")
print(f"deviation of the samples there {again.std(0)[disc].mean():.2f}")
show({"with the disc": changed, "mean": again.mean(0), "sample": again[0]})

# %% [markdown]
# Compare what is lacking with the deviation of the samples: where they agree on too
# little, the map of deviations is dark, and wrong.
#
# Without measurements of a detail a prior can but guess it, and it guesses what it
# knows. Two images with the same measurements get the same reconstruction; no deviation
# of samples tells them apart. Do not read diagnoses from such images.
