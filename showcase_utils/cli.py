"""The command line: ``showcase run``, ``train``, ``status``, ``explain`` and what people do around them."""

from __future__ import annotations

import ast
import atexit
import gc
import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from rich.status import Status
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from showcase_utils import __version__
from showcase_utils.artifacts import STAGES, Artifacts, StaleStage, default_root
from showcase_utils.config import SettingsError, load_settings, profile_names
from showcase_utils.extras import MissingExtra
from showcase_utils.progress import PROGRESS, last_line
from showcase_utils.sources import PACKAGE
from showcase_utils.terminal import PlainConsole, counted, visible_json

console = PlainConsole()


class _Sentences(TyperGroup):
    """Commands whose errors, where a user can mend them, are a sentence and no traceback."""

    def invoke(self, ctx: Any) -> Any:
        from showcase_utils.pipeline import RunError

        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # who reads has seen enough, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(1) from None
        except OSError as error:
            _fail(": ".join(str(part) for part in (error.filename, error.strerror) if part) or str(error))
        except (SettingsError, StaleStage, RunError, MissingExtra, KeyError, ValueError) as error:
            _fail(str(error.args[0] if isinstance(error, KeyError) and error.args else error))


app = typer.Typer(
    cls=_Sentences,
    help="Personalized Showcases: photos and text that say why a place suits a user.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
)

Profile = Annotated[
    str, typer.Option("--profile", "-p", help=f"{', '.join(profile_names())}, or the path of a YAML file.")
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", "-s", metavar="KEY=VALUE", help="Change a setting: `-s selection.k=5`.")
]
Root = Annotated[
    str, typer.Option("--artifacts", "-a", help="Folder of the stages. Default: $SHOWCASE_ARTIFACTS, or artifacts/.")
]
CHOICE, WRITING = "Choice of photos", "Text"  # panels of options


