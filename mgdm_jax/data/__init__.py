"""Images in, images out: the embedded sample, its augmentation, HDF5 files.

The only home of grain and h5py. Everything here is NumPy on the host.
"""
