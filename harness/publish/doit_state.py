"""Write the state of `doit` to disk after every finished task, so that a kill costs only the tasks that were running."""

from __future__ import annotations

from typing import Any

from doit.dependency import DatabaseException, JsonDB

from harness.store import write_atomic


class KeptJson(JsonDB):
    """The JSON backend of `doit`, written atomically after every task; the original is written in place, once, at the end."""

    desc = "JSON, written after every task"

    def _load(self) -> dict[str, Any]:
        try:
            return super()._load()
        except DatabaseException:  # cut off by an earlier version: every task runs again
            return {}

    def dump(self) -> None:
        """Write the file, whole or not at all."""
        write_atomic(self.name, self.codec.encode(self._db))

    def set(self, task_id: str, dependency: str, value: Any) -> None:
        """Store a value. The list of files is the last value of a task: it is finished then."""
        super().set(task_id, dependency, value)
        if dependency == "deps:":
            self.dump()
