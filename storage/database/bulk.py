"""Inserts rows in bulk, and iterates over many rows while others write.

Django's `bulk_create` makes an object of each row and prepares each of its values; for the replicas
of a batch that was more work than all else together. Here a value that all rows share is prepared
once, and nothing is made of a row.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models, transaction

if TYPE_CHECKING:
    AnyField = models.Field[Any, Any]

Row = TypeVar("Row", bound=models.Model)


def steadily(rows: models.QuerySet[Row], page: int = 200) -> Iterator[Row]:
    """Read rows in order, a page at a time; anybody may write between two pages, the caller too.

    A connection to SQLite that has not read to the end cannot begin to write once another one has
    written: it would be refused at once, however patient it is. So there the keys are read first,
    and a row that does not belong to `rows` any more when it is reached is passed over.
    """
    if connections[rows.db].vendor != "sqlite":
        yield from rows.iterator(page)
        return
    keys = list(rows.values_list("pk", flat=True))
    for start in range(0, len(keys), page):
        some = keys[start : start + page]
        found = {row.pk: row for row in rows.filter(pk__in=some)}
        yield from (found[key] for key in some if key in found)


def insert(
    model: type[models.Model],
    same: Mapping[str, Any],
    varied: Mapping[str, Sequence[Any]],
    *,
    returning: Sequence[str] = (),
) -> list[tuple[Any, ...]]:
    """Insert a row for each of the `varied` columns' values, which are of equal number.

    Return of each row the fields `returning`, in no order.

    Names are fields' (of relations: `…_id`). What neither names has its default, one for all rows;
    a primary key that neither names is the database's to give.
    """
    named = {*same, *varied}
    fields = [
        field
        for field in model._meta.concrete_fields
        if not field.primary_key or field.attname in named
    ]
    values = {**{field.attname: field.get_default() for field in fields}, **same}
    if unknown := named - {field.attname for field in fields}:
        raise ValueError(f"{model.__name__} has no field {min(unknown)}.")
    columns = [field for field in fields if field.attname not in varied]
    shared = tuple(_prepared(field, [values[field.attname]])[0] for field in columns)
    by_name = {field.attname: field for field in fields}
    lists = [_prepared(by_name[name], found) for name, found in varied.items()]
    columns += [by_name[name] for name in varied]
    rows = [shared + row for row in zip(*lists, strict=True)]
    every = {field.attname: field for field in model._meta.concrete_fields}
    wanted = [str(every[name].column) for name in returning]
    return _write(model, columns, rows, wanted)


def _prepared(field: "AnyField", values: Sequence[Any]) -> Sequence[Any]:
    """Return values in the form in which the database takes them."""
    plain: AnyField = field
    while isinstance(plain, models.ForeignKey):
        plain = plain.target_field
    types = {*map(type, values)}
    if (isinstance(plain, models.CharField) and types == {str}) or (
        isinstance(plain, models.IntegerField) and types == {int}
    ):
        return values  # as they are, which to find out value by value takes longest of all
    # Django's own `connection` looks up the thread's each time that it is asked for anything.
    there = connections[DEFAULT_DB_ALIAS]
    if types == {datetime}:  # mostly the same moment
        known = {value: field.get_db_prep_save(value, there) for value in {*values}}
        return [known[value] for value in values]
    return [field.get_db_prep_save(value, there) for value in values]


def _write(
    model: type[models.Model],
    columns: Sequence["AnyField"],
    rows: list[tuple[Any, ...]],
    returning: Sequence[str],
) -> list[tuple[Any, ...]]:
    connection = connections[DEFAULT_DB_ALIAS]
    quote = connection.ops.quote_name
    names = ", ".join(quote(str(field.column)) for field in columns)
    placeholder = f"({', '.join(['%s'] * len(columns))})"
    most = max(1, (connection.features.max_query_params or 10_000) // len(columns))
    end = f" RETURNING {', '.join(map(quote, returning))}" if returning else ""
    returned: list[tuple[Any, ...]] = []
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        for start in range(0, len(rows), most):
            some = rows[start : start + most]
            placeholders = ", ".join([placeholder] * len(some))
            # Names are the models' own; every value is a parameter.
            cursor.execute(
                f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES {placeholders}{end}",  # noqa: S608
                [value for row in some for value in row],
            )
            returned += cursor.fetchall() if returning else []
    return returned
