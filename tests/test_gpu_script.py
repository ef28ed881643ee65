"""benchmarks/gpu.py in its small form, on a CPU: nothing is left to find out on the day a GPU is at hand."""

import json
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
        return gpu.main(), json.loads(to.read_text())

    return gpu, run


def test_every_part_finds_its_numbers(bench):
    """Two processes with half a batch each end with the weights of one with the whole: negatives come from both."""
    status, result = bench[1]("--minutes", "20")
    parts = result["parts"]
    assert status == 0, parts
    assert list(parts) == ["parity", "steps", "decoding", "two_processes", "encoding", "compiled"]
    assert not [name for name, part in parts.items() if "error" in part or "left_out" in part]
    assert parts["parity"]["within"] and parts["parity"]["fp32 loss"] == 0 < parts["parity"]["bf16 gradient"]
    assert parts["two_processes"]["within"] and parts["two_processes"]["moved"] > 0.01
    assert parts["decoding"]["samples a second"] > 0 < parts["encoding"]["share busy"]
    assert result["device"].startswith("CPU") and result["date"] and result["small"]


def test_what_time_does_not_reach_for_says_so(bench):
    status, result = bench[1]("--minutes", "0", "--parts", "parity", "compiled")
    parts = result["parts"]
    assert status == 0
    assert parts["parity"] == {"left_out": "0 s were left, 2 are needed"}
    assert list(parts["compiled"]) == ["left_out"]


def test_a_part_that_fails_leaves_its_error_and_the_rest_goes_on(bench, monkeypatch):
    gpu, run = bench

    def fails(bench):
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setitem(gpu.PARTS, "parity", (fails, 0))
    status, result = run("--parts", "parity", "decoding")
    parts = result["parts"]
    assert status == 1 and parts["parity"]["error"] == "RuntimeError: CUDA error: out of memory"
    assert parts["decoding"]["samples a second"] > 0


def test_a_number_out_of_its_bound_is_a_failure(bench, monkeypatch):
    gpu, run = bench
    wrong = {"fp32 loss": 0.5, "fp32 gradient": 0.0, "bf16 loss": 0.0, "bf16 gradient": 0.0}
    monkeypatch.setitem(gpu.PARTS, "parity", (lambda bench: wrong, 0))
    status, result = run("--parts", "parity")
    assert status == 1 and result["parts"]["parity"]["within"] is False
