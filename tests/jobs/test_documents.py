"""What the documents say is so: each verb and option is the command's own, each file is there.

Read are README.md, the pages in jobs/ and cluster/, and the head of each config file in jobs/.
Verbs are held against their own `--help`, and parsed as the command parses them; no verb is run.
"""

from __future__ import annotations

import functools
import itertools
import pydoc
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import lungseg
from jobs.command import app
from jobs.options import settings_of
from lungseg import rle
from lungseg.prediction.flags import FLAGS
from lungseg.prediction.parts import SCHEMA, write_part
from lungseg.resolve import describe, resolve, value_of
from lungseg.training.history import COLUMNS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("jobs/*.md")), *sorted(ROOT.glob("cluster/*.md"))]
CONFIGS = sorted(ROOT.glob("jobs/*.yaml"))
COMMAND: Any = typer.main.get_command(app)
OPTION = re.compile(r"--[a-z][a-z-]*")
SETTINGS = {name for name, _ in describe()}
STAND_INS = {"N": "3", "PX": "64", "VERB": "run"}
"""What a document writes for a number or a verb, and one that will do."""
EXAMPLES = {"lungseg/datasets/clinic.py"}
"""Files that a document tells how to make."""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def read(name: str) -> str:
    return (ROOT / name).read_text()


def shell_lines(path: Path) -> list[str]:
    """Lines of the shell blocks of a page, or of the head of a config file."""
    text = path.read_text()
    if path.suffix == ".yaml":
        head = itertools.takewhile(lambda line: line.startswith("#"), text.splitlines())
        return [line[1:].strip() for line in head if line.startswith("#   ")]
    blocks = re.findall(r"^```(?:bash|sh|console)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return "\n".join(blocks).replace("\\\n", " ").splitlines()


def inline_lines(path: Path) -> list[str]:
    """Commands within the sentences of a page, without those that are names alone."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"`([^`]+)`", text)
    return [" ".join(line.split()) for line in found if re.match(r"lungseg [a-z]", line)]


def commands(line: str) -> Iterator[list[str]]:
    """The words after `lungseg` of each call in a line, however it is started."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&")
    lexer.whitespace_split = True
    for ends, part in itertools.groupby(lexer, key=lambda word: not word.strip("|;&")):
        words = [] if ends else list(part)
        # Elsewhere it is the name of a namespace.
        for place, word in enumerate(words if words[:1] != ["kubectl"] else []):
            if word == "lungseg" or word.endswith("lungseg.sbatch"):
                yield words[place + 1 :]
                break
            if word == "-m" and words[place + 1].startswith("jobs."):
                verb = words[place + 1].removeprefix("jobs.")
                yield ([] if verb == "command" else [verb]) + words[place + 2 :]
                break


ALL = [
    pytest.param(words, whole, id=f"{name_of(path)}: {' '.join(words)}")
    for path in (*PAGES, *CONFIGS)
    for lines, whole in ((shell_lines(path), True), (inline_lines(path), False))
    for line in lines
    for words in commands(line)
]


def test_the_documents_hold_commands() -> None:
    assert len(ALL) > 40
    pages = {"README.md", "cluster/README.md"}
    pages |= {f"jobs/{name}.md" for name in ("submitting", "searching", "inference")}
    assert {name_of(path) for path in PAGES} >= pages
    assert all(f"]({page})" in read("README.md") for page in pages - {"README.md"})


@pytest.mark.parametrize(("words", "whole"), ALL)
def test_verbs_and_options_are_the_commands_own(words: list[str], whole: bool) -> None:
    verb, rest = verb_of(words)
    options = {option for word in rest if word[0] in "-[" for option in OPTION.findall(word)}
    known = options_of(*verb)
    if verb == ["submit"] and rest:
        # All but its own options are those of the verb that is submitted.
        submitted = parse(verb, rest)
        known = known | options_of(submitted.params["verb"])
        verb, rest = [submitted.params["verb"]], submitted.args
    assert options <= known, f"not in the help: {options - known}"
    if whole and "--help" not in rest:
        parse(verb, rest)


def verb_of(words: list[str]) -> tuple[list[str], list[str]]:
    """The verb (two words under `jobs`), and what follows it."""
    command, found = COMMAND, 0
    for word in words:
        if word not in getattr(command, "commands", {}):
            break
        command = command.commands[word]
        found += 1
    assert found or words[:1] in ([], ["--help"], ["VERB"]), f"there is no verb {words[0]}"
    return words[:found], words[found:]


