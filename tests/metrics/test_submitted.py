import subprocess
import sys

import pytest

from showcase_utils.metrics.submitted import Submission, read_submissions

KNOWN = {"u_a", "v_b", "w_c"}


@pytest.fixture
def write(tmp_path):
    def write(content, name="theirs.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_a_file_is_a_system_and_a_subset_of_the_reviews_will_do(write):
    path = write('\ufeffreview_id,text,note\nv_b,"Nice,\nvery!",x\nu_a,Tacos,\n')
    assert read_submissions(path, KNOWN) == [Submission("theirs", 0, {"v_b": "nice,\nvery!", "u_a": "tacos"})]


def test_a_folder_is_a_system_per_file_and_a_column_tells_seeds_apart(write, tmp_path):
    write("review_id,text\nu_a,x\nv_b,y\n", "b.csv")
    write("review_id,text,seed\nu_a,x,1\nv_b,y,1\nu_a,z,2\nv_b,w,2\n", "a.csv")
    assert [(run.system, run.seed) for run in read_submissions(tmp_path, KNOWN)] == [("a", 1), ("a", 2), ("b", 0)]


@pytest.mark.parametrize(
    "content, message",
    [
        ("id,text\nu_a,x\n", "no column review_id"),
        ("", "no column review_id and text"),
        ("review_id,text\n", "no texts in it"),
        ("review_id,text\nu_a,x\nzz,y\nyy,y\n", r"line 3: review 'zz' is not a test review of this run \(2 .*yy"),
        ('review_id,text\nu_a,"x\nx"\nv_b,y\nu_a,y\n', "line 5: review u_a comes twice, first in line 2"),
        ("review_id,text\nu_a,x\nv_b, \n", "line 3: review v_b has a blank text"),
        ("review_id,text\nu_a,x,y\n", "line 2: more or fewer values"),
        ("review_id,text\nu_a\n", "line 2: more or fewer values"),
        ("review_id,text,seed\nu_a,x,one\n", "line 2: seed 'one' is not a number"),
        ("review_id,text,seed\nu_a,x,1\nv_b,x,2\n", "different reviews, see u_a"),
        (b"review_id,text\nu_a,\xff\xfe\n", "not a CSV file in UTF-8"),
    ],
)
def test_what_cannot_be_scored_is_named(write, content, message):
    with pytest.raises(ValueError, match=message):
        read_submissions(write(content), KNOWN)


def test_names_that_are_taken_and_files_that_are_not_there(write, tmp_path):
    with pytest.raises(ValueError, match="rename theirs.csv"):
        read_submissions(write("review_id,text\nu_a,x\n"), KNOWN, taken={"theirs"})
    with pytest.raises(ValueError, match="no CSV file"):
        read_submissions(tmp_path / "absent", KNOWN)


def test_a_check_imports_nothing_heavy():
    code = "import sys, showcase_utils.metrics.submitted; print({'pandas', 'numpy', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
