"""Recordings of real markets, made by others in several layouts, read as one shape: a *tape* is one window as events.

`library` finds what a folder holds; `format` says what a tape is; one importer a layout reads it. The importers need
the extra `polystra[recordings]`.
"""
