/** Our advisory locks share one first number ("pens" in ASCII), so that they never meet another program's. */
export const LOCK_SPACE = 0x70656e73;

/** Second number: schema changes, one process at a time. */
export const MIGRATION_LOCK = 1;

/** Second number: ownership of the embedded database's folder, held by a session. */
export const FOLDER_LOCK = 2;

/** Second number: a change of a stored setting, one at a time. */
export const SETTINGS_LOCK = 7;
