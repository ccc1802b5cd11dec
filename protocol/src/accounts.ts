import { Type, type Static, type TSchema } from 'typebox';

import { credentialMaxLength, pageLimitDefault, pageLimitMax, usernameMaxLength } from './limits.ts';
import { Id, Name, Timestamp, User } from './users.ts';

/** Rights: `admin` manages accounts. */
export const Role = Type.Enum(['member', 'moderator', 'admin']);
export type Role = Static<typeof Role>;

/** `@all` mentions everybody; `@deleted` replaces the mentions of deleted accounts. */
export const usernamePattern = '^(?!(?:all|deleted)$)[a-z0-9]+(?:[._-][a-z0-9]+)*$';

/** `x-fold` applies NFKC and lower case first: what two people type for one name is one text. */
const Username = Type.String({
  'x-fold': true,
  pattern: usernamePattern,
  minLength: 2,
  maxLength: usernameMaxLength,
  description:
    'Letters a to z and digits, with single dots, hyphens or underscores between them. Upper case counts as lower case',
  examples: ['ada'],
});

const Text = (description: string) => Type.String({ minLength: 1, maxLength: credentialMaxLength, description });

const NewPassword = Text(
  '12 to 256 characters after NFKC; refused when it contains the username or is one of the most common passwords',
);
const Password = Text('The current password');
const Cookie = Type.Optional(
  Type.Boolean({ description: 'For browsers: the session is set as a cookie, and the answer contains no token' }),
);

const ReadsPrivate = Type.Boolean({
  description: 'Nobody sees what this account has read, and it sees that of nobody',
});

const PresencePrivate = Type.Boolean({ description: 'Nobody sees whether this account is online' });

export const Account = Type.Object(
  {
    user_id: Id,
    username: Type.String(),
    role: Role,
    disabled: Type.Boolean(),
    reads_private: ReadsPrivate,
    presence_private: PresencePrivate,
    created_at: Timestamp,
  },
  { title: 'Account' },
);
export type Account = Static<typeof Account>;

export const Session = Type.Object(
  {
    id: Id,
    created_at: Timestamp,
    last_used_at: Type.String({ ...Timestamp, description: 'Updated at most once an hour' }),
    expires_at: Type.String({ ...Timestamp, description: 'Moves with use, up to a maximum age' }),
    address: Type.String({ description: 'The address that signed in' }),
    client: Type.String({ description: 'The kind of client that signed in', examples: ['Firefox on Linux'] }),
    is_current: Type.Boolean({ description: 'Whether this request belongs to it' }),
  },
  { title: 'Session' },
);
export type Session = Static<typeof Session>;

/** An account and its user. */
export const Member = Type.Object(
  { account: Account, user: User },
  { title: 'Member', description: 'The account and its user' },
);
export type Member = Static<typeof Member>;

const Token = Type.Optional(
  Type.String({
    description: 'To be sent as `Authorization: Bearer …`. Shown once; absent when the session is a cookie',
  }),
);

/** The answer to a sign-up and a sign-in. */
export const SignInAnswer = Type.Object(
  {
    account: Account,
    user: User,
    session: Session,
    token: Token,
  },
  { title: 'SignInAnswer', description: 'The account, its user and the new session' },
);
export type SignInAnswer = Static<typeof SignInAnswer>;

const body = <Properties extends Record<string, TSchema>>(title: string, properties: Properties) =>
  Type.Object(properties, { additionalProperties: false, title });

export const SignUp = body('SignUp', {
  username: Username,
  password: NewPassword,
  first_name: Name,
  last_name: Name,
  cookie: Cookie,
});
export type SignUp = Static<typeof SignUp>;

/** No rules for the username: any text that names no account is refused like a wrong password. */
export const SignIn = body('SignIn', { username: Text('In any case'), password: Password, cookie: Cookie });
export type SignIn = Static<typeof SignIn>;

export const MemberPatch = Type.Partial(
  Type.Object({
    username: Username,
    first_name: Name,
    last_name: Name,
    reads_private: ReadsPrivate,
    presence_private: PresencePrivate,
    password: Text('The current password: required for a new username'),
  }),
  { additionalProperties: false, minProperties: 1, title: 'MemberPatch' },
);
export type MemberPatch = Static<typeof MemberPatch>;

export const PasswordChange = body('PasswordChange', { current: Password, new: NewPassword });
export type PasswordChange = Static<typeof PasswordChange>;

export const PasswordChanged = Type.Object(
  { token: Token },
  { title: 'PasswordChanged', description: 'The password is changed, and the session has a new token' },
);

export const AccountDeletion = body('AccountDeletion', {
  password: Password,
  messages: Type.Optional(
    Type.Enum(['keep', 'erase'], { default: 'keep', description: 'What happens to the texts of the own messages' }),
  ),
});
export type AccountDeletion = Static<typeof AccountDeletion>;

export const AccountPatch = Type.Partial(Type.Object({ role: Role, disabled: Type.Boolean() }), {
  additionalProperties: false,
  minProperties: 1,
  title: 'AccountPatch',
});
export type AccountPatch = Static<typeof AccountPatch>;

export const AccountPath = Type.Object({ user_id: Id });
export const SessionPath = Type.Object({ id: Id });

export const AccountPageQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: pageLimitMax, default: pageLimitDefault })),
    after: Type.Optional(Type.String({ format: 'uuid', description: 'The last `user_id` of the previous page' })),
  },
  { additionalProperties: false },
);
export type AccountPageQuery = Static<typeof AccountPageQuery>;
