# %% [markdown]
# # Quickstart
#
# Four-fold undersampled MRI of one slice, reconstructed with a diffusion prior and no
# training on measurements. Research software, **not a medical device**: the prior is
# small and knows three volumes, k-space is simulated from an image.

# %%
import jax
import matplotlib.pyplot as plt
import numpy as np

from mgdm_jax import conventions, factory, figures, metrics
from mgdm_jax.data import samples
from mgdm_jax.operators import fourier, masks
from mgdm_jax.samplers import ddnm, mgdm
from mgdm_jax.types import Guidance, Problem

ON_CPU = jax.default_backend() == "cpu"
N_STEPS = 10 if ON_CPU else 100

# %% [markdown]
# ## A problem
#
# `colin27` is the test subject: the prior has not met him. Every fourth column of
# k-space and a block in its middle are kept.

# %%
image = samples.load_volume("brain", "test", "colin27")[46]
mask = masks.make_mask("equispaced", image.shape, acceleration=4, seed=0)
operator = fourier.masked_fourier(fourier.centred_to_corner_mask(mask), image.shape)
problem = Problem(operator, operator.forward(image))
zero_filled = np.array(operator.baseline(problem.measurement))

_, axes = plt.subplots(1, 3, figsize=(9, 3))
for ax, shown in zip(axes, (image, mask, zero_filled), strict=True):
    ax.imshow(shown, cmap="gray")
    ax.set_axis_off()

# %% [markdown]
# ## MGDM
#
# A sampler is made of a prior, one reverse step of a method, and the times to visit. It
# is a pure function of a key, the weights, the problem, and four numbers.

# %%
prior = factory.load_prior("brain_t1")
grid = prior.grid(n_steps=N_STEPS)
guidance = Guidance.of(zeta=2.0, lam=1e-2, rho=0.0, eta=1.0)
sampler = jax.jit(factory.make_sampler(prior, mgdm.make_step(), grid))
x, info = sampler(jax.random.key(0), prior.params, problem, guidance)
assert info.finite.all(), "the sampler diverged"

# %%
figures.panel(
    image[None],
    zero_filled[None],
    np.array(x)[None],
    labels=("Reference", "Zero-filled", "MGDM"),
)

# %% [markdown]
# ## Another method
#
# Methods differ in their step alone. DDNM projects onto the measurements, and needs no
# gradient through the network.

# %%
other = jax.jit(factory.make_sampler(prior, ddnm.make_step(), grid))
y, _ = other(jax.random.key(0), prior.params, problem, guidance)
for name, estimate in (("zero-filled", zero_filled), ("DDNM", y), ("MGDM", x)):
    scores = metrics.score(image, estimate)
    print(f"{name:12} {scores.psnr:.2f} dB, SSIM {scores.ssim:.3f}")

# %% [markdown]
# One slice and one seed: an example, not a comparison of methods.
#
# ## What a PSNR means
#
# The same image under the four conventions in use. None may be compared with another.

# %%
table = conventions.side_by_side(image[None], x[None])
for name, measures in table.items():
    print(f"{name:12} {measures.psnr[()]:.2f} dB, SSIM {measures.ssim_uniform7:.3f}")

# %% [markdown]
# At 4x, how much was really left out? Sampling k of a real image measures −k as well.

# %%
print(f"nominal acceleration   {masks.nominal_acceleration(mask):.2f}")
print(f"effective acceleration {masks.effective_acceleration(mask, True):.2f}")
