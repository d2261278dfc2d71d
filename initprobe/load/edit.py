"""Changes the ``init:`` section of a spec's text and leaves every other character, comments too, as it is.

YAML libraries that keep comments write a document anew. Here the places of the nodes are taken from PyYAML's marks, and
only the characters of what changes are replaced. Whatever cannot be changed that way is refused; whoever edits reads
the result again and compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from initprobe.errors import UsageError
from initprobe.load.init_text import init_flow, init_lines, override_text, overrides_flow, scheme_text
from initprobe.records import InitRequest

_BREAK = re.compile(r"\r\n|\n|\r")
_REST = re.compile(r"[ \t]*(#[^\r\n]*)?(?=\r\n|\n|\r|\Z)")
"""What may stand between the end of a value and the end of its line."""

BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters of a text that are replaced.

    Attributes:
        start, end: the first character, and the one behind the last; the same where something is put in between.
        text: what stands there afterwards.
    """

    start: int
    end: int
    text: str


class UneditableError(UsageError):
    """The text says this in a way that cannot be changed without touching something else."""


def edit_init(text: str, old: InitRequest, new: InitRequest) -> str:
    """The text with another ``init:`` section.

    Args:
        text: a document that has been read without an error.
        old: what it says now, with what it extends.
        new: what it is to say; overrides may differ in their schemes, or be more.

    Raises:
        UneditableError: it cannot be changed in place, with the reason.
    """
    return applied(text, init_edits(text, old, new))


