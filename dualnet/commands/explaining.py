"""The command that explains: one radiograph, or how true explanations are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from dualnet.errors import ConfigError
from dualnet.framework import load_framework
from dualnet.options import Run


def explain(  # noqa: PLR0913 - one argument an option
    run: Run,
    image: Annotated[Path | None, typer.Option(help="A picture file.")] = None,
    image_id: Annotated[
        str | None, typer.Option(help="A radiograph of the run's records.")
    ] = None,
    metadata: Annotated[
        str | None,
        typer.Option(
            help="Such as age=57,view=AP,follow_up=0,sex=F; the rest unknown."
        ),
    ] = None,
    finding: Annotated[
        str | None, typer.Option(help="Class to explain; none: the likeliest finding.")
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="grad_cam, hires_cam, integrated_gradients or occlusion; with --score "
            "it may be repeated; none: hires_cam."
        ),
    ] = None,
    layer: Annotated[
        str | None, typer.Option(help="Of the heat map; none: the method's own.")
    ] = None,
    score: Annotated[
        bool, typer.Option("--score", help="Score the run's heat maps against boxes.")
    ] = False,
    sample: Annotated[
        int | None, typer.Option(min=1, help="With --score: about so many pictures.")
    ] = None,
    part: Annotated[
        str | None, typer.Option(help="With --score: train, val or test; none: test.")
    ] = None,
    boxes: Annotated[
        Path | None, typer.Option(help="With --score: boxes; none: the dataset's.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="With --score; none: the run's.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder; none: in the run folder.")
    ] = None,
) -> None:
    """Explain one answer of a model, or score its heat maps."""
    methods = method or []
    of_one = {
        "--image": image,
        "--image-id": image_id,
        "--metadata": metadata,
        "--finding": finding,
    }
    of_scores = {
        "--sample": sample,
        "--part": part,
        "--boxes": boxes,
        "--seed": seed,
        "--method twice": methods[1:] or None,
    }
    _check_mode(of_one if score else of_scores, score=score)
    load_framework()
    if score:
        from dualnet.jobs.explanation_scores import score_explanations

        named: dict[str, Any] = {
            "methods": methods or None,
            "sample": sample,
            "part": part,
            "boxes": boxes,
            "seed": seed,
        }
        given = {name: value for name, value in named.items() if value is not None}
        folder = score_explanations(run, layer=layer, out=out, **given)
        typer.echo((folder / "scores.txt").read_text("utf-8").rstrip())
        typer.echo(f"scores: {folder}")
        return
    from dualnet.jobs.explain import explain_run

    folder = explain_run(
        run,
        image=image,
        image_id=image_id,
        metadata=metadata,
        finding=finding,
        method=methods[0] if methods else None,
        layer=layer,
        out=out,
    )
    typer.echo(f"explanation: {folder / 'index.html'}")


def _check_mode(others: Mapping[str, object], *, score: bool) -> None:
    """Refuses options of the other mode than the one that is asked for."""
    given = [name for name, value in others.items() if value is not None]
    if not given:
        return
    expected = "must stand without" if score else "must be there for"
    raise ConfigError(
        f"--score: {expected} {', '.join(others)}. Received: {', '.join(given)}. "
        f"Leave {'it' if len(given) == 1 else 'them'} out, or ask for the other."
    )