def _print_version(wanted: bool) -> None:
    if wanted:
        console.print(__version__)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Personalized Showcases: photos and text that say why a place suits a user."""
    # imports make much that stays: to look through it for garbage, also at the end, takes a third of a short command
    gc.set_threshold(200_000, 50, 50)
    atexit.register(gc.freeze)


@app.command()
def run(
    profile: Profile = "demo",
    overrides: Overrides = None,
    artifacts: Root = "",
    start: Annotated[str | None, typer.Option("--from", help="First notebook, by number or name: `02`.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last notebook: `04`.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder of the executed notebooks.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Execute notebooks that are up to date, too.")] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Write the committed notebooks and figures (profile demo).")
    ] = False,
) -> None:
    """Run the notebooks in order with papermill; what is up to date is left alone."""
    from showcase_utils import pipeline

    names = pipeline.chosen(start, end)
    if not console.is_terminal:
        console.print(f"{counted(len(names), 'notebook')}, profile {profile}")
    with console.status("starting …") as status:
        show = _Running(status)
        results = pipeline.run(
            profile,
            overrides or [],
            artifacts,
            start=start,
            end=end,
            output=output,
            force=force,
            publish=publish,
            on_cell=show.cell,
            on_progress=show.progress,
            on_done=lambda done: console.print(f"{done.notebook:<26}{done.state:<10}{done.seconds:7.1f} s"),
        )
    store = Artifacts(load_settings(profile, overrides or []), artifacts)
    console.print(_stage_table(store))
    console.print(f"executed notebooks  {results[0].path.parent}")
    console.print(f"figures             {store.folder / 'figures'} ({sum(len(r.figures) for r in results)})")
    console.print(f"artifacts           {store.folder}")


@app.command()
def train(profile: Profile = "demo", overrides: Overrides = None, artifacts: Root = "") -> None:
    """Train all systems outside notebook 04, on several GPUs under `torchrun`; goes on where it was cut off.

    `torchrun --nproc-per-node 4 -m showcase_utils.cli train --profile gest`
    """
    from showcase_utils.generation.build import train_generation
    from showcase_utils.generation.trained import training_table

    store = Artifacts(load_settings(profile, overrides or []), artifacts)
    folder = train_generation(store)
    if folder:  # only one process of several has something to say
        console.print(training_table(folder).round(4).to_string(index=False))
        console.print(f"systems  {folder}")


@app.command()
def status(
    profile: Profile = "demo",
    overrides: Overrides = None,
    artifacts: Root = "",
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every file, downloaded photos too, and compare its sha256.")
    ] = False,
) -> None:
    """Show each stage: fresh, stale (and why), made by other code, damaged, unfinished or missing; seconds, size."""
    store = Artifacts(settings := load_settings(profile, overrides or []), artifacts)
    console.print(_stage_table(store, verify))
    if verify and settings.data.source == "files" and settings.data.images:
        _verify_photos(settings.data.images)
    if line := last_line(store.folder / PROGRESS):
        console.print(f"running    {line}")
    console.print(f"artifacts  {store.folder}")


@app.command()
def accept(
    stages: Annotated[list[str], typer.Argument(help="Stages that `showcase status` calls `other code`; in order.")],
    profile: Profile = "demo",
    overrides: Overrides = None,
    artifacts: Root = "",
) -> None:
    """Keep stages that other code made, because you know that the edit changes nothing in them."""
    store = Artifacts(load_settings(profile, overrides or []), artifacts)
    for stage in stages:
        store.accept(stage)
        console.print(f"{stage} is fresh")


@app.command()
def explain(
    user: Annotated[str, typer.Argument(help="A user's id or name; none with --history or --photos.")] = "",
    business: Annotated[str, typer.Argument(help="A place's id or name; none with --candidates.")] = "",
    history: Annotated[
        Path | None, typer.Option("--history", help="What somebody wrote before: a text file, a review a line.")
    ] = None,
    photos: Annotated[Path | None, typer.Option("--photos", help="A folder with photos they took before.")] = None,
    candidates: Annotated[
        Path | None, typer.Option("--candidates", help="A folder with the photos of a place.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="With --candidates: the place's. Default: the folder's.")] = "",
    k: Annotated[
        int | None, typer.Option("-k", min=1, help="How many. Default: selection.k.", rich_help_panel=CHOICE)
    ] = None,
    theta: Annotated[
        float,
        typer.Option(
            min=0,
            max=0.99,
            help="Photos like the reader's past (towards 1) or unlike each other (towards 0).",
            rich_help_panel=CHOICE,
        ),
    ] = 0.5,
    method: Annotated[
        str,
        typer.Option(help="Of selection.methods. Default: selection.shown_method.", rich_help_panel=CHOICE),
    ] = "",
    pin: Annotated[
        list[str] | None,
        typer.Option(help="An id or file name that must be shown; again for more.", rich_help_panel=CHOICE),
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(help="An id or file name that must not; again for more.", rich_help_panel=CHOICE),
    ] = None,
    keep_duplicates: Annotated[
        bool,
        typer.Option("--keep-duplicates", help="Also copies, and photos of one scene.", rich_help_panel=CHOICE),
    ] = False,
    system: Annotated[
        str, typer.Option(help="Of generation.systems. Default: telling.system.", rich_help_panel=WRITING)
    ] = "",
    decoding: Annotated[
        list[str] | None,
        typer.Option(
            help="Of greedy, beam, sample, retrieval (quotes); again for more, or with commas between. Default: "
            "telling.writers.",
            rich_help_panel=WRITING,
        ),
    ] = None,
    tone: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Share of the least kind sentences that go unsaid. Default: telling.tone.",
            rich_help_panel=WRITING,
        ),
    ] = None,
    length: Annotated[
        int | None, typer.Option(min=1, help="Most sentences. Default: one a photo.", rich_help_panel=WRITING)
    ] = None,
    block: Annotated[
        list[str] | None, typer.Option(help="A word that is never said; again for more.", rich_help_panel=WRITING)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything, the reasons too, as JSON.")] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write the showcase as one self-contained page.")] = None,
    profile: Profile = "demo",
    overrides: Overrides = None,
    artifacts: Root = "",
) -> None:
    """Make one showcase: photos of a place chosen for somebody, the text that goes with them, and why.

    `showcase explain USER BUSINESS`, or with photos and texts of your own:
    `showcase explain --history reviews.txt --photos mine/ --candidates place/`
    """
    reader = "--history" if history else "--photos" if photos else ""
    ids = _ids([one for one in (user, business) if one], reader, "--candidates" if candidates else "")
    if name and not candidates:
        _fail(f"--name {name}: it names the place of --candidates; one of the data has its own")
    lines = _read_history(history) if history else []
    store = Artifacts(load_settings(profile, overrides or []), artifacts)
    store.path("texts")  # at once, not behind the imports
    from showcase_utils.showcase import Place, Profile, Showcases
    from showcase_utils.showcase.article import SILENT

    if html:
        _refuse_output(html)
    own = Profile(texts=lines, photos=photos or ())
    place = Place(candidates, name or candidates.resolve().name) if candidates else ids["BUSINESS"]
    showcase = Showcases.load(store).explain(
        ids.get("USER", own),
        place,
        k,
        theta=theta,
        method=method,
        pin=pin or (),
        leave_out=leave_out or (),
        drop_duplicates=not keep_duplicates,
        system=system,
        decoding=[one.strip() for part in decoding or () for one in part.split(",") if one.strip()],
        tone=tone,
        length=length,
        block=block or (),
    )
    if html:
        html.write_text(showcase.to_html(), encoding="utf-8")
    if as_json:
        print(visible_json(json.dumps(showcase.to_dict(), indent=1, ensure_ascii=False)))
        return
    told = [one.sentence if one.photo is None else f"{one.sentence} [{one.photo + 1}]" for one in showcase.sentences]
    text = " ".join(told) or SILENT
    console.print(f"{showcase.place}, for {showcase.user}\n\n{text}")
    for number, (path, reason) in enumerate(zip(showcase.photos, showcase.reasons, strict=True), 1):
        console.print(f"\n[{number}] {path}\n{textwrap.indent(textwrap.fill(reason.words, console.width - 4), '    ')}")
    if html:
        console.print(f"written to {html}")


@app.command()
def find(
    words: Annotated[str, typer.Argument(help="Part of a name or id; none: the busiest.")] = "",
    most: Annotated[int, typer.Option("--most", "-n", min=1, help="How many of each are printed.")] = 10,
    profile: Profile = "demo",
    overrides: Overrides = None,
    artifacts: Root = "",
) -> None:
    """Find places and users of a run, by name or id: what `explain` takes."""
    store = Artifacts(load_settings(profile, overrides or []), artifacts)
    from showcase_utils.showcase.library import Library

    found = Library(store).search(words)
    if not any(map(len, found.values())):
        _fail(f"nobody and no place has '{words}' in name or id: look with fewer letters, or with none for the busiest")
    for kind, table in found.items():
        console.print(f"{kind}: {len(table):,}{', the busiest of them' if len(table) > most else ''}")
        if len(table):
            console.print(table.head(most).to_string(index=False))


@app.command()
def serve(
    run: Annotated[
        str, typer.Argument(help="In place of --profile: a folder that Showcases.save wrote, or of artifacts.")
    ] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: one that is free.")] = 7860,
    profile: Profile = "demo",
    overrides: Overrides = None,
    artifacts: Root = "",
) -> None:
    """Try showcases live in the browser: drop in photos and texts, ask for variety or likeness, pin photos, see why.

    It can be reached from this machine alone, and asks nothing of any other.
    """
    if run and (profile != "demo" or overrides or artifacts):
        _fail("give a folder or a profile with its settings, not both: serve --help")
    if not run:
        store = Artifacts(load_settings(profile, overrides or []), artifacts)
        store.path("texts")  # at once, not behind the imports
    from showcase_utils.serving.app import serve as serve_app
    from showcase_utils.showcase import Showcases

    showcases = Showcases.load(run or store)
    serve_app(showcases, port, lambda address: console.print(f"{address}  (this machine only; Ctrl-C ends it)"))


@app.command()
def gallery(
    out: Annotated[Path, typer.Argument(help="The HTML file to write; photos and all are in it.")],
    showcases: Annotated[int, typer.Option("--showcases", "-n", min=1, help="How many, at most.")] = 60,
    k: Annotated[int | None, typer.Option("-k", min=1, help="How many photos each. Default: selection.k.")] = None,
    profile: Profile = "demo",
    overrides: Overrides = None,
    artifacts: Root = "",
) -> None:
    """Write a page of showcases of the test users, with filters by place and reader: one file, no requests."""
    _refuse_output(out)
    store = Artifacts(load_settings(profile, overrides or []), artifacts)
    store.path("texts")
    from showcase_utils.showcase import Showcases, page

    loaded = Showcases.load(store)
    made = loaded.explain_many(loaded.library.test_visits(showcases), k)
    out.write_text(page(made, f"Showcases of profile {store.settings.profile}"), encoding="utf-8")
    console.print(f"{counted(len(made), 'showcase')}, {out.stat().st_size / 1e6:.1f} MB  {out}")


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Folder to write; it must be empty or not there.")],
    system: Annotated[str, typer.Option(help="The generator. Default: telling.system.")] = "",
    method: Annotated[str, typer.Option(help="What chooses photos. Default: selection.shown_method.")] = "",
    licence: Annotated[str, typer.Option(help="Of the data, as hubs abbreviate it: `cc-by-4.0`.")] = "",
    profile: Profile = "demo",
    overrides: Overrides = None,
    artifacts: Root = "",
) -> None:
    """Write all that showcases need into one folder, with a model card: to move, to share, to load anywhere.

    `showcase export bundle/`, then `Showcases.load("bundle/")`
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        _fail(f"{folder} is there already, and not empty: name another folder, or remove it")
    store = Artifacts(load_settings(profile, overrides or []), artifacts)
    store.path("texts")
    from showcase_utils.showcase import Showcases

    written = Showcases.load(store, system=system, method=method).save(folder, licence)
    sizes = [path.stat().st_size for path in written.rglob("*") if path.is_file()]
    console.print(f"{len(sizes):,} files, {sum(sizes) / 1e6:.0f} MB  {written}")


