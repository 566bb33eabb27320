COMMAND = (
    *("-m", "smug", "evaluate", "--data", "phantom", "--size", "32", "--max-slices", "3", "--protocol", "demo"),
    *("--model", "zero-filled", "--model", "cg-sense:0.01", "--out", "out", "--json", "out/rows.json"),
)


def test_two_processes_write_what_one_does_and_only_the_first_speaks(ranks, tmp_path):
    written = []
    for world in (2, 1):
        results = ranks(*COMMAND, world=world, cwd=tmp_path)
        assert [status for status, _, _ in results] == [0] * world, results
        files = {path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
        written.append((results[0][1], files))
        (tmp_path / "out").rename(tmp_path / f"by {world}")
        assert all(not output and not errors for _, output, errors in results[1:])
    (table, files), alone = written
    assert "cg-sense" in table
    assert set(files) == {
        "report.html",
        "figure.png",
        "table.md",
        "rows.json",
        "zero-filled.json",
        "cg-sense:0.01.json",
    }
    assert (table, files) == alone


def test_an_error_of_all_processes_is_told_once(ranks):
    results = ranks("-m", "smug", "evaluate", "--model", "nobody")
    assert sorted(status for status, _, _ in results) == [1, 2]
    assert "".join(errors for _, _, errors in results).count("\n") == 1
    assert any(errors.startswith("smug: model: expected one of") for _, _, errors in results)


def test_more_processes_than_slices(ranks, tmp_path):
    results = ranks(
        *COMMAND[:6], "32", "--max-slices", "1", "--protocol", "clean", "--model", "zero-filled", cwd=tmp_path
    )
    assert [status for status, _, _ in results] == [0, 0], results
    assert "1 slice" in " ".join(results[0][1].split())
    assert not list(tmp_path.iterdir())
