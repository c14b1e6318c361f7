"""What `doit` knows about finished tasks, on disk as soon as each is finished: a kill costs the task it hits, no other."""

from __future__ import annotations

from typing import Any

from doit.dependency import DatabaseException, JsonDB

from harness.store import write_atomic


class KeptJson(JsonDB):
    """`doit`'s JSON backend, written atomically after every task; its own is written in place, once, at the end."""

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
        """Store a value; a task's list of files is its last, and the task is finished."""
        super().set(task_id, dependency, value)
        if dependency == "deps:":
            self.dump()
