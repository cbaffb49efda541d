"""Image branches: a gray radiograph to a vector of features.

`xnet` is what the two student projects describe; `residual` is the one to prefer;
`cnn1` and `cnn3` are the plain networks of a third. Backbones of `keras.applications`
are in `transfer`. All begin with gray values 0-255 and end near `image_pool`, the last pooling stage,
whose input still has height and width (Grad-CAM starts there).
"""

from typing import Any

from keras import layers

from dualnet.models.seeds import he_normal, layer_seed

# 32 filters to begin with: the convolution that reads 16 channels was the dearest of all,
# and gained least from bfloat16 (a step of xnet 1.8 times as fast, with 32 1.95 times).
XNET_STAGES = ((32, 7, 2), (32, 5, 1), (64, 3, 1), (128, 3, 1))
XNET_LAST_POOL = 4
XNET_UNITS = 128
RESIDUAL_STEM = (32, 7)
RESIDUAL_STAGES = ((32, 1), (64, 2), (128, 2))
RESIDUAL_FEATURES = 256
CNN_FILTERS = (32, 64, 128, 128)
CNN_UNITS = 128
# Keras' .99 remembers the last few hundred steps: a run of five epochs on 1,700
# pictures has 265, and would be judged with the statistics of its first weights.
NORM_MOMENTUM = 0.9


def apply_xnet_branch(image: Any, *, dropout: float, seed: int) -> Any:
    """Applies the plain convolutional network that the projects call X-Net.

    Four stages of convolution, relu and max-pooling, filters growing 32 to 128 and
    kernels shrinking 7 to 3, then dropout, flatten and a dense layer. The last pooling
    is over 4x4, so the dense layer has 262,000 weights and not a million.
    gregwchase/nih-chest-xray (`src/cnn_keras.py`) has three stages of three
    convolutions, filters 32 to 128 and kernels *growing* 2 to 8, without dropout; the
    Spanish course project made of it has 256x256 gray pictures, shrinking kernels and
    dropout. Two things are ours: the first convolution strides by 2, since stride 1 at
    256x256 halves the speed on a CPU, and the weights begin as He et al. 2015 draw
    them, so that four relu stages pass a signal from the first step on (the original
    ended at the answer "No Finding" for everybody).

    Args:
        image: Tensor of gray values 0-255, shape (batch, size, size, 1).
        dropout: Share of features dropped before and after the dense layer.
        seed: Seed of the first weights and of dropout.

    Returns:
        Tensor of features, shape (batch, 128).

    Reference:
        He et al., Delving deep into rectifiers, ICCV 2015, section 2.2.
    """
    features = _rescale(image)
    last = len(XNET_STAGES)
    for number, (filters, kernel_size, strides) in enumerate(XNET_STAGES, start=1):
        name = f"image_conv_{number}"
        features = _conv(filters, kernel_size, strides, seed, name, activation="relu")(
            features
        )
        if number < last:
            pool = layers.MaxPooling2D(2, name=f"image_pool_{number}")
        else:  # "same": pictures of 32 pixels arrive here as 2x2
            pool = layers.MaxPooling2D(
                XNET_LAST_POOL, padding="same", name="image_pool"
            )
        features = pool(features)
    return _apply_dense(features, XNET_UNITS, dropout, seed)


def apply_residual_branch(image: Any, *, dropout: float, seed: int) -> Any:
    """Applies a small residual network, the branch we recommend.

    A strided stem, residual blocks at 1/8 to 1/32 of the picture's side, a 1x1
    convolution that widens the features, global average pooling. It costs about what
    `xnet` costs. There is one batch normalisation a block and none on the shortcut:
    on a processor it runs at the speed of memory, in float32 whatever the precision.
    Widening is done by 1x1: a stage of 256 filters at 4x4 was no better, and slower.

    Args:
        image: Tensor of gray values 0-255, shape (batch, size, size, 1).
        dropout: Share of the pooled features dropped.
        seed: Seed of the first weights and of dropout.

    Returns:
        Tensor of features, shape (batch, 256).

    Reference:
        He et al., Deep residual learning for image recognition, CVPR 2016, figure 2.
    """
    filters, kernel_size = RESIDUAL_STEM
    features = _conv(filters, kernel_size, 2, seed, "image_conv_1")(_rescale(image))
    # Pooling before relu: a quarter of the work, and the same result.
    features = layers.MaxPooling2D(2, name="image_pool_1")(features)
    features = layers.ReLU(name="image_relu_1")(features)
    number = 1
    for filters, num_blocks in RESIDUAL_STAGES:
        for block in range(num_blocks):
            strides = 2 if block == 0 else 1
            features = _apply_block(features, filters, strides, seed, number)
            number += 2
    last = number + 1
    features = _conv(
        RESIDUAL_FEATURES, 1, 1, seed, f"image_conv_{last}", use_bias=False
    )(features)
    features = _norm(f"image_norm_{last}")(features)
    features = layers.ReLU(name=f"image_relu_{last}")(features)
    features = layers.GlobalAveragePooling2D(name="image_pool")(features)
    return _dropout(dropout, seed, "image_dropout_1")(features)