@app.command()
def evaluate(
    texts: Annotated[Path, typer.Argument(help="A CSV with review_id and text, or a folder of them, one per system.")],
    name: Annotated[str, typer.Option("--name", help="Where the scores go: evaluate/NAME. Default: the file's.")] = "",
    profile: Profile = "demo",
    overrides: Overrides = None,
    artifacts: Root = "",
) -> None:
    """Score somebody else's texts beside ours, on all test reviews or on some; the run's own evaluation stays."""
    if not texts.exists():
        _fail(f"{texts} is not there")
    import pyarrow.parquet as pq  # what checks the files is light, so that a mistake is named at once

    from showcase_utils.metrics.submitted import read_submissions

    store = Artifacts(load_settings(profile, overrides or []), artifacts)
    ours = pq.ParquetFile(store.path("texts") / "texts.parquet").read(["review_id", "system"])
    known, taken = (set(ours[column].to_pylist()) for column in ("review_id", "system"))
    runs = read_submissions(texts, known, taken)
    console.print(f"{counted(len(runs), 'run')}, {len(runs[0].texts)} of {len(known)} test reviews; scoring …")

    from showcase_utils.claims import submission
    from showcase_utils.devices import use_threads

    use_threads(store.settings)
    folder = submission.evaluate_submissions(store, runs, name or texts.resolve().stem, console.is_terminal)
    console.print(submission.extent(folder))
    console.print(submission.score_table(folder).to_string())
    console.print(submission.difference_table(folder).to_string())
    console.print(f"with intervals and variants  {folder}")


