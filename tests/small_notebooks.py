"""Notebooks that tests write and read as JSON; nbformat takes two seconds to import, in every process."""

import json
from pathlib import Path
from typing import Any

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def code(source: str, tags: tuple[str, ...] = ()) -> dict[str, Any]:
    metadata = {"tags": list(tags)} if tags else {}
    return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": [], "execution_count": None}


def prose(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": source, "metadata": {}}


def write_notebook(path: Path, *cells: dict[str, Any], **metadata: Any) -> None:
    notebook = {"nbformat": 4, "nbformat_minor": 4, "metadata": {"kernelspec": KERNEL} | metadata, "cells": list(cells)}
    path.write_text(json.dumps(notebook), encoding="utf-8")
