# %% [markdown]
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/REPOSITORY/blob/main/notebooks/NOTEBOOK.ipynb)

# %%
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("mgdm_jax") is None:
    has_tpu = "TPU_NAME" in os.environ or any(Path("/dev").glob("accel*"))
    extra = "[tpu]" if has_tpu else "[cuda]" if shutil.which("nvidia-smi") else ""
    package = f"mgdm-jax{extra} @ git+https://github.com/REPOSITORY"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", package], check=True)

import jax

print(f"{jax.device_count()} x {jax.devices()[0].device_kind}")
