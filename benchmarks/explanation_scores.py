"""How long scoring the heat maps of boxed pictures takes, step by step.

    python benchmarks/explanation_scores.py RUN [--images 1000] [--methods hires_cam,grad_cam]

The target is 1,000 pictures of a phantom in less than three minutes on two cores, with
all that `dualnet explain RUN --score` does. RUN is a run on a phantom; its train part
is scored, as the test part of one that trains in minutes has fewer boxes. Wall time
and processor time: on a busy machine the former says little.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from rounds import describe_machine

from dualnet.framework import load_framework


def main() -> None:
    """Scores, and prints how long it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--methods", default="hires_cam,grad_cam")
    arguments = parser.parse_args()
    load_framework()
    from dualnet.jobs.explanation_scores import score_explanations

    with tempfile.TemporaryDirectory() as folder:
        began, used = time.perf_counter(), time.process_time()
        out = score_explanations(
            arguments.run,
            methods=arguments.methods.split(","),
            sample=arguments.images,
            part="train",
            out=Path(folder) / "scores",
        )
        wall, processor = time.perf_counter() - began, time.process_time() - used
        values = json.loads((out / "scores.json").read_text())
    print(describe_machine())
    print(
        f"{values['num_images']:,} pictures with {values['num_boxed']:,} boxed findings, "
        f"{values['image_size']} pixels, {arguments.methods}: "
        f"{wall:.0f} s, {processor:.0f} s of processor time"
    )


if __name__ == "__main__":
    main()
