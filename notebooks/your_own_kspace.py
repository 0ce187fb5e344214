# %% [markdown]
# # Your own k-space
#
# Multi-coil k-space in an array, a sampling mask and coil sensitivities; out come an
# image, its samples and maps of what is uncertain. Here they are simulated from a slice
# of the embedded sample (phase and coils too), so that the notebook runs as it is: put
# yours in the place of the three arrays. The prior is for images of 120 × 120; give one
# of yours for another size.

# %%
import jax
import matplotlib.pyplot as plt
import numpy as np

from mgdm_jax import defaults, factory, figures, reconstruct
from mgdm_jax.data import samples, scan_arrays
from mgdm_jax.operators import coils, fourier, masks

ON_CPU = jax.default_backend() == "cpu"
N_STEPS, N_SAMPLES = (5, 2) if ON_CPU else (100, 8)

# %% [markdown]
# ## The arrays
#
# | | shape | |
# |---|---|---|
# | `kspace` | [n, coils, h, w] complex | orthonormal, DC at N//2 as in fastMRI |
# | `mask` | [h, w] or [w] | zeros and ones |
# | `sensitivity_maps` | [(n,) coils, h, w] | without them, ESPIRiT's |

# %%
magnitude = samples.load_volume("brain", "test", "colin27")[46]
size = magnitude.shape
image = magnitude * np.exp(1j * coils.smooth_phase(size, seed=0))  # simulated
sensitivity_maps = coils.birdcage_sensitivities(size, n_coils=4)  # simulated
mask = masks.make_mask("gaussian1d", size, acceleration=4, seed=0)


def centred_fft(images):
    shifted = np.fft.ifftshift(images, (-2, -1))
    return np.fft.fftshift(np.fft.fft2(shifted, norm="ortho"), (-2, -1))


kspace = (centred_fft(sensitivity_maps * image) * mask)[None]
np.savez("scan.npz", kspace=kspace, mask=mask, sensitivity_maps=sensitivity_maps)

# %% [markdown]
# ## Look before you reconstruct
#
# The commonest mistake is the order of k-space. Centred k-space shows its energy in the
# middle, and its root sum of squares the head in the middle of the image. Taken for the
# other order, the same array gives a head that is cut into four and checkered.

# %%
right = fourier.centred_to_corner(kspace[0])
wrong = kspace[0]  # as if DC were in the corner already
_, axes = plt.subplots(1, 3, figsize=(9, 3))
axes[0].imshow(np.log(np.abs(kspace[0, 0]) + 1e-3), cmap="gray")
for ax, corner in zip(axes[1:], (right, wrong), strict=True):
    each = np.fft.ifft2(np.asarray(corner), norm="ortho")
    ax.imshow(np.sqrt((np.abs(each) ** 2).sum(0)), cmap="gray")
for ax, title in zip(axes, ("k-space", "DC at N//2", "DC in the corner"), strict=True):
    ax.set_title(title)
    ax.set_axis_off()

# %% [markdown]
# ## Reconstruct
#
# Files are read and checked as the command does:
#
#     mgdm-jax reconstruct --prior brain_complex --kspace scan.npz --n-samples 8 \
#         --out scan.h5
#
# What lies beside `kspace` in its file (mask, maps) is used.

# %%
contents = scan_arrays.mri_arrays("scan.npz", None, None)
prior = factory.load_prior("brain_complex")
config = defaults.reconstruction()
config.sampler.n_steps = N_STEPS
found, scan = reconstruct.reconstruct(contents, "scan.npz", prior, config, N_SAMPLES)
print(scan.facts)
print(f"data residual {found.data_residual.mean():.1e}")

# %%
figures.maps(
    {
        "baseline": found.baseline,
        "mean": found.mean,
        "standard deviation": found.std,
        "null space": found.null_space,
    }
)

# %% [markdown]
# ## In the units of the scan
#
# In operator units magnitudes lie in [0, 1], by a scale estimated from the zero-filled
# image; undo it, and there is your image, complex.

# %%
mine = scan.in_file_units(found.mean)
print(mine.shape, mine.dtype)

# %% [markdown]
# ## What is refused
#
# Whatever cannot work is one line, before anything is computed.

# %%
np.savez("half.npz", kspace=kspace[..., ::2], mask=mask)
try:
    scan_arrays.mri_arrays("half.npz", None, None)
except ValueError as error:
    print(error)
