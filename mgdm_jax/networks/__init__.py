"""Networks of the diffusion priors; the only home of flax."""
