"""Tables of pictures: parquet, arrow, csv, jsonl, metadata files, saved data sets, the hub."""

from tests.situations import (
    _table_columns,
    _table_pictures,
    _table_sources,
    _table_splits,
    _table_types,
)

SITUATIONS = (
    *_table_types.ROWS,
    *_table_columns.ROWS,
    *_table_splits.ROWS,
    *_table_pictures.ROWS,
    *_table_sources.ROWS,
)
