"""The check of a profile, part by part."""

from __future__ import annotations

from collections.abc import Sequence

from showcase_utils.artifacts import Artifacts
from showcase_utils.checking.data import check_data, check_labels
from showcase_utils.checking.findings import Check
from showcase_utils.checking.machine import check_libraries, check_machine, check_models
from showcase_utils.config import Settings, SettingsError, load_settings
from showcase_utils.terminal import counted


def check_run(profile: str, overrides: Sequence[str] = (), artifacts: str = "") -> Check:
    """Looks at settings, data, photos, labels, models, libraries and the machine; nothing is raised or written.

    Of a large file the first rows are read, of many photos a sample is opened, and the counts say so.
    """
    check = Check()
    try:
        settings = load_settings(profile, overrides)
    except SettingsError as error:
        check.add("stops", "01", str(error))
        return check
    rows = photos = 0
    if settings.data.source == "files":
        rows, photos = check_data(check, settings)
    else:
        rows, photos = settings.world.reviews, settings.world.photos
        check.counts["data"] = f"the demo world: {rows:,} reviews, {photos:,} photos"
    check_labels(check, settings)
    _check_methods(check, settings)
    check_models(check, settings)
    check_libraries(check, settings)
    check_machine(check, settings, Artifacts(settings, artifacts).root, rows, photos)
    _say_abilities(check, settings)
    return check


def _check_methods(check: Check, settings: Settings) -> None:
    from showcase_utils.selection.methods import runnable  # PyTorch, for which bad settings need not wait

    try:
        if "dpp" not in runnable(settings.selection):
            check.add("stops", "03", "selection.methods: add dpp, the paper's, which notebook 03 opens up")
    except ValueError as error:
        check.add("stops", "03", str(error))


def _say_abilities(check: Check, settings: Settings) -> None:
    counts, selection = check.counts, settings.selection
    clip = "the embedded CLIP" if settings.encoding.model == "embedded" else settings.encoding.model
    check.abilities = {
        "01": f"filters the reviews: {counts.get('GEST-s1') or counts.get('data', 'nothing')}",
        "02": f"encodes with {clip}; Φ: {counts.get('Φ', 'none')}",
        "03": f"chooses {counted(selection.k, 'photo')} by {counted(len(selection.methods), 'method')}; "
        f"{counts.get('choice', '')}".rstrip("; "),
        "04": f"trains {', '.join(settings.generation.systems)}",
        "05": f"scores them on the test users; users: {counts.get('users', 'of the demo world')}",
        "06": "shows them; then `showcase explain` and `showcase gallery`",
    }