@app.command()
def report(
    to: Annotated[
        Path | None,
        typer.Option("--to", help="A new file, or one with the marks `<!-- PROFILE:start -->` and `:end`."),
    ] = None,
    only: Annotated[str, typer.Option(help="With commas: claims, texts, measures, training. Default: all.")] = "",
    profile: Profile = "demo",
    overrides: Overrides = None,
    artifacts: Root = "",
) -> None:
    """What a run found, as Markdown: the claims' ledger, what texts name, all other measures, the training."""
    store = Artifacts(load_settings(profile, overrides or []), artifacts)
    store.path("evaluation")
    from showcase_utils.claims import report as reports

    parts = [part.strip() for part in only.split(",") if part.strip()] or reports.PARTS
    if unknown := [part for part in parts if part not in reports.PARTS]:
        _fail(f"--only {unknown[0]}: choose from {', '.join(reports.PARTS)}")
    from showcase_utils.generation.trained import training_table

    text = reports.report(store, training_table(store.path("generation")), parts)
    if to is None:
        print(text, end="")
    else:
        written = reports.write_report(to, text, store.settings.profile)
        console.print(f"{'written to' if written else 'nothing new for'} {to}")


@app.command()
def rate(
    sheet: Annotated[Path, typer.Argument(help="The HTML sheet to write, or the .key.json of one to read back.")],
    answers: Annotated[list[Path] | None, typer.Argument(help="With a key: the files that raters saved.")] = None,
    samples: Annotated[int, typer.Option("--samples", "-n", min=1, help="How many showcases to rate.")] = 30,
    design: Annotated[
        Literal["likert", "pairwise"], typer.Option(help="likert (1 to 5 points) or pairwise (which is better).")
    ] = "likert",
    systems: Annotated[str, typer.Option(help="Only these, with commas between: `ours_pc2l,img_gpt2`.")] = "",
    profile: Profile = "demo",
    overrides: Overrides = None,
    artifacts: Root = "",
) -> None:
    """Human evaluation: write a blind rating sheet, or read the answers back with agreement and intervals."""
    import pandas as pd

    from showcase_utils.claims import human
    from showcase_utils.claims.raters import rating_tables
    from showcase_utils.statistics.resampling import interval_options

    settings = load_settings(profile, overrides or [])
    if sheet.suffix == ".json":
        judged = human.read_answers(sheet, answers or [])
        options = interval_options(settings)
        scores = Artifacts(settings, artifacts).folder / "evaluation" / "per_sample.parquet"
        known = pd.read_parquet(scores) if settings.data.source == "demo" and scores.is_file() else None
        console.print(f"low, high: intervals of {settings.evaluation.confidence * 100:g} % over reviews and over items")
        for title, table in rating_tables(judged, known, **options):
            if len(table):
                console.print(f"\n{title}\n{table.round(3).to_string(index=False)}")
        return
    if answers:
        _fail(f"{sheet}: answers are read back with the sheet's .key.json, not with the sheet")
    from showcase_utils.data.frames import load_images, load_reviews

    store = Artifacts(settings, artifacts)
    texts = load_reviews(store.path("texts") / "texts.parquet")
    shown = set(texts["image_ids"].explode().dropna())
    paths = load_images(store, ["image_id", "path"], shown).drop_duplicates("image_id").set_index("image_id")
    chosen = [name.strip() for name in systems.split(",") if name.strip()]
    key = human.write_sheet(sheet, texts, paths["path"], samples, settings.seed, design, chosen)
    console.print(f"sheet  {sheet}\nkey    {key} (keep it from the raters)")


