"""DICOM files for the fuzz: whole ones of every encoding, and what is done to them.

The patient in them is made up, and is never to be seen in a reason or on the screen.
"""

import functools
import zlib
from collections.abc import Callable

import numpy as np

Random = np.random.Generator
Mutation = Callable[[bytes, Random], bytes]
Place = tuple[int, int, int]  # where an element begins, its value, its end

NAME, NUMBER, BIRTH_DATE = "SECRET^JANE", "PID-QXZV-QXZV", "19500301"
SECRETS = ("SECRET", "JANE", "QXZV", BIRTH_DATE)

_PREFIX_END = 132
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_PIXELS = b"\xe0\x7f\x10\x00"
_VALUES = [b"", b"1E999999999", b"nan", b"-inf", b"1\\" * 100, b"\xff" * 8, b"\0" * 8]
_VRS = [b"SQ", b"IS", b"DS", b"OB", b"US", b"UN", b"FD", b"AT", b"PN", b"UT", b"ZZ"]
_LENGTHS = [0, 1, 7, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF]


@functools.cache
def make_native() -> list[bytes]:
    """Uncompressed and deflated: byte orders, bits, windows, LUTs, colours."""
    from dicom_cases import encode, make_dataset, make_lut
    from pydicom import uid

    eight, twelve = _values(8), _values(12)
    lut = make_lut([128 * entry for entry in range(512)], 1000, 16)
    window = {"WindowCenter": [2048.0, 100.0], "WindowWidth": [4096.0, 200.0]}
    rescale = {"RescaleSlope": "1.5", "RescaleIntercept": "-100"}
    twelve_bits = {"BitsStored": 12, **_patient()}
    datasets = [
        make_dataset(eight, **_patient()),
        make_dataset(eight, **_patient(), WindowCenter=90, WindowWidth=100),
        make_dataset(eight, **_patient(), PixelPaddingValue=3),
        make_dataset(twelve, **twelve_bits),
        make_dataset(twelve, **twelve_bits, **window, **rescale),
        make_dataset(twelve, **twelve_bits, **window, VOILUTFunction="SIGMOID"),
        make_dataset(twelve, **twelve_bits, VOILUTSequence=[lut]),
        make_dataset(twelve, **twelve_bits, ModalityLUTSequence=[lut]),
        make_dataset(twelve.astype(np.int16) - 2048, **twelve_bits),
        make_dataset(np.dstack([eight] * 3), **_patient()),
    ]
    files = [encode(dataset) for dataset in datasets]
    others = (
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
    )
    for syntax in others:
        files += [encode(datasets[place], syntax) for place in (1, 4, 7)]
    for dataset in datasets[6:8]:  # sequences of undefined length
        for element in dataset:
            if element.VR == "SQ":
                element.is_undefined_length = True
                element.value[0].is_undefined_length_sequence_item = True
        files += [encode(dataset), encode(dataset, uid.ImplicitVRLittleEndian)]
    return files


@functools.cache
def make_compressed() -> list[bytes]:
    """JPEG of four kinds, JPEG-LS, JPEG 2000 and RLE."""
    import imagecodecs
    from dicom_cases import compress, encode, make_dataset
    from pydicom import uid

    eight, twelve = _values(8), _values(12)
    colours = np.dstack([eight, eight[::-1], eight])
    lossless = {"lossless": True, "bitspersample": 12}
    plain = {"level": 0, "codecformat": "j2k", "reversible": True}
    frames = [
        (uid.JPEGBaseline8Bit, eight, imagecodecs.jpeg8_encode(eight)),
        (uid.JPEGExtended12Bit, twelve, _jpeg12(twelve)),
        (uid.JPEGLossless, twelve, _jpeg12(twelve, predictor=4, **lossless)),
        (uid.JPEGLosslessSV1, twelve, _jpeg12(twelve, **lossless)),
        (uid.JPEGLSLossless, eight, imagecodecs.jpegls_encode(eight)),
        (uid.JPEGLSNearLossless, twelve, imagecodecs.jpegls_encode(twelve, level=2)),
        (uid.JPEG2000Lossless, twelve, imagecodecs.jpeg2k_encode(twelve, **plain)),
        (uid.JPEG2000, eight, imagecodecs.jpeg2k_encode(eight, level=40)),
        (uid.JPEG2000, colours, imagecodecs.jpeg2k_encode(colours, **plain)),
        (uid.HTJ2KLossless, twelve, imagecodecs.htj2k_encode(twelve)),
    ]
    files = [
        compress(
            pixels,
            frame,
            syntax,
            BitsStored=8 if pixels.dtype == np.uint8 else 12,
            **_patient(),
        )
        for syntax, pixels, frame in frames
    ]
    for pixels, bits in ((eight, 8), (twelve, 12), (colours, 8)):
        dataset = make_dataset(pixels, BitsStored=bits, **_patient())
        encode(dataset)  # gives it the meta information that compressing asks for
        dataset.compress(uid.RLELossless, generate_instance_uid=False)
        files.append(encode(dataset, uid.RLELossless))
    return files


