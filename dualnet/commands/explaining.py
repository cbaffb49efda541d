"""The command that explains what a model says of one radiograph."""

from pathlib import Path
from typing import Annotated

import typer

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
        str | None,
        typer.Option(
            help="grad_cam, hires_cam, integrated_gradients or occlusion; "
            "none: hires_cam."
        ),
    ] = None,
    layer: Annotated[
        str | None, typer.Option(help="Of the heat map; none: the method's own.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder; none: in the run folder.")
    ] = None,
) -> None:
    """Explain what a model says of one radiograph."""
    load_framework()
    from dualnet.jobs.explain import explain_run

    folder = explain_run(
        run,
        image=image,
        image_id=image_id,
        metadata=metadata,
        finding=finding,
        method=method,
        layer=layer,
        out=out,
    )
    typer.echo(f"explanation: {folder / 'index.html'}")