@app.command()
def judge(
    key: Annotated[Path, typer.Argument(help="The .key.json of a sheet that `showcase rate` wrote.")],
    model: Annotated[
        str,
        typer.Option(help="A hub's name or a folder, in transformers' format; with --endpoint the model's name there."),
    ],
    endpoint: Annotated[
        str, typer.Option(help="Address of an OpenAI-compatible server, `http://localhost:8000/v1`.")
    ] = "",
    to: Annotated[Path | None, typer.Option("--to", help="File of its answers. Default: beside the key.")] = None,
    prompts: Annotated[Path | None, typer.Option(help="A folder with your own likert.txt and pairwise.txt.")] = None,
    profile: Profile = "demo",
    overrides: Overrides = None,
    artifacts: Root = "",
) -> None:
    """Let a model answer a rating sheet, as people do: the answers go into `showcase rate KEY` with theirs.

    What was asked before is kept among the artifacts and not asked again. With --endpoint the photos and texts of the
    sheet leave this machine; $OPENAI_API_KEY is sent if it is set.
    """
    store = Artifacts(load_settings(profile, overrides or []), artifacts)
    stage = store.path("texts")
    import httpx

    from showcase_utils.claims.judge import PROMPTS, judge_sheet
    from showcase_utils.claims.judges import EndpointJudge, LocalJudge
    from showcase_utils.data.frames import load_images, load_reviews

    texts = load_reviews(stage / "texts.parquet")
    shown = set(texts["image_ids"].explode().dropna())
    paths = load_images(store, ["image_id", "path"], shown).drop_duplicates("image_id").set_index("image_id")
    if not endpoint and model.startswith(("/", ".", "~")) and not Path(model).expanduser().is_dir():
        _fail(f"--model {model}: there is no such folder")
    rater = EndpointJudge(endpoint, model) if endpoint else LocalJudge(_here(model), store.settings.device)
    out = to or key.with_name(f"{key.name.removesuffix('.key.json')}.{Path(model).name}.json")
    asked = prompts or PROMPTS
    try:
        cost = judge_sheet(key, out, texts, paths["path"], rater, store.folder / "judged", asked, console.is_terminal)
    except httpx.HTTPError as error:
        _fail(f"--endpoint {endpoint}: {error}; what was answered before is kept, the same command goes on")
    console.print(
        f"{cost.model}: {counted(cost.asked, 'question')}, {cost.from_cache} of them asked before, "
        f"{cost.unanswered} without an answer; {cost.tokens:,} tokens, {cost.seconds:.1f} s"
    )
    if cost.unseen:
        console.print(f"not asked, for this model sees no photos: {counted(cost.unseen, 'question')} about them")
    console.print(f"answers  {out}\nread them with  showcase rate {key} {out}")


