"""smug models."""

from dataclasses import asdict, dataclass

from smug.commands.common import Common, console


@dataclass(frozen=True)
class Models(Common):
    """List the models that have a name, and what each was trained on."""

    def run(self) -> None:
        """Print the list."""
        from rich.table import Table

        from smug.zoo import models

        self.start()
        table = Table("name", "what it is")
        for entry in models():
            table.add_row(entry.name, entry.about)
        console().print(table)
        self.write_json({"schema": "smug-models-1", "models": [asdict(entry) for entry in models()]})
