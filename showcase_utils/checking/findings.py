"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Level = Literal["stops", "limits", "note"]
LEVELS = ("stops", "limits", "note")


@dataclass(frozen=True)
class Finding:
    """Something to know, and the first notebook that it concerns: it ``stops`` it, ``limits`` it, or is a ``note``."""

    level: Level
    notebook: str
    text: str


@dataclass
class Check:
    """What was found: ``counts`` of the data, ``abilities`` by notebook, ``needs`` of the machine in words."""

    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, str] = field(default_factory=dict)
    abilities: dict[str, str] = field(default_factory=dict)
    needs: list[str] = field(default_factory=list)

    def add(self, level: Level, notebook: str, text: str) -> None:
        """Notes a finding."""
        self.findings.append(Finding(level, notebook, text))

    def state(self, notebook: str) -> str:
        """``stops``, ``limited`` or ``runs``; what stops one notebook stops those behind it."""
        if any(one.level == "stops" and one.notebook <= notebook for one in self.findings):
            return "stops"
        return "limited" if any(one.level == "limits" and one.notebook == notebook for one in self.findings) else "runs"

    def ordered(self) -> list[Finding]:
        """The findings, gravest first, then by notebook."""
        return sorted(self.findings, key=lambda one: (LEVELS.index(one.level), one.notebook))

    @property
    def stops(self) -> bool:
        """Whether a run would stop somewhere."""
        return any(one.level == "stops" for one in self.findings)
