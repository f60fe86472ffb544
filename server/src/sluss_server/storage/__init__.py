"""Tables and statements: how the server keeps what it was given.

Refuses rules and transactions: a storage function takes the caller's connection, is nothing but SQL, and decides
nothing.
What one engine needs and another does not stands in `engine.py` alone.

> INVARIANT: every table has the partnership first in its primary key.
"""
