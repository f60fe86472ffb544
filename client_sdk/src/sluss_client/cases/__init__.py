"""Case records: tasks, requests, consents, reviews and the like, filed without a network and read when they have come.

`book` keeps, files and takes in; `sending` pushes; the other modules say what each kind holds and does.
"""
