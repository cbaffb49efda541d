"""Trains X-Net, on the phantom unless `--data` names a dataset.

    python scripts/train_xnet.py --run runs/xnet
    python scripts/train_xnet.py --data NIH_FOLDER --run runs/nih --set training.epochs=20

Takes every option of `dualnet train`.
"""

import sys

from dualnet.cli import main

if __name__ == "__main__":
    options = sys.argv[1:]
    run = [] if "--run" in options else ["--run", "runs/xnet"]
    sys.exit(main(["train", "--preset", "xnet", *run, *options]))
