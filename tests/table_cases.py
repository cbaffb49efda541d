"""Hand-made tables as CheXpert's and PadChest's, and a plain one of our own."""

from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from dualnet.data.readers.mapping_file import MAPPING_FILE

CHEXPERT_HEADER = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,"
    "Cardiomegaly,Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,"
    "Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
)
TRAIN = "CheXpert-v1.0-small/train"
CHEXPERT_ROWS = (
    # 14 cells after the view, in the header's order
    f"{TRAIN}/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,"
    "1.0,,,,,,,,,0.0,,,,1.0",
    f"{TRAIN}/patient00002/study2/view1_frontal.jpg,Male,87,Frontal,PA,"
    ",,-1.0,1.0,,-1.0,-1.0,,-1.0,,-1.0,,1.0,",
    f"{TRAIN}/patient00002/study1/view2_lateral.jpg,Male,83,Lateral,,"
    ",,,1.0,,,-1.0,,,,,,1.0,",
    f"{TRAIN}/patient00003/study1/view1_frontal.jpg,Unknown,0,Frontal,LL,"
    "1.0,,,,,,,,,,,,,",
    f"{TRAIN}/patient00004/study1/view1_frontal.jpg,Female,20,Frontal,PA,"
    ",,,,,,-1.0,,,0.0,,,,",
)
PADCHEST_TABLE = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
PADCHEST_HEADER = (
    ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,"
    "ViewPosition_DICOM,Projection,Report,Labels,labelCUIS"
)
PADCHEST_ROWS = (
    "0,a_00.png,0,20140915,s1,P1,1930.0,M,,PA,sin hallazg .,\"['normal']\",[]",
    # the list of codes goes on in the next line
    "1,b_01.png,7,20160102,s2,P1,1930.0,M,,AP_horizontal,derram .,"
    "\"['hydropneumothorax', ' pneumonia', 'scoliosis']\",\"['C0020295'\n 'C0032285']\"",
    "2,c_02.png,7,20150601,s3,P1,1930.0,M,,L,.,\"['nodule']\",[]",
    "3,d_03.png,54,20170301,s4,P2,,F,POSTEROANTERIOR,PA,.,\"['pacemaker']\",[]",
    "4,e_04.png,54,20170301,s5,P3,1990.0,O,,AP,.,\"['normal', 'mass', 'mass']\",[]",
    "5,f_05.png,54,20170301,s6,P4,1990.0,F,,PA,.,\"['unchanged', 'nodule']\",[]",
    "6,g_06.png,54,20170301,s7,P5,1990.0,F,,PA,.,,[]",
)
PLAIN: dict[str, Any] = {
    "name": "ours",
    "table": "radiographs.csv",
    "image": {"id": "File"},
    "patient": "Patient",
    "age": "Age",
    "sex": {"column": "Sex", "values": {"1": "M", "2": "F"}},
    "view": {"column": "View", "values": {"pa": "PA", "lat": "LATERAL"}},
    "follow_up": "Visit",
    "vocabulary": {"findings": ["Nodule", "Effusion"], "negative": "Normal"},
    "finding_list": {
        "column": "Found",
        "separator": ";",
        "names": {"normal": "Normal", "nodule": "Nodule", "effusion": "Effusion"},
        "unlisted": "error",
        "otherwise": "leave_out",
    },
}
PLAIN_HEADER = "File,Patient,Age,Sex,View,Visit,Found"
PLAIN_ROWS = (
    "a.png,7,41,1,pa,0,normal",
    "b.png,8,058Y,2,lat,3,nodule; effusion",
    "c.png,9,,,,,effusion",
)


def write_lines(file: Path, *lines: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def write_chexpert(folder: Path, *rows: str) -> Path:
    return write_lines(folder / "train.csv", CHEXPERT_HEADER, *(rows or CHEXPERT_ROWS))


def write_padchest(folder: Path, *rows: str) -> Path:
    return write_lines(
        folder / PADCHEST_TABLE, PADCHEST_HEADER, *(rows or PADCHEST_ROWS)
    )


def write_plain(folder: Path, *rows: str, **changes: object) -> Path:
    """Writes the plain table and its mapping; a change of None takes a key out."""
    write_lines(folder / "radiographs.csv", PLAIN_HEADER, *(rows or PLAIN_ROWS))
    return write_mapping(folder, **changes)


def write_mapping(folder: Path, **changes: object) -> Path:
    values = {**PLAIN, **changes}
    values = {key: value for key, value in values.items() if value is not None}
    file = folder / MAPPING_FILE
    file.write_text(yaml.safe_dump(values, sort_keys=False))
    return file


def listed(table: pd.DataFrame, column: str) -> list[object]:
    """A column as plain values; None where it is missing."""
    return [
        None if value is pd.NA or value != value else value for value in table[column]
    ]
