"""What stores, routes and decides in Sluss, without being able to read.

Refuses to hold a key that opens a section, or code that could: of cryptography it knows signatures only.

> INVARIANT: http -> services -> policy | storage; nothing imports back along an arrow.
"""
