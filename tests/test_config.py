import json
import subprocess
import sys

import pytest
import yaml

from showcase_utils.config import Settings, SettingsError, absolute_overrides, load_settings, profile_names
from showcase_utils.sources import table_names


def test_shipped_profiles_load():
    assert {"smoke", "demo", "gest"} <= set(profile_names())
    for name in profile_names():
        assert load_settings(name).profile == name


@pytest.mark.parametrize(
    "overrides",
    [{"selection.k": 5, "encoding.dtype": "float32"}, ["selection.k=5", "encoding.dtype=float32"],
     "selection.k=5; encoding.dtype=float32"],
)  # fmt: skip
def test_overrides_in_every_form(overrides):
    settings = load_settings("demo", overrides)
    assert (settings.selection.k, settings.encoding.dtype) == (5, "float32")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["selction.k=5"], ["unknown key", "selction"]),
        (["selection.kk=5"], ["unknown key 'selection.kk'", "did you mean 'selection.k'"]),
        (["selection.k=none"], ["selection.k", "integer"]),
        (["selection.k=0"], ["selection.k", "greater than 0"]),
        (["encoding.dtype=int8"], ["encoding.dtype", "float16"]),
        (["selection.k"], ["has no '='"]),
        (["selection.k=[1"], ["not valid YAML"]),
        (["profile=x"], ["unknown key 'profile'", "another profile"]),
        (["profile.x=1"], ["unknown key 'profile.x'", "another profile"]),
        (["seed=-1"], ["seed", "greater than or equal to 0"]),
        (["world.seed=-1"], ["world.seed", "greater than or equal to 0"]),
        (["selection.seeds=[-1]"], ["selection.seeds.0", "greater than or equal to 0"]),
        (["generation.seeds=[]"], ["generation.seeds", "at least 1 item"]),
        (["selection.profiles=[]"], ["selection.profiles", "at least 1 item"]),
        (["generation.systems=[]"], ["generation.systems", "at least 1 item"]),
        (["generation.lr=.inf"], ["generation.lr", "finite"]),
        (["generation.lrs={st: .inf}"], ["generation.lrs.st", "finite"]),
        (["generation.systems=[ours_pcl2]"], ["generation.systems", "'ours_pcl2'", "ours_pc2l"]),
        (["generation.lrs={stt: 0.1}"], ["generation.lrs", "'stt'", "st, "]),
        (["selection.methods=[dpp,elvis]", "selection.shown_method=dpp"], ["selection.methods", "'elvis'", "bpr"]),
        (["selection.methods=[random]"], ["selection.shown_method", "'metric_dpp'", "random"]),
        (["selection.profiles=[img]", "selection.shown_profile=text"], ["selection.shown_profile", "'text'", "img"]),
        (["telling.system=peter"], ["telling.system", "'peter'", "img_gpt2"]),
        (["selection.k=" + "[" * 5000], ["not valid YAML"]),
        (["selection.k=2020-99-99"], ["not valid YAML", "month"]),
    ],
)
def test_bad_overrides_name_the_key(overrides, words):
    with pytest.raises(SettingsError) as error:
        load_settings("demo", overrides)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_names_are_those_of_the_tables_and_cost_no_import():
    from showcase_utils.generation.systems import SYSTEMS
    from showcase_utils.selection.methods import METHODS

    assert table_names("showcase_utils.generation.systems", "SYSTEMS") == tuple(SYSTEMS)
    assert table_names("showcase_utils.selection.methods", "METHODS") == tuple(METHODS)
    with pytest.raises(KeyError, match="no table OTHERS"):
        table_names("showcase_utils.selection.methods", "OTHERS")
    program = "import sys\nfrom showcase_utils.config import load_settings\nload_settings('gest')\n"
    subprocess.run([sys.executable, "-c", program + "assert 'torch' not in sys.modules"], check=True)


def test_a_method_of_ones_own_may_be_shown_by_the_name_that_its_module_gives_it():
    own = ["selection.methods=[random,pictured:CENTRE]", "selection.shown_method=centre"]
    assert load_settings("demo", own).selection.shown_method == "centre"


def test_a_message_is_short_whatever_the_value_is():
    with pytest.raises(SettingsError) as error:
        load_settings("demo", [f"selection.k={'x' * 10**6}"])
    assert len(str(error.value)) < 500


def test_a_profile_with_aliases_is_refused_before_they_are_written_out(tmp_path):
    """Each line names the one before nine times: 722 MB when nine of them are printed."""
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    (tmp_path / "bomb.yaml").write_text("\n".join(lines))
    with pytest.raises(SettingsError, match="aliases") as error:
        load_settings(tmp_path / "bomb.yaml")
    assert len(str(error.value)) < 1000


def test_a_profile_does_not_name_itself(tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: smoke\nprofile: other\n")
    with pytest.raises(SettingsError, match="unknown key 'profile'"):
        load_settings(tmp_path / "mine.yaml")


@pytest.mark.parametrize("value", ["/data/a;b.json", "it's; 'so'", 'say "a;b=c"', "ü \U0001f600"])
def test_a_value_reaches_another_process_whole(value):
    """`showcase run` hands its overrides to notebooks as one string."""
    overrides = absolute_overrides([f"download.suffix={json.dumps(value, ensure_ascii=False)}", "selection.k=5"])
    settings = load_settings("smoke", ";".join(overrides))
    assert (settings.download.suffix, settings.selection.k) == (value, 5)


def test_a_semicolon_in_an_override_of_the_command_line_stays():
    assert load_settings("smoke", ["download.suffix=a;b"]).download.suffix == "a;b"


def test_override_below_a_value_is_an_error():
    with pytest.raises(SettingsError, match="generation.lr.x"):
        load_settings("demo", ["generation.lr.x=1"])


def test_settings_are_frozen():
    settings = load_settings("demo")
    with pytest.raises(ValueError, match="frozen"):
        settings.selection.k = 4


def test_profile_file_extends_and_resolves_paths(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"extends": "smoke", "data": {"source": "files", "reviews": "r.json"}, "seed": 7}))
    settings = load_settings(path)
    assert settings.profile == "mine"
    assert settings.seed == 7
    assert settings.data.reviews == tmp_path / "r.json"
    assert settings.world == load_settings("smoke").world


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "not valid YAML"),
        ("- 1", "expected keys and values"),
        ("extends: nowhere", "no profile 'nowhere'"),
        ("extnds: demo", "unknown key 'extnds'"),
    ],
)
def test_bad_profile_files(tmp_path, text, words):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=words):
        load_settings(path)


def test_extends_in_a_circle(tmp_path):
    path = tmp_path / "loop.yaml"
    path.write_text(f"extends: {path}")
    with pytest.raises(SettingsError, match="circle"):
        load_settings(path)


def test_unknown_profile_names_the_known():
    with pytest.raises(SettingsError, match="demo"):
        load_settings("dem")


def test_section_is_json():
    assert Settings(profile="x").section("selection.profiles") == ["img", "text", "img+text"]
