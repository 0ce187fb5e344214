"""Linear operators of MRI and CT, their spectra, and what is needed around them.

`fourier` (one coil), `sense` (several coils) and `radon` (parallel-beam CT) hold the
operators; `spectrum` the gains and the eigendecompositions; `linalg` the dot test,
the norm and conjugate gradients; `masks` and `coils` simulate acquisitions.
"""
