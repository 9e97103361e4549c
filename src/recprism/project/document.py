"""A YAML file as plain values that know their lines.

In comes a path, out goes a `Document`: mappings, lists and scalars, and the line of every key. The
one decision worth knowing: values are built from the node tree rather than by the YAML library's
constructors, so that no tag can run code, a repeated key is an error with both lines, and text that
only looks like something else stays text (`0012`, `2017-12-01`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from recprism.errors import ProjectError

FILE_NAME = "recprism.yaml"
MAX_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_VALUES = 100_000

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """The content of a project file and where each part of it stands.

    `data` holds only dict (with text keys), list, str, int, float, bool and None. `lines` maps the
    path of a key or list entry to its line, counted from 1.
    """

    file: Path
    data: dict[str, Any]
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def line_of(self, path: KeyPath) -> int | None:
        """Line of the key at `path`, or of the nearest part above it that the file has."""
        return nearest_line(self.lines, path)


def nearest_line(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    """The line of `path`, else of the nearest part above it, else None."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return None


def find_file(path: str | Path) -> Path:
    """The project file at `path`, which may be the file or its directory.

    Raises ProjectError when there is none.
    """
    path = Path(path)
    if path.is_file():
        return path
    file = path / FILE_NAME
    if path.is_dir() and file.is_file():
        return file
    if not path.exists():
        raise ProjectError(
            path, None, "there is no such file or directory.", "Run `recprism init` to make one."
        )
    other = path / "recprism.yml"
    hint = f"Rename `{other.name}` to `{FILE_NAME}`." if other.is_file() else ""
    raise ProjectError(
        path,
        None,
        f"the directory has no `{FILE_NAME}`.",
        hint or f"Run `recprism init {path}` to make one.",
    )


def read_document(file: Path) -> Document:
    """The content of `file` with lines. Raises ProjectError for anything but one YAML mapping."""
    node = _compose(file, _read_text(file))
    if node is None or _is_null(node):
        raise ProjectError(
            file, None, "the file is empty.", "Write at least `project`, `items` and `tasks`."
        )
    if not isinstance(node, MappingNode):
        raise ProjectError(
            file,
            node.start_mark.line + 1,
            "expected sections such as `project:` and `items:`, found "
            + ("a list." if isinstance(node, SequenceNode) else "a single value."),
        )
    builder = _Builder(file)
    data = builder.build(node, ())
    return Document(file, data, builder.lines)


def _read_text(file: Path) -> str:
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise ProjectError(
                file,
                None,
                f"the file has {size / 1e6:,.1f} MB, a project file has at most "
                f"{MAX_BYTES / 1e6:.0f} MB.",
                "Is this the data? Name it under `source:` instead.",
            )
        raw = file.read_bytes()
    except OSError as error:
        raise ProjectError(file, None, f"cannot be read: {error.strerror}.") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ProjectError(
            file,
            line,
            f"byte 0x{raw[error.start]:02x} is not UTF-8.",
            "Save the file as UTF-8 text.",
        ) from error


def _compose(file: Path, text: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = MAX_DEPTH
    yaml.composer.warn_double_anchors = False
    try:
        node: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else None
        raise ProjectError(file, line, f"not valid YAML: {_plain(error)}.") from error
    except YAMLError as error:
        position = getattr(error, "position", 0)
        line = text.count("\n", 0, position) + 1
        raise ProjectError(
            file, line, f"not valid YAML: character {text[position]!r} is not allowed."
        ) from error
    except RecursionError as error:
        raise ProjectError(file, None, "not valid YAML: nested too deeply.") from error
    return node


def _plain(error: MarkedYAMLError) -> str:
    """The library's words, with the commonest causes in ours."""
    problem = str(error.problem or error.context).strip()
    if "\\t" in problem:
        return "a tab stands where spaces are expected"
    if "mapping values are not allowed" in problem:
        return "a `:` stands where none is expected; check the indentation, or quote the text"
    if "another document" in problem:
        return "a second document begins at `---`, one is expected"
    if "maximum depth" in problem:
        return f"nested deeper than {MAX_DEPTH} levels"
    return problem


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and str(node.tag).endswith(":null")


class _Builder:
    """Turns nodes into plain values, noting the line of each path."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.lines: dict[KeyPath, int] = {}
        self.open: list[int] = []

    def fail(self, node: Node, problem: str, hint: str = "") -> ProjectError:
        return ProjectError(self.file, node.start_mark.line + 1, problem, hint)

    def build(self, node: Node, path: KeyPath) -> Any:
        """The value of `node`; aliases are followed, but neither in circles nor without end."""
        if id(node) in self.open:
            raise self.fail(node, f"the anchor `&{node.anchor}` holds itself.")
        if len(self.lines) > MAX_VALUES:
            raise self.fail(node, f"the file has more than {MAX_VALUES:,} values.")
        self._refuse_tag(node)
        if isinstance(node, ScalarNode):
            return _scalar(node)
        self.open.append(id(node))
        if isinstance(node, MappingNode):
            value: Any = dict(self._pairs(node, path))
        else:
            value = []
            for n, child in enumerate(node.value):
                self.lines[(*path, n)] = child.start_mark.line + 1
                value.append(self.build(child, (*path, n)))
        self.open.pop()
        return value

    def _pairs(self, node: MappingNode, path: KeyPath) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key_node, child in node.value:
            if not isinstance(key_node, ScalarNode):
                raise self.fail(key_node, "a key must be text, found a list or mapping.")
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in seen:
                raise self.fail(
                    key_node,
                    f"the key `{key}` stands here twice, first on line {seen[key]}.",
                    "Remove one of the two.",
                )
            seen[key] = line
            self.lines[(*path, key)] = line
            yield key, self.build(child, (*path, key))

    def _refuse_tag(self, node: Node) -> None:
        tag = str(node.tag)
        if not tag.startswith("tag:yaml.org,2002:") or "/" in tag:
            shown = tag.replace("tag:yaml.org,2002:", "!!")
            raise self.fail(node, f"the tag `{shown}` is not known here.", "Remove the tag.")


def _scalar(node: ScalarNode) -> Any:
    text = str(node.value)
    kind = str(node.tag).rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in ("true", "yes", "on", "y")
    digits = text.lstrip("+-")
    if kind == "int" and not (len(digits) > 1 and digits[0] == "0" and digits[1:].isdigit()):
        try:
            return int(text, 0) if digits.startswith("0") else int(text)
        except ValueError:
            return text
    if kind == "float":
        try:
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            return text
    return text