@app.command()
def download(
    what: Annotated[
        str, typer.Argument(help="`gest`, the paper's files, or `photos` that the profile's data.reviews name.")
    ],
    images: Annotated[bool, typer.Option("--images", help="With gest: also the photos that its reviews name.")] = False,
    to: Annotated[Path | None, typer.Option("--to", help="Folder. Default: downloads/ among the artifacts.")] = None,
    adopt: Annotated[
        Path | None, typer.Option("--adopt", help="Folder or tar of photos that are taken over before any is fetched.")
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Ask again for all photos that failed but are not expired.")
    ] = False,
    profile: Profile = "gest",
    overrides: Overrides = None,
) -> None:
    """Fetch the published files, or the photos of any data with a status for each; goes on where it was cut off.

    `showcase download gest --images`, or after an import `showcase download photos --profile mine/mine.yaml --to mine`
    """
    from showcase_utils.data.gest import photos_named
    from showcase_utils.photos import download as published
    from showcase_utils.photos.fetching import fetch_photos
    from showcase_utils.photos.store import PhotoStore

    settings = load_settings(profile, overrides or [])
    if what not in ("gest", "photos"):
        _fail(f"'{what}' is not known here: gest, or photos")
    if what == "photos" and settings.data.reviews is None:
        _fail("photos are those that data.reviews names: give a --profile or --set that names it")
    images = images or what == "photos"
    folder = (to or default_root() / "downloads").expanduser().resolve()
    reviews, tars = settings.data.reviews, []
    if reviews is None:  # else the reviews are here already
        files = published.download_gest(folder, settings.download)
        for file in files:
            console.print(f"{file.path.name:<26}{file.how:<12}{'sha256 fits' if file.checked else 'sha256 not known'}")
        reviews = next((file.path for file in files if file.path.name in published.PUBLISHED), None)
        tars = [file.path for file in files if published.is_tar(file.path.name)]
    if images or adopt or tars:
        if reviews is None:
            _fail("no file of reviews says which photos there are: set data.reviews, or name one in download.files")
        wanted = photos_named(reviews)
        with PhotoStore(folder / "photos") as photos:
            for tar in tars:
                published.unpack(tar, photos, settings.download)
            if adopt:
                photos.adopt(adopt, settings.download)
            if images:
                fetch_photos(wanted, photos, settings.download, again=retry)
            counts = photos.counts(wanted["image_id"])
        console.print(_photo_table(counts))
        console.print(f"photos, and index.parquet with what became of each  {folder / 'photos'}")
    found = ["data.source=files"] + ([f"data.reviews={reviews}"] if reviews else [])
    found += [f"data.images={folder / 'photos'}"] if images or adopt or tars else []
    console.print("set in the profile, or with --set:  " + "  ".join(found))


@app.command(name="import")
def import_(
    kind: Annotated[str, typer.Argument(help="csv, jsonl, parquet, or a known set: yelp, google2021, tripadvisor.")],
    files: Annotated[
        list[Path], typer.Argument(help="Tables of reviews, of photos, of names; which is which is seen.")
    ],
    to: Annotated[Path, typer.Option("--to", help="Folder for the published file, the photos and a profile.")],
    images: Annotated[Path | None, typer.Option("--images", help="Folder with the photos, in sub-folders too.")] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FIELD=COLUMN", help="What a column means: `--map text=comment`."),
    ] = None,
    backbones: Annotated[
        str, typer.Option(help="Of the profile: embedded (small, here) or gest (the paper's).")
    ] = "embedded",
    best_rating: Annotated[float, typer.Option(help="The best rating that there is; ratings become 1 to 5.")] = 5.0,
    encoding: Annotated[str, typer.Option(help="Of CSV files.")] = "utf-8",
) -> None:
    """Bring your own reviews and photos into the form that everything else reads, with a profile to run.

    `showcase import csv reviews.csv --images photos/ --map text=comment --to mine`
    """
    from showcase_utils.importing.layouts import read_mapping
    from showcase_utils.importing.run import import_tables

    pairs = read_mapping(mapping or [])
    report = import_tables(kind, files, images, to, pairs, backbones, best_rating, encoding, console.is_terminal)
    table = Table(box=None, pad_edge=False)
    for column in ("file", "rows", "accepted", "rejected"):
        table.add_column(column, justify="left" if column == "file" else "right")
    for source, rows in report.rows.items():
        accepted = report.accepted[source]
        table.add_row(source, f"{rows:,}", f"{accepted:,}", f"{rows - accepted:,}")
    console.print(table)
    for (source, reason), number in report.reasons.most_common(12):
        console.print(f"  {number:,} × {reason}  ({source})")
    if report.photos:
        console.print(_photo_table(dict(report.photos)))
    console.print(f"rejected rows  {to / 'rejects.csv'}")
    for note in report.notes:
        console.print(note)
    if not report.accepted.total():
        _fail("no row was accepted: the reasons stand above")
    if report.profile:
        console.print(f"next  showcase check --profile {report.profile}")


