"""Files of other formats: what each is, and how to convert it to a format that is read."""

from pathlib import Path

SUFFIXES = {
    ".dat": "raw data of Siemens: siemens_to_ismrmrd -f {name} -o {stem}.h5 converts it",
    ".7": "raw data of GE: ge_to_ismrmrd {name} -o {stem}.h5 converts it",
    ".raw": "raw data of Philips: philips_to_ismrmrd -f {name} -o {stem}.h5 converts it",
    ".lab": "the labels of Philips raw data: philips_to_ismrmrd -f {stem}.raw -o {stem}.h5 converts these",
    ".sin": "parameters of Philips raw data: philips_to_ismrmrd -f {stem}.raw -o {stem}.h5 converts these",
    ".dcm": "images of DICOM, not k-space: raw data of the scanner are needed",
    ".ima": "images of DICOM, not k-space: raw data of the scanner are needed",
    ".nii": "images of NIfTI, not k-space: smug prepare --simulate makes k-space of them",
    ".gz": "a compressed file: images of NIfTI are not k-space, and k-space must be decompressed (gunzip)",
    ".npy": "a NumPy array: store it as HDF5: h5py.File('{stem}.h5', 'w')['kspace'] = array (slices, coils, y, x)",
    ".npz": "NumPy arrays: store k-space as HDF5: h5py.File('{stem}.h5', 'w')['kspace'] = array (slices, coils, y, x)",
    ".mat": "a MATLAB file before version 7.3: save('{name}', 'kspace', '-v7.3') makes one that is read",
    ".pt": "a PyTorch file: store k-space as HDF5: h5py.File('{stem}.h5', 'w')['kspace'] = array (slices, coils, y, x)",
    ".png": "a picture, not k-space: smug prepare --simulate makes k-space of pictures",
    ".jpg": "a picture, not k-space",
    ".zip": "an archive: unpack it",
    ".tar": "an archive: unpack it",
}
"""By suffix: what a file that is not HDF5 is."""

BEGINNINGS = {
    b"\x93NUMPY": ".npy",
    b"MATLAB 5.0": ".mat",
    b"\x89PNG": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"\x1f\x8b": ".gz",
    b"PK\x03\x04": ".zip",
}
"""How files begin, whatever their suffix."""

DICOM_AT, NIFTI_AT = 128, 344
"""Where files of DICOM and NIfTI say what they are."""

HDF5_AT = (0, 512, 1024, 2048)
"""Where HDF5 may begin: MATLAB writes 512 bytes of its own first."""


def refuse_other_formats(path: Path) -> None:
    """Raise ValueError for a file of a known format other than HDF5, and say how to convert it."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:  # what reads the file says why
        return
    if any(head[at : at + 8] == b"\x89HDF\r\n\x1a\n" for at in HDF5_AT):
        return
    found = _by_content(head) or path.suffix.lower()
    if found not in SUFFIXES or not head:
        return
    raise ValueError(f"{path}: is {SUFFIXES[found].format(name=path.name, stem=path.stem)}")


def _by_content(head: bytes) -> str | None:
    if head[DICOM_AT : DICOM_AT + 4] == b"DICM":
        return ".dcm"
    if head[NIFTI_AT : NIFTI_AT + 3] in (b"n+1", b"ni1") or head[4:8] == b"n+2\0":
        return ".nii"
    return next((suffix for start, suffix in BEGINNINGS.items() if head.startswith(start)), None)
