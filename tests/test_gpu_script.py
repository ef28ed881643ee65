"""benchmarks/gpu.py in its small form, on a CPU: nothing is left to find out on the day a GPU is at hand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """The script, imported, and a function that runs it: its exit status, and what it has written."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import gpu

    def run(*arguments):
        to = tmp_path / "gpu.json"
        monkeypatch.setattr(sys, "argv", ["gpu.py", "--small", "--device", "cpu", "--to", str(to), *arguments])
        return gpu.main(), json.loads(to.read_text())["parts"]

    return gpu, run


def test_every_part_finds_its_numbers(tmp_path):
    """Two processes with half a batch each end with the weights of one with the whole: negatives come from both."""
    to = tmp_path / "gpu.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--small", "--device", "cpu", "--to", str(to)]
    outcome = subprocess.run([*command, "--minutes", "20"], capture_output=True, text=True, cwd=tmp_path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    result = json.loads(to.read_text())
    parts = result["parts"]
    assert list(parts) == ["parity", "steps", "decoding", "two_processes", "encoding", "compiled"]
    assert not [name for name, part in parts.items() if "error" in part or "left_out" in part]
    assert parts["parity"]["within"] and parts["parity"]["fp32 loss"] == 0 < parts["parity"]["bf16 gradient"]
    assert parts["two_processes"]["within"] and parts["two_processes"]["moved"] > 0.01
    assert parts["decoding"]["samples a second"] > 0 < parts["encoding"]["share busy"]
    assert result["device"].startswith("CPU") and result["date"] and result["small"]


def test_what_time_does_not_reach_for_says_so(bench):
    status, parts = bench[1]("--minutes", "0", "--parts", "parity", "compiled")
    assert status == 0
    assert parts["parity"] == {"left_out": "0 s were left, 2 are needed"}
    assert list(parts["compiled"]) == ["left_out"]


def test_a_part_that_fails_leaves_its_error_and_the_rest_goes_on(bench, monkeypatch):
    gpu, run = bench

    def fails(bench):
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setitem(gpu.PARTS, "parity", (fails, 0))
    status, parts = run("--parts", "parity", "decoding")
    assert status == 1 and parts["parity"]["error"] == "RuntimeError: CUDA error: out of memory"
    assert parts["decoding"]["samples a second"] > 0


def test_a_number_out_of_its_bound_is_a_failure(bench, monkeypatch):
    gpu, run = bench
    wrong = {"fp32 loss": 0.5, "fp32 gradient": 0.0, "bf16 loss": 0.0, "bf16 gradient": 0.0}
    monkeypatch.setitem(gpu.PARTS, "parity", (lambda bench: wrong, 0))
    status, parts = run("--parts", "parity")
    assert status == 1 and parts["parity"]["within"] is False
