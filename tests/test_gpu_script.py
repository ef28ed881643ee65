"""benchmarks/gpu.py in its small form, on a CPU: nothing is left to find out on the day a GPU is at hand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def _run(to, *arguments):
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--small", "--device", "cpu", "--to", str(to)]
    outcome = subprocess.run([*command, *arguments], capture_output=True, text=True, cwd=to.parent)
    return outcome, json.loads(to.read_text())


def test_every_part_finds_its_numbers(tmp_path):
    outcome, result = _run(tmp_path / "gpu.json", "--minutes", "20")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    parts = result["parts"]
    assert list(parts) == ["parity", "steps", "decoding", "two_processes", "encoding", "compiled"]
    assert not [name for name, part in parts.items() if "error" in part or "left_out" in part]
    assert parts["parity"]["within"] and parts["parity"]["fp32 loss"] == 0 < parts["parity"]["bf16 gradient"]
    assert parts["two_processes"]["within"] and parts["two_processes"]["moved"] > 0.01
    assert parts["decoding"]["samples a second"] > 0 < parts["encoding"]["share busy"]
    assert result["device"].startswith("CPU") and result["date"] and result["small"]


def test_what_time_does_not_reach_for_says_so(tmp_path):
    outcome, result = _run(tmp_path / "gpu.json", "--minutes", "0", "--parts", "parity", "compiled")
    assert outcome.returncode == 0
    assert result["parts"]["parity"] == {"left_out": "0 s were left, 2 are needed"}
    assert list(result["parts"]["compiled"]) == ["left_out"]


def test_a_part_that_fails_leaves_its_error_and_the_rest_goes_on(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import gpu

    def fails(bench):
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setitem(gpu.PARTS, "parity", (fails, 0))
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--small", "--device", "cpu", "--to", str(tmp_path / "gpu.json")])
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--parts", "parity", "decoding"])
    assert gpu.main() == 1
    parts = json.loads((tmp_path / "gpu.json").read_text())["parts"]
    assert parts["parity"]["error"] == "RuntimeError: CUDA error: out of memory"
    assert parts["decoding"]["samples a second"] > 0


def test_a_number_out_of_its_bound_is_a_failure(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import gpu

    wrong = {"fp32 loss": 0.5, "fp32 gradient": 0.0, "bf16 loss": 0.0, "bf16 gradient": 0.0}
    monkeypatch.setitem(gpu.PARTS, "parity", (lambda bench: wrong, 0))
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--small", "--device", "cpu", "--parts", "parity"])
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--to", str(tmp_path / "gpu.json")])
    assert gpu.main() == 1
    assert json.loads((tmp_path / "gpu.json").read_text())["parts"]["parity"]["within"] is False
