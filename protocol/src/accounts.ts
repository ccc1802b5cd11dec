import { Type, type Static } from 'typebox';

/** Rights: `admin` manages accounts. */
export const Role = Type.Enum(['member', 'moderator', 'admin']);
export type Role = Static<typeof Role>;
