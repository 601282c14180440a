"""Lost field: a writer writes back the fields that it knows, and no others."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Known:
    """Write back what the class declares."""

    messages: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of the file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Known":
        """Take what the class declares."""
        return cls(data["messages"])


@dataclass
class KnownAndExtra(Known):
    """Write back everything; what the class does not declare is in `extra`."""

    extra: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of the file."""
        return {**self.extra, "messages": self.messages}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "KnownAndExtra":
        """Take everything."""
        return cls(
            data["messages"],
            {
                name: value
                for name, value in data.items()
                if name != "messages"
            },
        )


for kind in (Known, KnownAndExtra):
    file = Path("trip.json")
    file.write_text(
        '{"messages": [], "parent_id": "year"}'
    )  # 1. worker A has a class with `parent_id`
    session = kind.from_dict(
        json.loads(file.read_text())
    )  # 2. worker B has one without, and reads
    session.messages.append("Porto it is.")
    file.write_text(json.dumps(session.to_dict()))  # 3. worker B writes
    print(f"{kind.__name__}: {file.read_text()}")
