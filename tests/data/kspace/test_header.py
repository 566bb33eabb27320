"""The XML header of ISMRMRD: what is taken from it, and headers that are refused."""

import pytest

from smug.data.kspace.header import MAX_CHARACTERS, Header, Limits, Space, parse_header

from ...properties import assert_refused


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


@pytest.mark.parametrize("namespace", ["", ' xmlns="http://www.ismrm.org/ISMRMRD"', ' xmlns="https://other.org"'])
def test_what_is_read(namespace):
    found = parse_header(header(encoding(), namespace=namespace), "here")
    assert found.encoded == Space((512, 200, 1), (500.0, 250.0, 4.5))
    assert found.recon == Space((256, 200, 1), (250.0, 250.0, 4.5))
    assert (found.trajectory, found.noise_bandwidth, found.slices) == ("cartesian", None, 8)
    assert found.lines == Limits(3, 180, 90)
    assert found.voxel_size == (250 / 256, 250 / 200, 4.5) and found.warnings == ()


def test_trajectories_are_compared_in_lower_case():
    assert parse_header(header(encoding(trajectory=" Radial ")), "here").trajectory == "radial"


def test_one_of_several_encodings():
    text = header(encoding(), encoding(1))
    assert parse_header(text, "here").encoded.matrix[0] == 512
    assert parse_header(text, "here", encoding=1).encoded.matrix[0] == 513
    assert_refused(lambda: parse_header(text, "here", encoding=2), "expected 3 encodings, got 2")


def test_noise_bandwidth():
    text = header(encoding(), system="<relativeReceiverNoiseBandwidth>0.793</relativeReceiverNoiseBandwidth>")
    assert parse_header(text, "here").noise_bandwidth == 0.793


@pytest.mark.parametrize("system", ["", "<receiverChannels>12</receiverChannels>"])
def test_receiver_channels(system):
    assert parse_header(header(encoding(), system=system), "here").channels == (12 if system else None)


def without(tag: str) -> str:
    """An encoding without the first of these elements."""
    before, _, rest = encoding().partition(f"<{tag}>")
    return before + rest.partition(f"</{tag}>")[2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (without("encodingLimits"), {"lines": None}),
        (encoding().replace("<center> 90 </center>", ""), {"lines": Limits(3, 180, None)}),
        (encoding().replace("180", "0").replace("90", "0"), {"lines": None}),
        (without("trajectory"), {"trajectory": ""}),
        (without("encodedSpace"), {"encoded": Space()}),
        (without("reconSpace"), {"recon": Space(), "voxel_size": (500 / 512, 1.25, 4.5)}),
        (without("fieldOfView_mm"), {"encoded": Space((512, 200, 1))}),
        (encoding().replace("<z>4.5</z>", "<z>0</z>"), {"voxel_size": (250 / 256, 1.25, None)}),
        (encoding().replace("<z>4.5</z>", ""), {"voxel_size": (250 / 256, 1.25, None)}),
        (encoding().replace("<x>512</x>", "<x></x>"), {"encoded": Space((None, 200, 1), (500.0, 250.0, 4.5))}),
        ("<encoding/>", {"encoded": Space(), "recon": Space(), "lines": None, "voxel_size": (None, None, None)}),
        ("", {"encoded": Space(), "trajectory": ""}),
        (encoding().replace("<x>512</x>", "<x>512.0</x>"), {"encoded": Space((512, 200, 1), (500.0, 250.0, 4.5))}),
    ],
)
def test_what_is_not_stated_is_not_demanded(text, expected):
    found = parse_header(header(text), "here")
    assert {name: getattr(found, name) for name in expected} == expected
    assert found.warnings == ()


@pytest.mark.parametrize("text", ["", " \n", "\0", "<ismrmrdHeader/>"])
def test_an_empty_header_states_nothing(text):
    assert parse_header(text, "here") == Header()


@pytest.mark.parametrize(("before", "after"), [("\n ", "\n"), ("\ufeff", "\0\0")])
def test_what_surrounds_a_header_is_ignored(before, after):
    assert parse_header(before + header(encoding()) + after, "here") == parse_header(header(encoding()), "here")


def test_the_only_encoding_stands_for_one_that_is_not_stated():
    found = parse_header(header(encoding()), "here", encoding=1)
    assert found.encoded.matrix[0] == 512
    assert found.warnings == ("here: expected 2 encodings, got 1: it is taken for that of the lines",)


@pytest.mark.parametrize("value", ["-1", "many", "70000"])
def test_numbers_that_images_do_not_depend_on_are_no_obstacle(value):
    system = f"<receiverChannels>{value}</receiverChannels>"
    found = parse_header(header(encoding().replace("<maximum>7<", f"<maximum>{value}<"), system=system), "here")
    assert (found.channels, found.slices, found.encoded.matrix) == (None, None, (512, 200, 1))
    assert len(found.warnings) == 2 and all(f"got '{value}': taken as not stated" in told for told in found.warnings)


@pytest.mark.parametrize("value", ["inf", "nan", "-5", "1e999", "wide"])
def test_impossible_sizes_in_mm_are_not_stated_and_told(value):
    found = parse_header(header(encoding().replace("500.0", value)), "here")
    assert found.encoded.field_of_view == (None, 250.0, 4.5)
    assert (
        len(found.warnings) == 1 and f"fieldOfView_mm/x: expected a positive number, got '{value}'" in found.warnings[0]
    )
    assert found.warnings[0].startswith("here: ")


def test_limits_without_a_centre_have_it_in_the_middle():
    assert (Limits(0, 199, None).middle, Limits(0, 198, None).middle, Limits(3, 180, 90).middle) == (100, 99, 90)


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
    found = parse_header(header(f"{before}<reconSpace>{after.replace(old, new)}"), "here")
    assert (found.pixels_kept(0, 512), found.pixels_kept(1, 200)) == size


def test_without_fields_of_view_the_matrix_of_the_image_tells_its_size():
    text = without("fieldOfView_mm").replace("<y>200</y>", "<y>180</y>")
    found = parse_header(header(text), "here")
    assert (found.pixels_kept(0, 512), found.pixels_kept(1, 200), found.pixels_kept(0, 100)) == (256, 180, 100)
    assert parse_header(header(""), "here").pixels_kept(0, 512) == 512


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("text", "syntax error"),
        ("<ismrmrdHeader>", "no element found"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]>" + header(encoding()), "document type"),
        (header(encoding().replace("<x>512</x>", "<x>-512</x>")), "got '-512'"),
        (header(encoding().replace("<x>512</x>", "<x>65536</x>")), "expected 0 to 65535, got '65536'"),
        (header(encoding().replace("<x>512</x>", f"<x>{'9' * 10000}</x>")), "got '99999999999999999999'"),
        (header(encoding().replace("<x>512</x>", "<x>51.2</x>")), "got '51.2'"),
        (header(encoding().replace("<x>512</x>", "<x>五</x>")), "got '五'"),
        (header(encoding().replace("<maximum>180", "<maximum>-1")), "kspace_encoding_step_1/maximum"),
        ("<a>" * 100_000 + "</a>" * 100_000, "expected 1 encodings"),
        (header(encoding()) + " " * MAX_CHARACTERS, "too long"),
    ],
)
def test_what_is_refused(text, message):
    assert assert_refused(lambda: parse_header(text, "here"), message).startswith("here: ")
