"""The server's HTTP surface: a request is parsed, one service is called, its answer is written.

For: what is true of every request, whatever it asks: who signed it, how large it may be, which media type it speaks,
what a refusal looks like, and what is counted and logged about it.
Refuses to decide anything, and to know of a table: `services` decides, and only it reaches storage.

> INVARIANT: an answer that is no success is a problem body with a code of the catalogue.

Source: docs/protocol.md section 5.
"""
