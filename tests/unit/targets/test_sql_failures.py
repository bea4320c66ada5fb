"""What messages of MySQL and MariaDB say, without the values in them."""

from __future__ import annotations

import pymysql
import pytest

from replicator.errors import DeliveryStopped, TargetUnavailable
from replicator.targets.sql.conversion import Refused
from replicator.targets.sql.mysql.failures import judge


@pytest.mark.parametrize(
    ("number", "message", "expected"),
    [
        (1062, "Duplicate entry 'SECRET' for key 'item.code'", "key item.code"),
        (1062, "Duplicate entry 'SECRET' for key 'x'' for key 'PRIMARY'", "key PRIMARY"),
        (1048, "Column 'code' cannot be null", "column 'code'"),
        (1364, "Field 'code' doesn't have a default value", "column 'code'"),
        (1406, "Data too long for column 'code' at row 1", "column 'code'"),
        (
            1366,
            "Incorrect integer value: 'SECRET' for column `d`.`t`.`c` at row 1",
            "column d`.`t`.`c",
        ),
        (1292, "Incorrect date value: 'SECRET' for column 'c' at row 7", "column 'c'"),
        (
            1452,
            "Cannot add or update a child row: a foreign key constraint fails (`d`.`t`, "
            "CONSTRAINT `t_fk` FOREIGN KEY (`p`) REFERENCES `p` (`id`))",
            "constraint t_fk",
        ),
        (3819, "Check constraint 'positive' is violated.", "constraint positive"),
        (4025, "CONSTRAINT `positive` failed for `d`.`t`", "constraint positive"),
        (1644, "SECRET is not allowed", ""),
    ],
)
def test_refused_rows_name_the_rule(number: int, message: str, expected: str) -> None:
    verdict = judge(pymysql.err.IntegrityError(number, message))
    assert isinstance(verdict, Refused)
    suffix = f", {expected}" if expected else ""
    assert verdict.error.startswith(f"server error {number}")
    assert verdict.error.endswith(suffix)
    assert "SECRET" not in verdict.error
    assert verdict.unique is (number == 1062)


@pytest.mark.parametrize("number", [1205, 1213, 1040, 2006, 2013, 1053, 1021, 1114])
def test_what_a_retry_helps_against(number: int) -> None:
    verdict = judge(pymysql.err.OperationalError(number, "SECRET"))
    assert isinstance(verdict, TargetUnavailable)
    assert "SECRET" not in str(verdict)


@pytest.mark.parametrize("number", [1044, 1045, 1049, 1054, 1142, 1146])
def test_what_somebody_has_to_mend(number: int) -> None:
    verdict = judge(pymysql.err.ProgrammingError(number, "names only"))
    assert isinstance(verdict, DeliveryStopped)
    assert verdict.hint
