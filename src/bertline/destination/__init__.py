"""Output paths: checked before the work, locked for one writer at a time, and written atomically."""

from bertline.destination.checks import check_name, check_place, check_room, existing, resolved
from bertline.destination.claim import claim
from bertline.destination.files import as_destination_error, is_full, remedy, replace_file, shortened
from bertline.destination.folder import write_files

__all__ = [
    "as_destination_error",
    "check_name",
    "check_place",
    "check_room",
    "claim",
    "existing",
    "is_full",
    "remedy",
    "replace_file",
    "resolved",
    "shortened",
    "write_files",
]
