"""What survives: the ledger (orders, fills, decisions; SQLite) and the journal (every event and command; one file).

Import from the modules, not from here: a backtest needs the journal alone and must not pay for the database library.
"""
