"""Draws what each stage of a run's model makes of one radiograph.

    python scripts/visualize_activations.py runs/xnet
    python scripts/visualize_activations.py runs/nih --image-id 00000013_005.png

Takes every option of `dualnet visualize`; a test radiograph with a finding unless
`--image` or `--image-id` names one.
"""

import sys

from dualnet.cli import main

if __name__ == "__main__":
    sys.exit(main(["visualize", *(sys.argv[1:] or ["runs/xnet"])]))
