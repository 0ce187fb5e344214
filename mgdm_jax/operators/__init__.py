"""Linear operators of MRI and CT, their spectra, and what is needed around them.

`fourier` (one coil), `sense` (several coils), `radon` (parallel-beam CT),
`sparse_views` (views of a full scan), `weighted` (samples of unequal noise, of any of
them), `inpainting`, `block_average` and `blur` hold the
operators; `spectrum` the gains and the eigendecompositions; `linalg` the dot test, the
norm and conjugate gradients; `masks` and `coils` simulate acquisitions.
"""