@functools.cache
def options_of(*verb: str) -> set[str]:
    """The options that `lungseg VERB --help` shows."""
    shown = CliRunner().invoke(app, [*verb, "--help"], env={"COLUMNS": "400"})
    assert shown.exit_code == 0, shown.output
    return set(OPTION.findall(shown.output))


def parse(verb: list[str], rest: list[str]) -> Any:
    """Parse as the command does: unknown and missing options, and wrong values, are errors."""
    command = COMMAND
    for word in verb:
        command = command.commands[word]
    words = [STAND_INS.get(word, word) for word in rest if word != "…"]
    context = command.make_context(" ".join(verb), words)
    config = context.params.get("config")
    own = str(ROOT / config) if config and (ROOT / config).exists() else None
    context.params["config"] = own
    settings_of(context)
    return context


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_settings_in_the_text_are_known(path: Path, tmp_path: Path) -> None:
    text = path.read_text()
    sections = "|".join(sorted({name.partition(".")[0] for name in SETTINGS}))
    named = re.findall(r"--set ([a-z_]+\.[a-z_]+)=", text)
    named += re.findall(rf"`((?:{sections})\.(?!json|csv|yaml|py)[a-z_]+)`", text)
    for name in named:
        assert name in SETTINGS, name
    for block in re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        (tmp_path / "config.yaml").write_text(block)
        resolve(config=str(tmp_path / "config.yaml"))


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_defaults_in_the_tables_are_those_of_the_settings(path: Path) -> None:
    """The first word of the second column; what follows it is the unit, or a remark."""
    fields = dict(describe())
    for name, told in re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| (\S+)", path.read_text(), re.M):
        value = "''" if told == "empty" else told
        stated = value_of(resolve(assignments=[f"{name}={value}"]), name)
        assert stated == fields[name].get_default(call_default_factory=True), name


@pytest.mark.parametrize("path", CONFIGS, ids=name_of)
def test_config_files_resolve_and_tell_their_command(path: Path) -> None:
    resolve(config=str(path))
    assert any(True for line in shell_lines(path) for _ in commands(line))


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_files_and_links_are_there(path: Path) -> None:
    text = path.read_text()
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    for link in links:
        target, _, anchor = link.partition("#")
        page = path.parent / target if target else path
        assert page.exists(), link
        assert not anchor or anchor in anchors(page), link
    named = re.findall(r"(?<![\w/.-])((?:jobs|cluster|lungseg|tests)/[\w./-]*)", text)
    for name in {name.rstrip(".") for name in named} - EXAMPLES:
        assert (ROOT / name).exists(), name


def anchors(path: Path) -> set[str]:
    """What a link to a heading of a page is written as."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_the_columns_and_flags_of_the_pages_are_all() -> None:
    named = {
        page: set(re.findall(r"`([\w-]+)`", read(f"jobs/{page}.md")))
        for page in ("inference", "searching")
    }
    assert named["inference"] >= {*SCHEMA.names, *FLAGS}
    assert named["searching"] >= {*COLUMNS}


def test_the_example_that_reads_predictions_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(
        r"^```python\n(.*?)^```", read("jobs/inference.md"), re.DOTALL | re.MULTILINE
    )
    lung = np.tri(4, 6, dtype=bool)
    row = {"image_id": "turned", "left_rle": rle.encode(lung), "right_rle": "", "agreement": 0.9}
    (tmp_path / "OUT").mkdir()
    write_part(str(tmp_path / "OUT" / "part-000000.parquet"), [row | {"height": 4, "width": 6}], [])
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)
    assert (names["left_lung"] == lung).all()


def test_the_reference_holds_all_public_names() -> None:
    reference = pydoc.plain(pydoc.render_doc(lungseg))
    for name in lungseg.__all__:
        assert re.search(rf"^    (class )?{name}\(", reference, re.MULTILINE), name
        assert (getattr(lungseg, name).__doc__ or "").strip(), name
        assert f"`{name}`" in read("README.md"), name


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_extras_are_those_of_the_package(path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for names in re.findall(r'(?:"\.|lungseg)\[([\w,-]+)\]', path.read_text()):
        assert set(names.split(",")) <= project["optional-dependencies"].keys(), names
