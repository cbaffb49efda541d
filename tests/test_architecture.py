"""The map of the house names every room and every module, each once."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dualnet"


def named_modules() -> list[str]:
    text = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(
        r"^\| (`.*?`) \| (.*) \|$", text.partition("## Contracts")[0], re.M
    )
    named = []
    for rooms, told in rows:
        for room in re.findall(r"`([^`]+)`", rooms):
            if room.endswith(".py"):
                named.append(room)
                continue
            words = re.findall(r"`([a-z_]+)`", told)
            files = [f"{room}{word}.py" for word in words if word != "__init__"]
            named += [file for file in files if (PACKAGE / file).is_file()]
    return named


def test_each_module_is_named_once() -> None:
    modules = [
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        if not file.name.startswith("__")
    ]
    assert Counter(named_modules()) == Counter(modules)
