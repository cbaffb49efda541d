"""Time to .95 of the final validation macro AUROC, from the history of runs.

    python benchmarks/time_to_score.py runs/xnet runs/residual

Final is the best epoch, which is the one kept. As .5 is the score of chance, the time to
.95 of what lies above it stands beside. Seconds are those of the epochs, validation with
them, until the end of the first epoch at or above. Preparing, and the metadata half of a
fused model, are not in it: `spent` in `environment.json` has what the whole took.
"""

import argparse
from pathlib import Path

import pandas as pd

from dualnet.runs import open_run

CHANCE = 0.5
SHARE = 0.95


def find_time(history: pd.DataFrame, wanted: float) -> tuple[int, float]:
    """Returns the first epoch with a score, and the seconds until its end."""
    first = int((history["val_macro_auroc"] >= wanted).to_numpy().argmax())
    seconds = history["seconds"].cumsum()
    return int(history["epoch"].iloc[first]), float(seconds.iloc[first])


def main() -> None:
    """Prints a line a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    options = parser.parse_args()
    for path in options.runs:
        run = open_run(path)
        history = pd.read_csv(run.history)
        best = history["val_macro_auroc"].max()
        device = run.read_environment()["device"]["name"]
        print(f"{path}: {best:.3f} at best, {history['seconds'].sum():.0f} s, {device}")
        for text, chance in (("of it", 0.0), ("of what is above chance", CHANCE)):
            wanted = chance + SHARE * (best - chance)
            epoch, seconds = find_time(history, wanted)
            print(f"  .95 {text}: {wanted:.3f}, epoch {epoch}, {seconds:.0f} s")


if __name__ == "__main__":
    main()
