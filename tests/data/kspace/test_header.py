"""The XML header of ISMRMRD: what is taken from it, and headers that are refused."""

import pytest

from smug.data.kspace.header import MAX_CHARACTERS, Limits, Space, parse_header


def encoding(number: int = 0, trajectory: str = "cartesian") -> str:
    def space(name: str, x: int, width: float) -> str:
        return (
            f"<{name}><matrixSize><x>{x}</x><y>200</y><z>1</z></matrixSize>"
            f"<fieldOfView_mm><x>{width}</x><y>250</y><z>4.5</z></fieldOfView_mm></{name}>"
        )

    return (
        f"<encoding>{space('encodedSpace', 512 + number, 500.0)}{space('reconSpace', 256, 250.0)}<encodingLimits>"
        "<kspace_encoding_step_1><minimum>3</minimum><maximum>180</maximum><center> 90 </center>"
        "</kspace_encoding_step_1>"
        f"<slice><maximum>7</maximum></slice></encodingLimits><trajectory>{trajectory}</trajectory></encoding>"
    )


def header(*encodings: str, system: str = "", namespace: str = ' xmlns="http://www.ismrm.org/ISMRMRD"') -> str:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><ismrmrdHeader{namespace}><!-- made here -->'
        f"<acquisitionSystemInformation>{system}</acquisitionSystemInformation>{''.join(encodings)}</ismrmrdHeader>"
    )


@pytest.mark.parametrize("namespace", ["", ' xmlns="http://www.ismrm.org/ISMRMRD"'])
def test_what_is_read(namespace):
    found = parse_header(header(encoding(), namespace=namespace), "here")
    assert found.encoded == Space((512, 200, 1), (500.0, 250.0, 4.5))
    assert found.recon == Space((256, 200, 1), (250.0, 250.0, 4.5))
    assert (found.trajectory, found.noise_bandwidth, found.encodings) == ("cartesian", None, 1)
    assert found.limits == {"kspace_encoding_step_1": Limits(3, 180, 90), "slice": Limits(0, 7, 0)}
    assert found.lines == Limits(3, 180, 90)


def test_trajectories_are_compared_in_lower_case():
    assert parse_header(header(encoding(trajectory=" Radial ")), "here").trajectory == "radial"


def test_one_of_several_encodings():
    text = header(encoding(), encoding(1))
    assert parse_header(text, "here").encoded.matrix[0] == 512
    assert parse_header(text, "here", encoding=1).encoded.matrix[0] == 513
    with pytest.raises(ValueError, match="expected 3 encodings, got 2"):
        parse_header(text, "here", encoding=2)


def test_noise_bandwidth():
    text = header(encoding(), system="<relativeReceiverNoiseBandwidth>0.793</relativeReceiverNoiseBandwidth>")
    assert parse_header(text, "here").noise_bandwidth == 0.793


def test_without_limits_all_lines_are_encoded():
    text = encoding()
    start, end = text.index("<encodingLimits>"), text.index("<trajectory>")
    assert parse_header(header(text[:start] + text[end:]), "here").lines == Limits(0, 199, 100)


@pytest.mark.parametrize(
    ("old", "new", "size"),
    [
        ("<x>250.0</x><y>250</y>", "<x>250.0</x><y>250</y>", (256, 200)),
        ("<x>250.0</x><y>250</y>", "<x>250.0</x><y>199</y>", (256, 159)),
        ("<x>250.0</x><y>250</y>", "<x>900.0</x><y>900</y>", (512, 200)),
        ("<x>250.0</x><y>250</y>", "<x>0.001</x><y>0.001</y>", (1, 1)),
    ],
)
def test_the_image_is_what_of_the_encoded_one_lies_in_the_field_of_view(old, new, size):
    before, after = encoding().split("<reconSpace>")
    assert parse_header(header(f"{before}<reconSpace>{after.replace(old, new)}"), "here").image_size == size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no element found"),
        ("text", "syntax error"),
        ("<ismrmrdHeader>", "no element found"),
        (header(), "expected 1 encodings, got 0"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]>" + header(encoding()), "document type"),
        (header("<encoding></encoding>"), "matrixSize/x: expected 1 to 65535, got ''"),
        (header(encoding().replace("<x>512</x>", "<x>0</x>")), "got '0'"),
        (header(encoding().replace("<x>512</x>", "<x>-512</x>")), "got '-512'"),
        (header(encoding().replace("<x>512</x>", "<x>65536</x>")), "expected 1 to 65535, got '65536'"),
        (header(encoding().replace("<x>512</x>", f"<x>{'9' * 10000}</x>")), "got '99999999999999999999'"),
        (header(encoding().replace("<x>512</x>", "<x>51.2</x>")), "got '51.2'"),
        (header(encoding().replace("<x>512</x>", "<x>五</x>")), "got '五'"),
        (header(encoding().replace("500.0", "0")), "fieldOfView_mm/x: expected a positive number, got '0'"),
        (header(encoding().replace("500.0", "inf")), "expected a positive number, got 'inf'"),
        (header(encoding().replace("500.0", "1e999")), "expected a positive number"),
        (header(encoding().replace("500.0", "")), "expected a positive number, got ''"),
        (header(encoding().replace("<maximum>180", "<maximum>-1")), "kspace_encoding_step_1/maximum"),
        (
            header(encoding(), system="<relativeReceiverNoiseBandwidth>0</relativeReceiverNoiseBandwidth>"),
            "relativeReceiverNoiseBandwidth: expected a positive number",
        ),
        ("<a>" * 100_000 + "</a>" * 100_000, "expected 1 encodings"),
        (header(encoding()) + " " * MAX_CHARACTERS, "too long"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(ValueError, match=message) as error:
        parse_header(text, "here")
    assert str(error.value).startswith("here: ")
