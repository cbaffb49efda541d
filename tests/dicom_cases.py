"""DICOM files by hand."""

import io
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian

from dualnet.data.dicom_pixels import read_gray

DX = "1.2.840.10008.5.1.4.1.1.1.1"
RAMP8 = np.arange(256, dtype=np.uint8).reshape(16, 16)
RAMP12 = np.linspace(0, 4095, 256).round().astype(np.uint16).reshape(16, 16)


def make_dataset(pixels: np.ndarray | None, **values: object) -> Dataset:
    """A DX radiograph of MONOCHROME2; values of `None` take an attribute away."""
    dataset = Dataset()
    dataset.SOPClassUID = DX
    told: dict[str, object] = {
        "SOPInstanceUID": "1.2.3",
        "StudyInstanceUID": "1.2",
        "Modality": "DX",
        "PatientName": "SECRET^JANE",
        "PatientID": "P1",
    }
    if pixels is not None:
        bits = 8 * pixels.dtype.itemsize
        told |= {
            "Rows": pixels.shape[0],
            "Columns": pixels.shape[1],
            "SamplesPerPixel": 1 if pixels.ndim == 2 else 3,
            "PhotometricInterpretation": "MONOCHROME2" if pixels.ndim == 2 else "RGB",
            "BitsAllocated": bits,
            "BitsStored": values.get("BitsStored", bits),
            "HighBit": int(str(values.get("BitsStored", bits))) - 1,
            "PixelRepresentation": int(pixels.dtype.kind == "i"),
            "PixelData": pixels.tobytes(),
        }
        if pixels.ndim == 3:
            told["PlanarConfiguration"] = 0
    for keyword, value in {**told, **values}.items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def encode(dataset: Dataset, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """The dataset as a file."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID") or "1.2.3"
    dataset.file_meta = meta
    if "PixelData" in dataset:
        wide = dataset.BitsAllocated > 8 or syntax.is_encapsulated
        dataset["PixelData"].VR = "OB" if syntax.is_encapsulated or not wide else "OW"
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def compress(pixels: np.ndarray, frame: bytes, syntax: UID, **values: object) -> bytes:
    """A file whose pixels are one frame of a codestream."""
    return encode(
        make_dataset(pixels, **{"PixelData": encapsulate([frame]), **values}), syntax
    )


def write_dicom(path: Path, pixels: np.ndarray | None, **values: object) -> Path:
    """Writes an uncompressed file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(make_dataset(pixels, **values)))
    return path


def make_lut(
    entries: list[int] | bytes, first: int, bits: int, *, signed: bool = False
) -> Dataset:
    """An item of a modality or VOI LUT sequence: words, or bytes as they lie."""
    item = Dataset()
    number = len(entries)
    item.add_new("LUTDescriptor", "SS" if signed else "US", [number, first, bits])
    item.add_new("LUTData", "OW" if isinstance(entries, bytes) else "US", entries)
    return item


def gray(pixels: np.ndarray, **values: object) -> np.ndarray:
    """What becomes of the pixels of an uncompressed file."""
    return np.asarray(read_gray(encode(make_dataset(pixels, **values)), "a.dcm"))


def write_tree(root: Path) -> None:
    """Two patients: one studied twice, with two pictures the second time."""
    first = {"PatientID": "P1", "PatientSex": "F"}
    write_dicom(
        root / "P1/late/IM1",
        RAMP8,
        SOPInstanceUID="1.1",
        StudyInstanceUID="9.2",
        StudyDate="20210101",
        PatientAge="071Y",
        ViewPosition="AP",
        **first,
    )
    write_dicom(
        root / "P1/late/IM2",
        RAMP8,
        SOPInstanceUID="1.2",
        StudyInstanceUID="9.2",
        StudyDate="20210101",
        **first,
    )
    write_dicom(
        root / "P1/early/IM1",
        RAMP8,
        SOPInstanceUID="1.3",
        StudyInstanceUID="9.1",
        StudyDate="20200101",
        PatientBirthDate="19500101",
        **first,
    )
    write_dicom(
        root / "P2.dcm", RAMP8, SOPInstanceUID="1.4", PatientID="P2", Modality="CR"
    )


def write_labels(root: Path, header: str, labels: dict[str, str]) -> None:
    lines = [f"{header},findings", *(f"{name},{said}" for name, said in labels.items())]
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
