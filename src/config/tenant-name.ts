/** What a tenant may be called, in headers, tokens and files alike. */
export const TENANT_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Reads after "must be". */
export const TENANT_NAME_RULE =
  '1 to 64 letters, digits, dots, underscores or hyphens, beginning with a letter or digit';
