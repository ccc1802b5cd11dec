/**
 * Every refusal of the API. Codes are stable: clients switch on them. A code is never renamed and never changes its
 * status; titles are for people and may change. A refused write has written nothing, unless it is `outcome_unknown`.
 */
export const errorCodes = {
  malformed_request: { status: 400, title: 'The request is not valid HTTP' },
  malformed_json: { status: 400, title: 'The body is not valid JSON' },
  invalid_request: { status: 400, title: 'Some fields of the request are not valid' },
  unauthenticated: { status: 401, title: 'This address needs a valid session, or a password' },
  forbidden: { status: 403, title: 'The account of this session does not have this right' },
  invalid_credentials: { status: 401, title: 'The username or the password is wrong' },
  registration_closed: { status: 403, title: 'Only administrators create accounts on this server' },
  account_disabled: { status: 403, title: 'An administrator has disabled this account' },
  recipient_unavailable: { status: 403, title: 'This person cannot be reached' },
  wrong_password: { status: 403, title: 'The current password is wrong' },
  not_permitted: { status: 403, title: 'The role in this conversation does not include this action' },
  recipient_blocked: { status: 403, title: 'This account has blocked the person' },
  cross_site_request: { status: 403, title: 'A change with a session cookie must come from a page of this server' },
  not_found: { status: 404, title: 'No resource has this path' },
  user_not_found: { status: 404, title: 'There is no user with this id' },
  session_not_found: { status: 404, title: 'The account has no session with this id' },
  account_not_found: { status: 404, title: 'No account with this id' },
  conversation_not_found: { status: 404, title: 'This account is a member of no conversation with this id' },
  message_not_found: { status: 404, title: 'The conversation has no message with this number' },
  method_not_allowed: { status: 405, title: 'This resource does not support the method' },
  request_timeout: { status: 408, title: 'The request was not complete or not answered in time' },
  username_taken: { status: 409, title: 'Another account has this username' },
  conversation_id_taken: { status: 409, title: 'Another conversation has this id' },
  last_administrator: { status: 409, title: 'The last administrator cannot be demoted, disabled or deleted' },
  message_id_taken: { status: 409, title: 'Another message of this conversation has this id' },
  precondition_failed: { status: 412, title: 'The resource has changed: its ETag does not match If-Match' },
  body_too_large: { status: 413, title: 'The body is larger than the server accepts' },
  unsupported_media_type: {
    status: 415,
    title: 'The body must be application/json, or application/merge-patch+json for PATCH, without a content coding',
  },
  expectation_failed: { status: 417, title: 'The only supported expectation is 100-continue' },
  idempotency_key_reused: { status: 422, title: 'This Idempotency-Key was used with another body' },
  too_many_attempts: { status: 429, title: 'Too many wrong passwords were sent; wait as long as Retry-After says' },
  too_many_requests: {
    status: 429,
    title: 'This account has sent too many requests; wait as long as Retry-After says',
  },
  headers_too_large: { status: 431, title: 'The request headers are larger than the server accepts' },
  internal_error: { status: 500, title: 'Internal error; the log has it under the request id' },
  not_implemented: { status: 501, title: 'The method or the transfer coding is not implemented' },
  database_unavailable: { status: 503, title: 'The database is unavailable' },
  pool_exhausted: { status: 503, title: 'All database connections are busy; retry later' },
  overloaded: { status: 503, title: 'The server is overloaded; retry later' },
  not_ready: { status: 503, title: 'The server is not ready to accept requests' },
  http_version_not_supported: { status: 505, title: 'The server supports only HTTP/1.1 and HTTP/1.0' },
  statement_timeout: { status: 504, title: 'The database did not answer in time' },
  outcome_unknown: {
    status: 504,
    title: 'The outcome of the write is unknown; check whether it happened before a retry',
  },
} as const;

export type ErrorCode = keyof typeof errorCodes;
