"""With this folder on PYTHONPATH, every stage notes where it runs, before it does anything.

One line of JSON for each stage in the file that WITNESS names.
"""

import json
import os
import sys
from pathlib import Path

if "WITNESS" in os.environ and any(Path(word).name == "equipoise" for word in sys.orig_argv[1:2]):
    seen = {
        "stage": sys.orig_argv[2],
        "job": os.environ.get("SLURM_JOB_ID", ""),
        "node": os.environ.get("SLURMD_NODENAME", ""),
        "gpu": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
    }
    with Path(os.environ["WITNESS"]).open("a") as file:
        file.write(json.dumps(seen) + "\n")
