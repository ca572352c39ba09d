"""Which rows a statement writes: the query for their primary keys, run before the statement to lock them."""

from collections.abc import Sequence

from sqlglot import exp


def written(tree: exp.Expr, key: Sequence[str], columns: Sequence[str]) -> exp.Select | None:
    """Give the query for the keys of a table with these `columns`; None when any row may be written."""
    if isinstance(tree, exp.Insert):
        return _inserted(tree, key, columns)
    if isinstance(tree, exp.Update) and not _touches(tree, key):
        return _found(tree, tree.args.get("from_"), key)
    if isinstance(tree, exp.Delete):
        using = tree.args.get("using")
        return _found(tree, exp.From(this=using[0]) if using else None, key)
    return None


def _inserted(tree: exp.Insert, key: Sequence[str], columns: Sequence[str]) -> exp.Select | None:
    """Select the key from the rows that are to be inserted."""
    listed = [one.name for one in tree.this.expressions] if isinstance(tree.this, exp.Schema) else list(columns)
    folded = [name.upper() for name in listed]
    if not all(name in folded for name in key):
        return None
    source = tree.expression.copy()
    names = [exp.to_identifier(name, quoted=True) for name in folded]  # "AT" means something else without quotes
    alias = exp.TableAlias(this=exp.to_identifier("incoming"), columns=names)
    if isinstance(source, exp.Values):
        source.set("alias", alias)
    else:
        source = exp.Subquery(this=source, alias=alias)
    return exp.select(*(exp.column(name) for name in key)).from_(source)


def _found(tree: exp.Update | exp.Delete, joined: exp.Expr | None, key: Sequence[str]) -> exp.Select:
    """Select the key from the rows that the condition finds."""
    target = tree.this.copy()
    query = exp.select(*(exp.column(name, table=target.alias_or_name) for name in key)).from_(target)
    if joined is not None:
        query = query.join(joined.this.copy(), join_type="cross")
    where = tree.args.get("where")
    return query.where(where.this.copy()) if where is not None else query


def _touches(tree: exp.Update, key: Sequence[str]) -> bool:
    return any(one.this.name.upper() in key for one in tree.expressions)
