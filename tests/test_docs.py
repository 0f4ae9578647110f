"""The pages: their tables are the package's, their Python runs, their links and commands exist."""

from __future__ import annotations

import ast
import importlib.util
import re
import runpy
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest
import torch

from isthmus.cli.main import cli
from isthmus.data import DataSpec
from isthmus.errors import IsthmusError, UnknownNameError
from isthmus.recipes import build_recipe, recipe_options
from isthmus.registry import RECIPES, Registry

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
TEXT = {path.name: path.read_text(encoding="utf-8") for path in PAGES}
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^|`|\$ |--no-python )(isthmus [a-z]+[^`\n]*)", re.MULTILINE)
SHOWN = re.compile(r"--[a-z][a-z-]+|(?<= )-[a-z]\b")


@pytest.fixture
def registries() -> Iterator[None]:
    """What a page registers is forgotten with it."""
    list(RECIPES)
    before = {kind: dict(registry._entries) for kind, registry in Registry._all.items()}
    yield
    for kind, entries in before.items():
        Registry._all[kind]._entries = entries


def module_at(path: Path) -> Any:
    """A Python file that belongs to no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tables() -> Any:
    return module_at(DOCS / "make_tables.py")


@pytest.mark.parametrize("name", TEXT)
def test_tables_are_the_packages(name: str, tables: Any) -> None:
    assert tables.filled(TEXT[name]) == TEXT[name], "run: python docs/make_tables.py"


def test_every_table_is_shown(tables: Any) -> None:
    shown = {
        found[2].partition(":")[0]
        for text in TEXT.values()
        for found in tables.BLOCK.finditer(text)
    }
    assert shown == set(tables.TABLES)


def hurried(code: str) -> str:
    """The same with the least of each budget."""
    return re.sub(r"\bepochs=\d+", "epochs=1", code)


@pytest.mark.parametrize("name", [name for name, text in TEXT.items() if PYTHON.search(text)])
def test_python_runs(
    name: str, registries: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All blocks of a page, one after the other, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    script = tmp_path / f"{Path(name).stem}.py"
    script.write_text(hurried("\n".join(PYTHON.findall(TEXT[name]))), encoding="utf-8")
    runpy.run_path(str(script))


def test_the_refusal_is_quoted_as_it_is() -> None:
    """The page on encode modes shows what a plain autoencoder says of argmax."""
    built = build_recipe("ae", DataSpec("table", (4,), "real", 3), latent_dim=2)
    with pytest.raises(IsthmusError) as refused:
        built.model.encode(torch.zeros(1, 4), mode="argmax")
    assert str(refused.value) in " ".join(TEXT["encode-modes.md"].split())


def templates(tree: ast.Module) -> set[str]:
    """What a module says: its literals and f-strings but for docstrings, a gap for what is filled
    in."""
    told, apart = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [v.value if isinstance(v, ast.Constant) else "\0" for v in node.values]
            told.add("".join(map(str, parts)))
            apart |= {id(value) for value in node.values}
        if isinstance(node, ast.Expr):
            apart.add(id(node.value))
    alone = (n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in apart)
    return told | {node.value for node in alone if isinstance(node.value, str)}


def quoted_messages() -> list[str]:
    cells = re.findall(r"^\| `(.+?)` \|", TEXT["troubleshooting.md"], re.MULTILINE)
    return [cell.replace("\\|", "|") for cell in cells]


@pytest.fixture(scope="module")
def said() -> set[str]:
    trees = (ast.parse(path.read_text("utf-8")) for path in (ROOT / "src").rglob("*.py"))
    with pytest.raises(UnknownNameError) as unknown:
        RECIPES["bvae"]
    # One is put together of pieces, and one has click's own words.
    return {str(unknown.value), "No such option"}.union(*map(templates, trees))


@pytest.mark.parametrize("message", quoted_messages())
def test_messages_are_the_packages(message: str, said: set[str]) -> None:
    """Nearly half of every message that is quoted stands in one that the sources have."""
    width = min(10, len(message))
    stretches = {message[start : start + width] for start in range(len(message) - width + 1)}
    alike = (text for text in said if any(stretch in text for stretch in stretches))
    assert max(map(partial(shared, message), alike), default=0) > 0.45 * len(message)


def shared(message: str, text: str) -> int:
    """How many characters of a message stand in a text, in stretches of four or more."""
    blocks = SequenceMatcher(None, text, message, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks if block.size >= 4)


def anchors(text: str) -> set[str]:
    """The addresses of a page's headings, as Markdown's table of contents makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", text), re.MULTILINE)
    return {
        re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())
        for heading in headings
    }


@pytest.mark.parametrize("name", TEXT)
def test_links_lead_somewhere(name: str) -> None:
    for link in LINK.findall(FENCED.sub("", TEXT[name])):
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        path = (DOCS / target) if target else DOCS / name
        assert path.exists(), link
        assert path.is_relative_to(DOCS), f"{link} leaves the pages that are published"
        if anchor:
            assert anchor in anchors(TEXT[path.name]), link


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(r"^  - [^:]+: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(TEXT)
    linked = re.findall(r"^\d+\. \[[^\]]+\]\((\S+\.md)\)", TEXT["index.md"], re.MULTILINE)
    assert ["index.md", *linked] == listed


def test_every_recipe_has_a_section() -> None:
    sections = re.findall(r"^## ([\w-]+)$", TEXT["recipes.md"], re.MULTILINE)
    assert sorted(sections) == sorted(entry.name for entry in RECIPES)
    for section in sections:
        body = TEXT["recipes.md"].split(f"## {section}\n")[1].split("\n## ")[0]
        for part in ("**Story.**", "**Use it**", "**Limits.**", f"options: {section} -->"):
            assert part in body, f"{section} lacks {part}"


def commands() -> list[str]:
    found = [line for text in TEXT.values() for line in COMMAND.findall(text)]
    return sorted({line.partition("  ")[0].strip() for line in found})


@pytest.mark.parametrize("line", commands())
def test_commands_and_options_exist(line: str) -> None:
    words = line.split()
    command = cli.get_command(click.Context(cli), words[1])
    assert command is not None
    known = {name for p in command.params for name in (*p.opts, *p.secondary_opts)} | {"--help"}
    assert set(SHOWN.findall(line)) <= known
    if "--recipe" in words:
        recipe = words[words.index("--recipe") + 1]
        assert recipe == "NAME" or recipe_options(recipe)


def test_contributing_draws_the_floors_there_are() -> None:
    """The table of floors is what `tests/test_floors.py` holds the package to."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    drawn = {
        unit: int(floor)
        for floor, units in re.findall(r"^\| (\d+) \| (.+) \|$", text, re.MULTILINE)
        for unit in re.findall(r"`(\w+)`", units)
    }
    floors = module_at(ROOT / "tests" / "test_floors.py").FLOORS
    package = ROOT / "src" / "isthmus"
    built = {
        unit for unit in floors if any(package.glob(f"{unit}.py")) or (package / unit).is_dir()
    }
    assert drawn == {unit: floors[unit] for unit in built}