@app.command()
def check(profile: Profile = "demo", overrides: Overrides = None, artifacts: Root = "") -> None:
    """Tell all that would stop a run or limit it, and what each notebook will be able to do; computes nothing."""
    from showcase_utils.checking.run import check_run

    found = check_run(profile, overrides or [], artifacts)
    for one in found.ordered():
        mark = Text(f"{one.level:<8}", {"stops": "red", "limits": "yellow"}.get(one.level, ""))
        console.print(mark, f"{one.notebook}  {one.text}", sep="")
    table = Table(box=None, pad_edge=False)
    for column in ("notebook", "state", "what it does"):
        table.add_column(column)
    for notebook, does in found.abilities.items():
        table.add_row(notebook, found.state(notebook), does)
    for name, words in found.counts.items():
        console.print(f"{name:<10}{words}")
    if found.abilities:
        console.print(table)
    for words in found.needs:
        console.print(words)
    if found.stops:
        _fail("a run would stop: see above")
    console.print(f"next  showcase run --profile {profile}")


@app.command()
def annotate(
    out: Annotated[Path | None, typer.Argument(help="The HTML page to write; it needs no network.")] = None,
    annotator: Annotated[str, typer.Option("--annotator", help="Who labels; can be changed on the page.")] = "me",
    reviews: Annotated[int, typer.Option("--reviews", "-n", min=1, help="How many reviews to label.")] = 100,
    read: Annotated[
        list[Path] | None, typer.Option("--read", help="Instead: answers that annotators saved, CSV or JSON.")
    ] = None,
    to: Annotated[Path, typer.Option("--to", help="With --read: the CSV that data.annotations takes.")] = Path(
        "annotations.csv"
    ),
    profile: Profile = "demo",
    overrides: Overrides = None,
    artifacts: Root = "",
) -> None:
    """Labels for Φ: write a page on which sentences are ticked that a photo shows, or read the answers back.

    `showcase annotate page.html --profile mine.yaml`, then `showcase annotate --read annotations.csv --to labels.csv`
    """
    if bool(read) == bool(out):
        _fail("give a page to write, or --read with answers: annotate --help")
    from showcase_utils.alignment.answers import merge_answers, write_page

    if read:
        labels = merge_answers(read, to)
        by = ", ".join(f"{name} {number}" for name, number in labels["annotator"].value_counts().items())
        labelled = counted(labels["review_id"].nunique(), "review")
        console.print(f"{counted(len(labels), 'label')} of {labelled} ({by})  {to}")
        console.print(f"set in the profile  data.annotations: {to}")
        return
    store = Artifacts(load_settings(profile, overrides or []), artifacts)
    assert out  # one of the two was given
    pairs = write_page(store, out, reviews, annotator)
    console.print(f"{counted(pairs, 'pair')} of a sentence and a photo  {out}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def bench(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Which one; without it, all are listed.")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Run one after another, and write the table of benchmarks/README.md.")
    ] = False,
) -> None:
    """Measure ours beside its peers in one run; what follows the name goes to the benchmark.

    `--all` takes half an hour on two cores, most of it for `reading`; `explain` wants a finished run of `demo`. A peer
    that is not installed is left out. Not part of it: `rehearsal` (hours) and benchmarks/worlds.py (an hour).
    """
    folder = PACKAGE.parent / "benchmarks"
    files = sorted([*folder.glob("bench_*.py"), *folder.glob("rehearsal.py")])
    there = {path.stem.removeprefix("bench_"): path for path in files}
    if everything:
        if name or context.args:
            _fail("--all runs every benchmark as it is: give nothing beside it")
        _bench_all(folder, [known for known in there if known != "rehearsal"])
        return
    if not name:
        for known, path in there.items():
            purpose, _, _ = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")
            console.print(f"{known:<12}{purpose}")
        return
    if name not in there:
        _fail(f"no benchmark '{name}': choose from {', '.join(there) or 'none, for this is not a checkout'}")
    raise typer.Exit(subprocess.run([sys.executable, str(there[name]), *context.args]).returncode)


@app.command()
def backbones(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the two models and the model card.")],
    seed: Annotated[int, typer.Option(help="Seed of the worlds that are trained on.")] = 1000,
    steps: Annotated[int | None, typer.Option(help="Stop each training after so many steps.")] = None,
) -> None:
    """Train the embedded CLIP and GPT-2 on demo worlds of other seeds (an hour on two cores)."""
    from showcase_utils.backbones.training import train_backbones

    train_backbones(output, seed=seed, max_steps=steps)


