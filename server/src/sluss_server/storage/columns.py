"""Columns as the tables have them, and the metadata that every table belongs to."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, MetaData, String

metadata: Final = MetaData()


def key(name: str, kind: type[LargeBinary | BigInteger | Boolean] = LargeBinary) -> Column[object]:
    """Return a column of a primary key."""
    return Column(name, kind(), primary_key=True, autoincrement=False, nullable=False)


def data(name: str, *, nullable: bool = False) -> Column[bytes]:
    """Return a column of bytes."""
    return Column(name, LargeBinary(), nullable=nullable)


def number(name: str, *, nullable: bool = False) -> Column[int]:
    """Return a column of whole numbers."""
    return Column(name, BigInteger(), nullable=nullable)


def text(name: str, length: int, *, nullable: bool = False) -> Column[str]:
    """Return a column of text."""
    return Column(name, String(length), nullable=nullable)
