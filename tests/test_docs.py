"""The page of the command line is what the commands say."""

from importlib import util
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_page_of_the_command_line_is_the_commands_own_help():
    spec = util.spec_from_file_location("make_commands", ROOT / "docs" / "make_commands.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    told = module.page()
    assert told == module.PAGE.read_text(encoding="utf-8"), "write it anew: python docs/make_commands.py"
