"""The names of the image branches: our own, and the backbones of `keras.applications`.

Names alone, so that a configuration can be checked without a framework.
"""

import difflib

OWN = ("xnet", "residual", "cnn1", "cnn3")
# each in lower case what it is in keras.applications
BACKBONES = (
    *(f"convnext{size}" for size in ("tiny", "small", "base", "large", "xlarge")),
    *(f"densenet{layers}" for layers in (121, 169, 201)),
    *(f"efficientnetb{number}" for number in range(8)),
    *(f"efficientnetv2{size}" for size in ("b0", "b1", "b2", "b3", "s", "m", "l")),
    *("inceptionresnetv2", "inceptionv3"),
    *("mobilenet", "mobilenetv2", "mobilenetv3small", "mobilenetv3large"),
    *("nasnetmobile", "nasnetlarge"),
    *(f"resnet{layers}{kind}" for kind in ("", "v2") for layers in (50, 101, 152)),
    *("vgg16", "vgg19", "xception"),
)


def expected_branch(name: str) -> str | None:
    """Says what a branch's name must be, if it is not one.

    Args:
        name: What somebody wrote.

    Returns:
        The reason, with near names; None where the name is known.

    Example:
        >>> expected_branch("vgg16") is None
        True
        >>> expected_branch("densenet112").split(". ")[1]
        'Near it: densenet121, densenet201, densenet169'
    """
    known = (*OWN, *BACKBONES)
    if name in known:
        return None
    near = difflib.get_close_matches(name.lower().replace("-", ""), known, n=3)
    hint = f". Near it: {', '.join(near)}" if near else ""
    return f"must be {', '.join(OWN)} or a backbone of keras.applications, such as densenet121{hint}"
