"""The supervisors' overview: pages made from coded facts, which never touch a key.

A page is asked for (`asking`), its viewer is known (`guard`, the session), its panels load what they show from the
services (`panels`), and templates say it in the viewer's language (`pages`, `wording`).
Everything works without script; htmx makes it quicker, and nothing is loaded from elsewhere.

> INVARIANT: nothing here reaches storage, and no page says more than the services tell its viewer.
"""
