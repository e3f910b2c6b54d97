"""Lists what can go wrong between Polystra and its files. Every message says what to do about it."""

from polystra.core.errors import PolystraError


class FolderMissing(PolystraError):
    """The folder that should hold the ledger does not exist."""


class NotALedger(PolystraError):
    """The file exists and is something else: no database, or somebody else's."""


class LedgerReadOnly(PolystraError):
    """The ledger, or its folder, cannot be written."""


class LedgerLocked(PolystraError):
    """A program that is not Polystra holds the database."""


class LedgerInUse(PolystraError):
    """Another Polystra process owns this ledger; the message names it."""


class DiskFull(PolystraError):
    """No room left where the ledger is."""


class LedgerDamaged(PolystraError):
    """The database is not whole: pages, tables or columns are missing or corrupt."""


class SchemaBehind(PolystraError):
    """The ledger's schema is older than this version; `migrate` brings it forward."""


class SchemaTooNew(PolystraError):
    """The ledger was written by a later version, and this one would not understand it."""


class MigrationFailed(PolystraError):
    """A step of the schema did not succeed; the ledger is at the version before it, with all its rows."""


class LedgerUnavailable(PolystraError):
    """A write did not happen, none of it. Entries must stop and resting orders be cancelled until one succeeds."""


class LedgerContradiction(PolystraError):
    """What should be recorded contradicts what is: a fill with other numbers, an order number used twice."""


class JournalExists(PolystraError):
    """A new journal would have replaced an old one."""


class NotAJournal(PolystraError):
    """The file is empty, or something else than a journal."""


class JournalTooNew(PolystraError):
    """The journal was written by a later version, in a format that this one does not know."""


class JournalDamaged(PolystraError):
    """Bytes before the end are not what was written. Whatever follows cannot be trusted to be complete."""


class JournalUnavailable(PolystraError):
    """A write did not happen. What was buffered is still buffered, and the file ends where it ended before."""
