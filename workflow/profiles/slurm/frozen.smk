# A cluster run starts here and goes on with the Snakefile of a copy: workflow/scripts/freeze.py.
import sys
from pathlib import Path

sys.path.insert(0, "workflow/scripts")
import freeze
from equipoise.errors import ending_in_one_line

with ending_in_one_line():
    freeze.start(map(Path, workflow.overwrite_configfiles))