def _bench_all(folder: Path, names: list[str]) -> None:
    """Every benchmark in a process of its own, then the table; ends with exit code 1 where one of them failed."""
    failed = []
    for number, name in enumerate(names, 1):
        console.print(f"{number} of {len(names)}: {name}")
        started = time.perf_counter()
        if subprocess.run([sys.executable, str(folder / f"bench_{name}.py")]).returncode:
            failed.append(name)
        console.print(f"{(time.perf_counter() - started) / 60:.1f} minutes")
    if subprocess.run([sys.executable, str(folder / "summary.py")]).returncode:
        failed.append("the table")
    if failed:
        _fail(f"failed: {', '.join(failed)}; the reasons stand above, and the table keeps what was found before")


def _stage_table(store: Artifacts, verify: bool = False) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("stage", "made by", "state"):
        table.add_column(column)
    for column in ("seconds", "MB"):
        table.add_column(column, justify="right")
    table.add_column("device")
    table.add_column("why")
    for row in store.statuses(verify=verify).values():
        seconds, device = row.manifest.get("seconds"), row.manifest.get("device")
        table.add_row(
            row.stage,
            STAGES[row.stage].notebook,
            row.state,
            f"{seconds:.1f}" if seconds is not None else "",
            f"{row.bytes / 1e6:.1f}" if row.bytes is not None else "",
            device or "",
            row.why,
        )
    return table


def _verify_photos(folder: Path, shown: int = 20) -> None:
    """Says which downloaded photos are not what was stored. A folder without an index has nothing to compare with."""
    from showcase_utils.photos.folder import damaged_photos
    from showcase_utils.photos.index import has_index

    if not has_index(folder):
        console.print(f"photos     {folder}: no index, so no sha256 to compare with")
        return
    wrong = damaged_photos(folder, console.is_terminal)
    console.print(f"photos     {folder}: {len(wrong):,} damaged" if wrong else f"photos     {folder}: all as stored")
    for words in wrong[:shown]:
        console.print(f"  {words}")
    if wrong:
        more = f"{len(wrong) - shown:,} more; " if len(wrong) > shown else ""
        _fail(f"{more}delete these files: `showcase download photos` then fetches them anew")


def _photo_table(counts: dict[str, int]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("status")
    table.add_column("photos", justify="right")
    table.add_column("share", justify="right")
    for status, number in counts.items():
        table.add_row(status, f"{number:,}", f"{number / max(1, sum(counts.values())):.2%}")
    return table


class _Running:
    """The line of a run: the notebook, its cell, and the bar of what that cell is doing."""

    def __init__(self, status: Status) -> None:
        self.status, self.where = status, ""

    def cell(self, name: str, cell: int, cells: int) -> None:
        self.where = f"{name}: cell {cell} of {cells}"
        self.progress("")

    def progress(self, line: str) -> None:
        self.status.update(console.render_str(f"{self.where} · {line}" if line else self.where))


def _ids(given: list[str], reader: str, place: str) -> dict[str, str]:
    """The ids of a command line, by ``USER`` and ``BUSINESS``; none of what the options ``reader`` and ``place`` bring.

    Ends where somebody or somewhere is missing, or there twice.
    """
    wanted = [one for one, option in (("USER", reader), ("BUSINESS", place)) if not option]
    if missing := wanted[len(given) :]:
        ways = {
            "USER": "a reader is missing: USER, --history FILE or --photos FOLDER",
            "BUSINESS": "a place is missing: BUSINESS, or --candidates FOLDER",
        }
        _fail("; ".join(ways[one] for one in missing))
    if len(given) > len(wanted):
        if reader and place:
            _fail(f"{reader} and {place} say already who reads and where: leave out {' '.join(given)}")
        if reader:
            _fail(f"USER {given[0]} and {reader} are two readers: leave one out")
        _fail(f"BUSINESS {given[1]} and {place} are two places: leave one out")
    return dict(zip(wanted, given, strict=True))


def _read_history(path: Path) -> list[str]:
    """The lines of a text file; ends where it is none."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        why = f"not a text in UTF-8 ({error.reason} at byte {error.start})"
    except OSError as error:
        why = str(error.strerror)
    _fail(f"--history {path}: {why}; give a text file with a review a line, photos with --photos FOLDER")


def _refuse_output(path: Path) -> None:
    """Ends, before anything long is begun, for a file that could not be written."""
    if path.is_dir():
        _fail(f"{path} is a folder: give the name of a file to write")
    if not path.parent.is_dir():
        _fail(f"{path}: there is no folder {path.parent}")


def _here(model: str) -> str:
    """A folder's whole path; a hub's name as it is."""
    return str(Path(model).expanduser().resolve()) if Path(model).expanduser().is_dir() else model


def _fail(message: str) -> NoReturn:
    PlainConsole(stderr=True).print(f"showcase: {message}")
    raise typer.Exit(1)


if __name__ == "__main__":
    app()
