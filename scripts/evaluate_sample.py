"""Judges a run on a patient-disjoint sample of 15,000 of its test radiographs.

    python scripts/evaluate_sample.py runs/xnet
    python scripts/evaluate_sample.py runs/nih --sample 5000

Takes every option of `dualnet evaluate`; the run's own data (the phantom, where it was
trained on that) unless `--data` names another dataset.
"""

import sys

from dualnet.cli import main

if __name__ == "__main__":
    options = sys.argv[1:] or ["runs/xnet"]
    sample = [] if "--sample" in options else ["--sample", "15000"]
    sys.exit(main(["evaluate", *options, *sample]))