def applied(text: str, edits: list[Edit]) -> str:
    """The text with its edits made, from the last to the first."""
    for edit in sorted(edits, key=lambda one: one.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def init_edits(text: str, old: InitRequest, new: InitRequest) -> list[Edit]:
    """What is to be replaced; arguments and errors are those of ``edit_init``."""
    shift = len(BOM) if text.startswith(BOM) else 0
    edits = list(_Editor(text[shift:]).edits(old, new))
    return [Edit(edit.start + shift, edit.end + shift, edit.text) for edit in edits]


class _Editor:
    """Knows where the nodes of one text are."""

    def __init__(self, text: str) -> None:
        self.text = text
        found = _BREAK.search(text)
        self.newline = found.group() if found else "\n"
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if not isinstance(root, yaml.MappingNode):
            raise UneditableError("the spec is no mapping")
        self.root = root

    def edits(self, old: InitRequest, new: InitRequest) -> Iterator[Edit]:
        entry = _entry(self.root, "init")
        if entry is None:
            yield self._section(_difference(old, new))
            return
        key, init = entry
        if not isinstance(init, yaml.MappingNode):
            if init.value:
                raise UneditableError("`init` is no mapping")
            yield Edit(init.start_mark.index, init.end_mark.index, " " + init_flow(_difference(old, new)))
            return
        if new.default != old.default and new.default is not None:
            default = _entry(init, "default")
            if default is None:
                yield self._insertion(key, init, "default", scheme_text(new.default))
            else:
                yield self._replacement(*default, scheme_text(new.default))
        if new.overrides != old.overrides:
            yield from self._overrides(key, init, old, new)

    def _overrides(self, key: yaml.Node, init: yaml.MappingNode, old: InitRequest, new: InitRequest) -> Iterator[Edit]:
        found = _entry(init, "overrides")
        if found is None:
            yield self._insertion(key, init, "overrides", overrides_flow(new.overrides))
            return
        items = found[1]
        if not isinstance(items, yaml.SequenceNode) or len(items.value) != len(old.overrides):
            raise UneditableError("its overrides are not written out as a list")
        for item, before, after in zip(items.value, old.overrides, new.overrides, strict=False):
            if before == after:
                continue
            scheme = _entry(item, "scheme") if isinstance(item, yaml.MappingNode) else None
            if scheme is None or (before.glob, before.layer_type) != (after.glob, after.layer_type):
                raise UneditableError("an override cannot be replaced in its place")
            yield self._replacement(*scheme, scheme_text(after.scheme))
        more = [override_text(one) for one in new.overrides[len(old.overrides) :]]
        if more:
            yield self._appended(items, more)

    def _replacement(self, key: yaml.Node, value: yaml.Node, text: str) -> Edit:
        """A value becomes another; one that spans lines moves up beside its key."""
        start, end = value.start_mark.index, self._end(value)
        block = isinstance(value, yaml.CollectionNode) and not value.flow_style
        if block:
            colon = self.text.index(":", key.end_mark.index)
            start, text = colon + 1, " " + text
        elif self.text[start - 1] == ":":
            text = " " + text
        replaced = self.text[start:end]
        if "${" in replaced:
            raise UneditableError("the value comes from a variable, which others may use, too")
        if "#" in replaced and isinstance(value, yaml.CollectionNode):
            raise UneditableError("a comment stands inside of what is to be replaced")
        return Edit(start, end, text)

    def _insertion(self, key: yaml.Node, mapping: yaml.MappingNode, name: str, value: str) -> Edit:
        """One more key of a mapping that has others, or none."""
        if mapping.flow_style and mapping.value and name != "default":
            start = self._end(mapping.value[-1][1])
            return Edit(start, start, f", {name}: {value}")
        if mapping.flow_style:
            start = mapping.start_mark.index + 1
            return Edit(start, start, f"{name}: {value}" + (", " if mapping.value else ""))
        indent = " " * mapping.start_mark.column
        between = self.text[key.end_mark.index : mapping.start_mark.index]
        if name == "default" and not between.strip(": \t\r\n"):
            start = mapping.start_mark.index
            return Edit(start, start, f"{name}: {value}{self.newline}{indent}")
        return self._line_after(mapping, [f"{indent}{name}: {value}"])

    def _appended(self, items: yaml.SequenceNode, texts: list[str]) -> Edit:
        if not items.flow_style:
            indent = " " * items.start_mark.column
            return self._line_after(items, [f"{indent}- {text}" for text in texts])
        joined = ", ".join(texts)
        if not items.value:
            start = items.start_mark.index + 1
            return Edit(start, start, joined)
        start = self._end(items.value[-1])
        return Edit(start, start, f", {joined}")

    def _section(self, init: InitRequest) -> Edit:
        """A section where there is none, behind the model's."""
        if self.root.flow_style:
            start = self.root.start_mark.index + 1
            return Edit(start, start, f"init: {init_flow(init)}, ")
        indent = " " * self.root.start_mark.column
        lines = [f"{indent}init:", *(f"{indent}  {line}" for line in init_lines(init))]
        model = _entry(self.root, "model")
        return self._line_after(model[1] if model is not None else self.root, lines)

    def _line_after(self, node: yaml.Node, lines: list[str]) -> Edit:
        """New lines below the one on which a node ends."""
        end = self._end(node)
        rest = _REST.match(self.text, end)
        if rest is None:
            raise UneditableError("something else stands on the line on which a new one would follow")
        return Edit(rest.end(), rest.end(), "".join(f"{self.newline}{line}" for line in lines))

    def _end(self, node: yaml.Node) -> int:
        """Behind the last character of a node; PyYAML ends a block collection where the next token begins."""
        if isinstance(node, yaml.ScalarNode):
            if node.style in ("|", ">"):
                raise UneditableError("a text over several lines stands there")
            return int(node.end_mark.index)
        if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
            return int(node.end_mark.index)
        last = node.value[-1]
        return self._end(last[1] if isinstance(last, tuple) else last)


def _entry(mapping: yaml.MappingNode, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    """A key and its value."""
    return next(((key, value) for key, value in mapping.value if key.value == name), None)


def _difference(old: InitRequest, new: InitRequest) -> InitRequest:
    """What a file has to say where it, or what it extends, says the old init."""
    return InitRequest(
        new.default if new.default != old.default else None,
        new.overrides if new.overrides != old.overrides else (),
        new.only if new.only != old.only else (),
    )
