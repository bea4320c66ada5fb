"""What is said about a wrong file: one line each, with key path, reason and a way out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from replicator.config import ConfigError, load

Problems = Callable[..., list[str]]

SHOP_URL = "postgresql://replicator@db.internal/shop"
CRM_URL = "mysql://sync@crm.example/crm"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            'type = "backup"',
            'type = "backup"\npaht = "x"',
            "targets.backup.paht: unknown key (did you mean 'path'?)",
        ),
        (
            "[sources.shop]",
            "[source.x]\n[sources.shop]",
            "source: unknown key (did you mean 'sources'?)",
        ),
        (
            "[targets.crm]",
            'shema = "x"\n[targets.crm]',
            "sources.shop.shema: unknown key (did you mean 'schema'?)",
        ),
        (
            "[targets.crm]",
            '[sources.shop.tables."public.orders"]\nexclud = []\n[targets.crm]',
            "sources.shop.tables.\"public.orders\".exclud: unknown key (did you mean 'exclude'?)",
        ),
        ("[targets.crm]", "zzz = 1\n[targets.crm]", "sources.shop.zzz: unknown key"),
        (
            'name = "orders"',
            'name = "orders"\nshedule = "realtime"',
            "routes.\"orders\".shedule: unknown key (did you mean 'schedule'?)",
        ),
        (
            'name = "orders"',
            'nam = "orders"',
            "routes[0].name: required key is missing",
        ),
        (
            'type = "sql"',
            "",
            "targets.crm.type: required key is missing (one of sql, files, backup, handler)",
        ),
        (
            'type = "sql"',
            'type = "file"',
            "targets.crm.type: unknown target type 'file' (did you mean 'files'?)",
        ),
        (
            'type = "sql"',
            'type = "kafka"',
            "targets.crm.type: unknown target type 'kafka' (one of sql, files, backup, handler)",
        ),
        (
            'name = "orders"',
            'name = "orders"\nschema_changes = "aply"',
            "routes.\"orders\".schema_changes: must be 'stop', 'ignore' or 'apply'"
            " (did you mean 'apply'?)",
        ),
        ('"var/backup"', "7", "targets.backup.path: must be a string"),
        ('"var/backup"', '""', "targets.backup.path: must not be empty"),
        (
            "[targets.crm]",
            "batch_rows = 0\n[targets.crm]",
            "sources.shop.batch_rows: must be greater than or equal to 1",
        ),
        (
            "[targets.crm]",
            'batch_rows = "5"\n[targets.crm]',
            "sources.shop.batch_rows: must be a whole number",
        ),
        (
            "[targets.crm]",
            '[sources.shop.tables."public.orders"]\nalways = 1\n[targets.crm]',
            'sources.shop.tables."public.orders".always: must be true or false',
        ),
        (
            "[targets.crm]",
            '[sources.shop.tables."public.orders"]\nbefore = "all"\n[targets.crm]',
            "sources.shop.tables.\"public.orders\".before: must be 'key' or 'full'",
        ),
        (
            "[targets.crm]",
            '[sources.shop.tables."public.orders"]\nkey = []\n[targets.crm]',
            'sources.shop.tables."public.orders".key: '
            "must be the name of a unique key, or an array of its columns",
        ),
        (
            "[targets.crm]",
            '[sources.shop.tables."public.orders"]\nkey = ["id"]\nexclude = ["id"]\n[targets.crm]',
            "sources.shop.tables.\"public.orders\".exclude: column 'id' is part of the key",
        ),
        (
            'source = "shop"',
            'source = "shpo"',
            "routes.\"orders\".source: unknown source 'shpo' (did you mean 'shop'?)",
        ),
        (
            'source = "shop"',
            'source = "warehouse"',
            "routes.\"orders\".source: unknown source 'warehouse' (known: shop)",
        ),
        (
            '"partner", "backup"]',
            '"partners", "backup"]',
            "routes.\"orders\".targets[1]: unknown target 'partners' (did you mean 'partner'?)",
        ),
        (
            '"partner", "backup"]',
            '"partner", "crm"]',
            "routes.\"orders\".targets: 'crm' is named 2 times",
        ),
        (
            '"public.order_lines"]',
            '"public.orders"]',
            "routes.\"orders\".tables: 'public.orders' is named 2 times",
        ),
        ('"public.order_lines"]', '""]', 'routes."orders".tables[1]: must not be empty'),
        (
            'tables = ["public.orders", "public.order_lines"]',
            "tables = []",
            'routes."orders".tables: must not be empty',
        ),
        (
            'source = "shop"',
            'source = "shop"\ninto = { "public.order" = "x" }',
            'routes."orders".into."public.order": not one of the route\'s tables '
            "(did you mean 'public.orders'?)",
        ),
        (
            "[targets.crm]",
            '[sources.shop.tables."public.ordres"]\n[targets.crm]',
            'sources.shop.tables."public.ordres": no route takes this table '
            "(did you mean 'public.orders'?)",
        ),
        (
            'name = "orders"',
            'name = "new orders"',
            "routes[0].name: 'new orders' cannot be a name "
            "(up to 64 letters, digits, _ . - and no other characters)",
        ),
        (
            "[targets.crm]",
            '[sources."a/b"]\nurl = "sqlite:///a.db"\n[targets.crm]',
            "sources.\"a/b\": 'a/b' cannot be a name "
            "(up to 64 letters, digits, _ . - and no other characters)",
        ),
        (
            'source = "shop"',
            'source = "shop"\nschedule = "evry 5m"',
            "routes.\"orders\".schedule: cannot read the schedule 'evry 5m' "
            '(write "realtime", "every 30m" or "cron 0 * * * *")',
        ),
        (
            "file:outgoing",
            "ftps://drop:pw@ftp.example/outgoing",
            "targets.partner.url: the URL holds a password (give it in the key `password`)",
        ),
        (
            "[targets.backup]",
            'tls = "implicit"\n[targets.backup]',
            "targets.partner.tls: is for ftps targets, not for file",
        ),
        (
            'url = "file:outgoing"',
            'url = "sftp://u@h/x"\ntls = "implicit"',
            "targets.partner.tls: is for ftps targets, not for sftp",
        ),
        (
            'url = "file:outgoing"',
            'url = "sftp://u@h/x"\nhost_key = "MD5:00:11"',
            "targets.partner.host_key: is not a fingerprint "
            "(write SHA256:..., as `ssh-keygen -lf` shows it)",
        ),
        (
            'url = "file:outgoing"',
            f'url = "sftp://u@h/x"\nknown_hosts = "k"\nhost_key = "SHA256:{"a" * 43}"',
            "targets.partner.host_key: there is `known_hosts` too (keep one of the two)",
        ),
        (
            'url = "file:outgoing"',
            'url = "sftp://u@h/x"\npassphrase = "x"',
            "targets.partner.passphrase: there is no `key` that it could be for",
        ),
        (
            "[targets.backup]",
            'format = {type = "csv", delimeter = ";"}\n[targets.backup]',
            "targets.partner.format.delimeter: unknown key (did you mean 'delimiter'?)",
        ),
        (
            "[targets.backup]",
            'format = {delimiter = ";"}\n[targets.backup]',
            "targets.partner.format.type: required key is missing "
            "(one of csv, tsv, jsonl, fixed, xml, template)",
        ),
        (
            "[targets.backup]",
            'format = {type = "csv", quote = ","}\n[targets.backup]',
            "targets.partner.format.quote: is the delimiter too",
        ),
        (
            "[targets.backup]",
            'format = {type = "template", line = "{{ rwo.id }}"}\n[targets.backup]',
            "targets.partner.format: line: there is no 'rwo'; there are columns, op, row, table",
        ),
        (
            "[targets.backup]",
            'format = {type = "template", line = "{{ row.id"}\n[targets.backup]',
            "targets.partner.format: line: unexpected end of template, expected "
            "'end of print statement'.",
        ),
        (
            "[targets.backup]",
            'format = {type = "fixed"}\ncolumns.orders.id = "id"\n[targets.backup]',
            'targets.partner.columns: "id" of orders needs a width '
            '("id" = { column = "id", width = 10 })',
        ),
        (
            "[targets.backup]",
            'columns.orders.id = {colum = "id", column = "id"}\n[targets.backup]',
            "targets.partner.columns.orders.id.colum: unknown key (did you mean 'column'?)",
        ),
        (
            "[targets.backup]",
            'columns."public.order".id = "id"\n[targets.backup]',
            'targets.partner.columns."public.order": no route sends this table here '
            "(did you mean 'public.orders'?)",
        ),
        (
            "[targets.backup]",
            'format = {type = "fixed"}\n[targets.backup]',
            "targets.partner: table 'public.orders' needs columns "
            '([targets.partner.columns."public.orders"], with a width for each)',
        ),
        (
            "[targets.backup]",
            "operation.position = 0\n[targets.backup]",
            'targets.partner.operation.position: must be "first", "last", "none", or a number '
            "from 1",
        ),
        (
            "[targets.backup]",
            'operation.words.X = "new"\n[targets.backup]',
            "targets.partner.operation.words.X: must be 'I', 'U', 'D' or 'T'",
        ),
        (
            "[targets.backup]",
            'operations = ["I", "I"]\n[targets.backup]',
            "targets.partner.operations: names an operation twice",
        ),
        (
            "[targets.backup]",
            'values.date = "%q"\n[targets.backup]',
            "targets.partner.values.date: the pattern '%q' has %q, which is not known "
            "(known are %Y %y %m %b %d %H %I %p %M %S %f %3f %z %%)",
        ),
        (
            "[targets.backup]",
            'values.null = ","\n[targets.backup]',
            "targets.partner.values: null holds a delimiter or line end",
        ),
        (
            "[targets.backup]",
            'values = {decimal_mark = ",", group_mark = ","}\n[targets.backup]',
            "targets.partner.values.group_mark: is the decimal mark too",
        ),
        (
            "[targets.backup]",
            'encoding = "punycode"\n[targets.backup]',
            "targets.partner.encoding: unknown text encoding 'punycode' "
            "(for example utf-8, gb18030, cp1252)",
        ),
        (
            "[targets.backup]",
            'format = "cvs"\n[targets.backup]',
            "targets.partner.format.type: unknown format 'cvs' (did you mean 'csv'?)",
        ),
        (
            "[targets.backup]",
            'window = "7h"\n[targets.backup]',
            "targets.partner.window: the window '7h' does not divide a day, nor is it of whole"
            " days, 31 at most",
        ),
        (
            "[targets.backup]",
            'timezone = "Asia/Shanghai"\n[targets.backup]',
            "targets.partner.timezone: there is no `window` that it could be for",
        ),
        (
            "[targets.backup]",
            "roll_rows = 10\n[targets.backup]",
            "targets.partner.name: the name pattern '{table}_{batch:012d}.csv' needs {seq}: files"
            " are rolled by size",
        ),
        (
            "[targets.backup]",
            'manifest = "m"\n[targets.backup]',
            "targets.partner.manifest: the name pattern 'm' needs {batch}",
        ),
        (
            "[targets.backup]",
            'window = "1h"\nmanifest = "{window:%H}"\n[targets.backup]',
            "targets.partner.manifest: the name pattern '{window:%H}' gives two windows the same"
            " name: it needs {window} with date and time, such as {window:%Y%m%d%H%M}",
        ),
        (
            "[targets.backup]",
            'snapshot_name = "{table}_{time:%Y%m%d}.csv"\n[targets.backup]',
            "targets.partner.snapshot_name: the name pattern '{table}_{time:%Y%m%d}.csv' gives two"
            " snapshots the same name: it needs {time} with date and time, such as"
            " {time:%Y%m%dT%H%M%SZ}",
        ),
        (
            "[targets.backup]",
            'snapshot_manifest = "{batch}"\n[targets.backup]',
            "targets.partner.snapshot_manifest: the name pattern '{batch}' gives two snapshots the"
            " same name: it needs {time} with date and time, such as {time:%Y%m%dT%H%M%SZ}",
        ),
        (
            "[targets.backup]",
            'snapshot_name = "{time}.csv"\n[targets.backup]',
            "targets.partner.snapshot_name: files of two tables get one name (put {table} into it)",
        ),
        (
            "[targets.backup]",
            'window = "1h"\nname = "{table}_{window:%Y%m%d%H%M%S}.csv"\n'
            'snapshot_name = "{table}_{time:%Y%m%d%H%M%S}.csv"\n[targets.backup]',
            "targets.partner.snapshot_name: files of snapshots get the names of other files (choose"
            " other names)",
        ),
        (
            "[targets.backup]",
            'manifest_line = "{name}"\n[targets.backup]',
            'targets.partner.manifest_line: is for manifests with `manifest_format = "list"`',
        ),
        (
            "[targets.backup]",
            'manifest_format = "list"\nmanifest_line = "{file}"\n[targets.backup]',
            "targets.partner.manifest_line: the manifest line '{file}' cannot be used: 'file'",
        ),
        (
            "[targets.backup]",
            'encoding = "gb1803"\n[targets.backup]',
            "targets.partner.encoding: unknown text encoding 'gb1803' (did you mean 'gb18030'?)",
        ),
        (
            "[targets.backup]",
            'encoding = "rot13"\n[targets.backup]',
            "targets.partner.encoding: unknown text encoding 'rot13' "
            "(for example utf-8, gb18030, cp1252)",
        ),
        (
            'source = "shop"',
            'source = "shop"\nwhere = { "public.order" = "true" }',
            'routes."orders".where."public.order": not one of the route\'s tables '
            "(did you mean 'public.orders'?)",
        ),
        (
            'source = "shop"',
            'source = "shop"\ncolumns = { "public.order" = { id = "id" } }',
            'routes."orders".columns."public.order": not one of the route\'s tables '
            "(did you mean 'public.orders'?)",
        ),
        (
            'source = "shop"',
            'source = "shop"\nhandler = "exec:./send"',
            'routes."orders".handler: handler exec:./send: there is no file {folder}/send',
        ),
        (
            'source = "shop"',
            'source = "shop"\nhandler = "exec:no-such-program -x"',
            'routes."orders".handler: handler exec:no-such-program: there is no program '
            "'no-such-program' in the PATH (a program beside the configuration file is written "
            "exec:./no-such-program)",
        ),
        (
            'source = "shop"',
            'source = "shop"\nhandler = "exec:./send \'x"',
            'routes."orders".handler: cannot read the command: no closing quotation',
        ),
        (
            'source = "shop"',
            'source = "shop"\nhandler = "exec:"',
            'routes."orders".handler: names no program (write for example "exec:./send --fast")',
        ),
        (
            'source = "shop"',
            'source = "shop"\nhandler = "python:mine.py"',
            "routes.\"orders\".handler: cannot read the Python class 'mine.py' "
            '(write for example "python:orders:Orders" or "python:package.module:Class")',
        ),
        (
            'source = "shop"',
            'source = "shop"\nhandler = "mine"',
            "routes.\"orders\".handler: cannot read the handler 'mine' "
            '(write "default", "python:module:Class" or "exec:./program arguments")',
        ),
        (
            'source = "shop"',
            'source = "shop"\nhandlers = { "public.order" = "python:mine:Handler" }',
            'routes."orders".handlers."public.order": not one of the route\'s tables '
            "(did you mean 'public.orders'?)",
        ),
        (
            'type = "backup"\npath = "var/backup"',
            'type = "handler"',
            "routes.\"orders\".targets[2]: table 'public.orders' has no handler, which target "
            '\'backup\' needs (set `handler` to "python:..." or "exec:...")',
        ),
        (
            'source = "shop"',
            'source = "shop"\nhandler_timeout = 0',
            'routes."orders".handler_timeout: must be greater than 0',
        ),
        (
            'source = "shop"',
            'source = "shop"\ntimezone = "Asia/Shangai"',
            "routes.\"orders\".timezone: unknown time zone 'Asia/Shangai' "
            "(did you mean 'Asia/Shanghai'?)",
        ),
    ],
)
def test_one_problem(problems: Problems, tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert expected.replace("{folder}", str(tmp_path)) in problems((old, new))


def test_duplicate_route_is_counted_not_named(problems: Problems) -> None:
    again = """
    [[routes]]
    name = "orders"
    source = "shop"
    tables = ["public.stock"]
    targets = ["crom"]
    """
    assert problems(more=again) == [
        "routes[1].name: 'orders' is already the name of routes[0]",
        "routes[1].targets[0]: unknown target 'crom' (did you mean 'crm'?)",
    ]


def test_missing_sections(edited: Callable[..., Path]) -> None:
    path = edited()
    path.write_text("sources = {}", encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        load(path)

    assert [(problem.key, problem.message) for problem in caught.value.problems] == [
        ("sources", "must not be empty"),
        ("targets", "required key is missing"),
        ("routes", "required key is missing"),
    ]


def test_sections_of_the_wrong_form(problems: Problems) -> None:
    more = "[[routes]]\nname = 3\nsource = []\ntables = 'x'\ntargets = [1]\ninto = 4"
    assert problems(
        ('[targets.backup]\ntype = "backup"\npath = "var/backup"', "[targets]\nbackup = 5"),
        more=more,
    ) == [
        "targets.backup: must be a table",
        "routes[1].name: must be a string",
        "routes[1].source: must be a string",
        "routes[1].tables: must be an array",
        "routes[1].targets[0]: must be a string",
        "routes[1].into: must be a table",
    ]


def test_all_problems_at_once(problems: Problems, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_DB_PASSWORD")

    assert problems(
        ("mysql://", "mysq://"),
        ('"var/backup"', '"var/backup"\nzzz = 3'),
        ('"crm", "partner"', '"cmr", "partner"'),
        ('source = "shop"', 'source = "shop"\nschedule = "cron 61 * * * *"'),
    ) == [
        "sources.shop.password: environment variable SHOP_DB_PASSWORD is not set",
        "targets.crm.url: unknown URL scheme 'mysq' (did you mean 'mysql'?)",
        "targets.backup.zzz: unknown key",
        "routes.\"orders\".schedule: cannot read the cron expression '61 * * * *': bad minute "
        '(write for example "cron 0 * * * *" (hourly) or "cron 30 2 * * MON-FRI")',
        "routes.\"orders\".targets[0]: unknown target 'cmr' (did you mean 'crm'?)",
    ]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("{table}.csv", "the name pattern '{table}.csv' needs {batch}"),
        (
            "{table}_{no}.csv",
            "the name pattern '{table}_{no}.csv' has {no}; there are only {table}, {route}, {op}, "
            "{batch}, {first_batch}, {seq}, {time}, {window}, {window_end}",
        ),
        (
            "{table}{batch}.csv",
            "the name pattern '{table}{batch}.csv' needs text that is no digit on both sides of "
            "{batch}, such as '_'",
        ),
    ],
)
def test_the_files_target_judges_its_names(problems: Problems, pattern: str, expected: str) -> None:
    edit = ("file:outgoing", f'file:outgoing"\nname = "{pattern}')
    assert problems(edit) == [f"targets.partner.name: {expected}"]


def test_a_local_copy_needs_a_folder_of_its_own(problems: Problems) -> None:
    edit = ("file:outgoing", 'file:outgoing"\nlocal_copy = "x/../outgoing')
    assert problems(edit) == [
        "targets.partner.local_copy: must be another folder than the one that the url names"
    ]


TWO_NAMES = "files of two tables get one name"
TWO_ROUTES = "files of two routes go to one folder (put {route} into it)"


@pytest.mark.parametrize(
    ("pattern", "into", "second", "expected"),
    [
        ("{batch}.csv", "", "", f"{TWO_NAMES} (put {{table}} into it)"),
        (
            "{table}_{batch}.csv",
            'into = { "public.orders" = "x", "public.order_lines" = "x" }',
            "",
            f"{TWO_NAMES} (give them other names with `into`)",
        ),
        ("{table}_{batch}.csv", "", "public.stock", TWO_ROUTES),
        ("{route}_{table}_{batch}.csv", "", "public.orders", None),
        (
            "{route}_{table}_{batch}.csv",
            'into = { "public.orders" = "x", "public.order_lines" = "y_z" }',
            "",
            None,
        ),
    ],
)
def test_files_never_overwrite_each_other(
    edited: Callable[..., Path], pattern: str, into: str, second: str, expected: str | None
) -> None:
    more = f"""
    [[routes]]
    name = "second"
    source = "shop"
    tables = ["{second}"]
    targets = ["partner"]
    """
    path = edited(
        ("file:outgoing", f'file:outgoing"\nname = "{pattern}'),
        ('source = "shop"', f'source = "shop"\n{into}'),
        more=more if second else "",
    )
    if expected is None:
        load(path)
        return

    with pytest.raises(ConfigError) as caught:
        load(path)

    assert str(caught.value) == f"{path}: targets.partner.name: {expected}"


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ('url = "file:x/../outgoing"', ["other", "partner"]),
        ('url = "file:elsewhere"\nlocal_copy = "outgoing"', ["other", "partner"]),
        (
            'url = "file:outgoing"\nname = "other_{table}_{batch}.csv"\n'
            'snapshot_name = "other_{time}/{table}.csv"',
            [],
        ),
        ('url = "file:elsewhere"', []),
    ],
)
def test_two_targets_in_one_folder(
    edited: Callable[..., Path], other: str, expected: list[str]
) -> None:
    path = edited(
        ('"partner", "backup"', '"partner", "backup", "other"'),
        more=f'[targets.other]\ntype = "files"\n{other}',
    )
    if not expected:
        load(path)
        return

    with pytest.raises(ConfigError, match="files of two deliveries get one name") as caught:
        load(path)

    keys = sorted(problem.key for problem in caught.value.problems)
    assert keys == [f"targets.{name}.name" for name in expected]


def test_snapshots_of_two_targets_in_one_folder(
    problems: Problems,
) -> None:
    found = problems(
        ('"partner", "backup"', '"partner", "backup", "other"'),
        more='[targets.other]\ntype = "files"\nurl = "file:outgoing"\nname = "o_{table}_{batch}"',
    )
    hint = "give each a `snapshot_name` and a `snapshot_manifest` of its own"
    assert sorted(found) == [
        f"targets.{name}.snapshot_name: snapshots of two deliveries get one name ({hint})"
        for name in ("other", "partner")
    ]


def test_a_program_that_cannot_be_executed(
    edited: Callable[..., Path], problems: Problems, tmp_path: Path
) -> None:
    program = tmp_path / "send it"
    program.write_text("#!/bin/sh\n")
    handler = ('source = "shop"', 'source = "shop"\nhandler = "exec:\'./send it\' --fast"')

    assert problems(handler) == [
        f'routes."orders".handler: handler exec:./send it: {program} is not executable '
        f"(chmod +x '{program}')"
    ]
    program.chmod(0o755)
    assert str(load(edited(handler)).routes[0].handler) == "exec:./send it"
