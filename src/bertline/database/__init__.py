"""SQL databases: how they are opened, locked and migrated, for everything that is kept in one."""