def _jpeg12(pixels: np.ndarray, **options: object) -> bytes:
    import imagecodecs

    options = {"bitspersample": 12, **options}
    return imagecodecs.jpeg8_encode(pixels, **options)  # pyright: ignore


def _patient() -> dict[str, object]:
    return {
        "SpecificCharacterSet": "ISO_IR 100",
        "StudyDate": "20200301",
        "PatientName": NAME,
        "PatientID": NUMBER,
        "PatientBirthDate": BIRTH_DATE,
        "PatientSex": "F",
        "PatientAge": "070Y",
        "ViewPosition": "PA",
    }


def _values(bits: int) -> np.ndarray:
    """A ramp with some noise, 24 by 20 pixels: less of the file than its header."""
    y, x = np.mgrid[:20, :24]
    noise = np.random.default_rng(0).integers(0, 2 ** (bits - 3), (20, 24))
    ramp = (3 * y + 2 * x) * 2 ** (bits - 8) + noise
    return ramp.astype(np.uint8 if bits == 8 else np.uint16)


# --- what is done to them


def change_elements(data: bytes, random: Random) -> bytes:
    """Drops, repeats or moves a data element."""
    places = _find_elements(data)
    if not places:
        return data
    (start, _, end), (to, _, _) = _choose_two(places, random)
    kind = random.integers(3)
    moved = data[start:end]
    if kind == 0:
        return data[:start] + data[end:]
    if kind == 1:
        return data[:to] + moved + data[to:]
    rest = data[:start] + data[end:]
    to = to if to <= start else to - len(moved)
    return rest[:to] + moved + rest[to:]


def change_element(data: bytes, random: Random) -> bytes:
    """Gives an element another tag, VR, length or value."""
    places = _find_elements(data)
    if not places:
        return data
    (start, value, end), (other, _, _) = _choose_two(places, random)
    kind = random.integers(4)
    if kind == 0:
        return data[:start] + data[other : other + 4] + data[start + 4 :]
    if kind == 1:
        vr = _VRS[random.integers(len(_VRS))]
        return data[: start + 4] + vr + data[start + 6 :]
    if kind == 2:
        told = _LENGTHS[random.integers(len(_LENGTHS))]
        width = _length_width(data, start, value)
        length = (told % 256**width).to_bytes(width, "little")
        return data[: value - width] + length + data[value:]
    put = _VALUES[random.integers(len(_VALUES))]
    put += b" " * (len(put) % 2)
    width = _length_width(data, start, value)
    length = len(put).to_bytes(width, "little")
    return data[: value - width] + length + put + data[end:]


def change_pixels(data: bytes, random: Random) -> bytes:
    """Flips some bits of what comes after the header."""
    place = data.find(_PIXELS) + 4
    if place >= len(data):
        return data
    changed = bytearray(data)
    for at in random.integers(place, len(data), random.integers(1, 5)):
        changed[at] ^= 1 << int(random.integers(8))
    return bytes(changed)


def change_inflated(data: bytes, random: Random) -> bytes:
    """Damages an element of what is deflated, and deflates it again."""
    found = _find_elements(data)
    if _DEFLATED not in data[:1000] or not found:
        return change_element(data, random)
    start = next(
        (end for _, _, end in found if data[end : end + 2] != b"\2\0"), len(data)
    )
    try:
        body = zlib.decompress(data[start:], -zlib.MAX_WBITS)
    except zlib.error:
        return data
    changes = (change_element, change_elements, change_pixels)
    change = changes[random.integers(len(changes))]
    body = change(bytes(_PREFIX_END) + body, random)[_PREFIX_END:]
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return data[:start] + deflater.compress(body) + deflater.flush()


MUTATIONS: list[Mutation] = [
    change_elements,
    change_element,
    change_element,
    change_pixels,
    change_inflated,
]


def _choose_two(places: list[Place], random: Random) -> tuple[Place, Place]:
    """Draws an element, and one more, which may be the same."""
    one = places[random.integers(len(places))]
    return one, places[random.integers(len(places))]


def _find_elements(data: bytes) -> list[Place]:
    """Returns where each element of a little-endian file begins, its value, its end."""
    places, start = [], _PREFIX_END
    while start + 8 <= len(data):
        value = start + 8
        if not _has_vr(data, start):
            length = int.from_bytes(data[start + 4 : value], "little")
        elif data[start + 4 : start + 6] in {b"OB", b"OW", b"SQ", b"UN", b"UT"}:
            value += 4
            length = int.from_bytes(data[start + 8 : value], "little")
        else:
            length = int.from_bytes(data[start + 6 : value], "little")
        end = min(value + length, len(data))
        places.append((start, value, end))
        start = end
    return places


def _length_width(data: bytes, start: int, value: int) -> int:
    """How many bytes of an element say how long its value is."""
    return 4 if value - start == 12 or not _has_vr(data, start) else 2


def _has_vr(data: bytes, start: int) -> bool:
    return data[start + 4 : start + 6].isalpha()
