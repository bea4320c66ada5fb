"""A third party's own form: Jinja2 templates, in a sandbox."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from jinja2 import StrictUndefined, TemplateError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from replicator.change import Operation, Row, encode
from replicator.errors import DeliveryStopped
from replicator.targets.files.formats.layout import FileColumn, Layout
from replicator.targets.files.formats.options import TemplateOptions, ValueOptions
from replicator.targets.files.formats.refusal import Unfit
from triggers.model import Table

_LINE = frozenset({"row", "op", "table", "columns"})
_HEAD = frozenset({"table", "columns"})
_FOOT = frozenset({"table", "columns", "count"})


class _RowOfFile:
    """A row in a template: its columns and nothing else, so that any name may be a column's."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)


class TemplateWriter:
    """`line` for each change, between `head` and `foot`.

    A line sees `row` (values by their names in the file: row.id, row["Order No"]), `op`, `table`
    and `columns`; the head `table` and `columns`; the foot `count` too. Values are what the source
    sent, or text where there is a pattern; NULL is none. `{{ }}` writes NULL as the null text.
    """

    errors = "strict"

    def __init__(
        self, layout: Layout, options: TemplateOptions, values: ValueOptions, table: Table
    ) -> None:
        """Raise `DeliveryStopped` when a template is wrong or names what is not there."""
        self.suffix = options.suffix
        self._layout = layout
        self._line_end = options.line_end
        self._common = {"table": table.name, "columns": tuple(layout.names)}
        self._environment = environment(values)
        names = layout.names
        place = f"the files of table {table.name}"
        for part, text, known in (
            ("line", options.line, _LINE),
            ("head", options.head, _HEAD),
            ("foot", options.foot, _FOOT),
        ):
            for problem in problems(self._environment, text, known, names):
                raise DeliveryStopped(
                    f"the template `{part}` for {place}: {problem}",
                    "Correct the target's template.",
                )
        self._line = self._environment.from_string(options.line)
        self._foot = self._environment.from_string(options.foot) if options.foot else None
        self.head = ""
        if options.head:
            head = self._environment.from_string(options.head)
            self.head = self._outside(head.render, self._common) + self._line_end
        self.foot(0)

    def render(self, operations: Sequence[Operation], rows: Sequence[Row]) -> str:
        """One line for each row."""
        columns = [
            [
                value
                if value is None or isinstance(value, bool) or self._natural(column, value)
                else column.text(value)
                for value in values
            ]
            for column, values in zip(
                self._layout.columns, self._layout.values(operations, rows), strict=True
            )
        ]
        names, words = self._layout.names, self._layout.words
        try:
            lines = [
                self._line.render(
                    self._common,
                    row=_RowOfFile(dict(zip(names, row, strict=True))),
                    op=words[operation],
                )
                for operation, row in zip(operations, zip(*columns, strict=True), strict=True)
            ]
        except Exception as error:  # noqa: BLE001 - the template is a program of the operator's
            raise Unfit(f"the template cannot be applied: {type(error).__name__}") from None
        return "".join(line + self._line_end for line in lines)

    def foot(self, count: int) -> str:
        """What the foot says below that many rows."""
        if self._foot is None:
            return ""
        return self._outside(self._foot.render, {**self._common, "count": count}) + self._line_end

    @staticmethod
    def _natural(column: FileColumn, value: Any) -> bool:
        if isinstance(value, str):
            return column.as_is
        return type(value) not in column.formed

    @staticmethod
    def _outside(render: Any, context: Mapping[str, Any]) -> str:
        try:
            return str(render(context))
        except Exception as error:
            raise DeliveryStopped(
                f"the template for head or foot fails: {type(error).__name__}: {error}",
                "Correct the target's template.",
            ) from error


def environment(values: ValueOptions) -> ImmutableSandboxedEnvironment:
    """Return an environment in which the same row always gives the same text."""

    def shown(value: Any) -> Any:
        if value is None:
            return values.null or ""
        if value is True:
            return values.true or "true"
        if value is False:
            return values.false or "false"
        if isinstance(value, Decimal):
            return format(value, "f")
        return encode(value).decode() if isinstance(value, list) else value

    sandbox = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, keep_trailing_newline=True, finalize=shown
    )
    del sandbox.filters["random"], sandbox.globals["lipsum"]
    sandbox.filters["json"] = lambda value: encode(value).decode()
    sandbox.filters["csv"] = lambda value: '"' + str(shown(value)).replace('"', '""') + '"'
    return sandbox


def problems(
    sandbox: ImmutableSandboxedEnvironment,
    text: str,
    known: frozenset[str],
    columns: Sequence[str] | None = None,
) -> Iterator[str]:
    """Yield what is wrong with a template; `columns`: those that `row` has, where known."""
    try:
        parsed = sandbox.parse(text)
        sandbox.compile(parsed)
    except TemplateError as error:
        yield f"{error}"
        return
    known = known | sandbox.globals.keys()
    for name in sorted(meta.find_undeclared_variables(sandbox.parse(text)) - known):
        yield f"there is no {name!r}; there are {', '.join(sorted(known - sandbox.globals.keys()))}"
    if columns is None:
        return
    for node in sandbox.parse(text).find_all((nodes.Getattr, nodes.Getitem)):
        member = _member(node)
        if member is not None and member not in columns:
            yield f"the row has no {member!r}"


def _member(node: nodes.Node) -> str | None:
    """The column that a node such as row.id or row["id"] asks for."""
    if not isinstance(node, (nodes.Getattr, nodes.Getitem)):
        return None
    if not isinstance(node.node, nodes.Name) or node.node.name != "row":
        return None
    if isinstance(node, nodes.Getattr):
        return node.attr
    return str(node.arg.value) if isinstance(node.arg, nodes.Const) else None


def check_template(options: TemplateOptions) -> Iterator[tuple[str, str]]:
    """Yield (part, problem) for what is wrong with templates whatever the tables are."""
    sandbox = environment(ValueOptions())
    for part, known in (("line", _LINE), ("head", _HEAD), ("foot", _FOOT)):
        for problem in problems(sandbox, getattr(options, part), known):
            yield part, re.sub(r"\s+", " ", problem)
