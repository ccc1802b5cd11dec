/**
 * Every refusal of the API. Codes are stable: clients switch on them. A code is never renamed and never changes its
 * status; titles are for people and may change. A refused write has written nothing, unless it is `outcome_unknown`.
 */
export const errorCodes = {
  malformed_request: { status: 400, title: 'The bytes on the connection are not a valid HTTP request' },
  malformed_json: { status: 400, title: 'The body is not valid JSON' },
  invalid_request: { status: 400, title: 'Some fields of the request are not valid' },
  unauthenticated: { status: 401, title: 'This address needs a valid session, or a password' },
  forbidden: { status: 403, title: 'The account of this session does not have this right' },
  invalid_credentials: { status: 401, title: 'The username or the password is wrong' },
  registration_closed: { status: 403, title: 'Only administrators create accounts on this server' },
  account_disabled: { status: 403, title: 'An administrator has disabled this account' },
  wrong_password: { status: 403, title: 'The current password is wrong' },
  cross_site_request: { status: 403, title: 'A change with a session cookie must come from a page of this server' },
  not_found: { status: 404, title: 'There is nothing at this address' },
  user_not_found: { status: 404, title: 'There is no user with this id' },
  session_not_found: { status: 404, title: 'The account has no session with this id' },
  account_not_found: { status: 404, title: 'No account with this id' },
  method_not_allowed: { status: 405, title: 'This address does not support this method' },
  request_timeout: { status: 408, title: 'The request was not complete or not answered in time' },
  username_taken: { status: 409, title: 'Another account has this username' },
  last_administrator: { status: 409, title: 'The last administrator cannot be demoted, disabled or deleted' },
  precondition_failed: { status: 412, title: 'The resource has changed: its ETag does not match If-Match' },
  body_too_large: { status: 413, title: 'The body is larger than the server accepts' },
  unsupported_media_type: {
    status: 415,
    title: 'The body must be application/json, or application/merge-patch+json for PATCH; not encoded further',
  },
  expectation_failed: { status: 417, title: 'The only expectation that the server meets is 100-continue' },
  idempotency_key_reused: { status: 422, title: 'This Idempotency-Key was used with another body' },
  too_many_attempts: { status: 429, title: 'Too many wrong passwords were sent; wait as long as Retry-After says' },
  too_many_requests: {
    status: 429,
    title: 'This account has sent too many requests; wait as long as Retry-After says',
  },
  headers_too_large: { status: 431, title: 'The request headers are larger than the server accepts' },
  internal_error: { status: 500, title: 'The server has a defect; the request id finds it in the log' },
  not_implemented: { status: 501, title: 'The server knows no such method or transfer coding' },
  database_unavailable: { status: 503, title: 'The database cannot be reached right now' },
  pool_exhausted: { status: 503, title: 'All database connections stayed busy; try again' },
  overloaded: { status: 503, title: 'The server has more to do than it can do in time; try again later' },
  not_ready: { status: 503, title: 'The server is not ready to take requests' },
  http_version_not_supported: { status: 505, title: 'The server speaks HTTP/1.1 and HTTP/1.0' },
  statement_timeout: { status: 504, title: 'The database did not finish in time' },
  outcome_unknown: {
    status: 504,
    title: 'The write was sent and not answered; look whether it happened before a retry',
  },
} as const;

export type ErrorCode = keyof typeof errorCodes;
