"""What devices of an agency do about the agency itself: found it, let people in and out, keep its root and registrars.

`papers` writes and reads root keys; `founding` makes first entries and announcements; `inviting` promises and admits;
`lifecycle` turns what happens to people into entries; `registrar` signs and sends them; `roots` does what needs the
root key.
"""