def apply_cnn1_branch(image: Any, *, dropout: float, seed: int) -> Any:
    """Applies a plain convolutional network to one gray channel.

    sonimik13/ML_NEUMONIA tells COVID, viral pneumonia and normal apart by four networks:
    one of its own on 1 channel, one on 3, VGG-16 and ResNet-50. Its description gives
    no layers, so these are ours: four stages of a 3x3 convolution, relu and
    max-pooling, then a dense layer.

    Args:
        image: Tensor of gray values 0-255, shape (batch, size, size, 1).
        dropout: Share of features dropped before and after the dense layer.
        seed: Seed of the first weights and of dropout.

    Returns:
        Tensor of features, shape (batch, 128).
    """
    return _apply_plain(_rescale(image), dropout, seed)


def apply_cnn3_branch(image: Any, *, dropout: float, seed: int) -> Any:
    """Applies the network of `cnn1` to the gray repeated to three channels.

    The three channels say what one says; the first convolution has three times the
    weights, 576 more.

    Args:
        image: Tensor of gray values 0-255, shape (batch, size, size, 1).
        dropout: Share of features dropped before and after the dense layer.
        seed: Seed of the first weights and of dropout.

    Returns:
        Tensor of features, shape (batch, 128).
    """
    gray = _rescale(image)
    rgb = layers.Concatenate(name="image_rgb")([gray, gray, gray])
    return _apply_plain(rgb, dropout, seed)


IMAGE_BRANCHES = {
    "xnet": apply_xnet_branch,
    "residual": apply_residual_branch,
    "cnn1": apply_cnn1_branch,
    "cnn3": apply_cnn3_branch,
}


def _apply_plain(features: Any, dropout: float, seed: int) -> Any:
    last = len(CNN_FILTERS)
    for number, filters in enumerate(CNN_FILTERS, start=1):
        name = f"image_conv_{number}"
        features = _conv(filters, 3, 1, seed, name, activation="relu")(features)
        name = "image_pool" if number == last else f"image_pool_{number}"
        features = layers.MaxPooling2D(2, name=name)(features)
    return _apply_dense(features, CNN_UNITS, dropout, seed)


def _apply_dense(features: Any, units: int, dropout: float, seed: int) -> Any:
    """Flattens the maps and reads them by one dense layer, dropout before and after."""
    features = layers.Flatten(name="image_flatten")(features)
    features = _dropout(dropout, seed, "image_dropout_1")(features)
    name = "image_dense_1"
    features = layers.Dense(
        units,
        activation="relu",
        kernel_initializer=he_normal(seed, name),
        name=name,
    )(features)
    return _dropout(dropout, seed, "image_dropout_2")(features)


def _apply_block(
    features: Any, filters: int, strides: int, seed: int, before: int
) -> Any:
    """Applies two convolutions, numbered after `before`, beside a shortcut."""
    first, second = before + 1, before + 2
    shortcut = features
    if strides > 1:
        name = f"image_shortcut_{second}"
        shortcut = _conv(filters, 1, strides, seed, name)(features)
    name = f"image_conv_{first}"
    features = _conv(filters, 3, strides, seed, name, activation="relu")(features)
    name = f"image_conv_{second}"
    features = _conv(filters, 3, 1, seed, name, use_bias=False)(features)
    features = _norm(f"image_norm_{second}")(features)
    features = layers.Add(name=f"image_add_{second}")([features, shortcut])
    return layers.ReLU(name=f"image_relu_{second}")(features)


def _rescale(image: Any) -> Any:
    # In float32 under mixed precision too: bfloat16 has no digits for 127.5 gray steps.
    rescaling = layers.Rescaling(
        1 / 127.5, offset=-1.0, dtype="float32", name="image_rescaling"
    )
    return rescaling(image)


def _conv(
    filters: int,
    kernel_size: int,
    strides: int,
    seed: int,
    name: str,
    activation: str | None = None,
    use_bias: bool = True,
) -> layers.Layer:
    return layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        activation=activation,
        use_bias=use_bias,
        kernel_initializer=he_normal(seed, name),
        name=name,
    )


def _norm(name: str) -> layers.Layer:
    return layers.BatchNormalization(momentum=NORM_MOMENTUM, name=name)


def _dropout(rate: float, seed: int, name: str) -> layers.Layer:
    return layers.Dropout(rate, seed=layer_seed(seed, name), name=name)
