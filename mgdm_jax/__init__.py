"""Meta-Guided Diffusion Models for zero-shot medical imaging, in JAX."""

__version__ = "0.1.0"
