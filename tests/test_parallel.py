"""Independent work side by side."""

import os

import pytest
import torch
from joblib import delayed

from showcase_utils.parallel import jobs_on, side_by_side


def _threads(number):
    return number, os.getpid(), torch.get_num_threads()


def _fail(number):
    raise ValueError(f"task {number}")


def test_a_cpu_takes_as_many_jobs_as_there_are_tasks_and_anything_else_one(monkeypatch):
    monkeypatch.setattr("showcase_utils.parallel.cpu_count", lambda: 8)
    assert [jobs_on("cpu", 0, 3), jobs_on("cpu", 0, 30), jobs_on("cpu", 2, 30), jobs_on("cpu", 0, 0)] == [3, 8, 2, 1]
    assert jobs_on("cuda", 4, 30) == 1


def test_one_job_stays_in_this_process_and_errors_are_raised():
    assert [pid for _, pid, _ in side_by_side([delayed(_threads)(n) for n in range(3)], 1, "")] == [os.getpid()] * 3
    with pytest.raises(ValueError, match="task 1"):
        list(side_by_side([delayed(_fail)(1)], 1, "", progress=False))


@pytest.mark.slow
def test_several_jobs_have_processes_and_threads_of_their_own_and_keep_their_order():
    done = list(side_by_side([delayed(_threads)(n) for n in range(4)], 2, "", progress=False, threads=1))
    assert [number for number, _, _ in done] == [0, 1, 2, 3]
    assert all(pid != os.getpid() and threads == 1 for _, pid, threads in done)
