# A cluster run starts here and goes on with the Snakefile of a copy: workflow/scripts/freeze.py.
import sys
from pathlib import Path

sys.path.insert(0, "workflow/scripts")
import freeze
from equipoise.errors import UserError

try:
    freeze.start(map(Path, workflow.overwrite_configfiles))
except UserError as error:
    sys.exit(f"error: {error}")
